//! Which sums before tax make one that can be charged with the tax on top.
//!
//! A tax is rounded by the law to a minor unit and never to a processor's step, so where a processor charges in steps
//! (of 0.010 KWD, say) not every price can be charged in every country. What a buyer is quoted is refused when it can't
//! be; what follows from an agreed price (a renewal, a month's use, a part of it) gives way instead, downwards.

use time::OffsetDateTime;
use torv_documents::tax::tax_minor;

use super::prices::{self, Part};
use crate::{
    base::{MoneyError, chargeable::ChargeRules},
    terms::offers::plan::Instalment,
};

/// So far away from a part's share another sum is looked for. Rates are multiples of 0.5 % and steps of ten, so what can
/// be charged repeats itself after 2 000 minor units.
const WINDOW_MINOR: i64 = 2_000;

/// What can be charged, and the rate of the tax on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taxed {
    /// What the processor charges.
    pub rules: ChargeRules,
    /// The rate in basis points.
    pub tax_bps: u32,
}

impl Taxed {
    /// What the buyer pays for `net_minor`.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn gross(&self, net_minor: i64) -> Result<i64, MoneyError> {
        let tax = tax_minor(net_minor, self.tax_bps).ok_or(MoneyError::Overflow)?;
        net_minor.checked_add(tax).ok_or(MoneyError::Overflow)
    }

    /// True when `net_minor` can be charged with its tax.
    pub fn fits(&self, net_minor: i64) -> bool {
        let rules = &self.rules;
        self.gross(net_minor).is_ok_and(|gross| {
            (rules.min_minor..=rules.max_minor).contains(&gross) && gross % rules.step_minor.max(1) == 0
        })
    }

    /// The largest sum up to `net_minor` that can be charged with its tax; nothing where there is none near it.
    pub fn floor(&self, net_minor: i64) -> Option<i64> {
        let whole = i128::from(10_000 + self.tax_bps);
        let most = i128::from(self.rules.max_minor) * 10_000 / whole + 1;
        let from = net_minor.min(i64::try_from(most).unwrap_or(i64::MAX));
        (0..=WINDOW_MINOR).map(|less| from - less).take_while(|net| *net > 0).find(|net| self.fits(*net))
    }

    /// What of an agreed sum is charged: all of it, or the largest part that can be.
    pub fn agreed(&self, net_minor: i64) -> i64 {
        self.floor(net_minor).unwrap_or(net_minor)
    }

    /// Parts near these that can each be charged and make the same sum; nothing where there are none.
    pub fn cut(&self, wanted: &[i64]) -> Option<Vec<i64>> {
        let whole = wanted.iter().try_fold(0_i64, |sum, part| sum.checked_add(*part))?;
        let Some((last, before)) = wanted.split_last().filter(|(_, before)| !before.is_empty()) else {
            return wanted.iter().all(|part| self.fits(*part)).then(|| wanted.to_vec());
        };
        let mut parts = vec![0];
        for part in before.get(1..).unwrap_or_default() {
            parts.push(self.near(*part).next()?);
        }
        let between: i64 = parts.iter().sum();
        // The first part and the last one give way to each other.
        let (first, last) =
            self.near(*last).map(|last| (whole - between - last, last)).find(|(first, _)| self.fits(*first))?;
        if let Some(place) = parts.first_mut() {
            *place = first;
        }
        parts.push(last);
        Some(parts)
    }

    /// What can be charged around `wanted`, the nearest first.
    fn near(&self, wanted: i64) -> impl Iterator<Item = i64> {
        let around = std::iter::once(wanted).chain((1..=WINDOW_MINOR).flat_map(move |by| [wanted - by, wanted + by]));
        around.filter(move |net| *net > 0 && self.fits(*net))
    }
}

