//! Yearly figures per seller in the manner of DAC7 (Directive (EU) 2021/514) and the OECD's model rules for digital
//! platforms, as CSV with one row per seller and currency.
//!
//! What it is not: a filing. It is not the DPI XML schema, holds no message header and no correction records, and does
//! not decide whether data licences are a relevant activity at all (they are neither goods nor personal services); that
//! is for the operator's adviser. It is the evidence such a filing would be made from.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::Date;

use crate::{Currency, tax::Country};

/// What is known of a seller from its due diligence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    /// The exchange's own id; unique with the currency in one extract.
    pub id: String,
    /// A legal entity; otherwise a person, whose date of birth is asked for.
    pub is_entity: bool,
    pub name: String,
    pub address: String,
    pub country: Country,
    /// Taxpayer identification number and the country that issued it.
    pub tin: Option<(String, Country)>,
    pub vat_id: Option<String>,
    pub legal_id: Option<String>,
    pub birth_date: Option<Date>,
}

/// The figures of a quarter, in minor units; refunds are already taken off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarter {
    /// Paid or credited to the seller, without the fees.
    pub consideration_minor: i64,
    /// Fees, commissions and taxes withheld or charged by the operator.
    pub fees_minor: i64,
    /// Number of sales.
    pub activities: u32,
}

/// A seller's year in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SellerYear {
    pub seller: Seller,
    pub currency: Currency,
    pub quarters: [Quarter; 4],
}

impl SellerYear {
    /// What due diligence has not found yet, by column name.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let seller = &self.seller;
        let gaps = [
            (seller.name.trim().is_empty(), "name"),
            (seller.address.trim().is_empty(), "address"),
            (seller.tin.is_none(), "tin"),
            (seller.is_entity && seller.legal_id.is_none(), "legal_id"),
            (!seller.is_entity && seller.birth_date.is_none(), "birth_date"),
        ];
        gaps.into_iter().filter(|(is_gap, _)| *is_gap).map(|(_, column)| column).collect()
    }
}

/// Rows that make no extract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DpiError {
    #[error("seller {seller} has two rows in {currency}: add them up first")]
    Duplicate { seller: String, currency: String },
    #[error("the year's sum of seller {seller} does not fit 64 bits")]
    Overflow { seller: String },
    #[error("the CSV could not be written")]
    Csv,
}

const COLUMNS: [&str; 27] = [
    "year",
    "seller_id",
    "seller_type",
    "name",
    "address",
    "country",
    "tin",
    "tin_country",
    "vat_id",
    "legal_id",
    "birth_date",
    "currency",
    "consideration_q1",
    "consideration_q2",
    "consideration_q3",
    "consideration_q4",
    "fees_q1",
    "fees_q2",
    "fees_q3",
    "fees_q4",
    "activities_q1",
    "activities_q2",
    "activities_q3",
    "activities_q4",
    "consideration_year",
    "fees_year",
    "missing",
];

/// Writes the rows as CSV in UTF-8, in their order, with a header row and plain decimals of major units.
///
/// # Errors
/// [`DpiError`]: two rows of a seller in one currency, or sums beyond 64 bits.
pub fn to_csv(year: i32, rows: &[SellerYear]) -> Result<Vec<u8>, DpiError> {
    let mut seen = BTreeSet::new();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(|_| DpiError::Csv)?;
    for row in rows {
        let (seller, currency) = (row.seller.id.clone(), row.currency.code().to_owned());
        if !seen.insert((seller.clone(), currency.clone())) {
            return Err(DpiError::Duplicate { seller, currency });
        }
        writer.write_record(record(year, row)?).map_err(|_| DpiError::Csv)?;
    }
    writer.into_inner().map_err(|_| DpiError::Csv)
}

fn record(year: i32, row: &SellerYear) -> Result<Vec<String>, DpiError> {
    let (seller, currency) = (&row.seller, row.currency);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let year_of = |field: fn(&Quarter) -> i64| {
        let sum = row.quarters.iter().try_fold(0_i64, |sum, quarter| sum.checked_add(field(quarter)));
        sum.map(|minor| currency.plain(minor)).ok_or_else(|| DpiError::Overflow { seller: seller.id.clone() })
    };
    let mut record = vec![
        year.to_string(),
        seller.id.clone(),
        if seller.is_entity { "entity" } else { "individual" }.to_owned(),
        seller.name.clone(),
        seller.address.clone(),
        seller.country.to_string(),
        seller.tin.as_ref().map(|(tin, _)| tin.clone()).unwrap_or_default(),
        seller.tin.as_ref().map(|(_, country)| country.to_string()).unwrap_or_default(),
        text(&seller.vat_id),
        text(&seller.legal_id),
        seller.birth_date.map(|date| date.to_string()).unwrap_or_default(),
        currency.code().to_owned(),
    ];
    record.extend(row.quarters.iter().map(|quarter| currency.plain(quarter.consideration_minor)));
    record.extend(row.quarters.iter().map(|quarter| currency.plain(quarter.fees_minor)));
    record.extend(row.quarters.iter().map(|quarter| quarter.activities.to_string()));
    record.push(year_of(|quarter| quarter.consideration_minor)?);
    record.push(year_of(|quarter| quarter.fees_minor)?);
    record.push(row.missing().join(" "));
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, currency: Currency) -> SellerYear {
        let quarter = |n: i64| Quarter { consideration_minor: 8_001 * n, fees_minor: 2_000 * n, activities: 3 };
        SellerYear {
            seller: Seller {
                id: id.to_owned(),
                is_entity: true,
                name: "Pegel \"&\" Söhne, GmbH".to_owned(),
                address: "Am Strom 7\n20457 Hamburg".to_owned(),
                country: Country::parse("DE").unwrap(),
                tin: Some(("136695976".to_owned(), Country::parse("DE").unwrap())),
                vat_id: Some("DE136695976".to_owned()),
                legal_id: None,
                birth_date: None,
            },
            currency,
            quarters: [quarter(1), quarter(2), quarter(0), quarter(-1)],
        }
    }

    #[test]
    fn the_row_reads_back_with_its_sums_and_its_gaps() {
        let eur = Currency::new("EUR", 2).unwrap();
        let jpy = Currency::new("JPY", 0).unwrap();
        let bytes = to_csv(2026, &[row("org_1", eur), row("org_1", jpy)]).unwrap();
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let header = reader.headers().unwrap().clone();
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let cell = |record: usize, column: &str| {
            records[record].get(header.iter().position(|name| name == column).unwrap()).unwrap().to_owned()
        };
        assert_eq!(cell(0, "name"), "Pegel \"&\" Söhne, GmbH");
        assert_eq!((cell(0, "consideration_q2"), cell(0, "consideration_year")), ("160.02".into(), "160.02".into()));
        assert_eq!((cell(0, "fees_q4"), cell(0, "fees_year")), ("-20.00".into(), "40.00".into()));
        assert_eq!((cell(1, "fees_year"), cell(1, "activities_q3")), ("4000".into(), "3".into()));
        assert_eq!(cell(0, "missing"), "legal_id");
    }

    #[test]
    fn two_rows_of_a_seller_in_a_currency_are_refused() {
        let eur = Currency::new("EUR", 2).unwrap();
        assert!(matches!(to_csv(2026, &[row("a", eur), row("a", eur)]), Err(DpiError::Duplicate { .. })));
        let mut large = row("a", eur);
        large.quarters = [Quarter { consideration_minor: i64::MAX, ..Quarter::default() }; 4];
        assert!(matches!(to_csv(2026, &[large]), Err(DpiError::Overflow { .. })));
    }
}
