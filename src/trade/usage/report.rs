//! What providers report: rows and events that no download shows.

use entity::{
    ids::{MeterId, OrgId},
    states::{MeterKind, UsageUnit},
    usage_meter,
};
use time::{Duration, OffsetDateTime};

use super::{
    model::month_of,
    record::{Counted, NewUsage, count},
    store,
};
use crate::{
    auth::Actor,
    db::Tx,
    error::{Check, Error, Result},
    limits,
    state::AppState,
};

/// Counts a provider's report as a whole or not at all; records that were reported before are left out.
///
/// # Errors
/// `NotFound` for a meter of somebody else's listing; `Invalid` for records that make no sense; `Conflict` where
/// downloads are counted, for a key used for something else, and for more units of a stock than are left.
pub(super) async fn report(app: &AppState, actor: &Actor, id: MeterId, items: Vec<NewUsage>) -> Result<Counted> {
    let (now, provider) = (app.clock.now(), actor.org_id());
    app.db
        .write("trade.report_usage", move |tx| {
            let items = items.clone();
            async move {
                let mut meter = served(&tx, id, provider).await?;
                check(&meter, &items, now)?;
                let before = meter.used_units;
                let counted = count(&tx, &mut meter, items, now).await?;
                let over = meter.limit_units.is_some_and(|limit| meter.used_units > limit.max(before));
                if meter.kind == MeterKind::Quota && over {
                    let left = meter.limit_units.unwrap_or(0).saturating_sub(before).max(0);
                    let detail = format!("The buyer has {left} units left. Nothing of this report was counted.");
                    return Err(Error::conflict(detail));
                }
                Ok((counted, tx))
            }
        })
        .await
}

async fn served(tx: &Tx, id: MeterId, provider: OrgId) -> Result<usage_meter::Model> {
    let meter = store::find(tx.conn(), id).await?;
    meter.filter(|meter| meter.provider_id == provider).ok_or_else(|| Error::not_found("meter"))?;
    store::lock(tx, id).await
}

fn check(meter: &usage_meter::Model, items: &[NewUsage], now: OffsetDateTime) -> Result<()> {
    if matches!(meter.unit, UsageUnit::Request | UsageUnit::Byte) {
        return Err(Error::conflict(
            "Requests and bytes are counted as they are downloaded; there is nothing to report.",
        ));
    }
    let mut check = Check::new();
    let most = limits::USAGE_RECORDS_PER_REPORT_MAX;
    check.require((1..=most).contains(&items.len()), "/records", format!("Send 1 to {most} records."));
    check.done()?;
    let mut check = Check::new();
    let latest = now + Duration::seconds(limits::OFFER_PAST_SECONDS_MAX);
    for (place, item) in items.iter().enumerate() {
        let at = |field: &str| format!("/records/{place}/{field}");
        check.text(&item.source_key, limits::USAGE_KEY_CHARS_MAX, &at("key"));
        let units = (1..=limits::USAGE_UNITS_PER_RECORD_MAX).contains(&item.units);
        check.require(units, at("units"), format!("Give 1 to {} units.", limits::USAGE_UNITS_PER_RECORD_MAX));
        let in_time = item.occurred_at >= meter.anchor_at.0 && item.occurred_at <= latest;
        check.require(in_time, at("occurred_at"), "Give a time after the subscription began and not in the future.");
        let counts = meter.ends_at.is_none_or(|end| item.occurred_at < end.0);
        check.require(counts, at("occurred_at"), "The subscription was over by then.");
    }
    check.done()?;
    let last = meter.ends_at.map(|end| month_of(meter.anchor_at.0, end.0 - Duration::MICROSECOND));
    if meter.kind == MeterKind::Metered && last.is_some_and(|last| meter.closed_no >= last) {
        return Err(Error::conflict("The last month of this subscription is billed; nothing more is counted."));
    }
    Ok(())
}
