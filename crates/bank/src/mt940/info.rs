//! `:86:`, what the bank says about a line: German subfields, slash codes, or free text.

use crate::{camt::entry::given, record::PaymentParty, reference::CreditorReference};

/// What was read, with the business transaction code of German banks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) party: PaymentParty,
    pub(crate) business_code: Option<String>,
}

/// Reads the text of `:86:` in whichever of the three ways it is written.
pub(crate) fn read_info(text: &str) -> Info {
    if let Some((code, separator)) = german_start(text) {
        return german(text, code, separator);
    }
    let joined = text.replace('\n', "");
    let parts = slash_parts(&joined);
    if parts.is_empty() {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        return Info { party: with_text(PaymentParty::default(), given(&lines.join(" "))), business_code: None };
    }
    Info { party: slashes(&parts), business_code: None }
}

fn with_text(mut party: PaymentParty, remittance: Option<String>) -> PaymentParty {
    if party.creditor_reference.is_none() {
        party.creditor_reference = remittance.as_deref().and_then(CreditorReference::from_text);
    }
    party.remittance = remittance;
    party
}

/// Three digits, a separator and a subfield number: `166?00`.
fn german_start(text: &str) -> Option<(&str, char)> {
    let code = text.get(..3).filter(|code| code.bytes().all(|b| b.is_ascii_digit()))?;
    let separator = text.get(3..)?.chars().next().filter(|c| matches!(c, '?' | '@' | '~' | '^' | '|' | '>'))?;
    let number = text.get(4..6)?;
    number.bytes().all(|b| b.is_ascii_digit()).then_some((code, separator))
}

/// Source: Deutsche Kreditwirtschaft, remote data transfer agreement, annex 3, MT940 field 86.
fn german(text: &str, code: &str, separator: char) -> Info {
    let joined = text.replace('\n', "");
    let mut purpose: Vec<(Option<&str>, String)> = Vec::new();
    let (mut account, mut name) = (String::new(), String::new());
    for (number, value) in subfields(&joined, separator) {
        match number {
            20..=29 | 60..=63 => push_purpose(&mut purpose, value),
            31 => account.push_str(value.trim()),
            32 | 33 => name.push_str(value),
            _ => {}
        }
    }
    let keyed =
        |key: &str| purpose.iter().find(|(found, _)| *found == Some(key)).and_then(|(_, value)| given(value.trim()));
    let plain: String = purpose
        .iter()
        .filter(|(key, _)| key.is_none() || *key == Some("SVWZ"))
        .map(|(_, value)| value.as_str())
        .collect();
    let party = PaymentParty {
        counterparty_name: given(name.trim()),
        counterparty_account: given(&account).or_else(|| keyed("IBAN")),
        end_to_end_id: keyed("EREF"),
        mandate_id: keyed("MREF"),
        ..PaymentParty::default()
    };
    Info { party: with_text(party, given(plain.trim())), business_code: Some(code.to_owned()) }
}

/// `…?20text?21text` to numbers and texts.
fn subfields(text: &str, separator: char) -> impl Iterator<Item = (u8, &str)> {
    let number =
        |part: &str| part.get(..2).filter(|n| n.bytes().all(|b| b.is_ascii_digit())).and_then(|n| n.parse().ok());
    text.split(separator).skip(1).filter_map(move |part| Some((number(part)?, part.get(2..)?)))
}

/// A subfield that starts with `EREF+` begins a value; others go on with the one before.
fn push_purpose<'a>(purpose: &mut Vec<(Option<&'a str>, String)>, value: &'a str) {
    const KEYS: [&str; 14] =
        ["EREF", "KREF", "MREF", "CRED", "DEBT", "COAM", "OAMT", "SVWZ", "ABWA", "ABWE", "IBAN", "BIC", "PURP", "RREF"];
    let keyed = value.split_once('+').filter(|(key, _)| KEYS.contains(key));
    match (keyed, purpose.last_mut()) {
        (Some((key, rest)), _) => purpose.push((Some(key), rest.to_owned())),
        (None, Some((_, text))) => text.push_str(value),
        (None, None) => purpose.push((None, value.to_owned())),
    }
}

