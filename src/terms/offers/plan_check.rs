//! What a plan must say for each kind of offer.

use std::collections::BTreeSet;

use entity::states::OfferKind;

use super::{
    plan::{Instalment, Meter, Plan, Quota, VolumeStep},
    slice_check::check_slice,
};
use crate::{base::money::FULL_BPS, error::Check, limits};

/// What a plan must go with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// How the offer is priced.
    pub kind: OfferKind,
    /// True when the offer ends by itself.
    pub has_end: bool,
    /// True when the provider decides on each buyer.
    pub approval_required: bool,
    /// What the whole costs, in minor units.
    pub price_minor: i64,
}

/// Notes everything in `plan` that makes no sense, or not with the rest of the offer, by JSON pointer.
pub(super) fn check_plan(plan: &Plan, around: Around, check: &mut Check) {
    let Around { kind, has_end, approval_required, .. } = around;
    check_kind(plan, kind, check);
    if let Some(meter) = &plan.meter {
        check_meter(meter, check);
    }
    if let Some(quota) = plan.quota {
        check_quota(quota, check);
    }
    check_volume(&plan.volume, check);
    check_instalments(&plan.instalments, check);
    check_parts(plan, check);
    check_slice(plan, around, check);
    let most = limits::TRIAL_DAYS_MAX;
    check.require(plan.trial_days <= most, "/plan/trial_days", format!("Give a trial of at most {most} days."));
    let renews = plan.trial_days == 0 || plan.renews;
    check.require(
        renews,
        "/plan/trial_days",
        "Only a subscription that renews has a trial: set renews, or leave it out.",
    );
    let ends = plan.private_to.is_none() || has_end;
    check.require(ends, "/valid_until", "Give a private offer an end.");
    let alone = !approval_required || plan.trial_days == 0 && plan.parts.is_empty();
    let detail = "Leave the approval out: a trial begins at once, and a bundle has several providers.";
    check.require(alone, "/approval_required", detail);
}

/// Which fields go with which kind.
fn check_kind(plan: &Plan, kind: OfferKind, check: &mut Check) {
    use OfferKind::{Bundle, Metered, OneOff, QuotaPack, Subscription};
    let only = |what: &str| format!("Leave it out: only {what} has it.");
    let mut goes_with = |given: bool, kinds: &[OfferKind], pointer: &str, what: &str| {
        check.require(!given || kinds.contains(&kind), pointer, only(what));
    };
    goes_with(plan.renews, &[Subscription], "/plan/renews", "a subscription");
    goes_with(plan.meter.is_some(), &[Metered], "/plan/meter", "a metered offer");
    goes_with(plan.quota.is_some(), &[QuotaPack], "/plan/quota", "a quota pack");
    goes_with(!plan.volume.is_empty(), &[OneOff, QuotaPack], "/plan/volume", "an offer paid once or a quota pack");
    goes_with(!plan.instalments.is_empty(), &[OneOff], "/plan/instalments", "an offer paid once");
    goes_with(plan.slice.is_some(), &[OneOff], "/plan/slice", "an offer paid once");
    goes_with(!plan.parts.is_empty(), &[Bundle], "/plan/parts", "a bundle");
    let metered = kind != Metered || plan.meter.is_some();
    check.require(metered, "/plan/meter", "Say what is counted and what it costs.");
    let holds = kind != QuotaPack || plan.quota.is_some();
    check.require(holds, "/plan/quota", "Say what is counted, and how much of it a pack holds.");
    let named = kind != Bundle || !plan.parts.is_empty();
    check.require(named, "/plan/parts", "Name the listings of the bundle.");
    let borne = plan.fee_bearer.is_none() || kind != OfferKind::Free;
    check.require(borne, "/plan/fee_bearer", "Leave it out: a free offer has no fee.");
}

