//! Lines, payouts and matches in the database.

use std::collections::HashSet;

use entity::{
    Timestamp, bank_import, bank_line, bank_match, bank_payout,
    ids::{BankLineId, BankStatementId, OrderId, PayoutId},
    states::{BankImportState, BankLineState, MatchRule, MatchSubject},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select,
    sea_query::{Expr, ExprTrait as _},
};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    super::{days, imports},
    model::{Decision, LineFacts},
};
use crate::{
    db::{
        Tx,
        bulk::{self, Kind, Known, List},
    },
    error::{Error, Result},
};

/// Imports that are booked in one round.
const IMPORTS_AT_ONCE: u64 = 100;
/// Keys asked for in one statement.
const KEYS_PER_QUERY: usize = 5_000;
/// Open payouts that lines of one look are compared with.
const OPEN_PAYOUTS_MAX: u64 = 2_000;
/// Days around a line within which payouts are looked for; bank days and weekends are within them.
const WINDOW_DAYS: i64 = 14;

/// Imports with lines that wait, the oldest first.
pub async fn to_book(conn: &impl ConnectionTrait) -> Result<Vec<BankStatementId>> {
    Ok(bank_import::Entity::find()
        .select_only()
        .column(bank_import::Column::Id)
        .filter(Expr::cust("state = 'imported' AND booked_at IS NULL"))
        .order_by_asc(bank_import::Column::Id)
        .limit(IMPORTS_AT_ONCE)
        .into_tuple()
        .all(conn)
        .await?)
}

/// A share of all lines, by their ids, which are spread evenly: nobody else's work meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Which one, from 0.
    pub place: u8,
    /// Of how many.
    pub of: u8,
}

impl Lane {
    /// All lines.
    pub const WHOLE: Self = Self { place: 0, of: 1 };

    /// The first id of a lane.
    fn first(self) -> BankLineId {
        let step = u128::MAX / u128::from(Ord::max(self.of, 1));
        BankLineId(Uuid::from_u128(step.saturating_mul(u128::from(self.place))))
    }

    /// The lane after this one; nothing after the last.
    fn next(self) -> Option<Self> {
        let place = self.place.saturating_add(1);
        (place < self.of).then_some(Self { place, ..self })
    }
}

/// Lines of an import and a lane that nobody looked at.
pub async fn fresh(
    conn: &impl ConnectionTrait,
    import: BankStatementId,
    lane: Lane,
    limit: u64,
) -> Result<Vec<bank_line::Model>> {
    // An order that only the index of import and state gives without sorting: while lines are booked, a plan that walks the
    // table would wade through more and more that are done.
    let mut query = bank_line::Entity::find()
        .filter(bank_line::Column::ImportId.eq(import))
        .filter(bank_line::Column::State.gte(BankLineState::Imported))
        .filter(bank_line::Column::State.lte(BankLineState::Imported))
        .order_by_asc(bank_line::Column::State)
        .limit(limit);
    if lane.place > 0 {
        query = query.filter(bank_line::Column::Id.gte(lane.first()));
    }
    if let Some(next) = lane.next() {
        query = query.filter(bank_line::Column::Id.lt(next.first()));
    }
    Ok(query.all(conn).await?)
}

/// True when a line of an import was looked at. The words of all later states come after `imported`, in the index too.
pub async fn is_begun(conn: &impl ConnectionTrait, import: BankStatementId) -> Result<bool> {
    let one: Option<BankLineId> = bank_line::Entity::find()
        .select_only()
        .column(bank_line::Column::Id)
        .filter(bank_line::Column::ImportId.eq(import))
        .filter(bank_line::Column::State.gt(BankLineState::Imported))
        .order_by_asc(bank_line::Column::State)
        .limit(1)
        .into_tuple()
        .one(conn)
        .await?;
    Ok(one.is_some())
}

