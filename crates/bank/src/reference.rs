//! Identifiers with check digits: account numbers and creditor references.

use std::fmt;

/// Who holds the money: an IBAN, or what a bank without IBANs uses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountId {
    /// An IBAN with right check digits, without spaces, in upper case.
    Iban(String),
    /// Any other account number, as given, without surrounding space.
    Other(String),
}

impl AccountId {
    /// Recognises an IBAN by its check digits; everything else is `Other`.
    pub fn parse(text: &str) -> Self {
        match iban(text) {
            Some(iban) => Self::Iban(iban),
            None => Self::Other(text.trim().to_owned()),
        }
    }

    /// The number.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Iban(text) | Self::Other(text) => text,
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The normal form of an IBAN, or `None` when its shape or check digits are wrong.
///
/// Source: ISO 13616-1.
pub fn iban(text: &str) -> Option<String> {
    const IBAN_CHARS: std::ops::RangeInclusive<usize> = 15..=34;
    let iban = without_spaces(text);
    let bytes = iban.as_bytes();
    let shaped = IBAN_CHARS.contains(&bytes.len())
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..4].iter().all(u8::is_ascii_digit);
    (shaped && mod_97_is_one(bytes)).then_some(iban)
}

/// A reference the payee printed on the invoice, with check digits that hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CreditorReference {
    /// ISO 11649: `RF`, two check digits and up to 21 characters.
    Iso11649(String),
    /// Danish FIK, Swedish OCR or Norwegian KID: up to 25 digits with a check digit by modulus 10 or 11.
    Nordic(String),
    /// A structured reference of another scheme; its check digits were not looked at.
    Other(String),
}

impl CreditorReference {
    /// The reference.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Iso11649(text) | Self::Nordic(text) | Self::Other(text) => text,
        }
    }

    /// Classifies a reference that came in a field of its own; `None` when the field is empty.
    pub(crate) fn from_field(text: &str) -> Option<Self> {
        let compact = without_spaces(text);
        if compact.is_empty() {
            return None;
        }
        if is_iso_11649(&compact) {
            return Some(Self::Iso11649(compact));
        }
        if is_nordic(&compact) {
            return Some(Self::Nordic(compact));
        }
        Some(Self::Other(text.trim().to_owned()))
    }

    /// Finds an ISO 11649 reference, or a Danish `+71<…` payment code, as a word of free text.
    ///
    /// Bare digits are left alone: one number in ten passes modulus 10 by chance.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';')).find_map(|word| {
            let word = word.to_ascii_uppercase();
            if is_iso_11649(&word) {
                return Some(Self::Iso11649(word));
            }
            let (kind, rest) = word.strip_prefix('+')?.split_once('<')?;
            let digits = rest.split_once('+').map_or(rest, |(digits, _)| digits);
            (matches!(kind, "71" | "75") && is_nordic(digits)).then(|| Self::Nordic(digits.to_owned()))
        })
    }
}

fn without_spaces(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect()
}

fn is_iso_11649(text: &str) -> bool {
    let bytes = text.as_bytes();
    (5..=25).contains(&bytes.len())
        && bytes.starts_with(b"RF")
        && bytes[2..4].iter().all(u8::is_ascii_digit)
        && mod_97_is_one(bytes)
}

fn is_nordic(text: &str) -> bool {
    let bytes = text.as_bytes();
    (2..=25).contains(&bytes.len())
        && bytes.iter().all(u8::is_ascii_digit)
        && (modulus_10_holds(bytes) || modulus_11_holds(bytes))
}

/// ISO 7064 mod 97-10 with the first four characters moved behind the rest.
fn mod_97_is_one(bytes: &[u8]) -> bool {
    let mut remainder = 0_u32;
    for byte in bytes[4..].iter().chain(&bytes[..4]) {
        remainder = match byte {
            b'0'..=b'9' => remainder * 10 + u32::from(byte - b'0'),
            b'A'..=b'Z' => remainder * 100 + u32::from(byte - b'A') + 10,
            _ => return false,
        } % 97;
    }
    remainder == 1
}

fn modulus_10_holds(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0') * if place % 2 == 0 { 1 } else { 2 };
            digit / 10 + digit % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Weights 2 to 7 from the right, again and again. The check character `-` for ten is not accepted.
fn modulus_11_holds(digits: &[u8]) -> bool {
    let (body, check) = digits.split_at(digits.len() - 1);
    let sum: u32 = body.iter().rev().zip([2, 3, 4, 5, 6, 7].iter().cycle()).map(|(d, w)| u32::from(d - b'0') * w).sum();
    (11 - sum % 11) % 11 == u32::from(check[0] - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ibans_are_known_by_their_check_digits() {
        assert_eq!(AccountId::parse("dk50 0040 0440 1162 43"), AccountId::Iban("DK5000400440116243".into()));
        assert_eq!(AccountId::parse(" DK5000400440116244 "), AccountId::Other("DK5000400440116244".into()));
        for text in ["", "DK", "DK50", "ÆØ5000400440116243", "DK50004004401162-3"] {
            assert_eq!(iban(text), None, "{text}");
        }
    }

    #[test]
    fn creditor_references_are_classified() {
        use CreditorReference::{Iso11649, Nordic, Other};
        assert_eq!(CreditorReference::from_field("RF18 5390 0754 7034"), Some(Iso11649("RF18539007547034".into())));
        assert_eq!(CreditorReference::from_field("12345678903"), Some(Nordic("12345678903".into())));
        assert_eq!(CreditorReference::from_field("2345676"), Some(Nordic("2345676".into())));
        assert_eq!(CreditorReference::from_field("INV-7"), Some(Other("INV-7".into())));
        assert_eq!(CreditorReference::from_field(" "), None);
    }

    #[test]
    fn free_text_gives_only_references_that_cannot_be_chance() {
        use CreditorReference::{Iso11649, Nordic};
        assert_eq!(
            CreditorReference::from_text("invoice, rf18539007547034; thanks"),
            Some(Iso11649("RF18539007547034".into()))
        );
        assert_eq!(CreditorReference::from_text("FIK +71<12345678903+81234567<"), Some(Nordic("12345678903".into())));
        assert_eq!(CreditorReference::from_text("12345678903"), None);
        assert_eq!(CreditorReference::from_text("RF19539007547034"), None);
    }
}