fn check_meter(meter: &Meter, check: &mut Check) {
    let units = limits::METER_UNITS_MAX;
    let counted = |n: i64| (0..=units).contains(&n);
    let detail = format!("Give 0 to {units} units.");
    check.require(counted(meter.included_units), "/plan/meter/included_units", detail.clone());
    check.require(counted(meter.grace_units), "/plan/meter/grace_units", detail);
    let most = limits::PRICE_MINOR_MAX;
    let capped = meter.cap_minor.is_none_or(|cap| (1..=most).contains(&cap));
    check.require(capped, "/plan/meter/cap_minor", format!("Give 1 to {most} minor units, or leave it out."));
    let hours = limits::LATE_HOURS_MAX;
    check.require(meter.late_hours <= hours, "/plan/meter/late_hours", format!("Give at most {hours} hours."));
    check_tiers(meter, check);
}

fn check_tiers(meter: &Meter, check: &mut Check) {
    let (tiers, most) = (&meter.tiers, limits::TIERS_MAX);
    let few = (1..=most).contains(&tiers.len());
    check.require(few, "/plan/meter/tiers", format!("Give 1 to {most} tiers."));
    let (mut end, mut common) = (0, Some(1_i64));
    for (place, tier) in tiers.iter().enumerate() {
        let at = |field: &str| format!("/plan/meter/tiers/{place}/{field}");
        let (price, per) = (limits::PRICE_MINOR_MAX, limits::PER_UNITS_MAX);
        let good = (0..=price).contains(&tier.price_minor);
        check.require(good, at("price_minor"), format!("Give 0 to {price} minor units."));
        let good = (1..=per).contains(&tier.per_units);
        check.require(good, at("per_units"), format!("Give 1 to {per} units."));
        common = common.filter(|_| good).and_then(|common| least_common_multiple(common, tier.per_units));
        match tier.up_to_units {
            None => {
                let last = place + 1 == tiers.len();
                check.require(last, at("up_to_units"), "Say where this tier ends: only the last one has no end.");
            }
            Some(units) => {
                let open = place + 1 < tiers.len();
                check.require(open, at("up_to_units"), "Leave it out: the last tier has no end.");
                let grows = units > end && units <= limits::METER_UNITS_MAX;
                check.require(grows, at("up_to_units"), "Let each tier end after the one before it.");
                end = units;
            }
        }
    }
    // So that the sum over all tiers is computed exactly, whatever was used.
    let exact = common.is_some_and(|common| common <= limits::PER_UNITS_MAX);
    check.require(exact, "/plan/meter/tiers", "Let the tiers count by units that go into each other: 1, 10, 1000.");
}

fn least_common_multiple(a: i64, b: i64) -> Option<i64> {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x).checked_mul(b)
}

fn check_quota(quota: Quota, check: &mut Check) {
    let most = limits::METER_UNITS_MAX;
    let good = (1..=most).contains(&quota.units);
    check.require(good, "/plan/quota/units", format!("Give 1 to {most} units."));
}

fn check_volume(steps: &[VolumeStep], check: &mut Check) {
    let most = limits::VOLUME_STEPS_MAX;
    check.require(steps.len() <= most, "/plan/volume", format!("Give at most {most} steps."));
    let (mut quantity, mut off) = (1, 0);
    for (place, step) in steps.iter().enumerate() {
        let at = |field: &str| format!("/plan/volume/{place}/{field}");
        let grows = step.from_quantity > quantity && step.from_quantity <= limits::QUANTITY_MAX;
        let detail = format!("Begin each step above the one before it, from 2 to {}.", limits::QUANTITY_MAX);
        check.require(grows, at("from_quantity"), detail);
        let more = step.off_bps > off && step.off_bps < FULL_BPS;
        check.require(more, at("off_bps"), "Take more off than the step before it, and less than the whole.");
        (quantity, off) = (step.from_quantity, step.off_bps);
    }
}

fn check_instalments(parts: &[Instalment], check: &mut Check) {
    let most = limits::INSTALMENTS_MAX;
    check.require(parts.len() <= most, "/plan/instalments", format!("Give at most {most} parts."));
    let (mut days, mut sum) = (0, 0_u32);
    for (place, part) in parts.iter().enumerate() {
        let at = |field: &str| format!("/plan/instalments/{place}/{field}");
        let later = part.after_days > days && part.after_days <= limits::INSTALMENT_DAYS_MAX;
        let detail =
            format!("Let each part be due after the one before it, within {} days.", limits::INSTALMENT_DAYS_MAX);
        check.require(later, at("after_days"), detail);
        check.require((1..FULL_BPS).contains(&part.share_bps), at("share_bps"), "Give 1 to 9999 basis points.");
        (days, sum) = (part.after_days, sum.saturating_add(part.share_bps));
    }
    let rest = "Leave a part for the purchase: the instalments together are less than 10000 basis points.";
    check.require(sum < FULL_BPS, "/plan/instalments", rest);
}

