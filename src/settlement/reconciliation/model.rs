//! Differences, what is merely late, and the sums of both.

use std::collections::{BTreeMap, HashSet};

use entity::ids::{DisputeId, GrantId, OrderId, PaymentId, PayoutId, RefundId};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::base::{Currency, Money};

/// How long an order, a payment or a line may wait for its counterpart before that is a difference.
const LATE_MINUTES: i64 = 60;
/// Findings of each sort that are kept; more are counted.
const TOLD_MAX: usize = 1_000;

/// What kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceClass {
    /// A completed order that the processor never charged.
    OrderWithoutCharge,
    /// A completed order without a payment that succeeded.
    OrderWithoutPayment,
    /// A charge that belongs to no completed order.
    ChargeWithoutOrder,
    /// Order, charge or payment are of different amounts.
    AmountDiffers,
    /// The two sides are in different currencies.
    CurrencyDiffers,
    /// One order was charged more than once.
    DuplicateCharge,
    /// A completed order whose sale is not in the books.
    UnbookedOrder,
    /// A line of the processor that is not in the books.
    UnbookedTransaction,
    /// A line of the processor that was never imported.
    TransactionNotImported,
    /// Money left for a payout that does not exist.
    TransferWithoutPayout,
    /// A payout that was handed over and never left.
    PayoutWithoutTransfer,
    /// A payout that left more than once.
    DuplicateTransfer,
    /// A payout is not the sum of its orders, or another amount left.
    PayoutAmountDiffers,
    /// The processor holds another balance than the books.
    ProcessorBalanceDiffers,
    /// A clearing account holds what nothing in flight explains.
    ClearingNotZero,
    /// A grant without a payment for it.
    GrantWithoutPayment,
    /// A payment that opened no door.
    PaymentWithoutGrant,
    /// A line of unknown kind waits for a person.
    SuspenseNotZero,
    /// A refund that was handed over and never left.
    RefundWithoutLine,
    /// A refund that nobody decided.
    LineWithoutRefund,
    /// Another amount left than was refunded.
    RefundAmountDiffers,
    /// One refund left more than once.
    DuplicateRefund,
    /// A share that the processor took back, and that never came.
    ReversalWithoutLine,
    /// A share that came back, and that nobody asked for in this amount.
    LineWithoutReversal,
    /// A dispute that no line took money for.
    DisputeWithoutLine,
    /// A line of a dispute that nobody told of.
    LineWithoutDispute,
    /// A won dispute whose money did not come back, or one that was not won and whose money did.
    DisputeNotReinstated,
}

/// What is merely late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimingClass {
    /// Sold a moment ago; the processor's line is still to come.
    ChargeToCome,
    /// Charged a moment ago; the order is still to be completed.
    OrderToCome,
    /// The processor's line is still to be imported.
    LineToImport,
    /// Funds that can be spent and are still booked as pending.
    FundsToMove,
    /// A payout that is decided and has not left.
    PayoutToLeave,
    /// A refund that is decided and has not left.
    RefundToLeave,
    /// A share that is being taken back.
    ReversalToCome,
    /// A dispute whose line, or whose event, is still to come.
    DisputeToSettle,
}

/// What a finding is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct About {
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<PaymentId>,
    /// The grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<GrantId>,
    /// The payout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout_id: Option<PayoutId>,
    /// The refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<RefundId>,
    /// The dispute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute_id: Option<DisputeId>,
    /// The processor's line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// The ledger account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl About {
    /// About an order.
    pub fn order(id: OrderId) -> Self {
        Self { order_id: Some(id), ..Self::default() }
    }

    /// About a payout.
    pub fn payout(id: PayoutId) -> Self {
        Self { payout_id: Some(id), ..Self::default() }
    }

    /// About a line of the processor.
    pub fn transaction(id: &str) -> Self {
        Self { transaction_id: Some(id.to_owned()), ..Self::default() }
    }

    /// About a ledger account.
    pub fn account(code: &str) -> Self {
        Self { account: Some(code.to_owned()), ..Self::default() }
    }
}

/// Two records that don't agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "class": "order_without_charge", "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": 10001,
    "currency": "EUR", "sentence": "The order was completed, and the processor has no charge for it."
}))]
pub struct Difference {
    /// What kind of difference.
    pub class: DifferenceClass,
    /// What it is about.
    #[serde(flatten)]
    pub about: About,
    /// How large it is, in minor units; negative where too little is there.
    pub amount_minor: i64,
    /// In which currency.
    #[schema(value_type = Currency)]
    pub currency: String,
    /// What is wrong, for people.
    pub sentence: String,
}

/// Something on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "class": "charge_to_come", "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": 10001, "currency": "EUR"
}))]
pub struct Timing {
    /// What is late.
    pub class: TimingClass,
    /// What it is about.
    #[serde(flatten)]
    pub about: About,
    /// How much is on its way, in minor units.
    pub amount_minor: i64,
    /// In which currency.
    #[schema(value_type = Currency)]
    pub currency: String,
}

