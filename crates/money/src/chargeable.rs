//! What a processor can charge at all.

use serde::{Deserialize, Serialize};

use super::Money;

/// What a processor charges in a currency: from `min_minor` to `max_minor`, in steps of `step_minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeRules {
    /// The smallest charge, at least 1.
    pub min_minor: i64,
    /// The largest charge.
    pub max_minor: i64,
    /// Every charge is a multiple of it, at least 1. Stripe takes three-decimal currencies in steps of 10.
    pub step_minor: i64,
}

/// A sum no processor would take; the words say what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More than nothing, and less than can be charged.
    #[error(
        "This would cost {total}, and less than {min} can't be charged. Order more of it, or leave the coupon out."
    )]
    BelowMinimum {
        /// What it would cost.
        total: Money,
        /// What it has to cost, unless it is free.
        min: Money,
    },
    /// More than can be charged at once.
    #[error("This would cost {total}, and more than {max} can't be charged at once. Order less of it.")]
    AboveMaximum {
        /// What it would cost.
        total: Money,
        /// What it may cost.
        max: Money,
    },
    /// Not a multiple of the smallest step.
    #[error("This would cost {total}, and only multiples of {step} can be charged.")]
    OffStep {
        /// What it would cost.
        total: Money,
        /// What it has to be a multiple of.
        step: Money,
    },
}

impl ChargeRules {
    /// Refuses what can't be charged; nothing to pay is always good.
    ///
    /// # Errors
    /// [`Refusal`] with a sentence for the buyer.
    pub fn check(&self, total: Money) -> Result<(), Refusal> {
        let of = |minor| Money::new(minor, total.currency);
        match total.minor {
            0 => Ok(()),
            minor if minor < self.min_minor => Err(Refusal::BelowMinimum { total, min: of(self.min_minor) }),
            minor if minor > self.max_minor => Err(Refusal::AboveMaximum { total, max: of(self.max_minor) }),
            minor if minor % self.step_minor.max(1) != 0 => Err(Refusal::OffStep { total, step: of(self.step_minor) }),
            _ => Ok(()),
        }
    }

    /// What of `minor` can be charged: the largest multiple of the step up to the largest charge; nothing below the
    /// smallest, which is waived.
    pub fn chargeable(&self, minor: i64) -> i64 {
        let most = self.floor(minor.min(self.max_minor));
        if most < self.min_minor { 0 } else { most }
    }

    /// The largest multiple of the step that is not above `minor`.
    pub fn floor(&self, minor: i64) -> i64 {
        minor - minor.rem_euclid(self.step_minor.max(1))
    }

    /// The smallest multiple of the step that is not below `minor`.
    pub fn ceil(&self, minor: i64) -> i64 {
        minor + (-minor).rem_euclid(self.step_minor.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_charged_is_a_multiple_up_to_the_largest_and_nothing_below_the_smallest() {
        let rules = ChargeRules { min_minor: 50, max_minor: 1_005, step_minor: 10 };
        let chargeable = [0, 49, 50, 59, 99, 1_000, 1_005, 99_999].map(|minor| rules.chargeable(minor));
        assert_eq!(chargeable, [0, 0, 50, 50, 90, 1_000, 1_000, 1_000]);
        assert_eq!(ChargeRules { step_minor: 0, ..rules }.chargeable(59), 59, "no step is a step of one");
    }

    #[test]
    fn nothing_is_free_and_too_little_too_much_or_uneven_is_refused() {
        let rules = ChargeRules { min_minor: 50, max_minor: 1_000, step_minor: 10 };
        let check = |minor| rules.check(Money::new(minor, "KWD".parse().expect("in the table")));
        assert_eq!([check(0), check(50), check(1_000)], [Ok(()); 3]);
        for minor in [-1, 1, 49] {
            assert!(matches!(check(minor), Err(Refusal::BelowMinimum { .. })), "{minor}");
        }
        assert!(matches!(check(1_001), Err(Refusal::AboveMaximum { .. })));
        assert!(matches!(check(55), Err(Refusal::OffStep { .. })));
        let text = check(49).expect_err("refused").to_string();
        assert_eq!(
            text,
            "This would cost 0.049 KWD, and less than 0.050 KWD can't be charged. Order more of it, or leave the coupon out."
        );
        assert_eq!([0, 59, 60].map(|minor| (rules.floor(minor), rules.ceil(minor))), [(0, 0), (50, 60), (60, 60)]);
    }
}
