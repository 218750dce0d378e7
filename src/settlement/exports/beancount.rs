//! A ledger for beancount.
//!
//! Source: beancount.github.io, "Beancount - Language Syntax".

use std::fmt::Write as _;

use entity::states::AccountClass;
use time::Date;

use super::{
    ExportedAccount, currencies_of,
    model::{account_name, one_line},
};
use crate::{base::Money, error::Result, ledger::StoredEntry, settlement::currency};

/// The day accounts and currencies are declared from: before anything that can be booked.
const FIRST_DAY: &str = "1970-01-01";

fn quoted(text: &str) -> String {
    format!("\"{}\"", one_line(text).replace('\\', "\\\\").replace('"', "\\\""))
}

pub(super) fn head(accounts: &[ExportedAccount]) -> String {
    let mut text = String::from("; The ledger of this exchange. Dates are of booking.\noption \"title\" \"Torv\"\n");
    let currencies = currencies_of(accounts);
    for currency in &currencies {
        let _ = writeln!(text, "option \"operating_currency\" \"{currency}\"");
    }
    for currency in &currencies {
        let _ = writeln!(text, "{FIRST_DAY} commodity {currency}");
    }
    for account in accounts {
        let kept_in: Vec<&str> = account.currencies.iter().map(|currency| currency.code()).collect();
        let _ = writeln!(text, "{FIRST_DAY} open {} {}", account_name(account.class, &account.code), kept_in.join(","));
    }
    text
}

pub(super) fn entry(text: &mut String, lines: &[StoredEntry]) -> Result<()> {
    let Some(first) = lines.first() else { return Ok(()) };
    let (booked, happened) = (first.posted_at.0.date(), first.effective_at.0.date());
    let _ = writeln!(text, "\n{booked} * {} {}", quoted(first.kind.as_str()), quoted(&first.source));
    let _ = writeln!(text, "  entry: {}\n  effective: {happened}", quoted(&first.entry_id.to_string()));
    if let Some(memo) = &first.memo {
        let _ = writeln!(text, "  memo: {}", quoted(memo));
    }
    for line in lines {
        let amount = Money::new(line.amount_minor, currency(&line.currency)?);
        let _ = writeln!(text, "  {}  {amount}", account_name(line.class, &line.code));
        if let Some(order) = line.order_id {
            let _ = writeln!(text, "    order: {}", quoted(&order.to_string()));
        }
    }
    Ok(())
}

/// What every account amounts to after `day`: balances hold at the beginning of their own day, exactly.
pub(super) fn assertions(text: &mut String, day: Date, balances: &[(&str, AccountClass, Money)]) {
    let Some(next) = day.next_day() else { return };
    text.push('\n');
    for (code, class, balance) in balances {
        let (amount, name) = (balance.major_text(), account_name(*class, code));
        let _ = writeln!(text, "{next} balance {name}  {amount} ~ 0 {}", balance.currency);
    }
}
