//! What is charged after a purchase, without another order of the buyer's.

use time::OffsetDateTime;

use crate::{
    base::{Money, MoneyError, clock::add_months},
    error::Result,
    terms::offers::{SaleOffer, plan::Plan},
    trade::{
        gross::Taxed,
        prices::{Part, Priced},
    },
};

/// Something that is charged later, without another order of the buyer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// Why.
    pub reason: LaterReason,
    /// When.
    pub due_at: OffsetDateTime,
    /// How much, before tax.
    pub amount: Money,
    /// How much with tax, as it is decided today; it is decided anew when it is charged.
    pub total: Money,
}

/// Why something is charged later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaterReason {
    /// The trial is over.
    TrialEnd,
    /// A part of the price.
    Instalment,
    /// The first further term; others follow it.
    Renewal,
}

/// What a purchase at `now` leads to: the parts after the first, or the next terms.
pub(super) fn later(
    offer: &SaleOffer,
    plan: &Plan,
    priced: &[Priced],
    parts: &[Part],
    trial_until: Option<OffsetDateTime>,
    taxed: Taxed,
    now: OffsetDateTime,
) -> Result<Vec<Later>> {
    let currency = offer.price.currency;
    let one = |reason, due_at, minor| -> Result<Later, MoneyError> {
        let total = Money::new(taxed.gross(minor)?, currency);
        Ok(Later { reason, due_at, amount: Money::new(minor, currency), total })
    };
    let mut schedule = Vec::new();
    for part in parts.iter().skip(1) {
        schedule.push(one(LaterReason::Instalment, part.due_at, part.minor)?);
    }
    if plan.renews {
        // A coupon is for the order that it is used in; what comes after is without it.
        let minor = taxed.agreed(sum(priced.iter().map(|line| line.list_minor - line.volume_minor))?);
        let months = offer.term_months.and_then(|months| u16::try_from(months).ok()).unwrap_or(1);
        let (reason, due_at) = match trial_until {
            Some(until) => (LaterReason::TrialEnd, until),
            None => (LaterReason::Renewal, add_months(now, months)),
        };
        schedule.push(one(reason, due_at, minor)?);
        if trial_until.is_some() {
            schedule.push(one(LaterReason::Renewal, add_months(due_at, months), minor)?);
        }
    }
    Ok(schedule)
}

pub(super) fn sum(minors: impl Iterator<Item = i64>) -> Result<i64, MoneyError> {
    let mut minors = minors;
    minors.try_fold(0_i64, i64::checked_add).ok_or(MoneyError::Overflow)
}
