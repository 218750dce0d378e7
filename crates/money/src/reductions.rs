//! What refunds and disputes take off each line of an order.

use crate::{MoneyError, allocate};

/// What one reduction takes of one line; all amounts in minor units, none negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<Org> {
    /// The line.
    pub line_no: i32,
    /// Who sold it.
    pub provider: Org,
    /// Of the provider's share.
    pub provider_minor: i64,
    /// Of the operator's share.
    pub operator_minor: i64,
    /// Of the tax that the operator owes.
    pub tax_minor: i64,
}

fn flat<Org>(parts: &[Parts<Org>]) -> Vec<i64> {
    parts.iter().flat_map(|part| [part.provider_minor, part.operator_minor, part.tax_minor]).collect()
}

/// The sum of these parts.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn taken<Org>(parts: &[Parts<Org>]) -> Result<i64, MoneyError> {
    flat(parts).into_iter().try_fold(0_i64, i64::checked_add).ok_or(MoneyError::Overflow)
}

/// Splits `amount_minor` off what is left of an order: `whole` are its frozen shares, `earlier` what
/// active reductions have taken of them, in the same order.
///
/// The split is of the cumulative amount, so many small refunds take from each party what one large one
/// would. Where an earlier one was undone in between, what is left is split instead: then the cumulative
/// split could ask a party for less than nothing.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for more than is left.
pub fn split_off<Org: Copy>(
    whole: &[Parts<Org>],
    earlier: &[Parts<Org>],
    amount_minor: i64,
) -> Result<Vec<Parts<Org>>, MoneyError> {
    let (shares, before) = (flat(whole), flat(earlier));
    let left: Vec<i64> = shares.iter().zip(&before).map(|(share, gone)| share - gone).collect();
    let already = taken(earlier)?;
    let after = already.checked_add(amount_minor).ok_or(MoneyError::Overflow)?;
    let cumulative = allocate::cumulative(&shares, 0, after)?;
    let mut now: Vec<i64> = cumulative.iter().zip(&before).map(|(until, gone)| until - gone).collect();
    if now.iter().any(|part| *part < 0) {
        now = allocate::cumulative(&left, 0, amount_minor)?;
    }
    let part = |(part, minor): (&Parts<Org>, &[i64])| match minor {
        [provider_minor, operator_minor, tax_minor] => Ok(Parts {
            provider_minor: *provider_minor,
            operator_minor: *operator_minor,
            tax_minor: *tax_minor,
            ..*part
        }),
        _ => Err(MoneyError::OutOfRange),
    };
    whole.iter().zip(now.chunks(3)).map(part).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Parts = super::Parts<char>;

    fn line(line_no: i32, provider_minor: i64, operator_minor: i64, tax_minor: i64) -> Parts {
        Parts { line_no, provider: 'p', provider_minor, operator_minor, tax_minor }
    }

    fn none(whole: &[Parts]) -> Vec<Parts> {
        whole.iter().map(|part| Parts { provider_minor: 0, operator_minor: 0, tax_minor: 0, ..*part }).collect()
    }

    fn add(sum: &mut [Parts], more: &[Parts], sign: i64) {
        for (sum, more) in sum.iter_mut().zip(more) {
            sum.provider_minor += sign * more.provider_minor;
            sum.operator_minor += sign * more.operator_minor;
            sum.tax_minor += sign * more.tax_minor;
        }
    }

    fn any_order() -> impl Strategy<Value = Vec<Parts>> {
        let share = 0_i64..5_000_000;
        proptest::collection::vec((share.clone(), share.clone(), share), 1..5).prop_map(|lines| {
            (1_i32..).zip(lines).map(|(no, (provider, operator, tax))| line(no, provider, operator, tax)).collect()
        })
    }

    #[test]
    fn many_small_refunds_take_from_each_what_one_large_one_would() {
        let whole = [line(1, 80, 20, 0), line(2, 40, 10, 12)];
        let mut so_far = none(&whole);
        for refunded in 1..=162 {
            let parts = split_off(&whole, &so_far, 1).expect("in range");
            add(&mut so_far, &parts, 1);
            assert_eq!(Ok(&so_far), split_off(&whole, &none(&whole), refunded).as_ref(), "{refunded}");
        }
        assert_eq!(so_far, whole);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(taken(&[line(1, i64::MAX, 0, 0), line(2, 0, 1, 0)]), Err(MoneyError::Overflow));
        let none = [line(1, 0, 0, 0)];
        assert_eq!(split_off(&[line(1, 5, 0, 0)], &[line(1, 1, 0, 0)], i64::MAX), Err(MoneyError::Overflow));
        assert_eq!(split_off(&none, &none, 0), Ok(none.to_vec()));
    }

    proptest! {
        #[test]
        fn refunds_in_any_parts_return_exactly_each_share(whole in any_order(), cuts in proptest::collection::vec(0_i64..=1_000, 1..12)) {
            let total = taken(&whole).expect("fits");
            let mut so_far = none(&whole);
            for cut in cuts {
                let left = total - taken(&so_far).expect("fits");
                let amount = left * cut / 1_000;
                let parts = split_off(&whole, &so_far, amount).expect("in range");
                prop_assert_eq!(taken(&parts).expect("fits"), amount);
                prop_assert!(flat(&parts).iter().all(|part| *part >= 0));
                add(&mut so_far, &parts, 1);
            }
            let rest = total - taken(&so_far).expect("fits");
            let last = split_off(&whole, &so_far, rest).expect("in range");
            add(&mut so_far, &last, 1);
            prop_assert_eq!(so_far, whole);
        }

        #[test]
        fn one_that_is_undone_in_between_changes_nothing_about_the_end(
            whole in any_order(), steps in proptest::collection::vec((0_i64..100, any::<bool>()), 1..20),
        ) {
            let total = taken(&whole).expect("fits");
            let (mut so_far, mut active) = (none(&whole), Vec::<Vec<Parts>>::new());
            for (percent, undo) in steps {
                if undo && !active.is_empty() {
                    let back = active.remove(usize::try_from(percent).expect("small") % active.len());
                    add(&mut so_far, &back, -1);
                    continue;
                }
                let left = total - taken(&so_far).expect("fits");
                let parts = split_off(&whole, &so_far, left * percent / 100).expect("in range");
                prop_assert!(flat(&parts).iter().all(|part| *part >= 0));
                add(&mut so_far, &parts, 1);
                prop_assert!(flat(&so_far).iter().zip(flat(&whole)).all(|(gone, share)| *gone <= share));
                active.push(parts);
            }
            let rest = total - taken(&so_far).expect("fits");
            let last = split_off(&whole, &so_far, rest).expect("in range");
            add(&mut so_far, &last, 1);
            prop_assert_eq!(so_far, whole);
        }

        #[test]
        fn more_than_is_left_is_refused(whole in any_order(), over in 1_i64..1_000) {
            let total = taken(&whole).expect("fits");
            prop_assert_eq!(split_off(&whole, &none(&whole), total + over), Err(MoneyError::OutOfRange));
        }
    }
}
