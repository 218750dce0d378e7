//! Sums over the ledger and over what was sold.

use entity::{
    Timestamp,
    ids::OrgId,
    ledger_entry, order, order_line, posting,
    states::{EntryKind, OfferKind, OrderState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationTrait as _, Select, sea_query::Expr,
};

use super::model::{LedgerSum, SalesGroup};
use crate::{base::Currency, error::Result, settlement::currency};

/// All accounts of providers, and all of tax, count as one.
const ACCOUNT: &str =
    "CASE WHEN code LIKE 'provider.%' THEN 'provider' WHEN code LIKE 'vat.%' THEN 'vat' ELSE code END";

#[derive(FromQueryResult)]
struct SumRow {
    kind: EntryKind,
    account: String,
    currency: String,
    minor: i64,
    entries: i64,
}

/// What was posted in a period, by kind of entry, account and currency. Accounts of single buyers and
/// suspense accounts are left out.
pub async fn ledger_sums(
    conn: &impl ConnectionTrait,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<(Currency, LedgerSum)>> {
    let rows: Vec<SumRow> = posting::Entity::find()
        .select_only()
        .column(ledger_entry::Column::Kind)
        .expr_as(Expr::cust(ACCOUNT), "account")
        .column_as(posting::Column::Currency, "currency")
        .expr_as(Expr::cust("CAST(SUM(amount_minor) AS BIGINT)"), "minor")
        .expr_as(Expr::cust("CAST(COUNT(DISTINCT entry_id) AS BIGINT)"), "entries")
        .join(JoinType::InnerJoin, posting::Relation::LedgerEntry.def())
        .join(JoinType::InnerJoin, posting::Relation::LedgerAccount.def())
        .filter(ledger_entry::Column::PostedAt.gte(from))
        .filter(ledger_entry::Column::PostedAt.lt(until))
        .filter(Expr::cust("code NOT LIKE 'buyer.%' AND code NOT LIKE 'suspense.%'"))
        .group_by(ledger_entry::Column::Kind)
        .group_by(Expr::cust(ACCOUNT))
        .group_by(posting::Column::Currency)
        .into_model()
        .all(conn)
        .await?;
    rows.into_iter()
        .map(|row| {
            let sum = LedgerSum { kind: row.kind, account: row.account, minor: row.minor, entries: row.entries };
            Ok((currency(&row.currency)?, sum))
        })
        .collect()
}

#[derive(FromQueryResult)]
struct GroupRow {
    lines: i64,
    gross_minor: i64,
    discount_minor: i64,
    providers_minor: i64,
    operator_minor: i64,
}

impl GroupRow {
    fn group(self) -> SalesGroup {
        let Self { lines, gross_minor, discount_minor, providers_minor, operator_minor } = self;
        SalesGroup {
            offer_kind: None,
            organization_id: None,
            lines,
            gross_minor,
            discount_minor,
            providers_minor,
            operator_minor,
        }
    }
}

#[derive(FromQueryResult)]
struct KindRow {
    offer_kind: OfferKind,
    #[sea_orm(nested)]
    group: GroupRow,
}

#[derive(FromQueryResult)]
struct ProviderRow {
    provider_id: OrgId,
    #[sea_orm(nested)]
    group: GroupRow,
}

/// Paid lines of a period in one currency, by kind of offer.
pub async fn by_offer_kind(
    conn: &impl ConnectionTrait,
    of: Currency,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<SalesGroup>> {
    let rows: Vec<KindRow> = sold(of, from, until)
        .column(order_line::Column::OfferKind)
        .group_by(order_line::Column::OfferKind)
        .order_by_asc(order_line::Column::OfferKind)
        .into_model()
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| SalesGroup { offer_kind: Some(row.offer_kind), ..row.group.group() }).collect())
}

/// Paid lines of a period in one currency, by provider, the largest gross first.
pub async fn top_providers(
    conn: &impl ConnectionTrait,
    of: Currency,
    from: Timestamp,
    until: Timestamp,
    limit: u64,
) -> Result<Vec<SalesGroup>> {
    let rows: Vec<ProviderRow> = sold(of, from, until)
        .column(order_line::Column::ProviderId)
        .group_by(order_line::Column::ProviderId)
        .order_by_desc(Expr::cust("SUM(price_minor + order_line.tax_minor)"))
        .order_by_asc(order_line::Column::ProviderId)
        .limit(limit)
        .into_model()
        .all(conn)
        .await?;
    let named = |row: ProviderRow| SalesGroup { organization_id: Some(row.provider_id), ..row.group.group() };
    Ok(rows.into_iter().map(named).collect())
}

fn sold(of: Currency, from: Timestamp, until: Timestamp) -> Select<order_line::Entity> {
    let sum = |what: &str| Expr::cust(format!("CAST(SUM({what}) AS BIGINT)"));
    order_line::Entity::find()
        .select_only()
        .expr_as(Expr::cust("CAST(COUNT(*) AS BIGINT)"), "lines")
        .expr_as(sum("price_minor + order_line.tax_minor"), "gross_minor")
        .expr_as(sum("discount_minor"), "discount_minor")
        .expr_as(sum("provider_minor"), "providers_minor")
        .expr_as(sum("operator_minor"), "operator_minor")
        .join(
            JoinType::InnerJoin,
            order_line::Entity::belongs_to(order::Entity)
                .from(order_line::Column::OrderId)
                .to(order::Column::Id)
                .into(),
        )
        .filter(order::Column::State.eq(OrderState::Completed))
        .filter(order::Column::TotalMinor.gt(0))
        .filter(order::Column::Currency.eq(of.code()))
        .filter(order::Column::ClosedAt.gte(from))
        .filter(order::Column::ClosedAt.lt(until))
}
