//! `:61:`, a statement line, and the balances of `:60:` and `:62:`.

use time::Date;

use crate::{
    amount::{Currency, ExponentOf, minor_from_decimal},
    camt::entry::given,
    date::{date, small},
    error::{Fault, FaultKind, excerpt},
    record::{Balance, LineStatus, PaymentParty},
    statement::LineDraft,
};

/// Longest amount of the standard: 15 characters with the comma.
const AMOUNT_CHARS_MAX: usize = 15;

/// Reads `:60F:` and `:62F:`: `C260131EUR1234,50`.
pub(crate) fn balance(text: &str, exponent_of: ExponentOf) -> Result<(Balance, Currency), Fault> {
    let malformed = || {
        let problem = format!("{} is not a balance", excerpt(text));
        Fault::new(FaultKind::Syntax, problem, "Write C or D, the date as YYMMDD, the currency and the amount.")
    };
    let text = text.trim();
    let (sign, day, code, amount) = (text.get(..1), text.get(1..7), text.get(7..10), text.get(10..));
    let (Some(sign), Some(day), Some(code), Some(amount)) = (sign, day, code, amount) else {
        return Err(malformed());
    };
    let is_debit = match sign {
        "C" => false,
        "D" => true,
        _ => return Err(malformed()),
    };
    let date = short_date(day).ok_or_else(malformed)?;
    let currency = Currency::parse(code, exponent_of)?;
    let minor = comma_amount(amount, currency)?;
    let minor = if is_debit { -minor } else { minor };
    Ok((Balance { minor, date: Some(date) }, currency))
}

/// Reads `:61:2601310131CR12,50NTRFNONREF//B7` and its second line.
///
/// Source: SWIFT MT940 field 61: value date, entry date, mark, funds code, amount, type, references.
pub(crate) fn statement_line(text: &str, currency: Currency) -> Result<LineDraft, Fault> {
    let malformed = |what: &str| {
        let problem = format!("{} has no {what}", excerpt(text));
        let advice =
            "Write YYMMDD[MMDD], C, D, RC or RD, an amount with a comma, a type of four characters and the reference.";
        Fault::new(FaultKind::Syntax, problem, advice)
    };
    let (first, supplement) = text.split_once('\n').unwrap_or((text, ""));
    let value_date = first.get(..6).and_then(short_date).ok_or_else(|| malformed("value date"))?;
    let rest = first.get(6..).unwrap_or_default();
    let (booking_date, rest) = match rest.get(..4).filter(|day| day.bytes().all(|b| b.is_ascii_digit())) {
        Some(day) => {
            let entry = entry_date(day, value_date).ok_or_else(|| malformed("entry date of the calendar"))?;
            (entry, rest.get(4..).unwrap_or_default())
        }
        None => (value_date, rest),
    };
    let (mark, rest) = split_mark(rest).ok_or_else(|| malformed("mark"))?;
    // The funds code is the third letter of the currency.
    let rest = rest.strip_prefix(|c: char| c.is_ascii_uppercase()).unwrap_or(rest);
    let amount_end = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
    let (amount, rest) = rest.split_at(amount_end);
    let minor = comma_amount(amount, currency)?;
    let kind = rest.get(..4).filter(|kind| is_type(kind)).ok_or_else(|| malformed("type"))?;
    let references = rest.get(4..).unwrap_or_default();
    let (customer, bank) = references.split_once("//").map_or((references, None), |(c, b)| (c, Some(b)));
    Ok(LineDraft {
        bank_reference: bank.map(str::trim).and_then(given),
        booking_date,
        value_date: Some(value_date),
        amount_minor: if mark.is_debit { -minor } else { minor },
        status: mark.status,
        is_reversal: mark.is_reversal,
        party: PaymentParty {
            end_to_end_id: given(customer.trim()),
            remittance: given(supplement.trim()),
            ..PaymentParty::default()
        },
        transaction_code: Some(kind.to_owned()),
        details: Vec::new(),
    })
}

struct Mark {
    is_debit: bool,
    is_reversal: bool,
    status: LineStatus,
}

