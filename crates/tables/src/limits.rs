//! How much a profile may cost.

/// Bounds on the time, memory and output of one profile.
///
/// Memory stays below a few times `max_row_bytes` for the row at hand, plus `sample_max_bytes`, plus per column, for up
/// to 256 columns, `20 bytes × distinct_exact_max` and `counters_max × (max_cell_bytes + 64 bytes)`; for Parquet, plus
/// `max_held_bytes`. Nothing depends on the size of the file. By default that is 5 MB for a
/// usual table and about 150 MB for the most hostile text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileLimits {
    /// Rows read; the rest is left uncounted and the profile marked truncated.
    pub max_rows: u64,
    /// Columns profiled; further ones are named in a warning only.
    pub max_columns: usize,
    /// Bytes of UTF-8 kept of one value in samples, top values, minimum and maximum; longer ones end in `…`.
    pub max_cell_bytes: usize,
    /// Bytes of one row or of one JSON value that is read as a whole.
    pub max_row_bytes: u64,
    /// Rows of the sample.
    pub sample_rows: usize,
    /// Bytes of all sampled values together; the sample ends early when they are used up.
    pub sample_max_bytes: usize,
    /// Distinct values counted exactly, over at most 256 columns; wider tables share the same memory.
    pub distinct_exact_max: usize,
    /// Values of a column whose occurrences are counted at the same time, shared likewise.
    pub counters_max: usize,
    /// Most frequent values reported per column.
    pub top_values: usize,
    /// Warnings reported.
    pub max_warnings: usize,
    /// Parquet: bytes of the footer that describes the file.
    pub max_footer_bytes: u64,
    /// Parquet: decoded bytes of one page.
    pub max_page_bytes: u64,
    /// Decoded bytes of all Parquet pages, or of all values. A small Parquet file can repeat a page or a value so often
    /// that reading it never ends: more pages are refused, more values left unread.
    pub max_decoded_bytes: u64,
    /// Parquet: bytes of the pages and dictionaries of all columns that are open at once; columns that do not fit are
    /// listed without figures.
    pub max_held_bytes: u64,
    /// Parquet: values that are held at once, of a dictionary or of a nested column in one row group.
    pub max_values_at_once: u64,
}

/// Columns that have the memory for counting values to themselves; wider tables share it.
const COUNTING_COLUMNS: usize = 256;

/// What counting the values of one column may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counting {
    /// Distinct values counted exactly.
    pub(super) exact_max: usize,
    /// Values whose occurrences are counted at the same time.
    pub(super) counters_max: usize,
}

impl ProfileLimits {
    /// The share of one column in a table this wide.
    pub(super) fn counting(&self, columns: usize) -> Counting {
        let share = |whole: usize| whole.saturating_mul(COUNTING_COLUMNS) / columns.max(COUNTING_COLUMNS);
        Counting { exact_max: share(self.distinct_exact_max), counters_max: share(self.counters_max).max(2) }
    }
}

impl Default for ProfileLimits {
    fn default() -> Self {
        Self {
            max_rows: 20_000_000,
            max_columns: 1_024,
            max_cell_bytes: 256,
            max_row_bytes: 8 << 20,
            sample_rows: 100,
            sample_max_bytes: 1 << 20,
            distinct_exact_max: 10_000,
            counters_max: 1_024,
            top_values: 10,
            max_warnings: 50,
            max_footer_bytes: 16 << 20,
            max_page_bytes: 64 << 20,
            max_decoded_bytes: 32 << 30,
            max_held_bytes: 512 << 20,
            max_values_at_once: 4 << 20,
        }
    }
}
