//! Debts as the ledger has them, since when, and write-offs.

use std::collections::HashMap;

use entity::{
    Timestamp,
    ids::{AccountId, LedgerAccountId, OrderId, OrgId, WriteOffId},
    ledger_account, order, posting,
    states::WriteOffState,
    write_off,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _, RelationTrait as _,
    sea_query::{Expr, Query},
};
use time::OffsetDateTime;
use torv_money::receivables::Age;

use crate::{
    db::{
        Tx,
        bulk::{Kind, List},
    },
    error::Result,
};

/// The currency of an order.
pub async fn currency_of(conn: &impl ConnectionTrait, id: OrderId) -> Result<Option<String>> {
    let currency = order::Entity::find_by_id(id).select_only().column(order::Column::Currency);
    Ok(currency.into_tuple().one(conn).await?)
}

/// Accounts of what providers owe, of all or of one.
pub async fn debt_accounts(conn: &impl ConnectionTrait, of: Option<OrgId>) -> Result<Vec<ledger_account::Model>> {
    let mut query = ledger_account::Entity::find()
        .filter(ledger_account::Column::Code.like("provider.%.receivable"))
        .order_by_asc(ledger_account::Column::Code)
        .order_by_asc(ledger_account::Column::Currency);
    if let Some(org) = of {
        query = query.filter(ledger_account::Column::OrganizationId.eq(org));
    }
    Ok(query.all(conn).await?)
}

/// When the first posting of each order on an account happened: since when something is owed about it.
pub async fn since(
    conn: &impl ConnectionTrait,
    account: LedgerAccountId,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Timestamp>> {
    let rows: Vec<(OrderId, i64)> = posting::Entity::find()
        .select_only()
        .column(posting::Column::OrderId)
        .expr(Expr::cust("MIN(effective_at)"))
        .join(JoinType::InnerJoin, posting::Relation::LedgerEntry.def())
        .filter(posting::Column::AccountId.eq(account))
        .filter(posting::Column::OrderId.is_in(orders.iter().copied()))
        .group_by(posting::Column::OrderId)
        .into_tuple()
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|(order, micros)| (order, Timestamp::from_micros(micros))).collect())
}

/// How many debts of an age there are on an account, and their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ageing {
    /// The account.
    pub account: LedgerAccountId,
    /// How old they are.
    pub age: Age,
    /// How many.
    pub debts: u64,
    /// Their sum.
    pub amount_minor: i64,
}

/// All debts on these accounts, summed by age in the database.
pub async fn ageing(
    conn: &impl ConnectionTrait,
    accounts: &[LedgerAccountId],
    now: OffsetDateTime,
) -> Result<Vec<Ageing>> {
    let of = List::of(conn.get_database_backend(), Kind::Uuid, accounts.iter().map(|id| id.0.into()))?;
    let debts = posting::Entity::find()
        .select_only()
        .column(posting::Column::AccountId)
        .expr_as(Expr::cust("SUM(posting.amount_minor)"), "minor")
        .expr_as(Expr::cust("MIN(ledger_entry.effective_at)"), "since")
        .join(JoinType::InnerJoin, posting::Relation::LedgerEntry.def())
        .filter(of.contains("posting.account_id"))
        .filter(posting::Column::OrderId.is_not_null())
        .group_by(posting::Column::AccountId)
        .group_by(posting::Column::OrderId)
        .having(Expr::cust("SUM(posting.amount_minor) <> 0"))
        .into_query();
    let cases: Vec<String> = Age::ALL
        .iter()
        .zip(0..)
        .filter_map(|(age, place)| {
            Some(format!("WHEN since > {} THEN {place}", Timestamp(age.begins_after(now)?).micros()))
        })
        .collect();
    let place = format!("CASE {} ELSE {} END", cases.join(" "), cases.len());
    let query = Query::select()
        .column("account_id")
        .expr_as(Expr::cust(place), "place")
        .expr_as(Expr::cust("CAST(COUNT(*) AS BIGINT)"), "debts")
        .expr_as(Expr::cust("CAST(SUM(minor) AS BIGINT)"), "amount")
        .from_subquery(debts, "debt")
        .group_by_columns(["account_id", "place"])
        .to_owned();
    let mut found = Vec::new();
    for row in conn.query_all(&query).await? {
        let place: i32 = row.try_get("", "place")?;
        let age = usize::try_from(place).ok().and_then(|place| Age::ALL.get(place)).copied().unwrap_or(Age::Older);
        let debts: i64 = row.try_get("", "debts")?;
        let (account, amount_minor) = (row.try_get("", "account_id")?, row.try_get("", "amount")?);
        found.push(Ageing { account, age, debts: u64::try_from(debts).unwrap_or(0), amount_minor });
    }
    Ok(found)
}

pub async fn insert(tx: &Tx, row: write_off::Model) -> Result<()> {
    write_off::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

pub async fn find(conn: &impl ConnectionTrait, id: WriteOffId) -> Result<Option<write_off::Model>> {
    Ok(write_off::Entity::find_by_id(id).one(conn).await?)
}

/// Sum of the write-offs of a debt that nobody has decided yet.
pub async fn asked_minor(tx: &Tx, org: OrgId, order: OrderId) -> Result<i64> {
    Ok(write_off::Entity::find()
        .select_only()
        .expr(Expr::cust("CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)"))
        .filter(write_off::Column::OrganizationId.eq(org))
        .filter(write_off::Column::OrderId.eq(order))
        .filter(write_off::Column::State.eq(WriteOffState::Asked))
        .into_tuple::<i64>()
        .one(tx.conn())
        .await?
        .unwrap_or(0))
}

/// Decides about a write-off; false when somebody did before.
pub async fn decide(
    tx: &Tx,
    id: WriteOffId,
    state: WriteOffState,
    by: AccountId,
    note: Option<String>,
    now: OffsetDateTime,
) -> Result<bool> {
    let updated = write_off::Entity::update_many()
        .col_expr(write_off::Column::State, Expr::value(state))
        .col_expr(write_off::Column::DecidedBy, Expr::value(Some(by)))
        .col_expr(write_off::Column::DecidedAt, Expr::value(Some(Timestamp(now))))
        .col_expr(write_off::Column::DecisionNote, Expr::value(note))
        .filter(write_off::Column::Id.eq(id))
        .filter(write_off::Column::State.eq(WriteOffState::Asked))
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Write-offs, newest first.
pub async fn list(
    conn: &impl ConnectionTrait,
    state: Option<WriteOffState>,
    before: Option<WriteOffId>,
    limit: u64,
) -> Result<Vec<write_off::Model>> {
    let mut query = write_off::Entity::find().order_by_desc(write_off::Column::Id).limit(limit);
    if let Some(state) = state {
        query = query.filter(write_off::Column::State.eq(state));
    }
    if let Some(before) = before {
        query = query.filter(write_off::Column::Id.lt(before));
    }
    Ok(query.all(conn).await?)
}
