//! A journal for hledger.
//!
//! Source: hledger.org/hledger.html, sections "Journal", "Directives" and "Balance assertions".

use std::fmt::Write as _;

use entity::states::AccountClass;
use time::Date;

use super::{
    ExportedAccount, currencies_of,
    model::{account_name, one_line},
};
use crate::{base::Money, error::Result, ledger::StoredEntry, settlement::currency};

/// The letter of hledger's account types; cash is what can be spent.
const fn account_type(class: AccountClass) -> char {
    match class {
        AccountClass::Asset => 'A',
        AccountClass::Liability => 'L',
        AccountClass::Income => 'R',
        AccountClass::Expense => 'X',
        AccountClass::Clearing => 'E',
    }
}

pub(super) fn head(accounts: &[ExportedAccount]) -> String {
    let mut text = String::from("; The ledger of this exchange. Dates are of booking, secondary dates of the event.\n");
    for currency in currencies_of(accounts) {
        // A commodity's format needs a decimal mark, also where there are no decimals.
        let sample = Money::new(1_000 * currency.minor_per_major(), currency).major_text();
        let mark = if currency.exponent() == 0 { "." } else { "" };
        let _ = writeln!(text, "commodity {sample}{mark} {currency}");
    }
    for account in accounts {
        let name = account_name(account.class, &account.code);
        let _ = writeln!(text, "account {name}  ; type: {}", account_type(account.class));
    }
    text
}

/// Text of a description: a semicolon would begin a comment, a bar separates payee and note.
fn description(text: &str) -> String {
    one_line(text).replace([';', '|'], " ")
}

/// Text of a comment's tag: a comma would end its value.
fn tag(text: &str) -> String {
    one_line(text).replace(',', " ")
}

pub(super) fn entry(text: &mut String, lines: &[StoredEntry]) -> Result<()> {
    let Some(first) = lines.first() else { return Ok(()) };
    let (booked, happened) = (first.posted_at.0.date(), first.effective_at.0.date());
    let _ = writeln!(text, "\n{booked}={happened} * {} | {}", first.kind, description(&first.source));
    let _ = writeln!(text, "    ; entry: {}", first.entry_id);
    if let Some(memo) = &first.memo {
        let _ = writeln!(text, "    ; memo: {}", tag(memo));
    }
    for line in lines {
        let amount = Money::new(line.amount_minor, currency(&line.currency)?);
        let _ = write!(text, "    {}  {amount}", account_name(line.class, &line.code));
        if let Some(order) = line.order_id {
            let _ = write!(text, "  ; order: {order}");
        }
        text.push('\n');
    }
    Ok(())
}

/// What every account amounts to after the entries of `day` that stand before it in the file.
pub(super) fn assertions(text: &mut String, day: Date, balances: &[(&str, AccountClass, Money)]) {
    let _ = writeln!(text, "\n{day} * Balances of the day");
    for (code, class, balance) in balances {
        let zero = Money::zero(balance.currency);
        let _ = writeln!(text, "    {}  {zero} = {balance}", account_name(*class, code));
    }
}
