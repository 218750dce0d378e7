//! Imports and their rows in the database.

use entity::{
    Timestamp, bank_account, bank_import, bank_line, bank_statement,
    ids::{AccountId, BankLineId, BankStatementId},
    payout_report_line,
    states::{BankImportKind, BankImportState},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, ExprTrait as _},
};
use time::OffsetDateTime;

use super::{model::Request, read::Checked};
use crate::{
    db::{
        Tx,
        bulk::{self, Kind, Known, List, Rows},
    },
    error::{Error, Result},
};

/// Rows of a broken import that are removed in one transaction.
const ROWS_PER_REMOVAL: u64 = 2_000;

/// The accounts of an import, and who brings it in.
#[derive(Debug, Clone)]
pub struct NewImport {
    /// Its id.
    pub id: BankStatementId,
    /// What the file is.
    pub kind: BankImportKind,
    /// How it is written.
    pub format: &'static str,
    /// What was asked for.
    pub request: Request,
    /// What the file holds.
    pub checked: Checked,
    /// Who brings it in.
    pub by: Option<AccountId>,
}

/// Begins an import and takes its accounts, in the order of their names.
///
/// # Errors
/// `Conflict` when another import is bringing in lines of one of them.
pub async fn begin(tx: &Tx, new: &NewImport, now: OffsetDateTime, until: OffsetDateTime) -> Result<()> {
    let count = |lines: u64| i64::try_from(lines).unwrap_or(i64::MAX);
    let row = bank_import::ActiveModel {
        id: Set(new.id),
        kind: Set(new.kind),
        format: Set(new.format.to_owned()),
        sha256: Set(new.request.sha256.clone()),
        size_bytes: Set(count(new.request.size_bytes)),
        state: Set(BankImportState::Importing),
        lease_until: Set(Timestamp(until)),
        lines_read: Set(count(new.checked.lines)),
        lines_new: Set(0),
        lines_known: Set(0),
        lines_pending: Set(count(new.checked.pending)),
        created_at: Set(Timestamp(now)),
        created_by: Set(new.by),
        finished_at: Set(None),
        booked_at: Set(None),
    };
    bank_import::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    for name in &new.checked.accounts {
        let taken = bank_account::Entity::update_many()
            .col_expr(bank_account::Column::Importing, Expr::value(Some(new.id)))
            .filter(bank_account::Column::Name.eq(name))
            .filter(bank_account::Column::Importing.is_null())
            .exec(tx.conn())
            .await?;
        if taken.rows_affected == 0 {
            return Err(Error::conflict(format!(
                "Another import is bringing in lines of {name}. Wait until it has ended, a minute at most after it broke \
                 off, and send the file again."
            )));
        }
    }
    Ok(())
}

/// Says that the import is alive and how many of its rows were new and known; an error when it was given up.
pub async fn extend(tx: &Tx, id: BankStatementId, new: u64, known: u64, until: OffsetDateTime) -> Result<()> {
    let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    let updated = bank_import::Entity::update_many()
        .col_expr(bank_import::Column::LeaseUntil, Expr::value(Timestamp(until)))
        .col_expr(bank_import::Column::LinesNew, Expr::col(bank_import::Column::LinesNew).add(count(new)))
        .col_expr(bank_import::Column::LinesKnown, Expr::col(bank_import::Column::LinesKnown).add(count(known)))
        .filter(bank_import::Column::Id.eq(id))
        .filter(bank_import::Column::State.eq(BankImportState::Importing))
        .exec(tx.conn())
        .await?;
    if updated.rows_affected == 1 {
        return Ok(());
    }
    Err(Error::conflict("The import took too long and was given up. Send the file again."))
}

/// Stores lines that are not there; returns how many were new.
pub async fn insert_lines(tx: &Tx, rows: Rows) -> Result<u64> {
    bulk::store::<bank_line::Entity>(tx, rows, Known::Keep).await
}

/// Stores report rows that are not there; returns how many were new.
pub async fn insert_report(tx: &Tx, rows: Vec<payout_report_line::ActiveModel>) -> Result<u64> {
    bulk::insert(tx, rows, Known::Keep).await
}

/// Rows of a report by their ids.
pub async fn report_rows(conn: &impl ConnectionTrait, ids: &[String]) -> Result<Vec<payout_report_line::Model>> {
    let list = List::of(conn.get_database_backend(), Kind::Text, ids.iter().map(|id| id.as_str().into()))?;
    Ok(payout_report_line::Entity::find().filter(list.contains("id")).all(conn).await?)
}

