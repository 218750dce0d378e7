//! A journal for ledger-cli.
//!
//! Entries and balance assertions are written as for hledger, whose journal format began as ledger's; the
//! directives at the beginning differ.
//!
//! Source: ledger-cli.org, "Ledger 3 Manual", sections "Command Directives" and "Balance verification".

use std::fmt::Write as _;

use super::{ExportedAccount, currencies_of, model::account_name};
use crate::base::Money;

pub(super) fn head(accounts: &[ExportedAccount]) -> String {
    let mut text = String::from("; The ledger of this exchange. Dates are of booking, secondary dates of the event.\n");
    for currency in currencies_of(accounts) {
        let sample = Money::new(1_000 * currency.minor_per_major(), currency);
        let _ = writeln!(text, "commodity {currency}\n    format {sample}");
    }
    for account in accounts {
        let _ = writeln!(text, "account {}", account_name(account.class, &account.code));
    }
    // Tags have to be declared before `--pedantic` takes them.
    for tag in ["entry", "memo", "order"] {
        let _ = writeln!(text, "tag {tag}");
    }
    text
}
