//! How the figures follow from the sums of the ledger.

use entity::{
    ids::OrgId,
    states::{EntryKind, OfferKind},
};
use serde::Serialize;

use crate::base::{Currency, MoneyError, money::FULL_BPS};

/// Lines that were sold in a period, of one kind or one provider. Amounts are minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"offer_kind": "one_off", "lines": 12, "gross_minor": 120012, "providers_minor": 96010, "operator_minor": 24002}))]
pub struct SalesGroup {
    /// The kind of offer, where lines are grouped by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_kind: Option<OfferKind>,
    /// The provider, where lines are grouped by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<OrgId>,
    /// How many.
    pub lines: i64,
    /// What buyers paid for them, tax with it.
    pub gross_minor: i64,
    /// What was taken off before.
    pub discount_minor: i64,
    /// The providers' share when sold.
    pub providers_minor: i64,
    /// The operator's share when sold.
    pub operator_minor: i64,
}

/// What a currency's sales left over in a period. Amounts are minor units; costs are positive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "currency": "EUR", "orders": 12, "gross_minor": 120012, "tax_minor": 0, "discount_minor": 0, "refunded_minor": 0,
    "disputed_minor": 0, "providers_minor": 96010, "commission_minor": 24002, "processor_fees_minor": 1800,
    "dispute_losses_minor": 0, "dispute_fees_minor": 0, "dispute_fees_of_providers_minor": 0, "dispute_costs_minor": 0, "other_costs_minor": 0, "net_take_minor": 22202, "take_rate_bps": 1850,
    "by_offer_kind": [], "top_providers": []
}))]
pub struct CurrencyEconomics {
    /// The currency.
    pub currency: Currency,
    /// Paid orders.
    pub orders: i64,
    /// What buyers paid.
    pub gross_minor: i64,
    /// Tax that the operator owes on it, less the tax of refunds.
    pub tax_minor: i64,
    /// What was taken off before.
    pub discount_minor: i64,
    /// What went back to buyers.
    pub refunded_minor: i64,
    /// What lost disputes took back.
    pub disputed_minor: i64,
    /// What providers keep: shares of sales, less their part of what went back.
    pub providers_minor: i64,
    /// What the operator keeps before costs.
    pub commission_minor: i64,
    /// What the processor charged, less what providers bear of it.
    pub processor_fees_minor: i64,
    /// What lost disputes cost the operator beyond its share, where it bears them or no share was left.
    pub dispute_losses_minor: i64,
    /// Fees for disputes, less what providers bear of them.
    pub dispute_fees_minor: i64,
    /// Fees for disputes that providers bear, besides their part of what was disputed.
    pub dispute_fees_of_providers_minor: i64,
    /// What disputes cost the operator: losses and fees.
    pub dispute_costs_minor: i64,
    /// Bank charges, debts given up, and what exchange rates cost.
    pub other_costs_minor: i64,
    /// Commission less all costs.
    pub net_take_minor: i64,
    /// The net take in basis points of the gross, rounded half to even; absent where nothing was sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_rate_bps: Option<i64>,
    /// The sales of the period by kind of offer.
    pub by_offer_kind: Vec<SalesGroup>,
    /// The sales of the period by provider, the largest first.
    pub top_providers: Vec<SalesGroup>,
}

/// Postings of one kind of entry on one kind of account, summed; debits positive.
#[derive(Debug, Clone)]
pub struct LedgerSum {
    /// What happened.
    pub kind: EntryKind,
    /// The account's code; `provider` and `vat` stand for all of theirs.
    pub account: String,
    /// The sum.
    pub minor: i64,
    /// Entries behind it.
    pub entries: i64,
}

impl CurrencyEconomics {
    /// Nothing sold yet.
    pub fn empty(currency: Currency) -> Self {
        Self {
            currency,
            orders: 0,
            gross_minor: 0,
            tax_minor: 0,
            discount_minor: 0,
            refunded_minor: 0,
            disputed_minor: 0,
            providers_minor: 0,
            commission_minor: 0,
            processor_fees_minor: 0,
            dispute_losses_minor: 0,
            dispute_fees_minor: 0,
            dispute_fees_of_providers_minor: 0,
            dispute_costs_minor: 0,
            other_costs_minor: 0,
            net_take_minor: 0,
            take_rate_bps: None,
            by_offer_kind: Vec::new(),
            top_providers: Vec::new(),
        }
    }

