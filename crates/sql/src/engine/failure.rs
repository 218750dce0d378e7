//! What an error of the engine means to whoever wrote the query.

use std::{path::Path, time::Duration};

use datafusion::{common::SchemaError, error::DataFusionError, sql::sqlparser::parser::ParserError};

use super::{
    refused,
    session::{DEFAULT_NAMES, STORE},
};
use crate::{Class, Failure, Limits};

/// Longest message: the engine lists every column there is.
const MESSAGE_CHARS_MAX: usize = 1_000;
const MIB: u64 = 1024 * 1024;

/// Tells what is wrong, without a path.
pub(super) fn of(error: &DataFusionError, folder: &Path, limits: &Limits) -> Failure {
    let cause = error.strip_backtrace();
    let clean = |text: &str| cleaned(text, folder);
    let (class, message) = match error.find_root() {
        DataFusionError::SQL(error, _) => (Class::Syntax, clean(&syntax(error))),
        DataFusionError::SchemaError(error, _) => match **error {
            SchemaError::FieldNotFound { .. } => (Class::UnknownColumn, clean(&error.to_string())),
            _ => (Class::Failed, clean(&error.to_string())),
        },
        DataFusionError::Plan(text) if is_missing_table(text) => (Class::UnknownTable, clean(text)),
        DataFusionError::Plan(text) if text.contains(" not supported: ") => (Class::NotAQuery, not_a_query().message),
        DataFusionError::Plan(text) if text.starts_with("No SQL statements") => (Class::Syntax, clean(text)),
        DataFusionError::Plan(text) | DataFusionError::Execution(text) | DataFusionError::NotImplemented(text) => {
            (Class::Failed, clean(text))
        }
        // Some operators wrap it.
        _ if cause.contains("used disk space during the spilling") => (Class::OutOfMemory, out_of_memory(limits)),
        DataFusionError::ArrowError(error, _) => (Class::Failed, clean(&error.to_string())),
        DataFusionError::ResourcesExhausted(_) => (Class::OutOfMemory, out_of_memory(limits)),
        DataFusionError::Internal(_) | DataFusionError::ExecutionJoin(_) => return engine_fault(cause),
        _ => return internal(cause),
    };
    Failure { class, message, cause }
}

/// Our own fault, with what the log is told.
pub(super) fn internal(cause: String) -> Failure {
    Failure { class: Class::Internal, message: "The query could not be carried out.".to_owned(), cause }
}

/// Such a query may be carried out when it is written in another way.
pub(super) fn engine_fault(cause: String) -> Failure {
    let message = "The engine failed on this query, by a fault of its own. Write it in another way: in smaller steps, with fewer \
                   joins at once.";
    Failure { class: Class::EngineFault, message: message.to_owned(), cause }
}

pub(super) fn too_slow(time: Duration) -> Failure {
    let seconds = time.as_secs_f64();
    refused(
        Class::TooSlow,
        format!("The query takes longer than {seconds} s. Read fewer rows or columns of its tables."),
    )
}

pub(super) fn not_a_query() -> Failure {
    refused(
        Class::NotAQuery,
        "Send one query (SELECT, WITH, VALUES): nothing can be changed, created, set or explained here.",
    )
}

fn out_of_memory(limits: &Limits) -> String {
    format!(
        "The query needs more than {} MiB of memory, or more than {} MiB of working files. Filter before you join, sort \
         or group.",
        limits.memory_bytes / MIB,
        limits.spill_bytes / MIB
    )
}

fn syntax(error: &ParserError) -> String {
    match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        ParserError::RecursionLimitExceeded => "The query is nested too deeply.".to_owned(),
    }
}

fn is_missing_table(text: &str) -> bool {
    (text.starts_with("table '") || text.starts_with("table function '")) && text.ends_with("not found")
}

/// Without where anything lies, and short enough to be read.
fn cleaned(text: &str, folder: &Path) -> String {
    let folder = folder.display().to_string();
    let text = text.replace(&folder, "").replace(folder.trim_start_matches('/'), "").replace(STORE, "");
    let text = text.replace(DEFAULT_NAMES, "");
    if text.chars().count() <= MESSAGE_CHARS_MAX {
        return text;
    }
    text.chars().take(MESSAGE_CHARS_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_no_place() {
        let folder = Path::new("/srv/torv/scratch/sql/1");
        let text = "/srv/torv/scratch/sql/1/tables/0.parquet, torv://tables/0.parquet, table 'torv.tables.a' not found";
        assert_eq!(cleaned(text, folder), "/tables/0.parquet, 0.parquet, table 'a' not found");
        assert_eq!(cleaned(&"ä".repeat(2_000), folder).chars().count(), MESSAGE_CHARS_MAX + 1);
    }
}
