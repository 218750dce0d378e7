//! What a rule for slices must say, and that no slice costs more than the whole somewhere else.

use std::collections::BTreeSet;

use entity::{
    offer,
    states::{OfferKind, OfferState},
};

use super::{
    plan::{Plan, SliceRule},
    plan_check::Around,
};
use crate::{error::Check, limits};

/// Notes everything in the rule for slices that makes no sense.
pub(super) fn check_slice(plan: &Plan, around: Around, check: &mut Check) {
    let Some(rule) = &plan.slice else { return };
    let alone = plan.volume.is_empty() && plan.instalments.is_empty();
    check.require(alone, "/plan/slice", "Leave out volume and instalments: a slice has one price, paid at once.");
    let cuts = rule.by_area || rule.time_column.is_some() || rule.by_columns;
    let detail = "Say what may be cut out: set by_area, time_column or by_columns.";
    check.require(cuts, "/plan/slice", detail);
    let (price, per) = (limits::PRICE_MINOR_MAX, limits::PER_UNITS_MAX);
    let good = (0..=price).contains(&rule.price_minor);
    check.require(good, "/plan/slice/price_minor", format!("Give 0 to {price} minor units."));
    let good = (1..=per).contains(&rule.per_units);
    check.require(good, "/plan/slice/per_units", format!("Give 1 to {per} units."));
    let good = (1..=around.price_minor.max(1)).contains(&rule.floor_minor);
    check.require(good, "/plan/slice/floor_minor", "Give 1 minor unit to the price of the whole.");
    let most = limits::SLICE_ROWS_MIN_MAX;
    let good = (1..=most).contains(&rule.rows_min);
    check.require(good, "/plan/slice/rows_min", format!("Give 1 to {most} rows."));
    check_names(rule, check);
}

fn check_names(rule: &SliceRule, check: &mut Check) {
    let chars = limits::SLICE_COLUMN_CHARS_MAX;
    let good = |name: &str| !name.is_empty() && name.chars().count() <= chars && !name.contains('\0');
    if let Some(name) = &rule.time_column {
        check.require(good(name), "/plan/slice/time_column", format!("Name a column, in 1 to {chars} characters."));
    }
    let most = limits::SLICE_KEY_COLUMNS_MAX;
    check.require(rule.key_columns.len() <= most, "/plan/slice/key_columns", format!("Name at most {most} columns."));
    let mut named = BTreeSet::new();
    for (place, name) in rule.key_columns.iter().enumerate() {
        let once = good(name) && named.insert(name);
        check.require(once, format!("/plan/slice/key_columns/{place}"), "Name each column once.");
    }
}

/// True when somebody could buy the whole for less than slices of it may cost: an offer for everybody, at the same time and
/// in the same currency, has a lower price than one with slices.
pub(super) fn has_cheaper_whole(offers: &[offer::Model]) -> bool {
    let plan_has = |row: &offer::Model, field: &str| row.plan.as_ref().is_some_and(|plan| !plan[field].is_null());
    let public: Vec<&offer::Model> = offers
        .iter()
        .filter(|row| row.state == OfferState::Active && !plan_has(row, "private_to"))
        .filter(|row| matches!(row.kind, OfferKind::OneOff | OfferKind::Free))
        .collect();
    let together = |one: &offer::Model, other: &offer::Model| {
        let begins =
            |late: &offer::Model, early: &offer::Model| early.valid_until.is_none_or(|until| late.valid_from < until);
        begins(one, other) && begins(other, one)
    };
    let sliced = public.iter().filter(|row| plan_has(row, "slice"));
    sliced.into_iter().any(|slices| {
        public.iter().any(|whole| {
            let comparable = whole.kind == OfferKind::Free || whole.currency == slices.currency;
            comparable && together(slices, whole) && whole.price_minor < slices.price_minor
        })
    })
}

#[cfg(test)]
mod tests {
    use entity::states::OfferKind;
    use serde_json::{Value, json};

    use super::*;

    fn pointers(slice: &Value) -> Vec<String> {
        let plan: Plan = serde_json::from_value(json!({ "slice": slice })).expect("well-formed");
        let mut check = Check::new();
        let around = Around { kind: OfferKind::OneOff, has_end: false, approval_required: false, price_minor: 10_000 };
        check_slice(&plan, around, &mut check);
        let fields = check.done().map_or_else(|error| error.fields, |()| vec![]);
        fields.into_iter().map(|field| field.pointer).collect()
    }

    fn rule(changes: &Value) -> Value {
        let mut rule = json!({"per": "cell", "price_minor": 1, "per_units": 10, "floor_minor": 100, "by_area": true});
        for (name, value) in changes.as_object().expect("an object") {
            rule[name] = value.clone();
        }
        rule
    }

    #[test]
    fn a_rule_says_what_may_be_cut_and_for_how_much() {
        assert!(pointers(&rule(&json!({}))).is_empty());
        assert_eq!(pointers(&rule(&json!({"by_area": false}))), ["/plan/slice"]);
        for (field, values) in [
            ("price_minor", [-1, i64::MAX]),
            ("per_units", [0, i64::MAX]),
            ("floor_minor", [0, 10_001]),
            ("rows_min", [0, i64::MAX]),
        ] {
            for value in values {
                assert_eq!(pointers(&rule(&json!({ field: value }))), [format!("/plan/slice/{field}")], "{value}");
            }
        }
        assert_eq!(pointers(&rule(&json!({"time_column": ""}))), ["/plan/slice/time_column"]);
        assert_eq!(pointers(&rule(&json!({"key_columns": ["a", "a"]}))), ["/plan/slice/key_columns/1"]);
    }
}
