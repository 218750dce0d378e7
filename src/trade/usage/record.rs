//! Counting: each record once, in the month it belongs to.

use std::collections::{BTreeMap, HashMap};

use entity::{
    Timestamp,
    ids::{DeliveryId, MeterId, UsageId},
    states::{MeterKind, UsageUnit},
    usage_meter, usage_record,
};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    model::{bill_minor, month_of, newly_reached},
    store,
};
use crate::{
    db::{
        Tx,
        outbox::{self, News},
    },
    delivery::Delivered,
    error::{Error, Result},
    terms::offers::plan::Meter,
};

/// Something that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewUsage {
    pub source_key: String,
    pub units: i64,
    pub occurred_at: OffsetDateTime,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Records that are new.
    pub counted: usize,
    /// Records that were there already.
    pub repeated: usize,
    /// New records of a month that is closed: they count in the next.
    pub late: usize,
}

/// The meter's price by use; nothing for units paid ahead.
pub(super) fn rule_of(meter: &usage_meter::Model) -> Result<Option<Meter>> {
    Ok(meter.rule.clone().map(serde_json::from_value).transpose()?)
}

/// Counts `items` on a locked meter; what was reported under the same key before is left out.
///
/// # Errors
/// `Conflict` for a key that was used for something else.
pub(super) async fn count(
    tx: &Tx,
    meter: &mut usage_meter::Model,
    items: Vec<NewUsage>,
    now: OffsetDateTime,
) -> Result<Counted> {
    let keys: Vec<&str> = items.iter().map(|item| item.source_key.as_str()).collect();
    let earlier = store::records_of(tx.conn(), meter.id, &keys).await?;
    let mut known: HashMap<String, (i64, OffsetDateTime)> =
        earlier.into_iter().map(|row| (row.source_key, (row.units, row.occurred_at.0))).collect();
    let (mut rows, mut done) = (Vec::new(), Counted::default());
    for item in items {
        if let Some(said) = known.get(&item.source_key) {
            if *said != (item.units, item.occurred_at) {
                let detail = format!("The key {} was used for other units or another time.", item.source_key);
                return Err(Error::conflict(detail));
            }
            done.repeated += 1;
            continue;
        }
        known.insert(item.source_key.clone(), (item.units, item.occurred_at));
        let month = if meter.kind == MeterKind::Quota { 1 } else { month_of(meter.anchor_at.0, item.occurred_at) };
        let period_no = month.max(meter.closed_no.saturating_add(1));
        done.late += usize::from(period_no > month);
        done.counted += 1;
        rows.push(usage_record::Model {
            id: UsageId::at(now),
            meter_id: meter.id,
            source_key: item.source_key,
            units: item.units,
            period_no,
            occurred_at: Timestamp(item.occurred_at),
            recorded_at: Timestamp(now),
        });
    }
    if rows.is_empty() {
        return Ok(done);
    }
    let news = add(meter, &rows)?;
    store::insert_records(tx, rows).await?;
    store::update(tx, meter).await?;
    outbox::append(tx, news.into_iter().collect(), now).await?;
    Ok(done)
}

/// Adds records to what counts against the limit; the news when the buyer has to be told.
fn add(meter: &mut usage_meter::Model, rows: &[usage_record::Model]) -> Result<Option<News>> {
    let newest = rows.iter().map(|row| row.period_no).max().unwrap_or(meter.period_no);
    if newest > meter.period_no {
        (meter.period_no, meter.used_units, meter.told_percent) = (newest, 0, 0);
    }
    let fresh = rows.iter().filter(|row| row.period_no == meter.period_no);
    meter.used_units = fresh.fold(meter.used_units, |sum, row| sum.saturating_add(row.units));
    tell(meter)
}

/// The news that a part of the budget, or of the units, is used; each part is told once.
fn tell(meter: &mut usage_meter::Model) -> Result<Option<News>> {
    let (used, whole, kind) = match (rule_of(meter)?, meter.budget_minor) {
        (Some(rule), Some(budget)) => (bill_minor(&rule, meter.used_units, None)?, budget, "budget.reached"),
        (None, _) => (meter.used_units, meter.limit_units.unwrap_or(0), "quota.reached"),
        (Some(_), None) => return Ok(None),
    };
    Ok(newly_reached(used, whole, meter.told_percent).map(|percent| {
        meter.told_percent = percent;
        let payload = json!({
            "meter_id": meter.id, "buyer_id": meter.organization_id, "listing_id": meter.listing_id,
            "percent": percent, "used_units": meter.used_units, "limit_units": meter.limit_units,
        });
        News { topic: meter.id.to_string(), kind, payload }
    }))
}

/// Counts deliveries in the transaction that writes them down: requests that sent something, or their bytes.
///
/// # Errors
/// Those of the database.
pub(crate) async fn count_deliveries(tx: &Tx, delivered: &[(DeliveryId, Delivered)]) -> Result<()> {
    // In one order, so that two transactions with the same meters can't wait for each other.
    let mut of: BTreeMap<MeterId, Vec<&(DeliveryId, Delivered)>> = BTreeMap::new();
    for one in delivered.iter().filter(|(_, delivered)| delivered.bytes_sent > 0) {
        if let Some(reservation) = &one.1.metered {
            of.entry(reservation.meter()).or_default().push(one);
        }
    }
    for (id, rows) in of {
        let mut meter = store::lock(tx, id).await?;
        let items: Vec<NewUsage> =
            rows.iter().filter_map(|(id, delivered)| usage(meter.unit, *id, delivered)).collect();
        if let Some(latest) = items.iter().map(|item| item.occurred_at).max() {
            count(tx, &mut meter, items, latest).await?;
        }
    }
    Ok(())
}

/// What a delivery uses of a unit; of what only providers report, nothing.
fn usage(unit: UsageUnit, id: DeliveryId, delivered: &Delivered) -> Option<NewUsage> {
    let units = match unit {
        UsageUnit::Request => 1,
        UsageUnit::Byte => i64::try_from(delivered.bytes_sent).unwrap_or(i64::MAX),
        UsageUnit::Row | UsageUnit::Event => return None,
    };
    Some(NewUsage { source_key: id.to_string(), units, occurred_at: delivered.at })
}
