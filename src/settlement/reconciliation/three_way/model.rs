//! What a three-way report says.

use entity::{
    Timestamp,
    ids::{OrderId, PayoutId},
    states::ExceptionClass,
};
use serde::{Deserialize, Serialize};

use crate::{
    base::Currency,
    settlement::exceptions::{Severity, severity_of},
};

/// Two records that must be equal, apart from what is on its way and what is named. Minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"left_minor": 20002, "right_minor": 10001, "timing_minor": 10001, "named_minor": 0, "unnamed_minor": 0}))]
pub struct Leg {
    /// The first record.
    pub left_minor: i64,
    /// The second record.
    pub right_minor: i64,
    /// What belongs to the period on one side only, or is still to come: left less right.
    pub timing_minor: i64,
    /// What exceptions name, resolved or not: left less right.
    pub named_minor: i64,
    /// What nothing accounts for: 0 unless something is wrong that has no name.
    pub unnamed_minor: i64,
}

impl Leg {
    /// The leg with what is left over.
    pub fn new(left_minor: i64, right_minor: i64, timing_minor: i64, named_minor: i64) -> Self {
        let off = i128::from(left_minor) - i128::from(right_minor) - i128::from(timing_minor) - i128::from(named_minor);
        let unnamed_minor = i64::try_from(off).unwrap_or(i64::MAX);
        Self { left_minor, right_minor, timing_minor, named_minor, unnamed_minor }
    }
}

/// Exceptions of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"class": "late_payout", "severity": "medium", "open": 1, "resolved": 0, "open_minor": 1680, "sum_minor": 1680}))]
pub struct ExceptionSum {
    /// The class.
    pub class: ExceptionClass,
    /// How grave it is.
    pub severity: Severity,
    /// How many wait for somebody.
    pub open: i64,
    /// How many a person settled.
    pub resolved: i64,
    /// What the open ones sum to, each without its sign.
    pub open_minor: i64,
    /// What all of them sum to.
    pub sum_minor: i64,
}

impl ExceptionSum {
    /// No exceptions of a class.
    pub fn none(class: ExceptionClass) -> Self {
        Self { class, severity: severity_of(class), open: 0, resolved: 0, open_minor: 0, sum_minor: 0 }
    }
}

/// A payout on its way to the bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"reference": "po_5d41402abc4b", "open_minor": 1680, "sent_at": "2026-11-30T10:00:00Z", "is_late": false}))]
pub struct InTransit {
    /// The processor's reference.
    pub reference: String,
    /// Our payout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout_id: Option<PayoutId>,
    /// What is still to arrive.
    pub open_minor: i64,
    /// When it left.
    pub sent_at: Timestamp,
    /// It should have arrived by now.
    pub is_late: bool,
}

/// An order or charge whose counterpart is in another period, or still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": 10001}))]
pub struct TimingItem {
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The processor's line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// What it adds to the orders, less what it adds to the charges.
    pub amount_minor: i64,
}

/// Orders, processor and bank of one currency and period. Minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "currency": "EUR",
    "orders_to_processor": {"left_minor": 20002, "right_minor": 20002, "timing_minor": 0, "named_minor": 0, "unnamed_minor": 0},
    "processor_to_bank": {"left_minor": 1680, "right_minor": 1680, "timing_minor": 0, "named_minor": 0, "unnamed_minor": 0},
    "bank_to_books": {"left_minor": 1680, "right_minor": 1680, "timing_minor": 0, "named_minor": 0, "unnamed_minor": 0},
    "orders": 2, "charges": 2, "bank_lines": 1, "matched_by_machine": 5, "looked_at": 5, "suspense_minor": 0,
    "exceptions": [], "timing": [], "timing_untold": 0, "in_transit": [], "in_transit_untold": 0, "unexplained_minor": 0
}))]
pub struct ThreeWay {
    /// The currency.
    pub currency: Currency,
    /// Completed orders that were paid at the processor (left) and its charges (right). What came by bank is a line of the bank.
    pub orders_to_processor: Leg,
    /// What the processor sent to the bank, less what came back (left), and what bank lines and resolutions settle
    /// of it (right). Timing is what was on its way at the end, less what was at the beginning.
    pub processor_to_bank: Leg,
    /// Bank lines (left) and what they were booked against (right). Timing is lines that are still to be booked.
    pub bank_to_books: Leg,
    /// Completed orders that were paid at the processor.
    pub orders: i64,
    /// Charges of the processor.
    pub charges: i64,
    /// Bank lines.
    pub bank_lines: i64,
    /// Orders, charges and bank lines that were matched by a rule.
    pub matched_by_machine: i64,
    /// Orders, charges and bank lines.
    pub looked_at: i64,
    /// What bank lines of the period left in suspense, now.
    pub suspense_minor: i64,
    /// Exceptions of the period, by class.
    pub exceptions: Vec<ExceptionSum>,
    /// Orders and charges whose counterpart is in another period or still to come; at most 200 are told.
    pub timing: Vec<TimingItem>,
    /// Those beyond the ones told.
    pub timing_untold: u64,
    /// Payouts that were on their way at the end of the period; at most 200 are told.
    pub in_transit: Vec<InTransit>,
    /// Those beyond the ones told.
    pub in_transit_untold: u64,
    /// What has no name, without signs, and what open exceptions name: 0 when everything is explained.
    pub unexplained_minor: i64,
}

/// Classes whose amounts are differences between orders and charges.
pub fn is_of_orders(class: ExceptionClass) -> bool {
    matches!(
        class,
        ExceptionClass::MissingBalanceLine
            | ExceptionClass::DuplicateBalanceLine
            | ExceptionClass::ChargeAmountDiffers
            | ExceptionClass::OrphanCharge
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_over_has_no_name() {
        assert_eq!(Leg::new(100, 70, 20, 10).unnamed_minor, 0);
        assert_eq!(Leg::new(100, 70, 20, 0).unnamed_minor, 10);
        assert_eq!(Leg::new(i64::MAX, i64::MIN, 0, 0).unnamed_minor, i64::MAX);
    }
}
