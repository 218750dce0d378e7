//! What a metered month costs, and the most a buyer lets it cost.

use entity::{
    Timestamp,
    ids::{MeterId, OrgId, SubscriptionId, UsageId},
    states::MeterKind,
    subscription, usage_budget, usage_meter,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    model::{bill_minor, limit_units, month_of, newly_reached, unit_of},
    record::rule_of,
    store,
};
use crate::{
    auth::Actor,
    base::Money,
    db::Tx,
    error::{Error, Result},
    people::audit,
    state::AppState,
    terms::offers::plan::{Meter, Plan},
};

/// What a closed month amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::trade) struct Bill {
    /// Units that were counted.
    pub units: i64,
    /// What they cost, before tax.
    pub amount_minor: i64,
}

/// Opens the meter of a metered subscription; it counts until `ends_at`, where its grant has an end.
///
/// # Errors
/// Internal for an offer without a meter.
pub(in crate::trade) async fn open_meter(
    tx: &Tx,
    row: &subscription::Model,
    plan: &Plan,
    ends_at: Option<Timestamp>,
    now: OffsetDateTime,
) -> Result<MeterId> {
    let meter = plan.meter.as_ref().ok_or_else(|| Error::internal(format!("{} has no meter", row.offer_id)))?;
    let id = MeterId(row.id.0);
    let meter = usage_meter::Model {
        id,
        organization_id: row.buyer_id,
        provider_id: row.provider_id,
        listing_id: row.listing_id,
        kind: MeterKind::Metered,
        unit: unit_of(meter.unit),
        rule: Some(serde_json::to_value(meter)?),
        currency: row.currency.clone(),
        budget_minor: None,
        limit_units: None,
        used_units: 0,
        period_no: 1,
        closed_no: 0,
        anchor_at: row.anchor_at,
        ends_at,
        told_percent: 0,
        created_at: Timestamp(now),
    };
    store::insert_meter(tx, meter).await?;
    Ok(id)
}

fn rule(meter: &usage_meter::Model) -> Result<Meter> {
    rule_of(meter)?.ok_or_else(|| Error::internal(format!("{} has no price", meter.id)))
}

/// Closes a month that ended at `until`: nothing is counted in it any more.
///
/// # Errors
/// `Conflict` when it is closed already.
pub(in crate::trade) async fn close_month(tx: &Tx, id: MeterId, number: i32, until: OffsetDateTime) -> Result<Bill> {
    let mut meter = store::lock(tx, id).await?;
    if meter.closed_no.saturating_add(1) != number {
        return Err(Error::conflict(format!("Month {} is the last that was closed.", meter.closed_no)));
    }
    let units = store::units_of(tx.conn(), id, number).await?;
    let budget = store::budget_before(tx.conn(), id, until).await?;
    let amount_minor = bill_minor(&rule(&meter)?, units, budget)?;
    meter.closed_no = number;
    if meter.period_no <= number {
        (meter.period_no, meter.used_units, meter.told_percent) = (number.saturating_add(1), 0, 0);
    }
    store::update(tx, &meter).await?;
    Ok(Bill { units, amount_minor })
}

/// Sets the most a month may cost; nothing takes the limit away. It holds at once, for the month that runs.
///
/// # Errors
/// `NotFound` for somebody else's subscription or one without a meter; `Invalid` below what months that are not
/// billed yet cost already.
pub(super) async fn set_budget(
    app: &AppState,
    actor: &Actor,
    id: SubscriptionId,
    budget: Option<Money>,
) -> Result<usage_meter::Model> {
    let (now, by) = (app.clock.now(), actor.clone());
    app.db
        .write("trade.set_budget", move |tx| {
            let actor = by.clone();
            async move {
                let meter = owned(&tx, id, actor.org_id()).await?;
                if let Some(budget) = budget {
                    check(&tx, &meter, budget, now).await?;
                }
                let meter = change(&tx, meter, budget.map(|budget| budget.minor), now).await?;
                audit::record(&tx, &actor, "subscription.set_budget", id, json!({"budget": budget}), now).await?;
                Ok((meter, tx))
            }
        })
        .await
}

async fn owned(tx: &Tx, id: SubscriptionId, owner: OrgId) -> Result<usage_meter::Model> {
    let missing = || Error::not_found("metered subscription");
    let meter = store::find(tx.conn(), MeterId(id.0)).await?;
    meter.filter(|meter| meter.organization_id == owner).ok_or_else(missing)?;
    store::lock(tx, MeterId(id.0)).await
}

/// A budget can't make what was used already cheaper.
async fn check(tx: &Tx, meter: &usage_meter::Model, budget: Money, now: OffsetDateTime) -> Result<()> {
    if budget.currency.code() != meter.currency {
        return Err(Error::invalid("/budget/currency", format!("The offer is priced in {}.", meter.currency)));
    }
    if budget.minor < 0 {
        return Err(Error::invalid("/budget/minor", "Give 0 or more minor units."));
    }
    let rule = rule(meter)?;
    for month in meter.closed_no.saturating_add(1)..=month_of(meter.anchor_at.0, now).max(meter.period_no) {
        let units = store::units_of(tx.conn(), meter.id, month).await?;
        let used = bill_minor(&rule, units, meter.budget_minor)?;
        if used > budget.minor {
            let used = Money::new(used, budget.currency);
            let advice = format!("{used} are used already and not billed yet. Give at least that.");
            return Err(Error::invalid("/budget/minor", advice));
        }
    }
    Ok(())
}

async fn change(
    tx: &Tx,
    mut meter: usage_meter::Model,
    budget_minor: Option<i64>,
    now: OffsetDateTime,
) -> Result<usage_meter::Model> {
    let rule = rule(&meter)?;
    meter.budget_minor = budget_minor;
    meter.limit_units = limit_units(&rule, budget_minor)?;
    // What is reached of the new budget already is no news.
    let used = bill_minor(&rule, meter.used_units, None)?;
    meter.told_percent = budget_minor.and_then(|budget| newly_reached(used, budget, 0)).unwrap_or(0);
    // Decisions of one instant are kept in their order.
    let last = store::last_budget_at(tx.conn(), meter.id).await?;
    let set_at = last.map_or(now, |last| now.max(last + Duration::MICROSECOND));
    let row = usage_budget::Model { id: UsageId::at(now), meter_id: meter.id, budget_minor, set_at: Timestamp(set_at) };
    store::insert_budget(tx, row).await?;
    store::update(tx, &meter).await?;
    Ok(meter)
}
