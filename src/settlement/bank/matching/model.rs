//! Lines, payouts and decisions, without the database.

use entity::{
    ids::{BankLineId, OrderId, PayoutId},
    states::{BankLineState, ExceptionClass, MatchRule, MatchSubject},
};
use time::Date;

use super::super::days::add_bank_days;
use crate::base::Currency;

/// Bank days that a payout may arrive before it is expected.
pub const EARLY_BANK_DAYS: i32 = 3;
/// Bank days that a payout may arrive after it is expected, by amount and date alone.
pub const LATE_BANK_DAYS: i32 = 5;
/// Largest part of a payout that banks on the way may have kept, in basis points.
const KEPT_BPS_MAX: i64 = 100;
/// Most that banks on the way may have kept, in major units.
const KEPT_MAJOR_MAX: i64 = 25;

/// A bank line, as far as rules look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFacts {
    /// The line.
    pub id: BankLineId,
    /// Short name of its account.
    pub account: String,
    /// Its key within the account.
    pub key: String,
    /// Its currency.
    pub currency: Currency,
    /// When it was booked.
    pub booked_on: Date,
    /// Received is positive.
    pub amount_minor: i64,
    /// It is booked to suspense, and may be explained after all.
    pub in_suspense: bool,
    /// References in fields of their own.
    pub references: Vec<String>,
    /// Words of the text and of a structured reference.
    pub words: Vec<String>,
    /// What it says about the other side: two lines that say the same are twins.
    pub told: String,
    /// The other side.
    pub counterparty: String,
    /// The bank says that it charges us.
    pub is_charge: bool,
}

/// A payout of the processor to a bank account of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutFacts {
    /// The processor's line.
    pub id: String,
    /// The processor's reference.
    pub reference: String,
    /// The bank's reference.
    pub trace_id: Option<String>,
    /// Our payout.
    pub payout_id: Option<PayoutId>,
    /// Its currency.
    pub currency: Currency,
    /// Its amount.
    pub amount_minor: i64,
    /// What is settled of it.
    pub settled_minor: i64,
    /// The day it should arrive.
    pub expected_on: Date,
    /// The bank gave it back to the processor.
    pub is_returned: bool,
}

impl PayoutFacts {
    /// What is still to arrive.
    pub fn open_minor(&self) -> i64 {
        if self.is_returned { 0 } else { self.amount_minor - self.settled_minor }
    }

    /// True when a word is one of its references.
    pub fn is_named(&self, word: &str) -> bool {
        self.reference == word
            || self.trace_id.as_deref() == Some(word)
            || self.payout_id.is_some_and(|id| word.parse() == Ok(id))
    }
}

/// The days on which a payout expected on a day may arrive, first and last.
pub fn arrival_window(expected_on: Date) -> (Date, Date) {
    (add_bank_days(expected_on, -EARLY_BANK_DAYS), add_bank_days(expected_on, LATE_BANK_DAYS))
}

/// True when banks on the way may have kept the difference.
pub fn is_fee_sized(payout_minor: i64, line_minor: i64, currency: Currency) -> bool {
    let kept = payout_minor - line_minor;
    let most = currency.minor_per_major().saturating_mul(KEPT_MAJOR_MAX);
    kept > 0 && kept <= most && i128::from(kept) * 10_000 <= i128::from(payout_minor) * i128::from(KEPT_BPS_MAX)
}

/// How a transfer that names an order is booked; both parts sum to what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// What pays the order: its total, or nothing.
    pub order_minor: i64,
    /// What adds to the buyer's credit for the order; negative where it is used or sent back.
    pub credit_minor: i64,
    /// The credit for the order then.
    pub left_minor: i64,
}

/// Takes a transfer for an order of `total_minor`, for which `credit_minor` came before. An order that `waits` is paid as
/// soon as all of it is there. Nothing when more would go back than is there, or a sum does not fit.
pub fn receive(total_minor: i64, credit_minor: i64, amount_minor: i64, waits: bool) -> Option<Receipt> {
    let there = credit_minor.checked_add(amount_minor)?;
    if there < 0 || amount_minor == 0 {
        return None;
    }
    let pays = waits && amount_minor > 0 && total_minor > 0 && there >= total_minor;
    let order_minor = if pays { total_minor } else { 0 };
    Some(Receipt {
        order_minor,
        credit_minor: amount_minor.checked_sub(order_minor)?,
        left_minor: there.checked_sub(order_minor)?,
    })
}

