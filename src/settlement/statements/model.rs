//! Balances and statements as they are shown.

use entity::{
    Timestamp,
    ids::{OrderId, OrgId, PayoutId},
    states::EntryKind,
};
use serde::Serialize;

use crate::{
    base::{Currency, MoneyError},
    error::Result,
};

/// What an organisation is owed, in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "currency": "EUR", "pending_minor": 4000, "payable_minor": 8001, "held_minor": 0, "debt_minor": 0, "in_payout_minor": 0,
    "paid_out_minor": 12000
}))]
pub struct BalanceView {
    /// The currency.
    pub currency: Currency,
    /// Shares of sales whose hold runs, in minor units.
    pub pending_minor: i64,
    /// Shares that are due and not in a payout.
    pub payable_minor: i64,
    /// Shares that are held while a dispute runs.
    pub held_minor: i64,
    /// What the organisation owes: shares that were paid out and had to be given back.
    pub debt_minor: i64,
    /// Payouts that are decided and not paid.
    pub in_payout_minor: i64,
    /// Payouts that were paid.
    pub paid_out_minor: i64,
}

/// What is owed at an instant, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"pending_minor": 4000, "payable_minor": 8001, "held_minor": 0, "debt_minor": 0}))]
pub struct Owed {
    /// Shares whose hold runs.
    pub pending_minor: i64,
    /// Shares that are due.
    pub payable_minor: i64,
    /// Shares that are held while a dispute runs.
    pub held_minor: i64,
    /// What the provider owes: shares that were paid out and had to be given back.
    pub debt_minor: i64,
}

impl Owed {
    /// The sum of two, part by part.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn plus(self, change: Self) -> Result<Self, MoneyError> {
        let add = |a: i64, b: i64| a.checked_add(b).ok_or(MoneyError::Overflow);
        Ok(Self {
            pending_minor: add(self.pending_minor, change.pending_minor)?,
            payable_minor: add(self.payable_minor, change.payable_minor)?,
            held_minor: add(self.held_minor, change.held_minor)?,
            debt_minor: add(self.debt_minor, change.debt_minor)?,
        })
    }
}

/// One thing that changed what is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct StatementLine {
    /// When it was booked.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `sale`, `hold_end`, `transfer` for a payout; `refund`, `dispute_hold`, `reversal`, `netting` and others
    /// for what happened after the sale.
    pub kind: EntryKind,
    /// The order it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The payout it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout_id: Option<PayoutId>,
    /// What the buyer paid, for a sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gross_minor: Option<i64>,
    /// What the operator kept of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_minor: Option<i64>,
    /// What the provider earned of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_minor: Option<i64>,
    /// What it changed.
    pub change: Owed,
}

/// A period in one currency: `closing` = `opening` + the changes of all lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CurrencyStatement {
    /// The currency.
    pub currency: Currency,
    /// What was owed at the beginning.
    pub opening: Owed,
    /// What changed it, in the order of booking.
    pub lines: Vec<StatementLine>,
    /// What buyers paid in the period.
    pub gross_minor: i64,
    /// What the operator kept of it.
    pub operator_minor: i64,
    /// What the provider earned of it.
    pub provider_minor: i64,
    /// What was put into payouts.
    pub payouts_minor: i64,
    /// What is owed at the end.
    pub closing: Owed,
}

/// A statement over a period, `from` included, `until` excluded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "from": "2026-11-01T00:00:00Z",
    "until": "2026-12-01T00:00:00Z", "currencies": [{
        "currency": "EUR", "opening": {"pending_minor": 0, "payable_minor": 0, "held_minor": 0, "debt_minor": 0},
        "lines": [
            {"at": "2026-11-02T09:00:00Z", "kind": "sale", "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5",
             "gross_minor": 10001, "operator_minor": 2000, "provider_minor": 8001,
             "change": {"pending_minor": 8001, "payable_minor": 0, "held_minor": 0, "debt_minor": 0}},
            {"at": "2026-11-09T09:00:00Z", "kind": "hold_end", "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5",
             "change": {"pending_minor": -8001, "payable_minor": 8001, "held_minor": 0, "debt_minor": 0}}
        ],
        "gross_minor": 10001, "operator_minor": 2000, "provider_minor": 8001, "payouts_minor": 0,
        "closing": {"pending_minor": 0, "payable_minor": 8001, "held_minor": 0, "debt_minor": 0}
    }]
}))]
pub struct StatementView {
    /// Whose statement it is.
    pub organization_id: OrgId,
    /// From when, to the millisecond.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Until when, to the millisecond.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Each currency the organisation was ever paid in.
    pub currencies: Vec<CurrencyStatement>,
}

/// The order in the business event of a sale or of a hold's end.
pub fn order_of(source: &str) -> Option<OrderId> {
    source.strip_prefix("order:")?.split(':').next()?.parse().ok()
}

/// The payout in the business event of its decision.
pub fn payout_of(source: &str) -> Option<PayoutId> {
    source.strip_prefix("payout:")?.split(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_business_event_names_what_it_is_about() {
        let (order, payout) = (OrderId::derived("a"), PayoutId::derived("b"));
        assert_eq!(order_of(&format!("order:{order}:sale")), Some(order));
        assert_eq!(payout_of(&format!("payout:{payout}:decided")), Some(payout));
        assert_eq!(order_of(&format!("payout:{payout}:decided")), None);
        assert_eq!(payout_of("processor:txn_1"), None);
    }
}
