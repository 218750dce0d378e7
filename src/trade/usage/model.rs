//! The arithmetic of meters: which month, how far a budget reaches, whom to tell.

use entity::{
    states::{MeterKind, UsageUnit},
    usage_meter,
};
use time::OffsetDateTime;

use crate::{
    base::{MoneyError, clock::add_months},
    terms::offers::plan::{Meter, Unit},
    trade::prices::usage_price,
};

/// More units than anything delivers in a month; a budget that reaches so far is no limit.
const UNITS_MAX: i64 = 1 << 53;
/// Parts of a budget, in percent, at which the buyer is told.
const TOLD_AT_PERCENT: [i32; 3] = [50, 80, 100];

/// The stored spelling of a plan's unit.
pub(super) const fn unit_of(unit: Unit) -> UsageUnit {
    match unit {
        Unit::Request => UsageUnit::Request,
        Unit::Row => UsageUnit::Row,
        Unit::Byte => UsageUnit::Byte,
        Unit::Event => UsageUnit::Event,
    }
}

/// The month, counted from 1, that an instant falls into; the first for what was before.
pub(in crate::trade) fn month_of(anchor: OffsetDateTime, at: OffsetDateTime) -> i32 {
    let index = |date: OffsetDateTime| date.year() * 12 + i32::from(u8::from(date.month()));
    // At most one too many: the day of the month may not have come yet.
    let months = (index(at) - index(anchor)).max(0);
    let begun = add_months(anchor, u16::try_from(months).unwrap_or(u16::MAX)) <= at;
    if begun { months + 1 } else { months.max(1) }
}

/// Where a month of a meter ends.
pub(super) fn month_end(anchor: OffsetDateTime, number: i32) -> OffsetDateTime {
    add_months(anchor, u16::try_from(number).unwrap_or(0))
}

/// Units after which access stops under a budget, those delivered for nothing included; nothing where no
/// number of units costs more.
///
/// # Errors
/// Those of the meter's price.
pub(super) fn limit_units(meter: &Meter, budget_minor: Option<i64>) -> Result<Option<i64>, MoneyError> {
    let Some(budget) = budget_minor else { return Ok(None) };
    let affordable = |units: i64| match usage_price(meter, units) {
        Ok(price) => Ok(price <= budget),
        Err(MoneyError::Overflow) => Ok(false),
        Err(error) => Err(error),
    };
    if affordable(UNITS_MAX)? {
        return Ok(None);
    }
    let (mut good, mut bad) = (0, UNITS_MAX);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if affordable(middle)? { good = middle } else { bad = middle }
    }
    Ok(Some(good.saturating_add(meter.grace_units)))
}

/// What a month costs under the budget in force at its end.
///
/// # Errors
/// Those of the meter's price.
pub(super) fn bill_minor(meter: &Meter, units: i64, budget_minor: Option<i64>) -> Result<i64, MoneyError> {
    let price = usage_price(meter, units)?;
    Ok(budget_minor.map_or(price, |budget| price.min(budget)))
}

/// The largest part to tell of that `used` of `whole` has reached and that was not told before.
pub(super) fn newly_reached(used: i64, whole: i64, told_percent: i32) -> Option<i32> {
    let reached = |percent: &&i32| i128::from(used) * 100 >= i128::from(whole) * i128::from(**percent);
    let highest = TOLD_AT_PERCENT.iter().filter(reached).max().copied();
    highest.filter(|percent| whole > 0 && *percent > told_percent)
}

/// The units that count against the limit at `now`: a new month begins at nothing before anything was counted in it.
pub(super) fn used_at(meter: &usage_meter::Model, now: OffsetDateTime) -> i64 {
    let over = meter.kind == MeterKind::Metered && now >= month_end(meter.anchor_at.0, meter.period_no);
    if over { 0 } else { meter.used_units }
}

/// What is being handed out: requests, with so many bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub requests: i64,
    pub bytes: i64,
}

