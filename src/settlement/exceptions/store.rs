//! Exceptions, their notes and resolutions in the database.

use std::collections::HashSet;

use entity::{
    Timestamp, exception_note, exception_resolution,
    ids::{AccountId, BankLineId, ExceptionId, OrgId},
    membership, processor_transaction, reconciliation_exception as exception,
    states::{ExceptionClass, ExceptionState, ResolutionKind, ResolutionState},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, LockType},
};
use time::OffsetDateTime;

use super::model::NewException;
use crate::{
    base::Currency,
    db::{
        Tx,
        bulk::{self, Kind, Known, List},
    },
    error::{Error, Result},
};

/// Rows of one statement; both databases limit its parameters.
const ROWS_PER_QUERY: usize = 500;
/// Longest sentence kept; more is cut.
const SENTENCE_CHARS_MAX: usize = 400;
/// Longest subject kept; ours are shorter.
const SUBJECT_CHARS_MAX: usize = 200;

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

/// Opens exceptions. One that is there keeps its owner, notes and state; one that had closed itself opens again.
pub async fn raise(tx: &Tx, found: Vec<NewException>, now: OffsetDateTime) -> Result<()> {
    for chunk in found.chunks(ROWS_PER_QUERY) {
        let rows = chunk.iter().map(|new| exception::ActiveModel {
            id: Set(ExceptionId::at(now)),
            class: Set(new.class),
            subject: Set(cut(&new.subject, SUBJECT_CHARS_MAX)),
            currency: Set(new.off.currency.code().to_owned()),
            amount_minor: Set(new.off.minor),
            order_id: Set(new.order_id),
            payout_id: Set(new.payout_id),
            line_id: Set(new.line_id),
            transaction_id: Set(new.transaction_id.clone()),
            bank_payout_id: Set(new.bank_payout_id.clone()),
            account: Set(new.account.clone()),
            sentence: Set(cut(&new.sentence, SENTENCE_CHARS_MAX)),
            state: Set(ExceptionState::Open),
            owner: Set(None),
            occurred_at: Set(Timestamp(new.occurred_at.unwrap_or(now))),
            opened_at: Set(Timestamp(now)),
            resolved_at: Set(None),
            resolved_by: Set(None),
            resolution: Set(None),
        });
        let inserted = bulk::insert(tx, rows.collect(), Known::Keep).await?;
        if usize::try_from(inserted).is_ok_and(|inserted| inserted < chunk.len()) {
            reopen(tx, chunk).await?;
        }
    }
    Ok(())
}

async fn reopen(tx: &Tx, found: &[NewException]) -> Result<()> {
    for class in found.iter().map(|new| new.class).collect::<HashSet<_>>() {
        let subjects = found.iter().filter(|new| new.class == class).map(|new| cut(&new.subject, SUBJECT_CHARS_MAX));
        exception::Entity::update_many()
            .col_expr(exception::Column::State, Expr::value(ExceptionState::Open))
            .col_expr(exception::Column::Resolution, Expr::value(Option::<ResolutionKind>::None))
            .col_expr(exception::Column::ResolvedAt, Expr::value(Option::<Timestamp>::None))
            .filter(exception::Column::Class.eq(class))
            .filter(exception::Column::Subject.is_in(subjects))
            .filter(exception::Column::Resolution.eq(ResolutionKind::Vanished))
            .exec(tx.conn())
            .await?;
    }
    Ok(())
}

fn vanished(now: OffsetDateTime) -> sea_orm::UpdateMany<exception::Entity> {
    exception::Entity::update_many()
        .col_expr(exception::Column::State, Expr::value(ExceptionState::Resolved))
        .col_expr(exception::Column::Resolution, Expr::value(Some(ResolutionKind::Vanished)))
        .col_expr(exception::Column::ResolvedAt, Expr::value(Some(Timestamp(now))))
        .filter(exception::Column::State.ne(ExceptionState::Resolved))
}

/// Closes the exceptions of bank lines that were explained after all.
pub async fn lines_explained(tx: &Tx, lines: &[BankLineId], now: OffsetDateTime) -> Result<()> {
    for chunk in lines.chunks(ROWS_PER_QUERY) {
        let chunk = List::of(tx.conn().get_database_backend(), Kind::Uuid, chunk.iter().map(|id| id.0.into()))?;
        vanished(now).filter(chunk.contains("line_id")).exec(tx.conn()).await?;
    }
    Ok(())
}

