//! What a bank account may be called, and how its tables are read.

use entity::bank_account;
use serde::{Deserialize, Serialize};
use torv_bank::{AccountId, CsvProfile};

use crate::{
    base::Currency,
    error::{Check, Error, Result},
    ledger::Account,
};

/// Longest short name; it becomes part of a ledger account's code.
pub const NAME_CHARS_MAX: usize = 40;
/// Longest account number; an IBAN has at most 34 characters.
pub const NUMBER_CHARS_MAX: usize = 40;

/// A layout of tables that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum CsvLayout {
    /// Semicolons, `31-01-2026`, `1.234,50`.
    Danish,
    /// Semicolons, `31.01.2026`, Windows-1252, four lines before the header.
    German,
    /// Commas, `01/31/2026`, `1,234.50`.
    Us,
}

impl CsvLayout {
    /// The layout as a profile.
    pub fn profile(self) -> CsvProfile {
        match self {
            Self::Danish => CsvProfile::danish_example(),
            Self::German => CsvProfile::german_example(),
            Self::Us => CsvProfile::us_example(),
        }
    }
}

/// Checks a short name and a number, and returns the number in its normal form.
///
/// # Errors
/// `Invalid`, naming each value to change.
pub fn checked(name: &str, number: &str) -> Result<String> {
    let mut check = Check::new();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let good = (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(plain);
    let advice = "Write 1 to 40 lower-case letters, digits and underscores, the first one a letter.";
    check.require(good, "/name", advice);
    check.name(number, NUMBER_CHARS_MAX, "/number");
    check.done()?;
    Ok(AccountId::parse(number).as_str().to_owned())
}

/// Reads and checks a profile as it was sent.
///
/// # Errors
/// `Invalid`, saying which setting to change.
pub fn checked_profile(value: serde_json::Value) -> Result<CsvProfile> {
    let profile: CsvProfile = serde_path_to_error::deserialize(value)
        .map_err(|error| Error::invalid("/csv_profile", format!("{}: {}.", error.path(), error.inner())))?;
    profile.check().map_err(|advice| Error::invalid("/csv_profile", advice))?;
    Ok(profile)
}

/// The stored profile of an account, if it has one.
///
/// # Errors
/// Internal, when it can't be read back.
pub fn profile_of(row: &bank_account::Model) -> Result<Option<CsvProfile>> {
    Ok(row.csv_profile.clone().map(serde_json::from_value).transpose()?)
}

/// The ledger account of a bank account.
pub fn ledger_account(name: &str) -> Account {
    Account::Bank(name.to_owned())
}

/// The currency of a stored account.
///
/// # Errors
/// Internal, for a code that is not in the table.
pub fn currency_of(row: &bank_account::Model) -> Result<Currency> {
    crate::settlement::currency(&row.currency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_numbers_get_their_normal_form() {
        assert_eq!(checked("main_eur", "dk50 0040 0440 1162 43").expect("good"), "DK5000400440116243");
        for bad in ["", "Main", "1st", "a-b", "å", &"a".repeat(41)] {
            assert!(checked(bad, "1").is_err(), "{bad}");
        }
        assert!(checked("a", "").is_err());
    }

    #[test]
    fn every_built_in_layout_holds_and_survives_being_stored() {
        for layout in [CsvLayout::Danish, CsvLayout::German, CsvLayout::Us] {
            let value = serde_json::to_value(layout.profile()).expect("writes");
            assert_eq!(checked_profile(value).expect("holds"), layout.profile());
        }
    }

    #[test]
    fn a_profile_without_an_amount_is_refused_with_advice() {
        let mut value = serde_json::to_value(CsvLayout::Us.profile()).expect("writes");
        value["columns"]["debit"] = serde_json::Value::Null;
        assert!(checked_profile(value).expect_err("no amount").detail.contains("amount"));
        assert!(checked_profile(serde_json::json!({"name": 1})).is_err());
    }
}