fn check_parts(plan: &Plan, check: &mut Check) {
    if plan.parts.is_empty() {
        return;
    }
    let most = limits::BUNDLE_PARTS_MAX;
    let some = (2..=most).contains(&plan.parts.len());
    check.require(some, "/plan/parts", format!("Name 2 to {most} listings."));
    let mut named = BTreeSet::new();
    for (place, part) in plan.parts.iter().enumerate() {
        let once = named.insert(part.listing_id);
        check.require(once, format!("/plan/parts/{place}/listing_id"), "Name each listing once.");
        let most = limits::BUNDLE_WEIGHT_MAX;
        let good = (1..=most).contains(&part.weight);
        check.require(good, format!("/plan/parts/{place}/weight"), format!("Give 1 to {most}."));
    }
}

#[cfg(test)]
mod tests {
    use entity::{
        ids::{ListingId, OrgId},
        states::FeeBearer,
    };
    use serde_json::{Value, json};

    use super::*;

    fn pointers(kind: OfferKind, plan: Value) -> Vec<String> {
        let plan: Plan = serde_json::from_value(plan).expect("well-formed");
        let mut check = Check::new();
        check_plan(&plan, Around { kind, has_end: false, approval_required: false, price_minor: 10_000 }, &mut check);
        let fields = check.done().map_or_else(|error| error.fields, |()| vec![]);
        fields.into_iter().map(|field| field.pointer).collect()
    }

    fn metered(tiers: &Value) -> Vec<String> {
        pointers(OfferKind::Metered, json!({"meter": {"unit": "row", "tiers": tiers}}))
    }

    fn bundle(parts: &Value) -> Vec<String> {
        pointers(OfferKind::Bundle, json!({ "parts": parts }))
    }

    #[test]
    fn each_kind_has_fields_of_its_own() {
        let (meter, quota) =
            (json!({"unit": "row", "tiers": [{"price_minor": 1, "per_units": 1}]}), json!({"unit": "row", "units": 1}));
        let parts = json!(["a", "b"].map(|word| json!({"listing_id": ListingId::derived(word), "weight": 1})));
        let slice = json!({"per": "row", "price_minor": 1, "per_units": 1, "floor_minor": 1, "by_area": true});
        let fields = [
            (json!({"renews": true}), "/plan/renews", vec![OfferKind::Subscription]),
            (json!({"meter": meter}), "/plan/meter", vec![OfferKind::Metered]),
            (json!({"quota": quota}), "/plan/quota", vec![OfferKind::QuotaPack]),
            (
                json!({"volume": [{"from_quantity": 2, "off_bps": 1}]}),
                "/plan/volume",
                vec![OfferKind::OneOff, OfferKind::QuotaPack],
            ),
            (json!({"instalments": [{"after_days": 1, "share_bps": 1}]}), "/plan/instalments", vec![OfferKind::OneOff]),
            (json!({"parts": parts}), "/plan/parts", vec![OfferKind::Bundle]),
            (json!({"slice": slice}), "/plan/slice", vec![OfferKind::OneOff]),
        ];
        for (plan, pointer, kinds) in fields {
            for &kind in OfferKind::ALL {
                let refused = pointers(kind, plan.clone()).contains(&pointer.to_owned());
                assert_eq!(refused, !kinds.contains(&kind), "{pointer} of {kind}");
            }
        }
        for (kind, pointer) in [
            (OfferKind::Metered, "/plan/meter"),
            (OfferKind::QuotaPack, "/plan/quota"),
            (OfferKind::Bundle, "/plan/parts"),
        ] {
            assert_eq!(pointers(kind, json!({})), [pointer]);
        }
        assert_eq!(pointers(OfferKind::Free, json!({"fee_bearer": FeeBearer::Provider})), ["/plan/fee_bearer"]);
    }

