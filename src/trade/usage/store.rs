//! Meters, records, budgets and packs in the database.

use entity::{
    Timestamp,
    ids::{ListingId, MeterId, OrderId, OrgId},
    quota_pack,
    states::{MeterKind, UsageUnit},
    usage_budget, usage_meter, usage_record,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult,
    IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, OnConflict},
};
use time::{Duration, OffsetDateTime};

use crate::{
    db::Tx,
    error::{Error, Result},
};

/// Rows of one statement.
const STATEMENT_ROWS: usize = 256;

/// Opens a meter; one that is there already stays as it is.
pub(super) async fn insert_meter(tx: &Tx, row: usage_meter::Model) -> Result<()> {
    let insert = usage_meter::Entity::insert(row.into_active_model());
    insert.on_conflict(OnConflict::new().do_nothing().to_owned()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

pub(super) async fn find(conn: &impl ConnectionTrait, id: MeterId) -> Result<Option<usage_meter::Model>> {
    Ok(usage_meter::Entity::find_by_id(id).one(conn).await?)
}

/// Locks a meter: everything that is counted on it waits in line here.
pub(super) async fn lock(tx: &Tx, id: MeterId) -> Result<usage_meter::Model> {
    let locked = usage_meter::Entity::find_by_id(id).lock_exclusive().one(tx.conn()).await?;
    locked.ok_or_else(|| Error::not_found("meter"))
}

/// Writes a locked row back.
pub(super) async fn update(tx: &Tx, row: &usage_meter::Model) -> Result<()> {
    usage_meter::Entity::update(row.clone().into_active_model().reset_all()).exec(tx.conn()).await?;
    Ok(())
}

/// Locks a buyer's stock of one unit of one listing.
pub(super) async fn lock_stock(
    tx: &Tx,
    owner: OrgId,
    listing: ListingId,
    unit: UsageUnit,
) -> Result<Option<usage_meter::Model>> {
    Ok(usage_meter::Entity::find()
        .filter(usage_meter::Column::OrganizationId.eq(owner))
        .filter(usage_meter::Column::ListingId.eq(listing))
        .filter(usage_meter::Column::Unit.eq(unit))
        .filter(usage_meter::Column::Kind.eq(MeterKind::Quota))
        .lock_exclusive()
        .one(tx.conn())
        .await?)
}

/// When a meter stopped counting, or will.
pub(in crate::trade) async fn ends_at(conn: &impl ConnectionTrait, id: MeterId) -> Result<Option<OffsetDateTime>> {
    Ok(find(conn, id).await?.and_then(|meter| meter.ends_at).map(|end| end.0))
}

/// Stops a meter at an instant; with `None` it goes on.
pub(in crate::trade) async fn stop(tx: &Tx, id: MeterId, at: Option<OffsetDateTime>) -> Result<()> {
    usage_meter::Entity::update_many()
        .col_expr(usage_meter::Column::EndsAt, Expr::value(at.map(Timestamp)))
        .filter(usage_meter::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Records of these keys that are there already.
pub(super) async fn records_of(
    conn: &impl ConnectionTrait,
    meter: MeterId,
    keys: &[&str],
) -> Result<Vec<usage_record::Model>> {
    let mut found = Vec::new();
    for keys in keys.chunks(STATEMENT_ROWS) {
        let some = usage_record::Entity::find()
            .filter(usage_record::Column::MeterId.eq(meter))
            .filter(usage_record::Column::SourceKey.is_in(keys.iter().copied()));
        found.extend(some.all(conn).await?);
    }
    Ok(found)
}

pub(super) async fn insert_records(tx: &Tx, rows: Vec<usage_record::Model>) -> Result<()> {
    for rows in rows.chunks(STATEMENT_ROWS) {
        let rows = rows.iter().cloned().map(usage_record::Model::into_active_model);
        usage_record::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

/// The sum of a month's records.
pub(super) async fn units_of(conn: &impl ConnectionTrait, meter: MeterId, period_no: i32) -> Result<i64> {
    let sum = usage_record::Entity::find()
        .select_only()
        .expr(Expr::cust("CAST(COALESCE(SUM(units), 0) AS BIGINT)"))
        .filter(usage_record::Column::MeterId.eq(meter))
        .filter(usage_record::Column::PeriodNo.eq(period_no));
    Ok(sum.into_tuple().one(conn).await?.unwrap_or(0))
}

/// What was used on one day (UTC).
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct DayRow {
    /// Days since 1970.
    pub day: i64,
    pub units: i64,
    pub records: i64,
}

/// A month's records by the day they occurred on.
pub(super) async fn by_day(conn: &impl ConnectionTrait, meter: MeterId, period_no: i32) -> Result<Vec<DayRow>> {
    // Written out rather than bound: PostgreSQL takes two parameters for two different expressions.
    let day = || Expr::cust(format!("occurred_at / {}", Duration::DAY.whole_microseconds()));
    Ok(usage_record::Entity::find()
        .select_only()
        .expr_as(day(), "day")
        .expr_as(Expr::cust("CAST(SUM(units) AS BIGINT)"), "units")
        .expr_as(Expr::cust("COUNT(*)"), "records")
        .filter(usage_record::Column::MeterId.eq(meter))
        .filter(usage_record::Column::PeriodNo.eq(period_no))
        .group_by(day())
        .order_by_asc(day())
        .into_model::<DayRow>()
        .all(conn)
        .await?)
}

pub(super) async fn insert_budget(tx: &Tx, row: usage_budget::Model) -> Result<()> {
    usage_budget::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// When the last decision about a budget was noted.
pub(super) async fn last_budget_at(conn: &impl ConnectionTrait, meter: MeterId) -> Result<Option<OffsetDateTime>> {
    let last = usage_budget::Entity::find()
        .filter(usage_budget::Column::MeterId.eq(meter))
        .order_by_desc(usage_budget::Column::SetAt)
        .one(conn)
        .await?;
    Ok(last.map(|row| row.set_at.0))
}

/// The budget in force just before `at`.
pub(super) async fn budget_before(
    conn: &impl ConnectionTrait,
    meter: MeterId,
    at: OffsetDateTime,
) -> Result<Option<i64>> {
    let last = usage_budget::Entity::find()
        .filter(usage_budget::Column::MeterId.eq(meter))
        .filter(usage_budget::Column::SetAt.lt(Timestamp(at)))
        .order_by_desc(usage_budget::Column::SetAt)
        .order_by_desc(usage_budget::Column::Id)
        .one(conn)
        .await?;
    Ok(last.and_then(|row| row.budget_minor))
}

pub(super) async fn insert_pack(tx: &Tx, row: quota_pack::Model) -> Result<()> {
    quota_pack::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

pub(super) async fn find_pack(conn: &impl ConnectionTrait, order: OrderId) -> Result<Option<quota_pack::Model>> {
    Ok(quota_pack::Entity::find_by_id(order).one(conn).await?)
}

pub(super) async fn withdraw_units(tx: &Tx, order: OrderId, units: i64) -> Result<()> {
    quota_pack::Entity::update_many()
        .col_expr(quota_pack::Column::WithdrawnUnits, Expr::value(units))
        .filter(quota_pack::Column::OrderId.eq(order))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// The packs of a stock, oldest first: the order in which they are used up.
pub(super) async fn packs(conn: &impl ConnectionTrait, meter: MeterId) -> Result<Vec<quota_pack::Model>> {
    Ok(quota_pack::Entity::find()
        .filter(quota_pack::Column::MeterId.eq(meter))
        .order_by_asc(quota_pack::Column::GrantedAt)
        .order_by_asc(quota_pack::Column::OrderId)
        .all(conn)
        .await?)
}

/// A stock that `org` has or serves.
pub(super) async fn find_stock(
    conn: &impl ConnectionTrait,
    id: MeterId,
    org: OrgId,
) -> Result<Option<usage_meter::Model>> {
    use usage_meter::Column::{Kind, OrganizationId, ProviderId};
    let party = Condition::any().add(OrganizationId.eq(org)).add(ProviderId.eq(org));
    Ok(usage_meter::Entity::find_by_id(id).filter(Kind.eq(MeterKind::Quota)).filter(party).one(conn).await?)
}

/// The stocks that `owner` has, or `provider` serves, newest first.
pub(super) async fn list_stocks(
    conn: &impl ConnectionTrait,
    (owner, provider): (Option<OrgId>, Option<OrgId>),
    before: Option<MeterId>,
    limit: usize,
) -> Result<Vec<usage_meter::Model>> {
    use usage_meter::Column::{Id, Kind, OrganizationId, ProviderId};
    let filter = Condition::all()
        .add(Kind.eq(MeterKind::Quota))
        .add_option(owner.map(|id| OrganizationId.eq(id)))
        .add_option(provider.map(|id| ProviderId.eq(id)))
        .add_option(before.map(|id| Id.lt(id)));
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    Ok(usage_meter::Entity::find().filter(filter).order_by_desc(Id).limit(limit).all(conn).await?)
}
