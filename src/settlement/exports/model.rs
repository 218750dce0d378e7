//! What the formats share: their names, and account names that both plain-text programs take.

use entity::states::AccountClass;
use serde::{Deserialize, Serialize};

/// A format of the ledger export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A journal for hledger.
    Hledger,
    /// A ledger for beancount.
    Beancount,
    /// A journal for ledger-cli.
    Ledger,
    /// One line per posting, RFC 4180.
    Csv,
    /// Manual journals in the columns that Xero imports, RFC 4180.
    Xero,
}

impl Format {
    /// The media type it is sent with.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Hledger | Self::Beancount | Self::Ledger => "text/plain; charset=utf-8",
            Self::Csv | Self::Xero => "text/csv; charset=utf-8",
        }
    }

    /// The ending of its files.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Hledger => "journal",
            Self::Beancount => "beancount",
            Self::Ledger => "ledger",
            Self::Csv => "csv",
            Self::Xero => "xero.csv",
        }
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hledger" => Ok(Self::Hledger),
            "beancount" => Ok(Self::Beancount),
            "ledger" => Ok(Self::Ledger),
            "csv" => Ok(Self::Csv),
            "xero" => Ok(Self::Xero),
            _ => Err("expected one of: hledger, beancount, ledger, csv, xero".to_owned()),
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

/// The account's name: `provider.org_0193….pending` is `Liabilities:Provider:Org-0193…:Pending`, and `vat.dk`
/// is `Liabilities:VAT:DK`.
///
/// Components are letters, digits and dashes and begin with a capital or a digit, as beancount asks.
pub(super) fn account_name(class: AccountClass, code: &str) -> String {
    let mut name = root(class).to_owned();
    // Tax and country are written as abbreviations; a country has nothing but letters and digits.
    if let Some(country) =
        code.strip_prefix("vat.").filter(|country| country.bytes().all(|b| b.is_ascii_alphanumeric()))
    {
        return format!("{name}:VAT:{}", country.to_ascii_uppercase());
    }
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
        assert_eq!(account_name(AccountClass::Liability, "vat.dk"), "Liabilities:VAT:DK");
        assert_eq!(account_name(AccountClass::Asset, "bank.main_eur"), "Assets:Bank:Main-eur");
        assert_eq!(account_name(AccountClass::Asset, "provider.org_1.receivable"), "Assets:Provider:Org-1:Receivable");
        assert_eq!(account_name(AccountClass::Liability, "buyer.org_1.credit"), "Liabilities:Buyer:Org-1:Credit");
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