/// Notes that no line of these imports waits.
pub async fn note_booked(tx: &Tx, imports: &[BankStatementId], now: OffsetDateTime) -> Result<()> {
    bank_import::Entity::update_many()
        .col_expr(bank_import::Column::BookedAt, Expr::value(Some(Timestamp(now))))
        .filter(bank_import::Column::Id.is_in(imports.iter().copied()))
        .filter(bank_import::Column::State.eq(BankImportState::Imported))
        .filter(bank_import::Column::BookedAt.is_null())
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Lines in a state, the oldest booking day first, from the one `after` on.
pub async fn in_state(
    conn: &impl ConnectionTrait,
    state: BankLineState,
    after: After,
    limit: u64,
) -> Result<Vec<bank_line::Model>> {
    let query = bank_line::Entity::find()
        .filter(Expr::cust("bank_line.state IN ('undecided', 'suspense')"))
        .filter(bank_line::Column::State.eq(state))
        .order_by_asc(bank_line::Column::BookedOn)
        .order_by_asc(bank_line::Column::Id)
        .limit(limit);
    Ok(beyond(query, after).all(conn).await?)
}

/// Lines that come after a day and an id.
fn beyond(query: Select<bank_line::Entity>, after: After) -> Select<bank_line::Entity> {
    let Some((micros, id)) = after else { return query };
    let day = Timestamp::from_micros(micros);
    let same_day = Condition::all().add(bank_line::Column::BookedOn.eq(day)).add(bank_line::Column::Id.gt(id));
    // The first condition says nothing new; it lets the index begin there.
    query
        .filter(bank_line::Column::BookedOn.gte(day))
        .filter(Condition::any().add(bank_line::Column::BookedOn.gt(day)).add(same_day))
}

/// Payouts that any of these words name.
pub async fn named(conn: &impl ConnectionTrait, words: HashSet<String>) -> Result<Vec<bank_payout::Model>> {
    let backend = conn.get_database_backend();
    let words: Vec<String> = words.into_iter().collect();
    let mut found = Vec::new();
    for chunk in words.chunks(KEYS_PER_QUERY) {
        // One question per index: a database may answer an OR by reading the whole table.
        for column in ["reference", "trace_id"] {
            let words = List::of(backend, Kind::Text, chunk.iter().map(|word| word.as_str().into()))?;
            found.extend(bank_payout::Entity::find().filter(words.contains(column)).all(conn).await?);
        }
        let ids = chunk.iter().filter_map(|word| word.parse::<PayoutId>().ok());
        let ids = List::of(backend, Kind::Uuid, ids.map(|id| id.0.into()))?;
        if !ids.is_empty() {
            found.extend(bank_payout::Entity::find().filter(ids.contains("payout_id")).all(conn).await?);
        }
    }
    Ok(found)
}

/// Payouts that are still to arrive, sent or expected about these days.
pub async fn open_about(conn: &impl ConnectionTrait, first: Date, last: Date) -> Result<Vec<bank_payout::Model>> {
    let day = |day: Date, days: i64| days::stored(day.saturating_add(Duration::days(days)));
    let (from, until) = (day(first, -WINDOW_DAYS), day(last, WINDOW_DAYS));
    let sent = bank_payout::Column::SentAt.between(from, until);
    let expected = bank_payout::Column::ExpectedOn.between(from, until);
    Ok(bank_payout::Entity::find()
        .filter(Expr::cust("settled_at IS NULL AND returned_at IS NULL"))
        .filter(Condition::any().add(sent).add(expected))
        .order_by_asc(bank_payout::Column::SentAt)
        .limit(OPEN_PAYOUTS_MAX)
        .all(conn)
        .await?)
}

/// Moves lines from one state to another.
///
/// # Errors
/// `Conflict` when somebody else moved one of them.
pub async fn advance(tx: &Tx, ids: &[BankLineId], from: BankLineState, to: BankLineState) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let list = List::of(tx.conn().get_database_backend(), Kind::Uuid, ids.iter().map(|id| id.0.into()))?;
    let updated = bank_line::Entity::update_many()
        .col_expr(bank_line::Column::State, Expr::value(to))
        .filter(list.contains("id"))
        .filter(bank_line::Column::State.eq(from))
        .exec(tx.conn())
        .await?;
    let moved = updated.rows_affected;
    if usize::try_from(moved).is_ok_and(|moved| moved == ids.len()) {
        return Ok(());
    }
    Err(Error::conflict("Another process booked these bank lines at the same moment."))
}