/// C and D; R before it takes back the opposite, E before it is expected.
fn split_mark(text: &str) -> Option<(Mark, &str)> {
    let mark = |is_debit, is_reversal, status| Mark { is_debit, is_reversal, status };
    let marks = [
        ("RC", mark(true, true, LineStatus::Booked)),
        ("RD", mark(false, true, LineStatus::Booked)),
        ("EC", mark(false, false, LineStatus::Pending)),
        ("ED", mark(true, false, LineStatus::Pending)),
        ("C", mark(false, false, LineStatus::Booked)),
        ("D", mark(true, false, LineStatus::Booked)),
    ];
    marks.into_iter().find_map(|(name, mark)| Some((mark, text.strip_prefix(name)?)))
}

fn is_type(kind: &str) -> bool {
    matches!(kind.as_bytes(), [b'N' | b'F' | b'S', rest @ ..] if rest.iter().all(u8::is_ascii_alphanumeric))
}

fn comma_amount(text: &str, currency: Currency) -> Result<i64, Fault> {
    if !text.contains(',') || text.len() > AMOUNT_CHARS_MAX {
        let problem = format!("{} is not an amount", excerpt(text));
        let advice =
            format!("Write up to {AMOUNT_CHARS_MAX} characters with a decimal comma, such as 1234,50 or 1234,.");
        return Err(Fault::new(FaultKind::Amount, problem, advice));
    }
    minor_from_decimal(text, ',', currency)
}

/// YYMMDD: years 80 to 99 are of the last century.
fn short_date(text: &str) -> Option<Date> {
    let digits = text.as_bytes();
    let (year, month, day) = (small(digits.get(..2)?)?, small(digits.get(2..4)?)?, small(digits.get(4..)?)?);
    let century = if year >= 80 { 1900 } else { 2000 };
    date(century + i32::from(year), month, day)
}

/// MMDD in the year that brings it closest to the value date.
fn entry_date(text: &str, value_date: Date) -> Option<Date> {
    let digits = text.as_bytes();
    let (month, day) = (small(digits.get(..2)?)?, small(digits.get(2..)?)?);
    let year = value_date.year();
    (year - 1..=year + 1)
        .filter_map(|year| date(year, month, day))
        .min_by_key(|entry| (*entry - value_date).whole_days().abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur() -> Currency {
        Currency::parse("EUR", |_| Some(2)).expect("a known code")
    }

    #[test]
    fn marks_give_sign_and_reversal() {
        for (mark, minor, is_reversal) in [
            ("C", 1250, false),
            ("D", -1250, false),
            ("RC", -1250, true),
            ("RD", 1250, true),
            ("CR", 1250, false),
            ("RCR", -1250, true),
        ] {
            let line = statement_line(&format!("2601310131{mark}12,5NTRFNONREF"), eur()).expect(mark);
            assert_eq!((line.amount_minor, line.is_reversal), (minor, is_reversal), "{mark}");
        }
    }

    #[test]
    fn the_entry_date_takes_the_closest_year() {
        let day = |text| statement_line(text, eur()).expect(text).booking_date.to_string();
        assert_eq!(day("2512311231C1,NTRFX"), "2025-12-31");
        assert_eq!(day("2512310102C1,NTRFX"), "2026-01-02");
        assert_eq!(day("2601021231C1,NTRFX"), "2025-12-31");
        assert_eq!(day("260102C1,NTRFX"), "2026-01-02");
    }

    #[test]
    fn references_are_split_at_the_double_slash() {
        let line = statement_line("260102D1,NTRFINV-7//BANK-7\nmore", eur()).expect("a line");
        assert_eq!(line.party.end_to_end_id.as_deref(), Some("INV-7"));
        assert_eq!(line.bank_reference.as_deref(), Some("BANK-7"));
        assert_eq!(line.party.remittance.as_deref(), Some("more"));
    }

    #[test]
    fn malformed_lines_are_refused() {
        for text in [
            "",
            "2601",
            "260230C1,NTRFX",
            "260102X1,NTRFX",
            "260102C1NTRFX",
            "260102C1.5NTRFX",
            "260102C1,23456NTRFX",
            "260102C1,TRF",
            "260102C1,N",
        ] {
            assert!(statement_line(text, eur()).is_err(), "{text}");
        }
    }
}
