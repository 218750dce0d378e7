//! Rows of the database as rules look at them.

use entity::{bank_line, bank_payout, states::BankLineState};

use super::{
    super::days::day_of,
    model::{LineFacts, PayoutFacts},
};
use crate::{error::Result, settlement::currency};

/// Shortest word that can be a reference.
const WORD_CHARS_MIN: usize = 6;
/// Longest word that can be a reference.
const WORD_CHARS_MAX: usize = 120;
/// Words of a text that are looked at.
const WORDS_MAX: usize = 30;
/// Most a bank charges in one line, in major units; a larger debit has to be looked at.
const CHARGE_MAJOR_MAX: i64 = 500;
/// Parts of a transaction code that say that the bank charges us.
const CHARGE_CODES: [&str; 3] = ["CHRG", "COMM", "NCHG"];
/// Words by which banks say that they charge us.
const CHARGE_WORDS: [&str; 8] = ["fee", "fees", "charge", "charges", "gebyr", "gebyrer", "gebühr", "gebühren"];

/// A line.
///
/// # Errors
/// Internal, for a currency that is not in the table.
pub fn line_facts(row: &bank_line::Model) -> Result<LineFacts> {
    let currency = currency(&row.currency)?;
    let text = row.remittance.as_deref().unwrap_or_default();
    let is_word = |word: &&str| (WORD_CHARS_MIN..=WORD_CHARS_MAX).contains(&word.len());
    // A buyer's own number can have a sign in it at which other words end.
    let uncut = text.split_whitespace().filter(|word| split(word).nth(1).is_some());
    let words = row.creditor_reference.as_deref().into_iter().chain(uncut).chain(split(text));
    let words = words.filter(is_word).take(WORDS_MAX);
    let references = row.end_to_end_id.iter().chain(&row.bank_reference).cloned().collect();
    let field = |text: Option<&String>| text.map(|text| text.trim().to_lowercase()).unwrap_or_default();
    let counterparty = field(row.counterparty_name.as_ref());
    let told = [field(row.end_to_end_id.as_ref()), text.to_lowercase(), counterparty.clone()].join("\n");
    let most = currency.minor_per_major().saturating_mul(CHARGE_MAJOR_MAX);
    let is_small_debit = row.amount_minor < 0 && row.amount_minor >= -most;
    Ok(LineFacts {
        id: row.id,
        account: row.account.clone(),
        key: row.key.clone(),
        currency,
        booked_on: day_of(row.booked_on),
        amount_minor: row.amount_minor,
        in_suspense: row.state == BankLineState::Suspense,
        references,
        words: words.map(str::to_owned).collect(),
        told,
        counterparty,
        is_charge: is_small_debit && says_charge(row.transaction_code.as_deref().unwrap_or_default(), text),
    })
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '/' | '(' | ')' | '"'))
}

fn says_charge(code: &str, text: &str) -> bool {
    let by_code = code.split(['-', '+']).any(|part| CHARGE_CODES.contains(&part));
    by_code || split(text).any(|word| CHARGE_WORDS.contains(&word.to_lowercase().as_str()))
}

/// A payout.
///
/// # Errors
/// Internal, for a currency that is not in the table.
pub fn payout_facts(row: bank_payout::Model) -> Result<PayoutFacts> {
    Ok(PayoutFacts {
        currency: currency(&row.currency)?,
        expected_on: day_of(row.expected_on.unwrap_or(row.sent_at)),
        is_returned: row.returned_at.is_some(),
        id: row.id,
        reference: row.reference,
        trace_id: row.trace_id,
        payout_id: row.payout_id,
        amount_minor: row.amount_minor,
        settled_minor: row.settled_minor,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banks_say_that_they_charge_in_code_or_text() {
        assert!(says_charge("PMNT-MCOP-CHRG", ""));
        assert!(says_charge("", "Monthly Fee: November"));
        assert!(says_charge("NTRF+808", "Gebyr"));
        assert!(!says_charge("PMNT-RCDT-ESCT", "Feed of geodata"));
    }
}
