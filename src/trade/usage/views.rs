//! Usage, budgets and stocks as their parties see them.

use entity::{
    Timestamp,
    ids::{ListingId, MeterId, OrderId, OrgId},
    states::UsageUnit,
    usage_meter,
};
use sea_orm::ConnectionTrait;
use serde::Serialize;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;

use super::{
    model::{bill_minor, month_end, month_of},
    packs::used_of_packs,
    record::rule_of,
    store::{self, DayRow},
};
use crate::{
    base::{Currency, Money},
    error::{Error, Result},
    trade::prices::{Period, forecast},
};

/// What was used on one day (UTC).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"date": "2026-11-21", "units": 120, "records": 7}))]
pub struct UsageDayView {
    /// The day.
    pub date: Date,
    /// Units.
    pub units: i64,
    /// In so many records.
    pub records: i64,
}

impl From<DayRow> for UsageDayView {
    fn from(row: DayRow) -> Self {
        let date = OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::days(row.day)).date();
        Self { date, units: row.units, records: row.records }
    }
}

/// What a month will probably cost.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "low": {"minor": 900, "currency": "EUR"}, "expected": {"minor": 1200, "currency": "EUR"},
    "high": {"minor": 1800, "currency": "EUR"}, "expected_units": 24000
}))]
pub struct ForecastView {
    /// If the rest of the month runs at half the rate so far.
    pub low: Money,
    /// If it goes on as it did.
    pub expected: Money,
    /// If the rest runs at twice the rate.
    pub high: Money,
    /// Units of the whole month, if it goes on as it did.
    pub expected_units: i64,
    /// When the cost reaches the budget, if it goes on as it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_reached_at: Option<Timestamp>,
}

/// What was used in a month, and what it costs.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "month": 3, "from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z", "is_closed": false, "unit": "request",
    "units": 12000, "cost": {"minor": 550, "currency": "EUR"}, "budget": {"minor": 2000, "currency": "EUR"}, "limit_units": 90000,
    "forecast": {"low": {"minor": 900, "currency": "EUR"}, "expected": {"minor": 1200, "currency": "EUR"},
        "high": {"minor": 1800, "currency": "EUR"}, "expected_units": 24000},
    "days": [{"date": "2026-11-21", "units": 120, "records": 7}]
}))]
pub struct UsageView {
    /// Which month, counted from 1.
    pub month: i32,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// Nothing is counted in it any more.
    pub is_closed: bool,
    /// What is counted.
    pub unit: UsageUnit,
    /// How many.
    pub units: i64,
    /// What they cost, before tax, within the budget.
    pub cost: Money,
    /// The most a month may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Money>,
    /// Units after which access stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_units: Option<i64>,
    /// What the month will probably cost; of the one that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastView>,
    /// By the day it was used on.
    pub days: Vec<UsageDayView>,
}

fn currency_of(meter: &usage_meter::Model) -> Result<Currency> {
    meter.currency.parse().map_err(|e: crate::base::currency::UnknownCurrency| Error::internal(e))
}

/// A month of a meter; the one that runs when none is named.
pub(super) async fn usage_view(
    conn: &impl ConnectionTrait,
    meter: &usage_meter::Model,
    month: Option<i32>,
    now: OffsetDateTime,
) -> Result<UsageView> {
    let running = month_of(meter.anchor_at.0, now);
    let month = month.unwrap_or(running);
    if !(1..=running).contains(&month) {
        return Err(Error::invalid("month", format!("Give a month from 1 to {running}.")));
    }
    let rule = rule_of(meter)?.ok_or_else(|| Error::not_found("metered subscription"))?;
    let (currency, anchor) = (currency_of(meter)?, meter.anchor_at.0);
    let (from, until) = (if month == 1 { anchor } else { month_end(anchor, month - 1) }, month_end(anchor, month));
    let days = store::by_day(conn, meter.id, month).await?;
    let units = days.iter().map(|day| day.units).sum();
    let budget =
        if month == running { meter.budget_minor } else { store::budget_before(conn, meter.id, until).await? };
    let money = |minor| Money::new(minor, currency);
    let forecast = if month == running {
        let ahead = forecast(&rule, units, Period { from, until }, now, meter.budget_minor)?;
        let within = |minor: i64| money(budget.map_or(minor, |budget| minor.min(budget)));
        Some(ForecastView {
            low: within(ahead.low_minor),
            expected: within(ahead.expected_minor),
            high: within(ahead.high_minor),
            expected_units: ahead.expected_units,
            budget_reached_at: ahead.budget_reached_at.map(Timestamp),
        })
    } else {
        None
    };
    Ok(UsageView {
        month,
        from: Timestamp(from),
        until: Timestamp(until),
        is_closed: month <= meter.closed_no,
        unit: meter.unit,
        units,
        cost: money(bill_minor(&rule, units, budget)?),
        budget: budget.map(money),
        limit_units: meter.limit_units,
        forecast,
        days: days.into_iter().map(UsageDayView::from).collect(),
    })
}

