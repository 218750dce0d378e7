//! Meters as they are kept, for the arithmetic of [`torv_money::usage`].

use entity::{
    states::{MeterKind, UsageUnit},
    usage_meter,
};
use time::OffsetDateTime;
pub(in crate::trade) use torv_money::months::month_of;
use torv_money::usage;
pub(super) use torv_money::{
    months::month_end,
    usage::{bill_minor, limit_units, newly_reached},
};

use crate::terms::offers::plan::Unit;

/// The stored spelling of a plan's unit.
pub(super) const fn unit_of(unit: Unit) -> UsageUnit {
    match unit {
        Unit::Request => UsageUnit::Request,
        Unit::Row => UsageUnit::Row,
        Unit::Byte => UsageUnit::Byte,
        Unit::Event => UsageUnit::Event,
    }
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
    let being_sent = match unit {
        UsageUnit::Request => Some(being_sent.requests),
        UsageUnit::Byte => Some(being_sent.bytes),
        UsageUnit::Row | UsageUnit::Event => None,
    };
    usage::is_within(limit_units, used, being_sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_limited_by_what_is_being_handed_out_of_it() {
        let within = |unit| is_within(unit, Some(10), 5, Asked { requests: 5, bytes: 6 });
        assert!(within(UsageUnit::Request) && !within(UsageUnit::Byte));
        assert!(within(UsageUnit::Row) && within(UsageUnit::Event));
    }
}
