//! Volume steps and coupons: what is taken off a price, and in which order.

use super::ChargeRules;
use crate::{MoneyError, allocate, money::FULL_BPS, plan::VolumeStep};

/// What a coupon takes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// A part in basis points, at most the whole.
    Percent(u32),
    /// A sum in minor units of the price's currency; what exceeds the price is lost.
    Fixed(i64),
}

/// One thing in a purchase, before anything is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The price of all units together, in minor units.
    pub list_minor: i64,
    /// What its quantity takes off, in basis points.
    pub volume_bps: u32,
    /// True when the coupon is for it.
    pub in_coupon: bool,
}

/// What one thing costs. `list_minor = volume_minor + coupon_minor + net_minor`, none negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priced {
    /// The price of all units together.
    pub list_minor: i64,
    /// What its quantity took off.
    pub volume_minor: i64,
    /// What the coupon took off.
    pub coupon_minor: i64,
    /// What is left to pay.
    pub net_minor: i64,
}

impl Priced {
    /// All that was taken off.
    pub const fn discount_minor(&self) -> i64 {
        self.volume_minor + self.coupon_minor
    }
}

/// The basis points that `quantity` takes off: those of the highest step it reaches.
pub fn volume_bps(steps: &[VolumeStep], quantity: i32) -> u32 {
    let reached = steps.iter().filter(|step| step.from_quantity <= quantity);
    reached.max_by_key(|step| step.from_quantity).map_or(0, |step| step.off_bps)
}

/// Prices the things of one purchase.
///
/// First each thing's volume reduction is taken off its list price, then the coupon off what is left of the things it
/// is for, shared among them in proportion. Both are rounded half to even, and then up to the processor's step, so
/// that a price that can be charged stays one: the buyer gets the difference.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for a negative price or reduction, [`MoneyError::ShareTooHigh`] above 10 000 bps,
/// [`MoneyError::Overflow`] when the sum of the prices exceeds 63 bits.
pub fn price(items: &[Item], coupon: Option<Reduction>, rules: &ChargeRules) -> Result<Vec<Priced>, MoneyError> {
    let mut priced = items.iter().map(|item| after_volume(item, rules)).collect::<Result<Vec<_>, _>>()?;
    let whole = items.iter().try_fold(0_i64, |sum, item| sum.checked_add(item.list_minor));
    whole.ok_or(MoneyError::Overflow)?;
    let Some(coupon) = coupon else { return Ok(priced) };
    let chosen = items.iter().zip(&priced);
    let chosen: Vec<i64> = chosen.map(|(item, line)| if item.in_coupon { line.net_minor } else { 0 }).collect();
    let (base, total): (i64, i64) = (chosen.iter().sum(), priced.iter().map(|line| line.net_minor).sum());
    let off = match coupon {
        Reduction::Percent(bps) => share(base, bps)?,
        Reduction::Fixed(minor) if minor < 0 => return Err(MoneyError::OutOfRange),
        Reduction::Fixed(minor) => minor.min(base),
    };
    let off = on_step(off, base, total, rules);
    // Never more than a thing costs: at the whole of `base` each part is exactly its price, and parts only grow.
    for (line, part) in priced.iter_mut().zip(allocate::cumulative(&chosen, 0, off)?) {
        line.coupon_minor = part;
        line.net_minor -= part;
    }
    Ok(priced)
}

/// `off`, raised so that what is left of `total` is a multiple of the step; less where `base` does not suffice for that.
fn on_step(off: i64, base: i64, total: i64, rules: &ChargeRules) -> i64 {
    let up = total - rules.floor(total - off);
    let most = total - rules.ceil(total - base);
    if off == 0 { 0 } else { up.min(most).max(0) }
}

fn after_volume(item: &Item, rules: &ChargeRules) -> Result<Priced, MoneyError> {
    let off = share(item.list_minor, item.volume_bps)?;
    let net = if off == 0 { item.list_minor } else { rules.floor(item.list_minor - off) };
    Ok(Priced { list_minor: item.list_minor, volume_minor: item.list_minor - net, coupon_minor: 0, net_minor: net })
}

