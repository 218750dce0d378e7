//! Allocating an amount over the parties of an order, and taking each share from where it stands.

use std::collections::{BTreeMap, HashMap};

use entity::{
    ids::{LedgerAccountId, OrgId},
    order, order_line, order_reduction,
    states::TaxMode,
};
use torv_money::{reductions, standing};
pub use torv_money::{
    reductions::{split_off, taken},
    standing::Position,
};

use crate::{
    base::{Currency, Money, MoneyError},
    ledger::{Account, Line},
    trade::orders::OrderFacts,
};

/// What one reduction takes of one line; all amounts in minor units, none negative.
pub type Parts = reductions::Parts<OrgId>;

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

/// The debits of a provider's accounts for what was taken from where it stood.
pub fn debits(org: OrgId, from: standing::Taken, currency: Currency) -> Vec<Line> {
    let debits = [
        (Account::ProviderPending(org), from.pending_minor),
        (Account::ProviderPayable(org), from.payable_minor),
        (Account::ProviderReceivable(org), from.receivable_minor),
    ];
    let line = |(account, minor)| Line::debit(account, Money::new(minor, currency));
    debits.into_iter().filter(|(_, minor)| *minor > 0).map(line).collect()
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
        let from = position.take(part.provider_minor);
        Self { part, debt_minor: from.receivable_minor, debits: debits(part.provider, from, currency) }
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
    use super::*;

    fn line(line_no: i32, provider_minor: i64, operator_minor: i64, tax_minor: i64) -> Parts {
        Parts { line_no, provider: OrgId::derived("p"), provider_minor, operator_minor, tax_minor }
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
}