    #[test]
    fn a_trial_is_of_a_subscription_that_renews_and_a_private_offer_ends() {
        assert_eq!(pointers(OfferKind::Subscription, json!({"trial_days": 14})), ["/plan/trial_days"]);
        assert!(pointers(OfferKind::Subscription, json!({"trial_days": 90, "renews": true})).is_empty());
        assert_eq!(pointers(OfferKind::Subscription, json!({"trial_days": 91, "renews": true})), ["/plan/trial_days"]);
        assert_eq!(pointers(OfferKind::Free, json!({"private_to": OrgId::derived("a")})), ["/valid_until"]);
    }

    #[test]
    fn tiers_follow_each_other_and_only_the_last_has_no_end() {
        let tier = |up_to: Option<i64>, price: i64, per: i64| json!({"up_to_units": up_to, "price_minor": price, "per_units": per});
        assert!(metered(&json!([tier(Some(5), 1, 1), tier(Some(6), 0, 10), tier(None, 1, 100)])).is_empty());
        assert_eq!(metered(&json!([])), ["/plan/meter/tiers"]);
        assert_eq!(metered(&json!([tier(Some(5), 1, 1)])), ["/plan/meter/tiers/0/up_to_units"]);
        assert_eq!(metered(&json!([tier(None, 1, 1), tier(None, 1, 1)])), ["/plan/meter/tiers/0/up_to_units"]);
        assert_eq!(
            metered(&json!([tier(Some(5), 1, 1), tier(Some(5), 1, 1), tier(None, 1, 1)])),
            ["/plan/meter/tiers/1/up_to_units"]
        );
        assert_eq!(metered(&json!([tier(None, -1, 1)])), ["/plan/meter/tiers/0/price_minor"]);
        assert_eq!(metered(&json!([tier(None, 1, 0)])), ["/plan/meter/tiers/0/per_units", "/plan/meter/tiers"]);
        assert_eq!(metered(&json!([tier(Some(1), 1, 999_999_937), tier(None, 1, 999_999_893)])), ["/plan/meter/tiers"]);
    }

    #[test]
    fn steps_and_instalments_ascend_and_leave_something() {
        let steps = |steps: Value| {
            pointers(OfferKind::QuotaPack, json!({"quota": {"unit": "row", "units": 1}, "volume": steps}))
        };
        assert!(steps(json!([{"from_quantity": 2, "off_bps": 1}, {"from_quantity": 3, "off_bps": 9_999}])).is_empty());
        assert_eq!(
            steps(json!([{"from_quantity": 1, "off_bps": 10_000}])),
            ["/plan/volume/0/from_quantity", "/plan/volume/0/off_bps"]
        );
        assert_eq!(steps(json!([{"from_quantity": 3, "off_bps": 5}, {"from_quantity": 3, "off_bps": 5}])).len(), 2);
        let parts = |parts: Value| pointers(OfferKind::OneOff, json!({ "instalments": parts }));
        assert!(
            parts(json!([{"after_days": 1, "share_bps": 5_000}, {"after_days": 2, "share_bps": 4_999}])).is_empty()
        );
        assert_eq!(
            parts(json!([{"after_days": 1, "share_bps": 5_000}, {"after_days": 2, "share_bps": 5_000}])),
            ["/plan/instalments"]
        );
        assert_eq!(parts(json!([{"after_days": 0, "share_bps": 5_000}])), ["/plan/instalments/0/after_days"]);
    }

    #[test]
    fn a_bundle_has_several_listings_with_a_weight_each() {
        let part = |word: &str, weight: u32| json!({"listing_id": ListingId::derived(word), "weight": weight});
        assert!(bundle(&json!([part("a", 1), part("b", 1_000_000)])).is_empty());
        assert_eq!(bundle(&json!([part("a", 1)])), ["/plan/parts"]);
        assert_eq!(bundle(&json!([part("a", 1), part("a", 1)])), ["/plan/parts/1/listing_id"]);
        assert_eq!(
            bundle(&json!([part("a", 0), part("b", 1_000_001)])),
            ["/plan/parts/0/weight", "/plan/parts/1/weight"]
        );
    }
}
