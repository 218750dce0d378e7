//! What is asked of the process, and what it answers.

use serde::{Deserialize, Serialize};

/// The folder of tables in the working folder.
pub const TABLES_DIR: &str = "tables";
/// The folder for what does not fit into memory, in the working folder.
pub const SPILL_DIR: &str = "spill";
/// Longest line that says what became of a query.
pub const OUTCOME_BYTES_MAX: usize = 64 * 1024;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `{"columns": [{"name", "type"}], "rows": [[…]], "row_count": N}`.
    Json,
    /// A header and the rows (RFC 4180). What is missing is empty, an empty text is `""`.
    Csv,
    /// The streaming format of Arrow IPC.
    Arrow,
}

/// A table that may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// What it is called in SQL, each of one part, or of three: catalogue, schema and table.
    pub names: Vec<Vec<String>>,
    /// Its Parquet files of one schema, by their names in [`TABLES_DIR`].
    pub files: Vec<String>,
}

/// What a query may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory that operators account for; beyond it they spill where they can.
    pub memory_bytes: u64,
    /// Working files, all together.
    pub spill_bytes: u64,
    /// Rows of the result.
    pub rows_max: u64,
    /// Bytes of the result as it is written.
    pub result_bytes_max: u64,
    /// Time by the clock on the wall.
    pub time_ms: u64,
    /// Time of all processors together.
    pub cpu_seconds: u64,
    /// Threads that work on the query.
    pub threads: usize,
    /// Files open at once.
    pub open_files: u64,
}

/// A query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What it may read.
    pub tables: Vec<Table>,
    /// One `SELECT`, or another query.
    pub sql: String,
    /// How the result is written.
    pub format: Format,
    /// What it may take.
    pub limits: Limits,
}

impl Request {
    /// A query over nothing, with the limits of a small one.
    pub fn nothing() -> Self {
        let mib = 1024 * 1024;
        let limits = Limits {
            memory_bytes: 256 * mib,
            spill_bytes: 256 * mib,
            rows_max: 1_000_000,
            result_bytes_max: 64 * mib,
            time_ms: 30_000,
            cpu_seconds: 60,
            threads: 2,
            open_files: 256,
        };
        Self { tables: Vec::new(), sql: String::new(), format: Format::Json, limits }
    }
}

/// Why a query has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It is not SQL.
    Syntax,
    /// It names a table that it was not given.
    UnknownTable,
    /// It names a column that its tables don't have.
    UnknownColumn,
    /// It does something else than to read.
    NotAQuery,
    /// It can't be carried out as it is: types that don't fit, a division by zero, an unknown function.
    Failed,
    /// It needs more memory, or more working files, than it may.
    OutOfMemory,
    /// It takes longer than it may.
    TooSlow,
    /// Its result has more rows or bytes than it may.
    TooLarge,
    /// The engine failed on it, by a fault of its own.
    EngineFault,
    /// Our fault.
    Internal,
}

/// A query that has no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its kind.
    pub class: Class,
    /// What to change; names no path.
    pub message: String,
    /// What the engine said, for the log alone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
}

/// What became of a query. Without `Done` nothing that was written counts: a result is whole, or there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// All of its result was written.
    Done {
        /// Rows of the result.
        rows: u64,
        /// Bytes that were written.
        bytes: u64,
        /// Which tables it reads, by their places in the request.
        tables: Vec<usize>,
    },
    /// It has no result.
    Refused(Failure),
}

impl Outcome {
    /// Reads the last line of what the process said.
    pub fn read(said: &[u8]) -> Option<Self> {
        let line = said.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty())?;
        serde_json::from_slice(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_is_the_last_line_of_what_was_said() {
        let failure = Failure { class: Class::TooSlow, message: "Slow.".to_owned(), cause: String::new() };
        let line = serde_json::to_string(&Outcome::Refused(failure.clone())).unwrap();
        assert_eq!(line, r#"{"outcome":"refused","class":"too_slow","message":"Slow."}"#);
        let said = format!("thread panicked\n{line}\n");
        assert_eq!(Outcome::read(said.as_bytes()), Some(Outcome::Refused(failure)));
        let done = Outcome::Done { rows: 1, bytes: 2, tables: vec![0] };
        assert_eq!(Outcome::read(&serde_json::to_vec(&done).unwrap()), Some(done));
        for nothing in ["", "\n\n", "{}", "killed"] {
            assert_eq!(Outcome::read(nothing.as_bytes()), None, "{nothing}");
        }
    }
}
