//! How a decided line is booked.

use std::collections::HashMap;

use entity::states::{EntryKind, MatchSubject};

use super::{
    super::days,
    model::{Decision, LineFacts, Part, PayoutFacts},
};
use crate::{
    base::{Currency, Money},
    error::{Error, Result},
    ledger::{Account, Line, NewEntry},
};

/// The word of the suspense account of bank lines.
const SUSPENSE_WORD: &str = "bank";

/// The account that a part is booked against; a credit's is its buyer's, who is not known here.
pub fn account_of(subject: MatchSubject) -> Option<Account> {
    Some(match subject {
        MatchSubject::Credit => return None,
        MatchSubject::Refund => Account::ClearingRefund,
        MatchSubject::Payout => Account::ProcessorInTransit,
        MatchSubject::Exchange => Account::ClearingExchange,
        MatchSubject::Order => Account::ClearingPayment,
        MatchSubject::Charges => Account::BankCharges,
        MatchSubject::Suspense => suspense(),
    })
}

/// Where lines wait that nothing explains.
fn suspense() -> Account {
    Account::Suspense(SUSPENSE_WORD.to_owned())
}

/// The business event of a line.
pub fn source(line: &LineFacts) -> String {
    format!("bank:{}:{}", line.account, line.key)
}

/// The entry of a decision: the line's amount to the bank against its parts; a line that is in suspense
/// moves out of it instead.
///
/// # Errors
/// When a sum does not fit; internal, when a payout of the decision is not among `payouts`.
pub fn entry(line: &LineFacts, decision: &Decision, payouts: &HashMap<&str, &PayoutFacts>) -> Result<NewEntry> {
    let bank = if line.in_suspense { suspense() } else { Account::Bank(line.account.clone()) };
    let mut lines = vec![posting(bank, line.amount_minor, line.currency)];
    for part in &decision.parts {
        lines.extend(part_lines(part, line.currency, payouts)?);
    }
    let source = if line.in_suspense { format!("{}:matched", source(line)) } else { source(line) };
    let effective_at = days::stored(line.booked_on).0;
    let rule = decision.parts.first().map(|part| part.rule.to_string());
    Ok(NewEntry { kind: EntryKind::BankLine, source, effective_at, memo: rule, lines })
}

fn posting(account: Account, minor: i64, currency: Currency) -> Line {
    Line { account, amount: Money::new(minor, currency), order_id: None }
}

/// The postings of a part. An exchange is booked on both sides, each in its own currency.
fn part_lines(part: &Part, currency: Currency, payouts: &HashMap<&str, &PayoutFacts>) -> Result<Vec<Line>> {
    let against = Money::new(part.amount_minor, currency).checked_neg()?;
    let nobody = || Error::internal("a credit without its buyer");
    let account = account_of(part.subject).ok_or_else(nobody)?;
    let line = Line { account, amount: against, order_id: part.order };
    let mut lines = vec![line];
    if part.subject == MatchSubject::Exchange {
        let missing = || Error::internal("an exchange without its payout");
        let payout = part.payout.as_deref().and_then(|id| payouts.get(id)).ok_or_else(missing)?;
        let settled = Money::new(part.settled_minor, payout.currency);
        lines.push(posting(Account::ClearingExchange, settled.minor, settled.currency));
        lines.push(posting(Account::ProcessorInTransit, settled.checked_neg()?.minor, settled.currency));
    }
    Ok(lines)
}

/// The accounts that an entry needs to be open.
pub fn accounts(entries: &[NewEntry]) -> Vec<(Account, Currency)> {
    let mut wanted: Vec<(Account, Currency)> = entries
        .iter()
        .flat_map(|entry| &entry.lines)
        .map(|line| (line.account.clone(), line.amount.currency))
        .collect();
    wanted.sort_by_key(|(account, currency)| (account.code(), *currency));
    wanted.dedup();
    wanted
}
