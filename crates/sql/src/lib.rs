//! One SQL query over a few Parquet files, in a process of its own.
//!
//! The exchange starts `torv-sql` once for each query: with an empty environment, in an empty folder of its own, with a
//! [`Request`] as JSON on its standard input. The result goes to the standard output in the format asked for; what
//! became of the query ([`Outcome`]) is the last line of the standard error.
//!
//! ```text
//! FOLDER/tables/0.parquet   what may be read, linked there by whoever starts the process
//! FOLDER/spill/             what does not fit into memory
//! ```
//!
//! Without the feature `engine` the crate is these types alone; with it, it compiles `DataFusion`.

mod protocol;
mod words;

#[cfg(feature = "engine")]
pub mod engine;

pub use protocol::{Class, Failure, Format, Limits, OUTCOME_BYTES_MAX, Outcome, Request, SPILL_DIR, TABLES_DIR, Table};
pub use words::type_word;
