//! Allocating an amount over the parties of an order, and taking each share from where it stands.

use std::collections::{BTreeMap, HashMap};

use entity::{
    ids::{LedgerAccountId, OrgId},
    order, order_line, order_reduction,
    states::TaxMode,
};

use crate::{
    base::{Currency, Money, MoneyError, allocate},
    ledger::{Account, Line},
    trade::orders::OrderFacts,
};

/// What one reduction takes of one line; all amounts in minor units, none negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// The line.
    pub line_no: i32,
    /// Who sold it.
    pub provider: OrgId,
    /// Of the provider's share.
    pub provider_minor: i64,
    /// Of the operator's share.
    pub operator_minor: i64,
    /// Of the tax that the operator owes.
    pub tax_minor: i64,
}

/// The shares of every line, as they were frozen: what all reductions together can take.
pub fn parts_of(facts: &OrderFacts) -> Vec<Parts> {
    facts.lines().map(|line| part_of(&facts.order, line)).collect()
}

fn part_of(order: &order::Model, line: &order_line::Model) -> Parts {
    Parts {
        line_no: line.line_no,
        provider: line.provider_id,
        provider_minor: line.provider_minor,
        operator_minor: line.operator_minor,
        tax_minor: if order.tax_mode == TaxMode::DeemedSupplier { line.tax_minor } else { 0 },
    }
}

/// True when `of`, the rows of one reduction, are what [`split_off`] takes for their sum after the rows `before`.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn is_split<'a>(
    order: &order::Model,
    lines: &[order_line::Model],
    before: impl Iterator<Item = &'a order_reduction::Model>,
    of: impl Iterator<Item = &'a order_reduction::Model>,
) -> Result<bool, MoneyError> {
    let mut lines: Vec<&order_line::Model> = lines.iter().collect();
    lines.sort_by_key(|line| line.line_no);
    let whole: Vec<Parts> = lines.into_iter().map(|line| part_of(order, line)).collect();
    let (earlier, found) = (sums_by_line(&whole, before), sums_by_line(&whole, of));
    Ok(split_off(&whole, &earlier, taken(&found)?).is_ok_and(|ought| ought == found))
}

fn sums_by_line<'a>(whole: &[Parts], rows: impl Iterator<Item = &'a order_reduction::Model>) -> Vec<Parts> {
    let nothing = |part: &Parts| Parts { provider_minor: 0, operator_minor: 0, tax_minor: 0, ..*part };
    let mut sums: Vec<Parts> = whole.iter().map(nothing).collect();
    for row in rows {
        for sum in sums.iter_mut().filter(|sum| sum.line_no == row.line_no) {
            sum.provider_minor += row.provider_minor;
            sum.operator_minor += row.operator_minor;
            sum.tax_minor += row.tax_minor;
        }
    }
    sums
}

fn flat(parts: &[Parts]) -> Vec<i64> {
    parts.iter().flat_map(|part| [part.provider_minor, part.operator_minor, part.tax_minor]).collect()
}

