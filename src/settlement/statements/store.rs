//! A provider's postings, summed.

use std::collections::HashMap;

use entity::{
    Timestamp,
    ids::{EntryId, LedgerAccountId, OrderId, OrgId},
    ledger_account, ledger_entry, order_line, payout, posting,
    states::{EntryKind, PayoutState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationTrait as _, sea_query::Expr,
};
use uuid::Uuid;

use crate::error::Result;

const SUM: &str = "CAST(COALESCE(SUM(posting.amount_minor), 0) AS BIGINT)";

/// The smallest id an entry booked at `at` or later can have: ids begin with the millisecond of booking.
pub fn first_entry_at(at: Timestamp) -> EntryId {
    let millis = u128::try_from(at.micros().max(0) / 1_000).unwrap_or(0);
    EntryId(Uuid::from_u128(millis << 80))
}

/// Currency codes of an organisation's accounts.
pub async fn currencies(conn: &impl ConnectionTrait, org: OrgId) -> Result<Vec<String>> {
    Ok(ledger_account::Entity::find()
        .select_only()
        .column(ledger_account::Column::Currency)
        .filter(ledger_account::Column::OrganizationId.eq(org))
        .distinct()
        .order_by_asc(ledger_account::Column::Currency)
        .into_tuple()
        .all(conn)
        .await?)
}

/// The sum of an account's postings before an entry.
pub async fn sum_before(conn: &impl ConnectionTrait, account: LedgerAccountId, before: EntryId) -> Result<i64> {
    Ok(posting::Entity::find()
        .select_only()
        .expr(Expr::cust(SUM))
        .filter(posting::Column::AccountId.eq(account))
        .filter(posting::Column::EntryId.lt(before))
        .into_tuple::<i64>()
        .one(conn)
        .await?
        .unwrap_or(0))
}

/// What one entry did to one account.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Movement {
    /// The entry.
    pub entry_id: EntryId,
    /// The account.
    pub account_id: LedgerAccountId,
    /// The sum of its postings there; debits positive.
    pub amount_minor: i64,
    /// What happened.
    pub kind: EntryKind,
    /// The business event.
    pub source: String,
    /// When it was booked.
    pub posted_at: Timestamp,
}

/// What entries did to these accounts, in order, from `from` (included) to `until` (excluded).
pub async fn movements(
    conn: &impl ConnectionTrait,
    accounts: [LedgerAccountId; 4],
    from: EntryId,
    until: EntryId,
    limit: u64,
) -> Result<Vec<Movement>> {
    Ok(posting::Entity::find()
        .select_only()
        .columns([posting::Column::EntryId, posting::Column::AccountId])
        .expr_as(Expr::cust(SUM), "amount_minor")
        .column(ledger_entry::Column::Kind)
        .column(ledger_entry::Column::Source)
        .column(ledger_entry::Column::PostedAt)
        .join(JoinType::InnerJoin, posting::Relation::LedgerEntry.def())
        .filter(posting::Column::AccountId.is_in(accounts))
        .filter(posting::Column::EntryId.gte(from))
        .filter(posting::Column::EntryId.lt(until))
        .group_by(posting::Column::EntryId)
        .group_by(posting::Column::AccountId)
        .group_by(ledger_entry::Column::Kind)
        .group_by(ledger_entry::Column::Source)
        .group_by(ledger_entry::Column::PostedAt)
        .order_by_asc(posting::Column::EntryId)
        .order_by_asc(posting::Column::AccountId)
        .limit(limit)
        .into_model()
        .all(conn)
        .await?)
}

/// Sum, operator's part and provider's part of what a provider sold in these orders. Tax that the provider owes is in
/// its part, tax that the operator owes in none.
pub async fn shares(
    conn: &impl ConnectionTrait,
    org: OrgId,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, (i64, i64, i64)>> {
    let rows = order_line::Entity::find()
        .filter(order_line::Column::OrderId.is_in(orders.iter().copied()))
        .filter(order_line::Column::ProviderId.eq(org))
        .all(conn)
        .await?;
    let mut of: HashMap<OrderId, (i64, i64, i64)> = HashMap::new();
    for row in rows {
        let sum = of.entry(row.order_id).or_default();
        *sum =
            (sum.0 + row.operator_minor + row.provider_minor, sum.1 + row.operator_minor, sum.2 + row.provider_minor);
    }
    Ok(of)
}

/// What an organisation's payouts sum to, by currency and state.
pub async fn payout_sums(conn: &impl ConnectionTrait, org: OrgId) -> Result<Vec<(String, PayoutState, i64)>> {
    Ok(payout::Entity::find()
        .select_only()
        .columns([payout::Column::Currency, payout::Column::State])
        .expr(Expr::cust("CAST(SUM(amount_minor) AS BIGINT)"))
        .filter(payout::Column::OrganizationId.eq(org))
        .group_by(payout::Column::Currency)
        .group_by(payout::Column::State)
        .into_tuple()
        .all(conn)
        .await?)
}