/// Adds to what is settled of a payout.
///
/// # Errors
/// `Conflict` when it is not `before` any more, or would be more than the payout.
pub async fn settle_payout(tx: &Tx, id: &str, before: i64, by: i64, at: OffsetDateTime) -> Result<()> {
    let settled = before.checked_add(by).ok_or(crate::base::MoneyError::Overflow)?;
    let is_whole = Expr::col(bank_payout::Column::AmountMinor).eq(settled);
    let updated = bank_payout::Entity::update_many()
        .col_expr(bank_payout::Column::SettledMinor, Expr::value(settled))
        .col_expr(
            bank_payout::Column::SettledAt,
            Expr::case(is_whole, Expr::value(Some(Timestamp(at))))
                .finally(Expr::value(Option::<Timestamp>::None))
                .into(),
        )
        .filter(bank_payout::Column::Id.eq(id))
        .filter(bank_payout::Column::SettledMinor.eq(before))
        .filter(bank_payout::Column::AmountMinor.gte(settled))
        .exec(tx.conn())
        .await?;
    if updated.rows_affected == 1 && settled >= 0 {
        return Ok(());
    }
    Err(Error::conflict("The payout was settled otherwise at the same moment, or for more than it is of."))
}

/// What is settled of a payout, before and after, and when the last line came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Settled {
    /// The payout.
    pub payout: String,
    /// What was settled of it.
    pub before_minor: i64,
    /// What is settled of it then.
    pub after_minor: i64,
    /// When the last line was booked.
    pub at: OffsetDateTime,
}

/// Adds to what is settled of several payouts, as [`settle_payout`] does.
///
/// # Errors
/// `Conflict` when one of them is not as it was before, or would be settled for more than it is of.
pub async fn settle_payouts(tx: &Tx, all: &[Settled]) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    let columns = vec![("id", Kind::Text), ("before", Kind::Number), ("settled", Kind::Number), ("at", Kind::Number)];
    let mut list = List::new(tx.conn().get_database_backend(), columns);
    for one in all {
        let at = Timestamp(one.at).micros();
        list.push([one.payout.as_str().into(), one.before_minor.into(), one.after_minor.into(), at.into()])?;
    }
    let sql = "UPDATE bank_payout SET settled_minor = list.settled, \
               settled_at = CASE WHEN amount_minor = list.settled THEN list.at END FROM {list} \
               WHERE bank_payout.id = list.id AND settled_minor = list.before AND amount_minor >= list.settled \
               AND list.settled >= 0";
    let updated = list.execute(tx, sql, Vec::new()).await?;
    if usize::try_from(updated).is_ok_and(|updated| updated == all.len()) {
        return Ok(());
    }
    Err(Error::conflict("A payout was settled otherwise at the same moment, or for more than it is of."))
}

/// Stores the parts of a line; those that were stored before keep their numbers.
pub async fn insert_parts(tx: &Tx, decisions: &[(&LineFacts, &Decision)], now: OffsetDateTime) -> Result<()> {
    let mut rows = Vec::new();
    for (line, decision) in decisions {
        let first = if line.in_suspense { parts_of(tx.conn(), line.id).await?.len() } else { 0 };
        let mut seq = i32::try_from(first).unwrap_or(i32::MAX);
        for part in &decision.parts {
            seq = seq.saturating_add(1);
            rows.push(bank_match::ActiveModel {
                line_id: Set(line.id),
                seq: Set(seq),
                rule: Set(part.rule),
                subject: Set(part.subject),
                bank_payout_id: Set(part.payout.clone()),
                order_id: Set(part.order),
                amount_minor: Set(part.amount_minor),
                settled_minor: Set(part.settled_minor),
                created_at: Set(Timestamp(now)),
            });
        }
    }
    bulk::insert(tx, rows, Known::Refuse).await?;
    Ok(())
}