/// The sums of one currency, in minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "currency": "EUR", "orders": 2, "orders_minor": 20002, "charges_minor": 20002, "payouts_minor": 16002,
    "transfers_minor": 16002, "processor_balance_minor": 3700, "ledger_balance_minor": 3700, "timing_minor": 0,
    "unexplained_minor": 0
}))]
pub struct Totals {
    /// The currency.
    #[schema(value_type = Currency)]
    pub currency: String,
    /// Paid orders of the period.
    pub orders: u64,
    /// What they sum to.
    pub orders_minor: i64,
    /// What the processor's charges of the period sum to.
    pub charges_minor: i64,
    /// What payouts of the period sum to.
    pub payouts_minor: i64,
    /// What the processor sent out in the period.
    pub transfers_minor: i64,
    /// What the processor holds now, pending and available.
    pub processor_balance_minor: i64,
    /// What it holds according to the books.
    pub ledger_balance_minor: i64,
    /// What is on its way.
    pub timing_minor: i64,
    /// The sum of all differences, each without its sign: 0 when everything agrees.
    pub unexplained_minor: i64,
}

/// What a reconciliation found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Report {
    /// The sums, by currency.
    pub totals: Vec<Totals>,
    /// What does not agree; at most 1 000 are told.
    pub differences: Vec<Difference>,
    /// Differences beyond those told.
    pub differences_untold: u64,
    /// What is merely late; at most 1 000 are told.
    pub timing: Vec<Timing>,
    /// Late ones beyond those told.
    pub timing_untold: u64,
}

impl Report {
    /// How many differences there are, told or not.
    pub fn difference_count(&self) -> u64 {
        self.differences.len() as u64 + self.differences_untold
    }
}

/// Gathers findings and sums.
#[derive(Debug)]
pub struct Findings {
    /// The instant findings are young or old at.
    pub now: OffsetDateTime,
    report: Report,
    totals: BTreeMap<Currency, Totals>,
    /// Orders some finding is about: what they leave in clearing is explained by it.
    pub told_orders: HashSet<OrderId>,
    /// Charges without any order, and transfers without payout: what they leave in clearing.
    pub stray_charges: BTreeMap<Currency, i128>,
    /// As above, for transfers.
    pub stray_transfers: BTreeMap<Currency, i128>,
    /// As above, for refunds: what left for none of ours.
    pub stray_refunds: BTreeMap<Currency, i128>,
}

impl Findings {
    /// Nothing found yet.
    pub fn new(now: OffsetDateTime) -> Self {
        Self {
            now,
            report: Report::default(),
            totals: BTreeMap::new(),
            told_orders: HashSet::new(),
            stray_charges: BTreeMap::new(),
            stray_transfers: BTreeMap::new(),
            stray_refunds: BTreeMap::new(),
        }
    }

    /// True for what may still find its counterpart.
    pub fn is_young(&self, at: OffsetDateTime) -> bool {
        self.now - at < Duration::minutes(LATE_MINUTES)
    }

    /// The sums of a currency.
    pub fn totals(&mut self, currency: Currency) -> &mut Totals {
        let fresh = || Totals { currency: currency.code().to_owned(), ..Totals::default() };
        self.totals.entry(currency).or_insert_with(fresh)
    }

    /// Notes a difference.
    pub fn differ(&mut self, class: DifferenceClass, about: About, amount: Money, sentence: impl Into<String>) {
        self.told_orders.extend(about.order_id);
        let totals = self.totals(amount.currency);
        totals.unexplained_minor = totals.unexplained_minor.saturating_add(amount.minor.saturating_abs());
        if self.report.differences.len() < TOLD_MAX {
            let (amount_minor, currency) = (amount.minor, amount.currency.code().to_owned());
            self.report.differences.push(Difference {
                class,
                about,
                amount_minor,
                currency,
                sentence: sentence.into(),
            });
        } else {
            self.report.differences_untold += 1;
        }
    }

    /// Notes something that is merely late.
    pub fn late(&mut self, class: TimingClass, about: About, amount: Money) {
        self.told_orders.extend(about.order_id);
        let totals = self.totals(amount.currency);
        totals.timing_minor = totals.timing_minor.saturating_add(amount.minor.saturating_abs());
        if self.report.timing.len() < TOLD_MAX {
            let (amount_minor, currency) = (amount.minor, amount.currency.code().to_owned());
            self.report.timing.push(Timing { class, about, amount_minor, currency });
        } else {
            self.report.timing_untold += 1;
        }
    }

    /// The report.
    pub fn finish(self) -> Report {
        Report { totals: self.totals.into_values().collect(), ..self.report }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_of_both_signs_never_cancel_out() {
        let mut findings = Findings::new(OffsetDateTime::UNIX_EPOCH);
        let eur: Currency = "EUR".parse().expect("in the table");
        for minor in [5, -5] {
            findings.differ(DifferenceClass::AmountDiffers, About::default(), Money::new(minor, eur), "off");
        }
        assert_eq!(findings.finish().totals[0].unexplained_minor, 10);
    }

    #[test]
    fn beyond_the_limit_findings_are_counted_and_summed() {
        let mut findings = Findings::new(OffsetDateTime::UNIX_EPOCH);
        let eur: Currency = "EUR".parse().expect("in the table");
        for _ in 0..TOLD_MAX + 7 {
            findings.differ(DifferenceClass::AmountDiffers, About::default(), Money::new(1, eur), "off");
        }
        let report = findings.finish();
        assert_eq!((report.differences.len(), report.differences_untold), (TOLD_MAX, 7));
        assert_eq!(report.difference_count(), 1_007);
        assert_eq!(report.totals[0].unexplained_minor, 1_007);
    }
}