/// Makes an import seen, whole.
pub async fn finish(
    tx: &Tx,
    id: BankStatementId,
    statements: Vec<bank_statement::ActiveModel>,
    now: OffsetDateTime,
) -> Result<()> {
    let updated = bank_import::Entity::update_many()
        .col_expr(bank_import::Column::State, Expr::value(BankImportState::Imported))
        .col_expr(bank_import::Column::FinishedAt, Expr::value(Some(Timestamp(now))))
        .filter(bank_import::Column::Id.eq(id))
        .filter(bank_import::Column::State.eq(BankImportState::Importing))
        .exec(tx.conn())
        .await?;
    if updated.rows_affected == 0 {
        return Err(Error::conflict("The import took too long and was given up. Send the file again."));
    }
    if !statements.is_empty() {
        bank_statement::Entity::insert_many(statements).exec_without_returning(tx.conn()).await?;
    }
    release(tx, id).await
}

async fn release(tx: &Tx, id: BankStatementId) -> Result<()> {
    bank_account::Entity::update_many()
        .col_expr(bank_account::Column::Importing, Expr::value(Option::<BankStatementId>::None))
        .filter(bank_account::Column::Importing.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Imports whose process is gone, and those whose rows are still being removed.
pub async fn broken(conn: &impl ConnectionTrait, now: OffsetDateTime) -> Result<Vec<BankStatementId>> {
    let is_dead = Condition::all()
        .add(bank_import::Column::State.eq(BankImportState::Importing))
        .add(bank_import::Column::LeaseUntil.lt(Timestamp(now)));
    let is_given_up = bank_import::Column::State.eq(BankImportState::Abandoned);
    Ok(bank_import::Entity::find()
        .select_only()
        .column(bank_import::Column::Id)
        .filter(Condition::any().add(is_dead).add(is_given_up))
        .order_by_asc(bank_import::Column::Id)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Gives an import up: whoever is still at it can't write any more. `at` is the latest lease that may be broken.
pub async fn abandon(tx: &Tx, id: BankStatementId, at: Option<OffsetDateTime>) -> Result<()> {
    let mut update = bank_import::Entity::update_many()
        .col_expr(bank_import::Column::State, Expr::value(BankImportState::Abandoned))
        .filter(bank_import::Column::Id.eq(id))
        .filter(bank_import::Column::State.eq(BankImportState::Importing));
    if let Some(at) = at {
        update = update.filter(bank_import::Column::LeaseUntil.lt(Timestamp(at)));
    }
    update.exec(tx.conn()).await?;
    Ok(())
}

/// Removes some rows of an import that was given up; the last time, gives its accounts free. True when done.
pub async fn remove_some(tx: &Tx, id: BankStatementId) -> Result<bool> {
    let state: Option<BankImportState> = bank_import::Entity::find_by_id(id)
        .select_only()
        .column(bank_import::Column::State)
        .into_tuple()
        .one(tx.conn())
        .await?;
    if state != Some(BankImportState::Abandoned) {
        return Ok(true);
    }
    let lines: Vec<BankLineId> = bank_line::Entity::find()
        .select_only()
        .column(bank_line::Column::Id)
        .filter(bank_line::Column::ImportId.eq(id))
        .limit(ROWS_PER_REMOVAL)
        .into_tuple()
        .all(tx.conn())
        .await?;
    if !lines.is_empty() {
        bank_line::Entity::delete_many().filter(bank_line::Column::Id.is_in(lines)).exec(tx.conn()).await?;
        return Ok(false);
    }
    let rows: Vec<String> = payout_report_line::Entity::find()
        .select_only()
        .column(payout_report_line::Column::Id)
        .filter(payout_report_line::Column::ImportId.eq(id))
        .limit(ROWS_PER_REMOVAL)
        .into_tuple()
        .all(tx.conn())
        .await?;
    if !rows.is_empty() {
        let delete = payout_report_line::Entity::delete_many().filter(payout_report_line::Column::Id.is_in(rows));
        delete.exec(tx.conn()).await?;
        return Ok(false);
    }
    bank_import::Entity::update_many()
        .col_expr(bank_import::Column::State, Expr::value(BankImportState::Removed))
        .filter(bank_import::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    release(tx, id).await?;
    Ok(true)
}

/// One import.
pub async fn find(conn: &impl ConnectionTrait, id: BankStatementId) -> Result<Option<bank_import::Model>> {
    Ok(bank_import::Entity::find_by_id(id).one(conn).await?)
}

/// Imports, the newest first.
pub async fn list(
    conn: &impl ConnectionTrait,
    before: Option<BankStatementId>,
    limit: u64,
) -> Result<Vec<bank_import::Model>> {
    let mut query = bank_import::Entity::find().order_by_desc(bank_import::Column::Id).limit(limit);
    if let Some(before) = before {
        query = query.filter(bank_import::Column::Id.lt(before));
    }
    Ok(query.all(conn).await?)
}

/// The condition that a row's import, in the column given, is whole and seen.
pub fn seen(import_id: Expr) -> Expr {
    let hidden = bank_import::Entity::find()
        .select_only()
        .column(bank_import::Column::Id)
        .filter(bank_import::Column::State.ne(BankImportState::Imported))
        .filter(bank_import::Column::State.ne(BankImportState::Removed))
        .into_query();
    import_id.not_in_subquery(hidden)
}