/// A pack of units, and what is left of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "units": 10000, "used": 400, "withdrawn": 0,
    "left": 9600, "granted_at": "2026-11-21T10:00:00Z"}))]
pub struct PackView {
    /// The order that paid for it.
    pub order_id: OrderId,
    /// How many units.
    pub units: i64,
    /// How many are used; the oldest pack is used first.
    pub used: i64,
    /// How many were taken back when their money went back.
    pub withdrawn: i64,
    /// How many are left: `units` − `used` − `withdrawn`.
    pub left: i64,
    /// When they were granted.
    pub granted_at: Timestamp,
}

/// The units a buyer has of a listing; what was granted is what was used, withdrawn and left.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "mtr_019352f0a1b27c3d8e4f5061728394a5", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
    "holder_id": "org_019352f0a1b27c3d8e4f5061728394a5", "provider_id": "org_019352f0a1b27c3d8e4f5061728394a6",
    "unit": "request", "granted": 10000, "used": 400, "withdrawn": 0, "left": 9600, "overshoot": 0,
    "packs": [{"order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "units": 10000, "used": 400, "withdrawn": 0, "left": 9600,
        "granted_at": "2026-11-21T10:00:00Z"}],
    "days": [{"date": "2026-11-21", "units": 400, "records": 400}]
}))]
pub struct QuotaView {
    /// Its id.
    pub id: MeterId,
    /// What it is for.
    pub listing_id: ListingId,
    /// Whose it is.
    pub holder_id: OrgId,
    /// Who delivers.
    pub provider_id: OrgId,
    /// What is counted.
    pub unit: UsageUnit,
    /// Units of all packs.
    pub granted: i64,
    /// Units that were used: `granted` − `withdrawn` − `left` + `overshoot`.
    pub used: i64,
    /// Units that were taken back when their money went back.
    pub withdrawn: i64,
    /// Units that are left, at least 0.
    pub left: i64,
    /// Units delivered beyond the last, at no charge: what several processes were sending at the same moment.
    pub overshoot: i64,
    /// The packs, oldest first.
    pub packs: Vec<PackView>,
    /// By the day they were used on.
    pub days: Vec<UsageDayView>,
}

/// The statement of a stock.
pub(super) async fn quota_view(conn: &impl ConnectionTrait, meter: &usage_meter::Model) -> Result<QuotaView> {
    let rows = store::packs(conn, meter.id).await?;
    let days = store::by_day(conn, meter.id, 1).await?;
    let used: i64 = days.iter().map(|day| day.units).sum();
    let of_packs = used_of_packs(&rows, used);
    let packs: Vec<PackView> = rows
        .iter()
        .zip(of_packs)
        .map(|(pack, used)| PackView {
            order_id: pack.order_id,
            units: pack.units,
            used,
            withdrawn: pack.withdrawn_units,
            left: pack.units - pack.withdrawn_units - used,
            granted_at: pack.granted_at,
        })
        .collect();
    let sum = |of: fn(&PackView) -> i64| packs.iter().map(of).sum::<i64>();
    Ok(QuotaView {
        id: meter.id,
        listing_id: meter.listing_id,
        holder_id: meter.organization_id,
        provider_id: meter.provider_id,
        unit: meter.unit,
        granted: sum(|pack| pack.units),
        used,
        withdrawn: sum(|pack| pack.withdrawn),
        left: sum(|pack| pack.left),
        overshoot: used - sum(|pack| pack.used),
        days: days.into_iter().map(UsageDayView::from).collect(),
        packs,
    })
}
