//! Subscriptions against their periods, orders and grants; meters against their records.

use entity::{
    grant,
    ids::{MeterId, SubscriptionId},
    states::{MeterKind, OrderState, SubscriptionKind},
    subscription, subscription_period, usage_meter,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{
    PAGE_ROWS, VerifyReport,
    subscription_rows::{SubscriptionRows, month_sums, packed_units},
};
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

/// Subscriptions that are read at once, with all their periods.
const PAGE_SUBSCRIPTIONS: u64 = 200;

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
        let mut query = subscription::Entity::find().order_by_asc(subscription::Column::Id).limit(PAGE_SUBSCRIPTIONS);
        if let Some(after) = after {
            query = query.filter(subscription::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let rows = SubscriptionRows::of(conn, &page).await?;
        for row in &page {
            report.subscriptions += 1;
            check_subscription(app, row, &rows, report)?;
        }
        progress("subscriptions", report.subscriptions);
    }
}

fn check_subscription(
    app: &AppState,
    row: &subscription::Model,
    rows: &SubscriptionRows,
    report: &mut VerifyReport,
) -> Result<()> {
    let periods = rows.periods(row.id);
    check_periods(row, periods, report);
    check_orders(row, rows, report);
    match row.kind {
        SubscriptionKind::Renewing => check_grants(row, rows, report),
        SubscriptionKind::Metered => check_months(app, row, rows, report)?,
        SubscriptionKind::Instalments => {
            let whole: i128 = periods.iter().map(|part| i128::from(part.amount_minor)).sum();
            let good = whole <= i128::from(row.price_minor);
            report.require(good, || format!("the parts of {} are more than its price", row.id));
        }
    }
    Ok(())
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
fn check_orders(row: &subscription::Model, rows: &SubscriptionRows, report: &mut VerifyReport) {
    let periods = rows.periods(row.id);
    let newest = periods.last().map(|period| period.number);
    for period in periods {
        let (id, number) = (row.id, period.number);
        let Some(order_id) = period.order_id else {
            report.require(period.amount_minor == 0, || format!("period {number} of {id} has a price and no order"));
            continue;
        };
        let own = rows
            .orders
            .get(&order_id)
            .filter(|order| order.subscription_id == Some(id) || order.id == row.origin_order_id && period.number == 1);
        let Some(order) = own else {
            report.require(false, || format!("{order_id}, which charges period {number} of {id}, is not its order"));
            continue;
        };
        let price = rows.lines.get(&order_id).map_or(0, |line| line.price_minor);
        report.equal(
            &format!("the price of {order_id}, which charges period {number} of {id},"),
            period.amount_minor,
            price,
        );
        let settled = order.state == OrderState::Completed || Some(number) == newest;
        report.require(settled, || format!("{id} went on after period {number}, which nobody paid"));
    }
}

/// No two grants of a renewing subscription are open at the same time.
fn check_grants(row: &subscription::Model, rows: &SubscriptionRows, report: &mut VerifyReport) {
    let mut grants: Vec<&grant::Model> = rows.grants(row.id).iter().collect();
    grants.sort_unstable_by_key(|grant| (grant.starts_at, grant.ends_at.is_none(), grant.ends_at, grant.id));
    for (before, next) in grants.iter().zip(grants.iter().skip(1)) {
        let apart = before.ends_at.is_some_and(|end| end <= next.starts_at);
        report.require(apart, || format!("{} and {} of {} are open at the same time", before.id, next.id, row.id));
    }
}

/// A metered month costs what its records cost, within the budget in force at its end.
fn check_months(
    app: &AppState,
    row: &subscription::Model,
    rows: &SubscriptionRows,
    report: &mut VerifyReport,
) -> Result<()> {
    let (id, periods) = (MeterId(row.id.0), rows.periods(row.id));
    let Some(meter) = rows.meters.get(&id) else {
        report.require(false, || format!("{} is metered and has no meter", row.id));
        return Ok(());
    };
    let closed = periods.last().map_or(0, |period| period.number);
    report.equal(&format!("the last month that {id} closed"), closed, meter.closed_no);
    let Some(rule) = meter.rule.clone() else { return Ok(()) };
    let rules = app.payments.charge_rules(currency(&row.currency)?);
    let rule: Meter = serde_json::from_value(rule)?;
    for period in periods {
        let number = period.number;
        let units = rows.month_sums.get(&(id, number)).copied().unwrap_or(0);
        report.equal(&format!("the units of month {number} of {}", row.id), units, period.units.unwrap_or(0));
        let in_force = rows.budgets(id).iter().rev().find(|budget| budget.set_at < period.until_at);
        let price = usage_price(&rule, units)?;
        let price = in_force.and_then(|row| row.budget_minor).map_or(price, |budget| price.min(budget));
        let line = period.order_id.and_then(|order| rows.lines.get(&order)).copied().unwrap_or_default();
        let due = due_minor(rules, price, u32::try_from(line.tax_bps).unwrap_or(0));
        report.equal(&format!("the price of month {number} of {}", row.id), due, period.amount_minor);
    }
    Ok(())
}

/// What is charged for a month that cost so much, at the tax rate of its order.
fn due_minor(rules: ChargeRules, price_minor: i64, tax_bps: u32) -> i64 {
    if rules.chargeable(price_minor) == 0 {
        return 0;
    }
    Taxed { rules, tax_bps }.agreed(price_minor.min(rules.max_minor))
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
        let ids: Vec<MeterId> = page.iter().map(|row| row.id).collect();
        let (sums, packed) = (month_sums(conn, ids.clone()).await?, packed_units(conn, ids).await?);
        for row in &page {
            report.meters += 1;
            let used = sums.get(&(row.id, row.period_no)).copied().unwrap_or(0);
            check_meter(row, used, packed.get(&row.id).copied().unwrap_or(0), report);
        }
        progress("meters", report.meters);
    }
}

/// What a meter shows is the sum of its records, and of units paid ahead the limit is the sum of the packs.
fn check_meter(row: &usage_meter::Model, used: i64, granted: i64, report: &mut VerifyReport) {
    report.equal(&format!("the units counted on {}", row.id), used, row.used_units);
    if row.kind == MeterKind::Metered {
        return;
    }
    report.equal(&format!("the units granted on {}", row.id), granted, row.limit_units.unwrap_or(0));
    report.overshoot_units = report.overshoot_units.saturating_add((used - granted).max(0));
}
