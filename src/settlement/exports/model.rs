//! What the formats share: their names, and account names that both plain-text programs take.

use entity::states::AccountClass;
use serde::{Deserialize, Serialize};

/// A format of the ledger export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A journal for hledger, read by ledger-cli as well.
    Hledger,
    /// A ledger for beancount.
    Beancount,
    /// One line per posting, RFC 4180.
    Csv,
}

impl Format {
    /// The media type it is sent with.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Hledger | Self::Beancount => "text/plain; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// The ending of its files.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Hledger => "journal",
            Self::Beancount => "beancount",
            Self::Csv => "csv",
        }
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hledger" => Ok(Self::Hledger),
            "beancount" => Ok(Self::Beancount),
            "csv" => Ok(Self::Csv),
            _ => Err("expected one of: hledger, beancount, csv".to_owned()),
        }
    }
}

/// The five roots of plain-text accounting; clearing accounts live under equity, where zero is expected.
pub(super) const fn root(class: AccountClass) -> &'static str {
    match class {
        AccountClass::Asset => "Assets",
        AccountClass::Liability => "Liabilities",
        AccountClass::Income => "Income",
        AccountClass::Expense => "Expenses",
        AccountClass::Clearing => "Equity",
    }
}

/// The account's name: `provider.org_0193….pending` is `Liabilities:Provider:Org-0193…:Pending`.
///
/// Components are letters, digits and dashes and begin with a capital or a digit, as beancount asks.
pub(super) fn account_name(class: AccountClass, code: &str) -> String {
    let mut name = root(class).to_owned();
    for part in code.split('.') {
        name.push(':');
        let mut letters = part.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).peekable();
        match letters.peek() {
            Some(first) if first.is_ascii_alphanumeric() => {
                name.extend(letters.next().map(|c| c.to_ascii_uppercase()));
            }
            _ => name.push('X'),
        }
        name.extend(letters);
    }
    name
}

/// Text on one line, for comments and quoted strings: control characters become spaces.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_what_accountants_expect() {
        assert_eq!(account_name(AccountClass::Asset, "processor.in_transit"), "Assets:Processor:In-transit");
        assert_eq!(account_name(AccountClass::Clearing, "clearing.payment"), "Equity:Clearing:Payment");
        assert_eq!(
            account_name(AccountClass::Liability, "provider.org_01a.pending"),
            "Liabilities:Provider:Org-01a:Pending"
        );
    }

    proptest! {
        #[test]
        fn every_code_becomes_a_legal_name(code in "\\PC{0,40}") {
            let name = account_name(AccountClass::Clearing, &code);
            for part in name.split(':') {
                let first = part.chars().next().expect("never empty");
                prop_assert!(first.is_ascii_uppercase() || first.is_ascii_digit());
                prop_assert!(part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            }
        }
    }
}