/// Gives a line in suspense the parts of a payout that a person named; the caller settles the payout.
pub async fn explain_by_hand(tx: &Tx, line: BankLineId, payout: &str, minor: i64, now: OffsetDateTime) -> Result<()> {
    let first = i32::try_from(parts_of(tx.conn(), line).await?.len()).unwrap_or(i32::MAX);
    let row = |seq: i32, subject, amount_minor: i64, payout: Option<String>| bank_match::ActiveModel {
        line_id: Set(line),
        seq: Set(first.saturating_add(seq)),
        rule: Set(MatchRule::Manual),
        subject: Set(subject),
        settled_minor: Set(if payout.is_some() { amount_minor } else { 0 }),
        bank_payout_id: Set(payout),
        order_id: Set(None),
        amount_minor: Set(amount_minor),
        created_at: Set(Timestamp(now)),
    };
    let rows = [
        row(1, MatchSubject::Suspense, minor.saturating_neg(), None),
        row(2, MatchSubject::Payout, minor, Some(payout.to_owned())),
    ];
    bank_match::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// What came for an order and was not used: the lines that it came by, and its sum.
pub async fn credit_of(conn: &impl ConnectionTrait, order: OrderId) -> Result<(Vec<BankLineId>, i64)> {
    let rows: Vec<(BankLineId, i64)> = bank_match::Entity::find()
        .select_only()
        .columns([bank_match::Column::LineId])
        .column(bank_match::Column::AmountMinor)
        .filter(bank_match::Column::OrderId.eq(order))
        .filter(bank_match::Column::Subject.eq(MatchSubject::Credit))
        .into_tuple()
        .all(conn)
        .await?;
    let sum = rows.iter().try_fold(0_i64, |sum, (_, minor)| sum.checked_add(*minor));
    Ok((rows.iter().map(|(line, _)| *line).collect(), sum.ok_or(crate::base::MoneyError::Overflow)?))
}

/// Marks a line in suspense as settled by a person.
///
/// # Errors
/// `Conflict` when it is not in suspense any more.
pub async fn close_line(tx: &Tx, id: BankLineId) -> Result<()> {
    advance(tx, &[id], BankLineState::Suspense, BankLineState::Resolved).await
}

/// A payout by the processor's line, its reference, or our own id.
pub async fn find_payout(conn: &impl ConnectionTrait, word: &str) -> Result<Option<bank_payout::Model>> {
    if let Some(found) = bank_payout::Entity::find_by_id(word.to_owned()).one(conn).await? {
        return Ok(Some(found));
    }
    Ok(named(conn, HashSet::from([word.to_owned()])).await?.into_iter().max_by_key(|row| row.sent_at))
}

/// The parts of a line, in order.
pub async fn parts_of(conn: &impl ConnectionTrait, line: BankLineId) -> Result<Vec<bank_match::Model>> {
    let query = bank_match::Entity::find().filter(bank_match::Column::LineId.eq(line));
    Ok(query.order_by_asc(bank_match::Column::Seq).all(conn).await?)
}

/// The parts of several lines.
pub async fn parts_of_all(conn: &impl ConnectionTrait, lines: &[BankLineId]) -> Result<Vec<bank_match::Model>> {
    let query = bank_match::Entity::find().filter(bank_match::Column::LineId.is_in(lines.iter().copied()));
    Ok(query.order_by_asc(bank_match::Column::LineId).order_by_asc(bank_match::Column::Seq).all(conn).await?)
}

/// A line of an import that is whole.
pub async fn find_line(conn: &impl ConnectionTrait, id: BankLineId) -> Result<Option<bank_line::Model>> {
    let query = bank_line::Entity::find_by_id(id).filter(imports::seen(Expr::col(bank_line::Column::ImportId)));
    Ok(query.one(conn).await?)
}

/// Where a page of lines goes on: after this day and id.
pub type After = Option<(i64, BankLineId)>;

/// Lines of whole imports, the oldest first.
pub async fn list_lines(
    conn: &impl ConnectionTrait,
    account: Option<&str>,
    state: Option<BankLineState>,
    after: After,
    limit: u64,
) -> Result<Vec<bank_line::Model>> {
    let mut query = bank_line::Entity::find()
        .filter(imports::seen(Expr::col(bank_line::Column::ImportId)))
        .order_by_asc(bank_line::Column::BookedOn)
        .order_by_asc(bank_line::Column::Id)
        .limit(limit);
    if let Some(account) = account {
        query = query.filter(bank_line::Column::Account.eq(account));
    }
    if let Some(state) = state {
        query = query.filter(bank_line::Column::State.eq(state));
    }
    Ok(beyond(query, after).all(conn).await?)
}