/// True when what was counted, and what is being handed out, stays within the limit.
pub(super) fn is_within(unit: UsageUnit, limit_units: Option<i64>, used: i64, being_sent: Asked) -> bool {
    let Some(limit) = limit_units else { return true };
    match unit {
        UsageUnit::Request => used.saturating_add(being_sent.requests) <= limit,
        UsageUnit::Byte => used.saturating_add(being_sent.bytes) <= limit,
        // Reported afterwards: as long as one more is left, the door is open.
        UsageUnit::Row | UsageUnit::Event => used < limit,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::terms::offers::plan::Tier;

    const ANCHOR: OffsetDateTime = datetime!(2026-01-31 10:00 UTC);

    fn meter(included_units: i64, price_minor: i64, cap_minor: Option<i64>, grace_units: i64) -> Meter {
        let tiers = vec![Tier { up_to_units: None, price_minor, per_units: 10 }];
        Meter { unit: Unit::Request, included_units, tiers, cap_minor, grace_units, late_hours: 0 }
    }

    #[test]
    fn months_are_counted_from_the_anchor_with_short_months_in_between() {
        assert_eq!(month_of(ANCHOR, ANCHOR), 1);
        assert_eq!(month_of(ANCHOR, ANCHOR - Duration::DAY), 1);
        assert_eq!(month_of(ANCHOR, datetime!(2026-02-28 09:59:59 UTC)), 1);
        assert_eq!(month_of(ANCHOR, datetime!(2026-02-28 10:00 UTC)), 2);
        assert_eq!(month_of(ANCHOR, datetime!(2026-03-31 09:59 UTC)), 2);
        assert_eq!(month_of(ANCHOR, datetime!(2027-01-31 10:00 UTC)), 13);
    }

    #[test]
    fn a_budget_reaches_to_the_last_unit_it_pays_for_and_the_grace_beyond() {
        let limit = |meter: Meter, budget| limit_units(&meter, budget).expect("valid");
        assert_eq!(limit(meter(5, 10, None, 0), Some(3)), Some(8));
        assert_eq!(limit(meter(5, 10, None, 2), Some(3)), Some(10));
        assert_eq!(limit(meter(0, 10, Some(100), 0), Some(100)), None, "the cap is within the budget");
        assert_eq!(limit(meter(0, 10, None, 0), None), None);
        assert_eq!(limit(meter(7, 10, None, 0), Some(0)), Some(7));
    }

    #[test]
    fn the_buyer_is_told_once_of_each_part() {
        assert_eq!(newly_reached(49, 100, 0), None);
        assert_eq!(newly_reached(50, 100, 0), Some(50));
        assert_eq!(newly_reached(79, 100, 50), None);
        assert_eq!(newly_reached(100, 100, 50), Some(100));
        assert_eq!(newly_reached(300, 100, 100), None);
        assert_eq!(newly_reached(1, 0, 0), None);
    }

    proptest! {
        #[test]
        fn an_instant_lies_in_its_month(days in 0_i64..3_000) {
            let at = ANCHOR + Duration::days(days);
            let month = month_of(ANCHOR, at);
            prop_assert!(at < month_end(ANCHOR, month));
            prop_assert!(month == 1 || at >= month_end(ANCHOR, month - 1));
        }

        #[test]
        fn the_limit_is_the_last_unit_within_the_budget(
            included in 0_i64..50, price in 1_i64..100, budget in 0_i64..10_000, grace in 0_i64..20,
        ) {
            let meter = meter(included, price, None, grace);
            let limit = limit_units(&meter, Some(budget)).unwrap().unwrap() - grace;
            prop_assert!(usage_price(&meter, limit).unwrap() <= budget);
            prop_assert!(usage_price(&meter, limit + 1).unwrap() > budget);
            prop_assert!(bill_minor(&meter, limit + grace, Some(budget)).unwrap() <= budget);
        }
    }
}
