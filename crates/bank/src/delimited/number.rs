//! Signed amounts as people's programs print them.

use crate::{
    amount::{Currency, minor_from_decimal},
    error::{Fault, FaultKind, excerpt},
};

/// The signs a number is written with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberStyle {
    pub(crate) decimal: char,
    pub(crate) thousands: Option<char>,
}

impl NumberStyle {
    /// Reads `1.234,50`, `-12,5`, `12,50-`, `+3` or `(12.50)` into minor units.
    ///
    /// Groups must have three digits: with a point between groups, `1.5` is a mistake and not fifteen.
    pub(crate) fn read(self, text: &str, currency: Currency) -> Result<i64, Fault> {
        let (is_negative, digits) = split_sign(text);
        let (major, fraction) = digits.split_once(self.decimal).unwrap_or((digits, ""));
        let mut plain = String::with_capacity(digits.len());
        match self.thousands {
            Some(separator) => {
                for (index, group) in major.split(separator).enumerate() {
                    let is_grouped = major.contains(separator);
                    let fits = match index {
                        0 => !is_grouped || (1..=3).contains(&group.len()),
                        _ => group.len() == 3,
                    };
                    if !fits {
                        let problem = format!("{} is not grouped in threes by {separator:?}", excerpt(text));
                        let advice = "Check decimal_separator and thousands_separator of the profile.";
                        return Err(Fault::new(FaultKind::Amount, problem, advice));
                    }
                    plain.push_str(group);
                }
            }
            None => plain.push_str(major),
        }
        if digits.contains(self.decimal) {
            plain.push(self.decimal);
            plain.push_str(fraction);
        }
        let minor = minor_from_decimal(&plain, self.decimal, currency)?;
        Ok(if is_negative { -minor } else { minor })
    }
}

fn split_sign(text: &str) -> (bool, &str) {
    const MINUS: [char; 2] = ['-', '\u{2212}'];
    if let Some(rest) = text.strip_prefix(MINUS).or_else(|| text.strip_suffix(MINUS)) {
        return (true, rest);
    }
    if let Some(rest) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return (true, rest);
    }
    (false, text.strip_prefix('+').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, decimal: char, thousands: Option<char>) -> Option<i64> {
        let eur = Currency::parse("EUR", |_| Some(2)).expect("a known code");
        NumberStyle { decimal, thousands }.read(text, eur).ok()
    }

    #[test]
    fn numbers_are_read_with_their_signs() {
        for (text, minor) in [
            ("1.234,50", 123_450),
            ("-12,5", -1250),
            ("12,50-", -1250),
            ("+3", 300),
            ("(1.000,00)", -100_000),
            ("\u{2212}1,00", -100),
        ] {
            assert_eq!(read(text, ',', Some('.')), Some(minor), "{text}");
        }
        assert_eq!(read("1 234.5", '.', Some(' ')), Some(123_450));
        assert_eq!(read("1234.5", '.', None), Some(123_450));
    }

    #[test]
    fn wrong_groups_are_mistakes() {
        for text in ["1.5", "1.2345,00", "1234.567,00", ".123,00", "1,234.50", "--1", "-1-", "", "-", "(1", "1,,0"] {
            assert_eq!(read(text, ',', Some('.')), None, "{text}");
        }
        assert_eq!(read("1,234.50", '.', None), None);
    }
}