/// Closes exceptions by their ids.
pub async fn close_vanished(tx: &Tx, ids: &[ExceptionId], now: OffsetDateTime) -> Result<()> {
    for chunk in ids.chunks(ROWS_PER_QUERY) {
        let chunk = List::of(tx.conn().get_database_backend(), Kind::Uuid, chunk.iter().map(|id| id.0.into()))?;
        vanished(now).filter(chunk.contains("id")).exec(tx.conn()).await?;
    }
    Ok(())
}

/// Ids and subjects of exceptions of a class that wait for somebody, that happened in a period.
pub async fn open_of(
    conn: &impl ConnectionTrait,
    class: ExceptionClass,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<(ExceptionId, String)>> {
    Ok(exception::Entity::find()
        .select_only()
        .columns([exception::Column::Id, exception::Column::Subject])
        .filter(exception::Column::Class.eq(class))
        .filter(exception::Column::State.ne(ExceptionState::Resolved))
        .filter(exception::Column::OccurredAt.gte(from))
        .filter(exception::Column::OccurredAt.lt(until))
        .into_tuple()
        .all(conn)
        .await?)
}

/// Payouts, by the processor's line, that an unresolved exception is about already.
pub async fn open_of_payouts(conn: &impl ConnectionTrait) -> Result<HashSet<String>> {
    let rows: Vec<Option<String>> = exception::Entity::find()
        .select_only()
        .column(exception::Column::BankPayoutId)
        .filter(Expr::cust("state <> 'resolved'"))
        .filter(exception::Column::BankPayoutId.is_not_null())
        .filter(exception::Column::Class.ne(ExceptionClass::LatePayout))
        .filter(exception::Column::Class.ne(ExceptionClass::DuplicateBankLine))
        .into_tuple()
        .all(conn)
        .await?;
    Ok(rows.into_iter().flatten().collect())
}

/// Class, whether it waits for somebody, how many, their sum, and their sum without signs.
pub type Sum = (ExceptionClass, bool, i64, i64, i64);

/// Sums of the exceptions of a currency that happened in a period, those that closed themselves apart from it.
pub async fn sums(
    conn: &impl ConnectionTrait,
    currency: Currency,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Sum>> {
    let rows: Vec<(ExceptionClass, ExceptionState, i64, i64, i64)> = exception::Entity::find()
        .select_only()
        .columns([exception::Column::Class, exception::Column::State])
        .expr(Expr::cust("CAST(COUNT(*) AS BIGINT)"))
        .expr(Expr::cust("CAST(SUM(amount_minor) AS BIGINT)"))
        .expr(Expr::cust("CAST(SUM(ABS(amount_minor)) AS BIGINT)"))
        .filter(exception::Column::Currency.eq(currency.code()))
        .filter(exception::Column::OccurredAt.gte(from))
        .filter(exception::Column::OccurredAt.lt(until))
        .filter(exception::Column::Resolution.is_null().or(exception::Column::Resolution.ne(ResolutionKind::Vanished)))
        .group_by(exception::Column::Class)
        .group_by(exception::Column::State)
        .into_tuple()
        .all(conn)
        .await?;
    let waits = |state| state != ExceptionState::Resolved;
    Ok(rows.into_iter().map(|(class, state, n, sum, all)| (class, waits(state), n, sum, all)).collect())
}

/// Which exceptions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// In this state.
    pub state: Option<ExceptionState>,
    /// Of this class.
    pub class: Option<ExceptionClass>,
    /// In this currency.
    pub currency: Option<Currency>,
    /// Of this owner.
    pub owner: Option<AccountId>,
}

/// Exceptions, the newest first.
pub async fn list(
    conn: &impl ConnectionTrait,
    wanted: Wanted,
    before: Option<ExceptionId>,
    limit: u64,
) -> Result<Vec<exception::Model>> {
    let mut query = exception::Entity::find().order_by_desc(exception::Column::Id).limit(limit);
    if let Some(state) = wanted.state {
        query = query.filter(exception::Column::State.eq(state));
    }
    if let Some(class) = wanted.class {
        query = query.filter(exception::Column::Class.eq(class));
    }
    if let Some(currency) = wanted.currency {
        query = query.filter(exception::Column::Currency.eq(currency.code()));
    }
    if let Some(owner) = wanted.owner {
        query = query.filter(exception::Column::Owner.eq(owner));
    }
    if let Some(before) = before {
        query = query.filter(exception::Column::Id.lt(before));
    }
    Ok(query.all(conn).await?)
}

/// One exception.
pub async fn find(conn: &impl ConnectionTrait, id: ExceptionId) -> Result<Option<exception::Model>> {
    Ok(exception::Entity::find_by_id(id).one(conn).await?)
}

/// One exception, held until the transaction ends.
pub async fn lock(tx: &Tx, id: ExceptionId) -> Result<exception::Model> {
    let found = exception::Entity::find_by_id(id).lock(LockType::Update).one(tx.conn()).await?;
    found.ok_or_else(|| Error::not_found("exception"))
}

/// Gives an exception to somebody, or back to nobody.
pub async fn assign(tx: &Tx, id: ExceptionId, owner: Option<AccountId>) -> Result<()> {
    let state = if owner.is_some() { ExceptionState::Assigned } else { ExceptionState::Open };
    exception::Entity::update_many()
        .col_expr(exception::Column::Owner, Expr::value(owner))
        .col_expr(exception::Column::State, Expr::value(state))
        .filter(exception::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Closes an exception that a person settled.
pub async fn close(tx: &Tx, id: ExceptionId, how: ResolutionKind, by: AccountId, now: OffsetDateTime) -> Result<()> {
    exception::Entity::update_many()
        .col_expr(exception::Column::State, Expr::value(ExceptionState::Resolved))
        .col_expr(exception::Column::Resolution, Expr::value(Some(how)))
        .col_expr(exception::Column::ResolvedBy, Expr::value(Some(by)))
        .col_expr(exception::Column::ResolvedAt, Expr::value(Some(Timestamp(now))))
        .filter(exception::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// The notes of an exception, in order.
pub async fn notes(conn: &impl ConnectionTrait, id: ExceptionId) -> Result<Vec<exception_note::Model>> {
    let query = exception_note::Entity::find().filter(exception_note::Column::ExceptionId.eq(id));
    Ok(query.order_by_asc(exception_note::Column::Seq).all(conn).await?)
}

/// Appends a note; the exception is locked.
pub async fn add_note(
    tx: &Tx,
    id: ExceptionId,
    seq: i32,
    by: Option<AccountId>,
    text: &str,
    now: OffsetDateTime,
) -> Result<()> {
    let row = exception_note::ActiveModel {
        exception_id: Set(id),
        seq: Set(seq),
        author: Set(by),
        created_at: Set(Timestamp(now)),
        text: Set(text.to_owned()),
    };
    exception_note::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// The resolutions of an exception, in order.
pub async fn resolutions(conn: &impl ConnectionTrait, id: ExceptionId) -> Result<Vec<exception_resolution::Model>> {
    let query = exception_resolution::Entity::find().filter(exception_resolution::Column::ExceptionId.eq(id));
    Ok(query.order_by_asc(exception_resolution::Column::Seq).all(conn).await?)
}

/// Stores a resolution; the exception is locked.
pub async fn insert_resolution(tx: &Tx, row: exception_resolution::Model) -> Result<()> {
    use sea_orm::{ActiveModelTrait as _, IntoActiveModel as _};
    let row = row.into_active_model().reset_all();
    exception_resolution::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Writes down what a second person decided.
pub async fn decide_resolution(
    tx: &Tx,
    id: ExceptionId,
    seq: i32,
    state: ResolutionState,
    by: AccountId,
    now: OffsetDateTime,
) -> Result<()> {
    exception_resolution::Entity::update_many()
        .col_expr(exception_resolution::Column::State, Expr::value(state))
        .col_expr(exception_resolution::Column::DecidedBy, Expr::value(Some(by)))
        .col_expr(exception_resolution::Column::DecidedAt, Expr::value(Some(Timestamp(now))))
        .filter(exception_resolution::Column::ExceptionId.eq(id))
        .filter(exception_resolution::Column::Seq.eq(seq))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// True when somebody belongs to an organisation.
pub async fn is_member(conn: &impl ConnectionTrait, org: OrgId, account: AccountId) -> Result<bool> {
    Ok(membership::Entity::find_by_id((org, account)).one(conn).await?.is_some())
}

/// A line of the processor.
pub async fn find_transaction(conn: &impl ConnectionTrait, id: &str) -> Result<Option<processor_transaction::Model>> {
    Ok(processor_transaction::Entity::find_by_id(id.to_owned()).one(conn).await?)
}
