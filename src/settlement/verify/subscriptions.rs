//! Subscriptions against their periods, orders and grants; meters against their records.

use std::collections::HashMap;

use entity::{
    grant,
    ids::{MeterId, OrderId, SubscriptionId},
    order, order_line, quota_pack,
    states::{MeterKind, OrderState, SubscriptionKind},
    subscription, subscription_period, usage_budget, usage_meter, usage_record,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::Expr,
};

use super::{PAGE_ROWS, VerifyReport};
use crate::{
    error::Result,
    settlement::currency,
    state::AppState,
    terms::offers::plan::Meter,
    trade::{
        gross::Taxed,
        prices::{ChargeRules, usage_price},
    },
};

pub async fn check(
    app: &AppState,
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    check_subscriptions(app, conn, report, progress).await?;
    check_meters(conn, report, progress).await
}

async fn check_subscriptions(
    app: &AppState,
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let mut after: Option<SubscriptionId> = None;
    loop {
        let mut query = subscription::Entity::find().order_by_asc(subscription::Column::Id).limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(subscription::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for row in &page {
            report.subscriptions += 1;
            check_subscription(app, conn, row, report).await?;
        }
        progress("subscriptions", report.subscriptions);
    }
}

async fn check_subscription(
    app: &AppState,
    conn: &impl ConnectionTrait,
    row: &subscription::Model,
    report: &mut VerifyReport,
) -> Result<()> {
    let periods = subscription_period::Entity::find()
        .filter(subscription_period::Column::SubscriptionId.eq(row.id))
        .order_by_asc(subscription_period::Column::Number)
        .all(conn)
        .await?;
    check_periods(row, &periods, report);
    check_orders(conn, row, &periods, report).await?;
    match row.kind {
        SubscriptionKind::Renewing => check_grants(conn, row, report).await,
        SubscriptionKind::Metered => check_months(app, conn, row, &periods, report).await,
        SubscriptionKind::Instalments => {
            let whole: i128 = periods.iter().map(|part| i128::from(part.amount_minor)).sum();
            let good = whole <= i128::from(row.price_minor);
            report.require(good, || format!("the parts of {} are more than its price", row.id));
            Ok(())
        }
    }
}

/// Periods are numbered from 1 and each begins where the one before ends, or, after a pause, later.
fn check_periods(row: &subscription::Model, periods: &[subscription_period::Model], report: &mut VerifyReport) {
    for (place, period) in periods.iter().enumerate() {
        let (id, number) = (row.id, period.number);
        let expected = i32::try_from(place).unwrap_or(i32::MAX).saturating_add(1);
        report.equal(&format!("the number of a period of {id}"), expected, number);
        let last_part = row.kind == SubscriptionKind::Instalments && period.from_at == period.until_at;
        let has_length = period.from_at < period.until_at || last_part;
        report.require(has_length, || format!("period {number} of {id} ends before it begins"));
        let Some(before) = place.checked_sub(1).and_then(|place| periods.get(place)) else { continue };
        let joins =
            if period.follows_on { period.from_at == before.until_at } else { period.from_at >= before.until_at };
        report.require(joins, || format!("period {number} of {id} does not begin where the one before ends"));
    }
}

/// Each period is charged by one order of its own, over exactly its price.
async fn check_orders(
    conn: &impl ConnectionTrait,
    row: &subscription::Model,
    periods: &[subscription_period::Model],
    report: &mut VerifyReport,
) -> Result<()> {
    let ids: Vec<OrderId> = periods.iter().filter_map(|period| period.order_id).collect();
    let orders = order::Entity::find().filter(order::Column::Id.is_in(ids.iter().copied())).all(conn).await?;
    let orders: HashMap<OrderId, order::Model> = orders.into_iter().map(|order| (order.id, order)).collect();
    let lines = order_line::Entity::find().filter(order_line::Column::OrderId.is_in(ids)).all(conn).await?;
    let prices: HashMap<OrderId, i64> = lines.into_iter().map(|line| (line.order_id, line.price_minor)).collect();
    let newest = periods.last().map(|period| period.number);
    for period in periods {
        let (id, number) = (row.id, period.number);
        let Some(order_id) = period.order_id else {
            report.require(period.amount_minor == 0, || format!("period {number} of {id} has a price and no order"));
            continue;
        };
        let own = orders
            .get(&order_id)
            .filter(|order| order.subscription_id == Some(id) || order.id == row.origin_order_id && period.number == 1);
        let Some(order) = own else {
            report.require(false, || format!("{order_id}, which charges period {number} of {id}, is not its order"));
            continue;
        };
        let price = prices.get(&order_id).copied().unwrap_or(0);
        report.equal(
            &format!("the price of {order_id}, which charges period {number} of {id},"),
            period.amount_minor,
            price,
        );
        let settled = order.state == OrderState::Completed || Some(number) == newest;
        report.require(settled, || format!("{id} went on after period {number}, which nobody paid"));
    }
    Ok(())
}

/// No two grants of a renewing subscription are open at the same time.
async fn check_grants(conn: &impl ConnectionTrait, row: &subscription::Model, report: &mut VerifyReport) -> Result<()> {
    let own = order::Entity::find()
        .select_only()
        .column(order::Column::Id)
        .filter(order::Column::SubscriptionId.eq(row.id))
        .into_tuple::<OrderId>()
        .all(conn)
        .await?;
    let orders = own.into_iter().chain([row.origin_order_id]);
    let mut grants = grant::Entity::find().filter(grant::Column::OrderId.is_in(orders)).all(conn).await?;
    grants.sort_unstable_by_key(|grant| (grant.starts_at, grant.ends_at.is_none(), grant.ends_at, grant.id));
    for (before, next) in grants.iter().zip(grants.iter().skip(1)) {
        let apart = before.ends_at.is_some_and(|end| end <= next.starts_at);
        report.require(apart, || format!("{} and {} of {} are open at the same time", before.id, next.id, row.id));
    }
    Ok(())
}

/// A metered month costs what its records cost, within the budget in force at its end.
async fn check_months(
    app: &AppState,
    conn: &impl ConnectionTrait,
    row: &subscription::Model,
    periods: &[subscription_period::Model],
    report: &mut VerifyReport,
) -> Result<()> {
    let id = MeterId(row.id.0);
    let Some(meter) = usage_meter::Entity::find_by_id(id).one(conn).await? else {
        report.require(false, || format!("{} is metered and has no meter", row.id));
        return Ok(());
    };
    let closed = periods.last().map_or(0, |period| period.number);
    report.equal(&format!("the last month that {id} closed"), closed, meter.closed_no);
    let Some(rule) = meter.rule else { return Ok(()) };
    let rules = app.payments.charge_rules(currency(&row.currency)?);
    let rule: Meter = serde_json::from_value(rule)?;
    let sums = month_sums(conn, id).await?;
    let budgets = usage_budget::Entity::find()
        .filter(usage_budget::Column::MeterId.eq(id))
        .order_by_asc(usage_budget::Column::SetAt)
        .order_by_asc(usage_budget::Column::Id)
        .all(conn)
        .await?;
    let rates = tax_rates(conn, periods).await?;
    for period in periods {
        let units = sums.get(&period.number).copied().unwrap_or(0);
        let number = period.number;
        report.equal(&format!("the units of month {number} of {}", row.id), units, period.units.unwrap_or(0));
        let budget =
            budgets.iter().rev().find(|budget| budget.set_at < period.until_at).and_then(|row| row.budget_minor);
        let price = usage_price(&rule, units)?;
        let due = due_minor(rules, budget.map_or(price, |budget| price.min(budget)), rates.get(&number).copied());
        report.equal(&format!("the price of month {number} of {}", row.id), due, period.amount_minor);
    }
    Ok(())
}

/// What is charged for a month that cost so much, at the tax rate of its order.
fn due_minor(rules: ChargeRules, price_minor: i64, tax_bps: Option<u32>) -> i64 {
    if rules.chargeable(price_minor) == 0 {
        return 0;
    }
    Taxed { rules, tax_bps: tax_bps.unwrap_or(0) }.agreed(price_minor.min(rules.max_minor))
}

/// The tax rates of the orders that charge these periods, by their numbers.
async fn tax_rates(conn: &impl ConnectionTrait, periods: &[subscription_period::Model]) -> Result<HashMap<i32, u32>> {
    let number: HashMap<OrderId, i32> =
        periods.iter().filter_map(|period| Some((period.order_id?, period.number))).collect();
    let rates: Vec<(OrderId, i32)> = order_line::Entity::find()
        .select_only()
        .columns([order_line::Column::OrderId, order_line::Column::TaxBps])
        .filter(order_line::Column::OrderId.is_in(number.keys().copied()))
        .into_tuple()
        .all(conn)
        .await?;
    Ok(rates.into_iter().filter_map(|(id, bps)| Some((*number.get(&id)?, u32::try_from(bps).ok()?))).collect())
}

/// The units of each month of a meter.
async fn month_sums(conn: &impl ConnectionTrait, meter: MeterId) -> Result<HashMap<i32, i64>> {
    let sums = usage_record::Entity::find()
        .select_only()
        .column(usage_record::Column::PeriodNo)
        .expr(Expr::cust("CAST(SUM(units) AS BIGINT)"))
        .filter(usage_record::Column::MeterId.eq(meter))
        .group_by(usage_record::Column::PeriodNo);
    Ok(sums.into_tuple::<(i32, i64)>().all(conn).await?.into_iter().collect())
}

async fn check_meters(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let mut after: Option<MeterId> = None;
    loop {
        let mut query = usage_meter::Entity::find().order_by_asc(usage_meter::Column::Id).limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(usage_meter::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for row in &page {
            report.meters += 1;
            check_meter(conn, row, report).await?;
        }
        progress("meters", report.meters);
    }
}

/// What a meter shows is the sum of its records, and of units paid ahead the limit is the sum of the packs.
async fn check_meter(conn: &impl ConnectionTrait, row: &usage_meter::Model, report: &mut VerifyReport) -> Result<()> {
    let used = month_sums(conn, row.id).await?.get(&row.period_no).copied().unwrap_or(0);
    report.equal(&format!("the units counted on {}", row.id), used, row.used_units);
    if row.kind == MeterKind::Metered {
        return Ok(());
    }
    let packs = quota_pack::Entity::find().filter(quota_pack::Column::MeterId.eq(row.id)).all(conn).await?;
    let granted = packs.iter().map(|pack| pack.units - pack.withdrawn_units).sum::<i64>();
    report.equal(&format!("the units granted on {}", row.id), granted, row.limit_units.unwrap_or(0));
    report.overshoot_units = report.overshoot_units.saturating_add((used - granted).max(0));
    Ok(())
}