/// `minor × bps / 10 000`, rounded half to even.
fn share(minor: i64, bps: u32) -> Result<i64, MoneyError> {
    if bps > FULL_BPS {
        return Err(MoneyError::ShareTooHigh(bps));
    }
    super::fraction::Fraction::of(minor, i64::from(bps), i64::from(FULL_BPS))?.round_half_even()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Money;

    const CENTS: ChargeRules = ChargeRules { min_minor: 50, max_minor: 99_999_999, step_minor: 1 };

    const fn item(list_minor: i64, volume_bps: u32) -> Item {
        Item { list_minor, volume_bps, in_coupon: true }
    }

    fn nets(items: &[Item], coupon: Option<Reduction>) -> Vec<i64> {
        price(items, coupon, &CENTS).expect("valid").iter().map(|line| line.net_minor).collect()
    }

    #[test]
    fn the_volume_is_taken_off_first_and_the_coupon_from_the_rest() {
        let lines = price(&[item(10_000, 1_000)], Some(Reduction::Percent(5_000)), &CENTS).expect("valid");
        let expected = Priced { list_minor: 10_000, volume_minor: 1_000, coupon_minor: 4_500, net_minor: 4_500 };
        assert_eq!(lines, [expected]);
        assert_eq!(expected.discount_minor(), 5_500);
    }

    #[test]
    fn a_coupon_never_takes_more_than_there_is() {
        assert_eq!(nets(&[item(300, 0)], Some(Reduction::Fixed(500))), [0]);
        assert_eq!(nets(&[item(300, 0)], Some(Reduction::Percent(10_000))), [0]);
        assert_eq!(nets(&[item(300, 0)], Some(Reduction::Fixed(0))), [300]);
        assert_eq!(nets(&[item(0, 0)], Some(Reduction::Fixed(500))), [0]);
    }

    #[test]
    fn a_coupon_takes_nothing_from_what_it_is_not_for() {
        let other = Item { in_coupon: false, ..item(700, 0) };
        assert_eq!(nets(&[item(300, 0), other, item(100, 0)], Some(Reduction::Fixed(200))), [150, 700, 50]);
        assert_eq!(nets(&[other], Some(Reduction::Fixed(200))), [700]);
    }

    #[test]
    fn the_highest_step_that_is_reached_counts() {
        let steps = [VolumeStep { from_quantity: 10, off_bps: 500 }, VolumeStep { from_quantity: 100, off_bps: 2_000 }];
        assert_eq!([1, 9, 10, 99, 100].map(|quantity| volume_bps(&steps, quantity)), [0, 0, 500, 500, 2_000]);
        assert_eq!(volume_bps(&[], 5), 0);
    }

    #[test]
    fn malformed_reductions_are_refused() {
        let refused = |items: &[Item], coupon| price(items, coupon, &CENTS).expect_err("refused");
        assert_eq!(refused(&[item(-1, 0)], None), MoneyError::OutOfRange);
        assert_eq!(refused(&[item(1, 10_001)], None), MoneyError::ShareTooHigh(10_001));
        assert_eq!(refused(&[item(1, 0)], Some(Reduction::Percent(10_001))), MoneyError::ShareTooHigh(10_001));
        assert_eq!(refused(&[item(1, 0)], Some(Reduction::Fixed(-1))), MoneyError::OutOfRange);
        assert_eq!(refused(&[item(i64::MAX, 0), item(1, 0)], None), MoneyError::Overflow);
    }

    fn reduction() -> impl Strategy<Value = Option<Reduction>> {
        prop_oneof![
            Just(None),
            (0_u32..=10_000).prop_map(|bps| Some(Reduction::Percent(bps))),
            (0_i64..200_000_000).prop_map(|minor| Some(Reduction::Fixed(minor))),
        ]
    }

    fn rules() -> impl Strategy<Value = ChargeRules> {
        (1_i64..=500, proptest::sample::select(vec![1_i64, 10, 100])).prop_map(|(min, step_minor)| ChargeRules {
            min_minor: min * step_minor,
            max_minor: 99_999_990,
            step_minor,
        })
    }

    proptest! {
        #[test]
        fn no_discount_breaks_a_checkout(
            list in 0_i64..=99_999_999, parts in proptest::collection::vec((1_u64..100, any::<bool>()), 1..=6),
            volume_bps in 0_u32..=10_000, coupon in reduction(), rules in rules(), fee_bps in 0_u32..=10_000,
        ) {
            // A list price that could be charged, in the parts of a bundle; a single thing has volume steps instead.
            let weights: Vec<u64> = parts.iter().map(|(weight, _)| *weight).collect();
            let lists = allocate::split(rules.floor(list), &weights).expect("valid");
            let volume_bps = if parts.len() == 1 { volume_bps } else { 0 };
            let items: Vec<Item> = lists.into_iter().zip(&parts)
                .map(|(list_minor, (_, in_coupon))| Item { list_minor, volume_bps, in_coupon: *in_coupon })
                .collect();
            let lines = price(&items, coupon, &rules).expect("valid");
            let currency = "KWD".parse().expect("in the table");
            for (item, line) in items.iter().zip(&lines) {
                prop_assert!(line.volume_minor >= 0 && line.coupon_minor >= 0 && line.net_minor >= 0);
                prop_assert_eq!(line.list_minor, item.list_minor);
                prop_assert_eq!(line.volume_minor + line.coupon_minor + line.net_minor, item.list_minor);
                prop_assert!(item.in_coupon || line.coupon_minor == 0);
                let split = Money::new(line.net_minor, currency).split(fee_bps).expect("valid");
                prop_assert_eq!(split.operator.minor + split.provider.minor, line.net_minor);
            }
            let total: i64 = lines.iter().map(|line| line.net_minor).sum();
            prop_assert!((0..=items.iter().map(|item| item.list_minor).sum::<i64>()).contains(&total));
            // Free, chargeable, or refused for being too small (or too large): never off the processor's step.
            match rules.check(Money::new(total, currency)) {
                Ok(()) => {}
                Err(super::super::Refusal::BelowMinimum { .. }) => prop_assert!(0 < total && total < rules.min_minor),
                Err(super::super::Refusal::AboveMaximum { .. }) => prop_assert!(total > rules.max_minor && total <= list),
                Err(refusal) => prop_assert!(false, "{refusal}"),
            }
        }

        #[test]
        fn a_larger_reduction_never_costs_more(list in 0_i64..=99_999_999, bps in 0_u32..10_000, fixed in 0_i64..99_999_999) {
            let net = |coupon| nets(&[item(list, 0)], Some(coupon))[0];
            prop_assert!(net(Reduction::Percent(bps + 1)) <= net(Reduction::Percent(bps)));
            prop_assert!(net(Reduction::Fixed(fixed + 1)) <= net(Reduction::Fixed(fixed)));
        }
    }
}