/// The sum of these parts.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn taken(parts: &[Parts]) -> Result<i64, MoneyError> {
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
pub fn split_off(whole: &[Parts], earlier: &[Parts], amount_minor: i64) -> Result<Vec<Parts>, MoneyError> {
    let (shares, before) = (flat(whole), flat(earlier));
    let left: Vec<i64> = shares.iter().zip(&before).map(|(share, gone)| share - gone).collect();
    let already = taken(earlier)?;
    let after = already.checked_add(amount_minor).ok_or(MoneyError::Overflow)?;
    let cumulative = allocate::cumulative(&shares, 0, after)?;
    let mut now: Vec<i64> = cumulative.iter().zip(&before).map(|(until, gone)| until - gone).collect();
    if now.iter().any(|part| *part < 0) {
        now = allocate::cumulative(&left, 0, amount_minor)?;
    }
    let part = |(part, minor): (&Parts, &[i64])| match minor {
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

/// Where a provider's share of one order stands, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// While the hold lasts.
    pub pending_minor: i64,
    /// Due, and in no payout.
    pub payable_minor: i64,
}

/// Where the share of each provider stands, from the sums of the order's postings.
pub fn positions(
    whole: &[Parts],
    sums: &HashMap<LedgerAccountId, i64>,
    currency: Currency,
) -> BTreeMap<OrgId, Position> {
    let owed = |account: Account| -sums.get(&account.id(currency)).copied().unwrap_or(0);
    let position = |org| Position {
        pending_minor: owed(Account::ProviderPending(org)).max(0),
        payable_minor: owed(Account::ProviderPayable(org)).max(0),
    };
    whole.iter().map(|part| (part.provider, position(part.provider))).collect()
}

/// One line's provider share as it is taken: the debits, and what of them is a debt.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The line.
    pub part: Parts,
    /// What was paid out before and is owed by the provider now.
    pub debt_minor: i64,
    /// The debits of the provider's accounts; they sum to its part.
    pub debits: Vec<Line>,
}

impl Taken {
    /// Takes each provider's part from what is pending, then from what is payable; the rest was paid
    /// out before, and the provider owes it.
    pub fn all(parts: &[Parts], positions: &mut BTreeMap<OrgId, Position>, currency: Currency) -> Vec<Self> {
        parts.iter().map(|part| Self::one(*part, positions.entry(part.provider).or_default(), currency)).collect()
    }

    fn one(part: Parts, position: &mut Position, currency: Currency) -> Self {
        let pending = part.provider_minor.min(position.pending_minor);
        let payable = (part.provider_minor - pending).min(position.payable_minor);
        let debt_minor = part.provider_minor - pending - payable;
        position.pending_minor -= pending;
        position.payable_minor -= payable;
        let debits = [
            (Account::ProviderPending(part.provider), pending),
            (Account::ProviderPayable(part.provider), payable),
            (Account::ProviderReceivable(part.provider), debt_minor),
        ];
        let line = |(account, minor)| Line::debit(account, Money::new(minor, currency));
        let debits = debits.into_iter().filter(|(_, minor)| *minor > 0).map(line).collect();
        Self { part, debt_minor, debits }
    }
}

/// The credits that give a provider's parts back: first against a debt that nothing was asked for yet,
/// the rest to where the hold has left the share.
pub fn returned(rows: &[order_reduction::Model], hold_runs: bool, currency: Currency) -> Vec<Line> {
    let mut lines = Vec::new();
    for row in rows {
        let home = if hold_runs {
            Account::ProviderPending(row.provider_id)
        } else {
            Account::ProviderPayable(row.provider_id)
        };
        let back = row.provider_minor - row.undone_debt_minor;
        lines.push(Line::credit(
            Account::ProviderReceivable(row.provider_id),
            Money::new(row.undone_debt_minor, currency),
        ));
        lines.push(Line::credit(home, Money::new(back, currency)));
    }
    lines.retain(|line| !line.amount.is_zero());
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(line_no: i32, provider_minor: i64, operator_minor: i64, tax_minor: i64) -> Parts {
        Parts { line_no, provider: OrgId::derived("p"), provider_minor, operator_minor, tax_minor }
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
    fn a_share_is_taken_from_where_it_stands() {
        let currency: Currency = "EUR".parse().expect("in the table");
        let position = Position { pending_minor: 0, payable_minor: 30 };
        let mut positions = BTreeMap::from([(OrgId::derived("p"), position)]);
        let taken = Taken::all(&[line(1, 50, 10, 0), line(2, 5, 0, 0)], &mut positions, currency);
        assert_eq!((taken[0].debt_minor, taken[1].debt_minor), (20, 5));
        assert_eq!(taken[0].debits.iter().map(|line| line.amount.minor).collect::<Vec<_>>(), [30, 20]);
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