/// `/EREF/x/REMI/y` to codes and texts; empty when the text is not written so.
fn slash_parts(text: &str) -> Vec<(&str, &str)> {
    const CODES: [&str; 24] = [
        "EREF", "MARF", "CSID", "CNTP", "REMI", "TRTP", "IBAN", "BIC", "NAME", "PURP", "ORDP", "BENM", "RTRN", "ULTC",
        "ULTD", "ULTB", "CREF", "PREF", "IREF", "TRCD", "SVCL", "ADDR", "INIT", "KREF",
    ];
    let mut starts = Vec::new();
    for (index, _) in text.match_indices('/') {
        let rest = &text[index + 1..];
        if let Some(code) =
            CODES.iter().find(|code| rest.strip_prefix(**code).is_some_and(|rest| rest.starts_with('/')))
        {
            starts.push((index, index + code.len() + 2, *code));
        }
    }
    if starts.first().is_none_or(|(start, _, _)| *start != 0) {
        return Vec::new();
    }
    let ends = starts.iter().skip(1).map(|(start, _, _)| *start).chain([text.len()]);
    // The next code's slash may be the one that closes this code.
    starts.iter().zip(ends).map(|(&(_, start, code), end)| (code, text.get(start..end).unwrap_or_default())).collect()
}

fn slashes(parts: &[(&str, &str)]) -> PaymentParty {
    let value = |code: &str| {
        let (_, text) = parts.iter().find(|(found, _)| *found == code)?;
        given(text.trim_matches('/').trim())
    };
    let counterparty: Vec<String> =
        value("CNTP").map(|text| text.split('/').map(str::to_owned).collect()).unwrap_or_default();
    let of_counterparty = |place: usize| counterparty.get(place).and_then(|text| given(text.trim()));
    let (remittance, structured) = match parts.iter().find(|(code, _)| *code == "REMI") {
        Some((_, text)) => remittance(text),
        None => (None, None),
    };
    let party = PaymentParty {
        counterparty_name: value("NAME").or_else(|| of_counterparty(2)),
        counterparty_account: value("IBAN").or_else(|| of_counterparty(0)),
        end_to_end_id: value("EREF"),
        mandate_id: value("MARF"),
        creditor_reference: structured,
        ..PaymentParty::default()
    };
    with_text(party, remittance)
}

/// `USTD//text`, `STRD/CUR/reference` or just text.
fn remittance(text: &str) -> (Option<String>, Option<CreditorReference>) {
    if let Some(structured) = text.strip_prefix("STRD/") {
        let reference = structured.trim_matches('/').rsplit('/').next().unwrap_or_default();
        return (None, CreditorReference::from_field(reference));
    }
    let text = text.strip_prefix("USTD/").unwrap_or(text);
    (given(text.trim_matches('/').trim()), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn german_subfields_are_joined_and_keyed() {
        let info = read_info(
            "166?00GUTSCHRIFT?20EREF+E-17?21MREF+M-3?22SVWZ+Invoice 17 and a lo\n?23ng text\n?30BANKDEFF?31DE1?32Ann?33a Beispiel",
        );
        assert_eq!(info.business_code.as_deref(), Some("166"));
        assert_eq!(info.party.end_to_end_id.as_deref(), Some("E-17"));
        assert_eq!(info.party.mandate_id.as_deref(), Some("M-3"));
        assert_eq!(info.party.remittance.as_deref(), Some("Invoice 17 and a long text"));
        assert_eq!(info.party.counterparty_name.as_deref(), Some("Anna Beispiel"));
        assert_eq!(info.party.counterparty_account.as_deref(), Some("DE1"));
    }

    #[test]
    fn slash_codes_of_two_dutch_dialects() {
        let party = read_info("/EREF/E-17//MARF/M-3//CNTP/NL1/BANKNL2A/A. Voor\nbeeld///REMI/USTD//Factuur 17/").party;
        assert_eq!(party.end_to_end_id.as_deref(), Some("E-17"));
        assert_eq!(party.mandate_id.as_deref(), Some("M-3"));
        assert_eq!(party.counterparty_account.as_deref(), Some("NL1"));
        assert_eq!(party.counterparty_name.as_deref(), Some("A. Voorbeeld"));
        assert_eq!(party.remittance.as_deref(), Some("Factuur 17"));
        let party = read_info("/TRTP/SEPA OVERBOEKING/IBAN/NL1/BIC/BANKNL2A/NAME/A. Voorbeeld/REMI/STRD/CUR/RF18539007547034/EREF/NOTPROVIDED").party;
        assert_eq!(party.counterparty_name.as_deref(), Some("A. Voorbeeld"));
        assert_eq!(party.creditor_reference, Some(CreditorReference::Iso11649("RF18539007547034".into())));
        assert_eq!(party.end_to_end_id, None);
    }

    #[test]
    fn anything_else_is_text() {
        assert_eq!(read_info("Fee for\n January").party.remittance.as_deref(), Some("Fee for January"));
        assert_eq!(read_info("").party, PaymentParty::default());
        assert_eq!(read_info("16é?20x").party.remittance.as_deref(), Some("16é?20x"));
    }
}
