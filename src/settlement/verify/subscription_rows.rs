//! What a page of subscriptions, or of meters, is checked against: read at once for all of them.

use std::collections::HashMap;

use entity::{
    grant,
    ids::{MeterId, OrderId, SubscriptionId},
    order, order_line, quota_pack, subscription, subscription_period, usage_budget, usage_meter, usage_record,
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationDef, sea_query::Expr,
};

use crate::error::Result;

/// What the order of a period says of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Line {
    pub(super) price_minor: i64,
    pub(super) tax_bps: i32,
}

/// The units of each month of each meter.
pub(super) type MonthSums = HashMap<(MeterId, i32), i64>;

/// The rows of a page of subscriptions.
#[derive(Debug, Default)]
pub(super) struct SubscriptionRows {
    periods: HashMap<SubscriptionId, Vec<subscription_period::Model>>,
    /// Those that belong to one of them, and those that they began with.
    pub(super) orders: HashMap<OrderId, order::Model>,
    pub(super) lines: HashMap<OrderId, Line>,
    grants: HashMap<SubscriptionId, Vec<grant::Model>>,
    pub(super) meters: HashMap<MeterId, usage_meter::Model>,
    budgets: HashMap<MeterId, Vec<usage_budget::Model>>,
    pub(super) month_sums: MonthSums,
}

impl SubscriptionRows {
    pub(super) async fn of(conn: &impl ConnectionTrait, page: &[subscription::Model]) -> Result<Self> {
        let ids: Vec<SubscriptionId> = page.iter().map(|row| row.id).collect();
        let meters: Vec<MeterId> = ids.iter().map(|id| MeterId(id.0)).collect();
        let origins: HashMap<OrderId, SubscriptionId> = page.iter().map(|row| (row.origin_order_id, row.id)).collect();
        let theirs = Condition::any()
            .add(order::Column::SubscriptionId.is_in(ids.iter().copied()))
            .add(order::Column::Id.is_in(origins.keys().copied()));
        let mut rows = Self { month_sums: month_sums(conn, meters.clone()).await?, ..Self::default() };
        let periods = subscription_period::Entity::find()
            .filter(subscription_period::Column::SubscriptionId.is_in(ids.iter().copied()))
            .order_by_asc(subscription_period::Column::Number);
        for period in periods.all(conn).await? {
            rows.periods.entry(period.subscription_id).or_default().push(period);
        }
        let orders = order::Entity::find().filter(theirs.clone()).all(conn).await?;
        rows.orders = orders.into_iter().map(|order| (order.id, order)).collect();
        let of_order: RelationDef = order_line::Entity::belongs_to(order::Entity)
            .from(order_line::Column::OrderId)
            .to(order::Column::Id)
            .into();
        let lines =
            order_line::Entity::find().join(JoinType::InnerJoin, of_order).filter(theirs.clone()).all(conn).await?;
        let facts =
            |line: order_line::Model| (line.order_id, Line { price_minor: line.price_minor, tax_bps: line.tax_bps });
        rows.lines = lines.into_iter().map(facts).collect();
        let of_order: RelationDef =
            grant::Entity::belongs_to(order::Entity).from(grant::Column::OrderId).to(order::Column::Id).into();
        for grant in grant::Entity::find().join(JoinType::InnerJoin, of_order).filter(theirs).all(conn).await? {
            let of_order = rows.orders.get(&grant.order_id).and_then(|order| order.subscription_id);
            let Some(owner) = of_order.or_else(|| origins.get(&grant.order_id).copied()) else { continue };
            rows.grants.entry(owner).or_default().push(grant);
        }
        let found =
            usage_meter::Entity::find().filter(usage_meter::Column::Id.is_in(meters.iter().copied())).all(conn).await?;
        rows.meters = found.into_iter().map(|meter| (meter.id, meter)).collect();
        let budgets = usage_budget::Entity::find()
            .filter(usage_budget::Column::MeterId.is_in(meters))
            .order_by_asc(usage_budget::Column::SetAt)
            .order_by_asc(usage_budget::Column::Id);
        for budget in budgets.all(conn).await? {
            rows.budgets.entry(budget.meter_id).or_default().push(budget);
        }
        Ok(rows)
    }

    /// Its periods, by number.
    pub(super) fn periods(&self, id: SubscriptionId) -> &[subscription_period::Model] {
        self.periods.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The grants of its orders.
    pub(super) fn grants(&self, id: SubscriptionId) -> &[grant::Model] {
        self.grants.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Its budgets in the order in which they were set.
    pub(super) fn budgets(&self, id: MeterId) -> &[usage_budget::Model] {
        self.budgets.get(&id).map_or(&[], Vec::as_slice)
    }
}

/// The units of each month of these meters.
pub(super) async fn month_sums(conn: &impl ConnectionTrait, meters: Vec<MeterId>) -> Result<MonthSums> {
    let sums = usage_record::Entity::find()
        .select_only()
        .columns([usage_record::Column::MeterId, usage_record::Column::PeriodNo])
        .expr(Expr::cust("CAST(SUM(units) AS BIGINT)"))
        .filter(usage_record::Column::MeterId.is_in(meters))
        .group_by(usage_record::Column::MeterId)
        .group_by(usage_record::Column::PeriodNo);
    let sums = sums.into_tuple::<(MeterId, i32, i64)>().all(conn).await?;
    Ok(sums.into_iter().map(|(meter, period, units)| ((meter, period), units)).collect())
}

/// The units that packs gave each of these meters.
pub(super) async fn packed_units(conn: &impl ConnectionTrait, meters: Vec<MeterId>) -> Result<HashMap<MeterId, i64>> {
    let mut packed = HashMap::new();
    for pack in quota_pack::Entity::find().filter(quota_pack::Column::MeterId.is_in(meters)).all(conn).await? {
        *packed.entry(pack.meter_id).or_default() += pack.units - pack.withdrawn_units;
    }
    Ok(packed)
}
