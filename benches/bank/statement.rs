//! The statement, and the payouts that its lines settle.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

use time::{Date, Duration, macros::date};

use crate::writers::{self, Account, Entry};

/// The account's number.
pub const IBAN: &str = "DK5000400440116243";
const OPENING_MINOR: i64 = 1_000_000;
const FIRST: Date = date!(2026 - 10 - 01);
const DAYS: i64 = 31;

/// What explains a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explained {
    ByPayout,
    ByCharge,
    ByNothing,
}

pub fn explained(row: i64) -> Explained {
    match row % 100 {
        0 => Explained::ByNothing,
        1..=9 => Explained::ByCharge,
        _ => Explained::ByPayout,
    }
}

pub fn day(row: i64, rows: i64) -> Date {
    FIRST + Duration::days(row * DAYS / rows)
}

/// What the payout of a row is of.
pub fn amount_minor(row: i64) -> i64 {
    10_000 + row * 7_919 % 900_000
}

/// The processor's name of the payout of a row.
pub fn reference(row: i64) -> String {
    format!("po_{row:010}")
}

fn entry(row: i64, rows: i64) -> Entry {
    let day = day(row, rows);
    let by_payout = explained(row) == Explained::ByPayout;
    let (amount_minor, text) = match explained(row) {
        Explained::ByPayout => (amount_minor(row), "Payout of sales, thank you for your business"),
        Explained::ByCharge => (-250, "Monthly fee"),
        Explained::ByNothing => (4_200, "A transfer that nobody explains"),
    };
    Entry {
        booking_date: day,
        value_date: day,
        amount_minor,
        reference: Some(format!("B{row:010}")),
        end_to_end_id: by_payout.then(|| reference(row)),
        mandate_id: None,
        name: Some("Processor Payments".to_owned()),
        account: Some("NL84TORV0000012345".to_owned()),
        text: Some(text.to_owned()),
    }
}

/// Writes the statement; returns its size in bytes.
pub fn write(path: &Path, rows: i64) -> u64 {
    let account = Account { iban: IBAN, currency: "EUR", exponent: 2, opening_minor: OPENING_MINOR };
    let mut out = BufWriter::with_capacity(1 << 18, File::create(path).expect("a file"));
    writers::camt(&mut out, "08", &account, (0..rows).map(|row| entry(row, rows))).expect("written");
    out.flush().expect("written");
    std::fs::metadata(path).expect("it is there").len()
}
