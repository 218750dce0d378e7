//! What the database itself refuses, and whether it still does.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::error::Result;

/// Tables of the books whose rows are written once.
const APPEND_ONLY: [&str; 5] = ["ledger_entry", "posting", "seal", "sealed_entry", "payout_item"];
/// Triggers that keep an entry balanced and closed.
const ENTRY_GUARDS: [&str; 2] = ["ledger_entry_balanced", "posting_closed"];

/// The triggers that are gone or switched off, without which the books could be changed.
///
/// # Errors
/// Those of the database.
pub(super) async fn missing(conn: &impl ConnectionTrait) -> Result<Vec<String>> {
    let (query, suffixes) = match conn.get_database_backend() {
        DbBackend::Postgres => (
            "SELECT CAST(tgname AS TEXT) AS name FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'",
            ["append_only", "no_truncate"],
        ),
        _ => ("SELECT name FROM sqlite_master WHERE type = 'trigger'", ["no_update", "no_delete"]),
    };
    let rows = conn.query_all_raw(Statement::from_string(conn.get_database_backend(), query)).await?;
    let there: Vec<String> = rows.iter().map(|row| row.try_get("", "name")).collect::<std::result::Result<_, _>>()?;
    let wanted = APPEND_ONLY.iter().flat_map(|table| suffixes.map(|suffix| format!("{table}_{suffix}")));
    let wanted = wanted.chain(ENTRY_GUARDS.map(str::to_owned));
    Ok(wanted.filter(|name| !there.contains(name)).collect())
}
