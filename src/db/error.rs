//! Database errors, sorted into what the caller may hear.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use crate::error::Error;

/// Seconds a client is asked to wait when the database was busy.
const BUSY_RETRY_AFTER_SECONDS: u32 = 1;

impl From<DbErr> for Error {
    fn from(cause: DbErr) -> Self {
        if is_retryable(&cause) || matches!(cause, DbErr::ConnectionAcquire(_)) {
            return Self::unavailable("The database is busy. Try again.", BUSY_RETRY_AFTER_SECONDS).because(cause);
        }
        match cause.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => {
                Self::conflict("Something with these values exists already.").because(cause)
            }
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
                Self::conflict("Something this refers to does not exist, or is still in use.").because(cause)
            }
            _ => Self::internal(cause),
        }
    }
}

/// True when the same transaction may succeed on another try: SQLite busy (5, 517), PostgreSQL
/// serialization failure (40001) and deadlock (40P01).
pub(super) fn is_retryable(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner))) = error else {
        return false;
    };
    let sqlx::Error::Database(database) = inner.as_ref() else { return false };
    matches!(database.code().as_deref(), Some("5" | "517" | "40001" | "40P01"))
}
