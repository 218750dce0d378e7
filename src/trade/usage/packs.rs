//! Units paid ahead: packs of one unit of one listing are one stock, used up oldest first.

use entity::{
    Timestamp,
    ids::{MeterId, OrderId},
    quota_pack,
    states::{MeterKind, UsageUnit},
    usage_meter,
};
use time::OffsetDateTime;
use torv_money::usage;

use super::{model::unit_of, store};
use crate::{
    db::Tx,
    error::{Error, Result},
    terms::offers::plan::Quota,
    trade::orders::OrderFacts,
};

/// Adds the units an order paid for to the buyer's stock.
///
/// # Errors
/// Internal for an offer without a number of units.
pub(in crate::trade) async fn add_pack(
    tx: &Tx,
    facts: &OrderFacts,
    quota: Option<Quota>,
    now: OffsetDateTime,
) -> Result<MeterId> {
    let line = &facts.line;
    let quota = quota.ok_or_else(|| Error::internal(format!("{} has no units", line.offer_id)))?;
    let units = quota.units.saturating_mul(i64::from(line.quantity));
    let mut meter = stock(tx, facts, unit_of(quota.unit), now).await?;
    meter.limit_units = Some(meter.limit_units.unwrap_or(0).saturating_add(units));
    meter.told_percent = 0;
    store::update(tx, &meter).await?;
    let pack = quota_pack::Model {
        order_id: facts.order.id,
        meter_id: meter.id,
        units,
        withdrawn_units: 0,
        granted_at: Timestamp(now),
    };
    store::insert_pack(tx, pack).await?;
    Ok(meter.id)
}

/// The buyer's stock, opened with the first pack.
async fn stock(tx: &Tx, facts: &OrderFacts, unit: UsageUnit, now: OffsetDateTime) -> Result<usage_meter::Model> {
    let (owner, line) = (facts.order.buyer_id, &facts.line);
    if let Some(stock) = store::lock_stock(tx, owner, line.listing_id, unit).await? {
        return Ok(stock);
    }
    let row = usage_meter::Model {
        id: MeterId::at(now),
        organization_id: owner,
        provider_id: line.provider_id,
        listing_id: line.listing_id,
        kind: MeterKind::Quota,
        unit,
        rule: None,
        currency: line.currency.clone(),
        budget_minor: None,
        limit_units: Some(0),
        used_units: 0,
        period_no: 1,
        closed_no: 0,
        anchor_at: Timestamp(now),
        ends_at: None,
        told_percent: 0,
        created_at: Timestamp(now),
    };
    // Another order may open the stock at the same moment: then that one is found.
    store::insert_meter(tx, row).await?;
    let stock = store::lock_stock(tx, owner, line.listing_id, unit).await?;
    stock.ok_or_else(|| Error::unavailable("The stock is being opened. Try again.", 1))
}

/// How much of each pack is used when `used` units of the whole stock are, oldest first.
pub(super) fn used_of_packs(packs: &[quota_pack::Model], used: i64) -> Vec<i64> {
    usage::used_of_packs(packs.iter().map(|pack| pack.units - pack.withdrawn_units), used)
}

/// Takes the unused units of a pack back, whose money went back; returns how many. A second time takes none.
///
/// # Errors
/// Those of the database.
pub async fn withdraw_pack(tx: &Tx, order: OrderId) -> Result<i64> {
    let Some(pack) = store::find_pack(tx.conn(), order).await? else { return Ok(0) };
    let mut meter = store::lock(tx, pack.meter_id).await?;
    let packs = store::packs(tx.conn(), meter.id).await?;
    let used = used_of_packs(&packs, meter.used_units);
    let own = packs.iter().zip(used).find(|(pack, _)| pack.order_id == order);
    let Some((pack, used)) = own else { return Ok(0) };
    let unused = pack.units - pack.withdrawn_units - used;
    if unused > 0 {
        store::withdraw_units(tx, order, pack.withdrawn_units + unused).await?;
        meter.limit_units = Some(meter.limit_units.unwrap_or(0) - unused);
        store::update(tx, &meter).await?;
    }
    Ok(unused.max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(units: i64) -> quota_pack::Model {
        quota_pack::Model {
            order_id: OrderId::derived("o"),
            meter_id: MeterId::derived("m"),
            units,
            withdrawn_units: 0,
            granted_at: Timestamp(OffsetDateTime::UNIX_EPOCH),
        }
    }

    #[test]
    fn the_oldest_pack_is_used_up_first() {
        let packs = [pack(10), pack(5)];
        assert_eq!(used_of_packs(&packs, 4), [4, 0]);
        assert_eq!(used_of_packs(&packs, 12), [10, 2]);
        assert_eq!(used_of_packs(&packs, 99), [10, 5]);
        let withdrawn = quota_pack::Model { withdrawn_units: 6, ..pack(10) };
        assert_eq!(used_of_packs(&[withdrawn, pack(5)], 7), [4, 3]);
    }
}