/// The parts of a price by date (of no price, one part of nothing), as [`prices::schedule`] cuts it, moved so that each can be charged with its tax. Where
/// that can't be, they are as they were, and what checks them says so.
///
/// # Errors
/// Those of [`prices::schedule`].
pub fn parts(
    whole_minor: i64,
    instalments: &[Instalment],
    taxed: Taxed,
    at: OffsetDateTime,
) -> Result<Vec<Part>, MoneyError> {
    let instalments = if whole_minor == 0 { &[] } else { instalments };
    let mut parts = prices::schedule(whole_minor, instalments, at)?;
    if parts.len() > 1 {
        let wanted: Vec<i64> = parts.iter().map(|part| part.minor).collect();
        for (part, minor) in parts.iter_mut().zip(taxed.cut(&wanted).unwrap_or(wanted)) {
            part.minor = minor;
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILS: ChargeRules = ChargeRules { min_minor: 10, max_minor: 99_999_990, step_minor: 10 };
    const CENTS: ChargeRules = ChargeRules { min_minor: 50, max_minor: 99_999_999, step_minor: 1 };

    const fn taxed(rules: ChargeRules, tax_bps: u32) -> Taxed {
        Taxed { rules, tax_bps }
    }

    #[test]
    fn what_is_agreed_gives_way_downwards_by_a_few_units() {
        // 25 % of 1 234 are 308.5, together 1 543: the next sum below that can be charged is 1 540.
        assert_eq!(taxed(FILS, 2_500).agreed(1_234), 1_232);
        assert_eq!(taxed(FILS, 2_500).gross(1_232), Ok(1_540));
        assert_eq!(taxed(FILS, 0).agreed(1_239), 1_230);
        assert_eq!(taxed(CENTS, 2_550).agreed(1_234), 1_234);
        assert_eq!(taxed(FILS, 2_500).agreed(3), 3, "nothing below can be charged");
        assert_eq!(taxed(CENTS, 2_500).agreed(99_999_999), 79_999_999, "the most that can be charged, tax included");
    }

    #[test]
    fn parts_in_steps_make_the_whole() {
        assert_eq!(taxed(FILS, 0).cut(&[3_340, 3_330, 3_330]), Some(vec![3_340, 3_330, 3_330]));
        assert_eq!(taxed(FILS, 0).cut(&[3_334, 3_333, 3_333]), Some(vec![3_340, 3_330, 3_330]));
        assert_eq!(taxed(FILS, 2_500).cut(&[3_334, 3_333, 3_333]), Some(vec![3_328, 3_336, 3_336]));
        assert_eq!(taxed(FILS, 2_500).cut(&[3_341, 3_333, 3_333]), None, "no parts of a multiple of eight make 10 007");
        assert_eq!(taxed(CENTS, 2_500).cut(&[3_335, 3_333, 3_333]), Some(vec![3_335, 3_333, 3_333]));
    }

    fn rules() -> impl Strategy<Value = ChargeRules> {
        let min = prop_oneof![Just(1_i64), Just(50), Just(200), Just(17_500)];
        (min, prop_oneof![Just(1_i64), Just(10)]).prop_map(|(min_minor, step_minor)| ChargeRules {
            min_minor: min_minor.max(step_minor),
            max_minor: 99_999_999 / step_minor * step_minor,
            step_minor,
        })
    }

    proptest! {
        /// Whatever the currency, the rate and the parts: what was agreed to can be charged, and is never more.
        #[test]
        fn what_follows_from_an_agreed_price_can_be_charged(rules in rules(), rate in 0_u32..=60, net in 1_i64..=99_999_999) {
            let taxed = taxed(rules, rate * 50);
            let charged = taxed.agreed(net);
            prop_assert!(charged <= net);
            // At 11 % eleven multiples of ten in a row are no net and its tax.
            if taxed.gross(net).expect("fits") >= rules.min_minor + 20 * rules.step_minor {
                prop_assert!(taxed.fits(charged), "{charged} of {net}");
                let most = taxed.gross(net).expect("fits") <= rules.max_minor;
                prop_assert!(!most || net - charged <= 20 * (rules.step_minor - 1), "{charged} of {net}");
            }
        }

        #[test]
        fn parts_that_are_cut_can_all_be_charged_and_make_the_whole(
            rules in rules(), rate in 0_u32..=60, whole in 1_i64..=99_999_999,
            shares in proptest::collection::vec((1_u16..400, 1_u32..=1_900), 1..=5),
        ) {
            let taxed = taxed(rules, rate * 50);
            let instalments: Vec<_> =
                shares.iter().map(|(after_days, share_bps)| Instalment { after_days: *after_days, share_bps: *share_bps }).collect();
            let at = OffsetDateTime::UNIX_EPOCH;
            let nominal = prices::schedule(whole, &instalments, at).expect("valid");
            let parts = parts(whole, &instalments, taxed, at).expect("valid");
            prop_assert_eq!(parts.iter().map(|part| part.minor).sum::<i64>(), whole);
            let wanted: Vec<i64> = nominal.iter().map(|part| part.minor).collect();
            if taxed.cut(&wanted).is_some() {
                prop_assert!(parts.iter().all(|part| taxed.fits(part.minor)));
            }
            if rules.step_minor == 1 {
                prop_assert_eq!(parts, nominal, "without steps nothing moves");
            }
        }
    }
}