/// A part of a line and what explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Why.
    pub rule: MatchRule,
    /// What it is booked against.
    pub subject: MatchSubject,
    /// The processor's line of the payout.
    pub payout: Option<String>,
    /// The order.
    pub order: Option<OrderId>,
    /// Minor units of the line.
    pub amount_minor: i64,
    /// Minor units of the payout.
    pub settled_minor: i64,
}

impl Part {
    /// A part that is not about a payout.
    pub fn of(rule: MatchRule, subject: MatchSubject, amount_minor: i64) -> Self {
        Self { rule, subject, payout: None, order: None, amount_minor, settled_minor: 0 }
    }

    /// A part that settles as much of a payout.
    pub fn settles(rule: MatchRule, payout: &PayoutFacts, amount_minor: i64) -> Self {
        let subject = MatchSubject::Payout;
        Self { payout: Some(payout.id.clone()), settled_minor: amount_minor, ..Self::of(rule, subject, amount_minor) }
    }
}

/// Why a line needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What kind.
    pub class: ExceptionClass,
    /// How much is unexplained, in minor units of the line.
    pub amount_minor: i64,
    /// The payout it names.
    pub payout: Option<String>,
    /// The order it names.
    pub order: Option<OrderId>,
}

/// What becomes of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The line.
    pub line: BankLineId,
    /// Its parts; they sum to its amount.
    pub parts: Vec<Part>,
    /// Where it stands then.
    pub state: BankLineState,
    /// What a person has to look at.
    pub trouble: Option<Trouble>,
}

impl Decision {
    /// The line is explained.
    pub fn explained(line: &LineFacts, parts: Vec<Part>) -> Self {
        Self { line: line.id, parts, state: BankLineState::Matched, trouble: None }
    }

    /// The line waits in suspense for a person.
    pub fn troubled(line: &LineFacts, trouble: Trouble) -> Self {
        let part = Part::of(MatchRule::Unexplained, MatchSubject::Suspense, line.amount_minor);
        Self { line: line.id, parts: vec![part], state: BankLineState::Suspense, trouble: Some(trouble) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;

    #[test]
    fn a_fee_is_small_and_never_an_addition() {
        let eur: Currency = "EUR".parse().expect("in the table");
        assert!(is_fee_sized(100_000, 99_500, eur));
        assert!(!is_fee_sized(100_000, 100_500, eur));
        assert!(!is_fee_sized(100_000, 100_000, eur));
        assert!(!is_fee_sized(100_000, 98_900, eur));
        assert!(!is_fee_sized(10_000_000, 9_997_499, eur));
        assert!(is_fee_sized(10_000_000, 9_997_500, eur));
    }

    proptest! {
        #[test]
        fn every_transfer_is_booked_to_the_last_unit(
            total in 1_i64..100_000, amounts in proptest::collection::vec(-50_000_i64..100_000, 1..12),
        ) {
            let (mut credit, mut waits, mut came, mut sold) = (0, true, 0, 0);
            for amount in amounts {
                let Some(receipt) = receive(total, credit, amount, waits) else {
                    prop_assert!(amount == 0 || credit + amount < 0);
                    continue;
                };
                prop_assert_eq!(receipt.order_minor + receipt.credit_minor, amount);
                prop_assert_eq!(receipt.left_minor, credit + receipt.credit_minor);
                prop_assert!(receipt.left_minor >= 0);
                waits = waits && receipt.order_minor == 0;
                prop_assert!(!waits || amount < 0 || receipt.left_minor < total);
                (credit, came, sold) = (receipt.left_minor, came + amount, sold + receipt.order_minor);
            }
            prop_assert!(sold == 0 || sold == total);
            prop_assert_eq!(came, credit + sold);
        }
    }

    #[test]
    fn the_window_skips_weekends() {
        let (first, last) = arrival_window(date!(2026 - 11 - 20));
        assert_eq!((first, last), (date!(2026 - 11 - 17), date!(2026 - 11 - 27)));
    }
}