    /// Adds a sum of the ledger.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn add(&mut self, sum: &LedgerSum) -> Result<(), MoneyError> {
        let credit = sum.minor.checked_neg().ok_or(MoneyError::Overflow)?;
        if matches!(sum.account.as_str(), "provider" | "commission" | "vat") {
            match sum.kind {
                EntryKind::Sale => add(&mut self.gross_minor, credit)?,
                EntryKind::Refund => add(&mut self.refunded_minor, sum.minor)?,
                EntryKind::DisputeLost => add(&mut self.disputed_minor, sum.minor)?,
                _ => {}
            }
        }
        match (sum.account.as_str(), sum.kind) {
            ("provider", EntryKind::Sale | EntryKind::Refund | EntryKind::DisputeLost) => {
                add(&mut self.providers_minor, credit)
            }
            ("clearing.payment", EntryKind::Sale) => add(&mut self.orders, sum.entries),
            ("commission", _) => add(&mut self.commission_minor, credit),
            ("vat", EntryKind::Sale | EntryKind::Refund | EntryKind::DisputeLost) => add(&mut self.tax_minor, credit),
            ("processor_fees", _) => add(&mut self.processor_fees_minor, sum.minor),
            ("provider", EntryKind::DisputeFee) => add(&mut self.dispute_fees_of_providers_minor, sum.minor),
            ("dispute_fees", _) => add(&mut self.dispute_fees_minor, sum.minor),
            ("dispute_loss", _) => add(&mut self.dispute_losses_minor, sum.minor),
            ("bank_charges" | "write_offs" | "exchange_differences", _) => add(&mut self.other_costs_minor, sum.minor),
            _ => Ok(()),
        }
    }

    /// Computes what follows from the sums.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn close(&mut self) -> Result<(), MoneyError> {
        let dispute_costs = self.dispute_losses_minor.checked_add(self.dispute_fees_minor);
        self.dispute_costs_minor = dispute_costs.ok_or(MoneyError::Overflow)?;
        let costs = [self.processor_fees_minor, self.dispute_costs_minor, self.other_costs_minor];
        let net = costs.into_iter().try_fold(self.commission_minor, i64::checked_sub);
        self.net_take_minor = net.ok_or(MoneyError::Overflow)?;
        self.take_rate_bps = rate_bps(self.net_take_minor, self.gross_minor);
        Ok(())
    }
}

fn add(sum: &mut i64, more: i64) -> Result<(), MoneyError> {
    *sum = sum.checked_add(more).ok_or(MoneyError::Overflow)?;
    Ok(())
}

/// `part / whole` in basis points, rounded half to even, with the sign of `part`; nothing of nothing.
fn rate_bps(part: i64, whole: i64) -> Option<i64> {
    if whole <= 0 {
        return None;
    }
    let (numerator, whole) = (i128::from(part.unsigned_abs()) * i128::from(FULL_BPS), i128::from(whole));
    let (quotient, twice_rest) = (numerator / whole, numerator % whole * 2);
    let up = twice_rest > whole || (twice_rest == whole && quotient % 2 == 1);
    i64::try_from((quotient + i128::from(up)) * i128::from(part.signum())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(kind: EntryKind, account: &str, minor: i64) -> LedgerSum {
        LedgerSum { kind, account: account.to_owned(), minor, entries: 1 }
    }

    #[test]
    fn a_sale_a_refund_and_their_fees_leave_what_the_ledger_says() {
        let mut euros = CurrencyEconomics::empty("EUR".parse().expect("in the table"));
        for sum in [
            sum(EntryKind::Sale, "clearing.payment", 11_901),
            sum(EntryKind::Sale, "provider", -8_001),
            sum(EntryKind::Sale, "commission", -2_000),
            sum(EntryKind::Sale, "vat", -1_900),
            sum(EntryKind::Refund, "provider", 4_000),
            sum(EntryKind::Refund, "commission", 1_000),
            sum(EntryKind::ProcessorCharge, "processor_fees", 320),
            sum(EntryKind::FeeShare, "processor_fees", -100),
            sum(EntryKind::FeeShare, "provider", 100),
            sum(EntryKind::DisputeWithdrawn, "dispute_fees", 15),
            sum(EntryKind::BankLine, "bank_charges", 5),
        ] {
            euros.add(&sum).expect("fits");
        }
        euros.close().expect("fits");
        assert_eq!((euros.orders, euros.gross_minor, euros.refunded_minor), (1, 11_901, 5_000));
        let kept = euros.providers_minor + euros.commission_minor + euros.tax_minor;
        assert_eq!(kept, euros.gross_minor - euros.refunded_minor - euros.disputed_minor);
        assert_eq!((euros.processor_fees_minor, euros.net_take_minor), (220, 1_000 - 220 - 15 - 5));
        assert_eq!(euros.take_rate_bps, Some(639));
    }

    #[test]
    fn rates_are_rounded_half_to_even_on_both_sides_of_zero() {
        assert_eq!([rate_bps(1, 20_000), rate_bps(3, 20_000), rate_bps(-3, 20_000)], [Some(0), Some(2), Some(-2)]);
        assert_eq!(rate_bps(5, 0), None);
    }
}
