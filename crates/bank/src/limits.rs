//! What a file may cost: every bound in one place, each with its unit in the name.

/// Largest file read, in bytes (8 GiB). A camt.053 of a million entries has about 1 GB.
pub const FILE_BYTES_MAX: u64 = 8 << 30;

/// Most statement lines or report rows in one file.
pub const ROWS_MAX: u64 = 10_000_000;

/// Longest single piece of input that is buffered, in bytes: one XML tag or text, one MT940 line, one CSV row.
pub const TOKEN_BYTES_MAX: usize = 256 << 10;

/// Deepest nesting of XML elements. A camt.053 with all its details stays below 20.
pub const ELEMENT_DEPTH_MAX: usize = 32;

/// Largest child of a `Stmt` element, in bytes of text and names: one entry with all details of its batch.
pub const SUBTREE_BYTES_MAX: usize = 32 << 20;

/// Most transaction details under one batched entry.
pub const DETAILS_MAX: usize = 20_000;

/// Longest MT940 field, in lines. SWIFT allows 6 for `:86:`; German banks send up to about 20.
pub const FIELD_LINES_MAX: usize = 100;

/// Booking days of which equal lines are still told apart; an older day must not come back later in the file.
pub const OPEN_DAYS_MAX: usize = 62;

/// Bytes looked at to find out what a file is.
pub const SNIFF_BYTES: usize = 4096;

/// The bounds a reader keeps. The default is the constants of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes.
    pub file_bytes: u64,
    /// Most lines in the file.
    pub rows: u64,
    /// Longest tag, text, line or row, in bytes.
    pub token_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: FILE_BYTES_MAX, rows: ROWS_MAX, token_bytes: TOKEN_BYTES_MAX }
    }
}
