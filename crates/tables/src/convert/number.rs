//! What the numbers of a column have in common: enough to choose a type that holds every one of them exactly.

use super::style::NumberStyle;

/// Digits that a double keeps whatever they are.
const DOUBLE_DIGITS: usize = 15;
/// Digits that a decimal of 128 bits holds.
pub(super) const DECIMAL_DIGITS: usize = 38;
/// Digits that a decimal of 64 bits holds.
pub(super) const SHORT_DECIMAL_DIGITS: usize = 18;

/// The numbers of a column so far.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    whole_digits: usize,
    scale: usize,
    digits: usize,
    fixed: Option<usize>,
    is_fixed: bool,
    is_trimmed: bool,
    is_point_zero: bool,
    is_plain: bool,
    is_shortest: bool,
    fits_long: bool,
    has_exponent: bool,
    is_finite: bool,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            whole_digits: 0,
            scale: 0,
            digits: 0,
            fixed: None,
            is_fixed: true,
            is_trimmed: true,
            is_point_zero: true,
            is_plain: true,
            is_shortest: true,
            fits_long: true,
            has_exponent: false,
            is_finite: true,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

/// A type that holds all numbers of a column, and the style in which they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberType {
    Long,
    Decimal {
        digits: u8,
        scale: u8,
        style: NumberStyle,
    },
    Double(NumberStyle),
    /// None does.
    Text,
}

impl Numbers {
    /// Adds a number; `is_as_written` when `plain` is the text of the file, apart from its decimal mark.
    pub(super) fn add(&mut self, plain: &str, is_as_written: bool) {
        let approx: f64 = plain.parse().unwrap_or(f64::NAN);
        self.is_finite &= approx.is_finite();
        self.min = self.min.min(approx);
        self.max = self.max.max(approx);
        let unsigned = plain.trim_start_matches(['-', '+']);
        let is_canonical = !plain.starts_with('+')
            && unsigned.starts_with(|first: char| first.is_ascii_digit())
            && (approx != 0.0 || !plain.starts_with('-'));
        self.is_plain &= is_as_written && is_canonical;
        if plain.contains(['e', 'E']) {
            self.has_exponent = true;
        }
        if self.has_exponent || self.is_shortest && self.scale > 0 {
            let mut again = String::new();
            NumberStyle::Shortest.double(approx, &mut again);
            self.is_shortest &= again == plain;
        }
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        self.whole_digits = self.whole_digits.max(whole.len());
        self.digits = self.digits.max(whole.len() + fraction.len());
        self.scale = self.scale.max(fraction.len());
        self.is_fixed &= *self.fixed.get_or_insert(fraction.len()) == fraction.len();
        self.is_trimmed &= !fraction.ends_with('0');
        self.is_point_zero &= !fraction.is_empty() && (fraction == "0" || !fraction.ends_with('0'));
        self.fits_long &= fraction.is_empty() && plain.parse::<i64>().is_ok();
    }

    /// The type that keeps all of them, and whether their text follows from it. Angles of places are doubles, which
    /// all tools compute with; everything else with a point is an exact decimal.
    pub(super) fn decide(&self, is_angle: bool) -> (NumberType, bool) {
        if !self.is_finite {
            return (NumberType::Text, true);
        }
        if self.has_exponent {
            return (NumberType::Double(NumberStyle::Shortest), self.is_plain && self.is_shortest);
        }
        if self.fits_long {
            return (NumberType::Long, self.is_plain);
        }
        let styles = [
            (self.is_fixed, NumberStyle::Fixed(u8::try_from(self.scale).unwrap_or(u8::MAX))),
            (self.is_trimmed, NumberStyle::Trimmed),
            (self.is_point_zero, NumberStyle::PointZero),
        ];
        let style = styles.into_iter().find_map(|(holds, style)| holds.then_some(style));
        let is_exact = self.is_plain && style.is_some();
        let style = style.unwrap_or(NumberStyle::Trimmed);
        if is_angle && self.digits <= DOUBLE_DIGITS {
            return (NumberType::Double(style), is_exact);
        }
        let needed = self.whole_digits + self.scale;
        if needed > DECIMAL_DIGITS {
            return (NumberType::Text, true);
        }
        // Two widths only, so that one more digit in the next revision rarely changes the schema.
        let digits = if needed <= SHORT_DECIMAL_DIGITS { SHORT_DECIMAL_DIGITS } else { DECIMAL_DIGITS };
        let narrow = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
        (NumberType::Decimal { digits: narrow(digits), scale: narrow(self.scale), style }, is_exact)
    }
}

/// A plain number as an integer of so many decimals; nothing when it has more, or is too large.
pub(super) fn unscaled(plain: &str, scale: u8) -> Option<i128> {
    let unsigned = plain.trim_start_matches(['-', '+']);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut value: i128 = 0;
    let missing = usize::from(scale).checked_sub(fraction.len())?;
    for digit in whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', missing)) {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value = value.checked_mul(10)?.checked_add(digit.into())?;
    }
    Some(if plain.starts_with('-') { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(values: &[&str]) -> (NumberType, bool) {
        let mut numbers = Numbers::default();
        values.iter().for_each(|value| numbers.add(value, true));
        numbers.decide(false)
    }

    #[test]
    fn numbers_become_the_narrowest_exact_type() {
        let decimal = |digits, scale, style| NumberType::Decimal { digits, scale, style };
        assert_eq!(decide(&["1", "-20"]), (NumberType::Long, true));
        assert_eq!(decide(&["1", "+20"]), (NumberType::Long, false));
        assert_eq!(decide(&["1.50", "2.25"]), (decimal(18, 2, NumberStyle::Fixed(2)), true));
        assert_eq!(decide(&["1.5", "2.25", "3"]), (decimal(18, 2, NumberStyle::Trimmed), true));
        assert_eq!(decide(&["1.0", "2.25"]), (decimal(18, 2, NumberStyle::PointZero), true));
        assert_eq!(decide(&["1.50", "2"]), (decimal(18, 2, NumberStyle::Trimmed), false));
        assert_eq!(decide(&["92233720368547758070"]), (decimal(38, 0, NumberStyle::Fixed(0)), true));
        assert_eq!(decide(&["1e-7", "2.5"]), (NumberType::Double(NumberStyle::Shortest), true));
        assert_eq!(decide(&["1e999"]).0, NumberType::Text);
        assert_eq!(decide(&["0.30000000000000004"]).0, decimal(18, 17, NumberStyle::Fixed(17)));
    }

    #[test]
    fn a_number_is_scaled_exactly_or_not_at_all() {
        assert_eq!(unscaled("-12.5", 3), Some(-12_500));
        assert_eq!(unscaled("12.5555", 3), None);
        assert_eq!(unscaled(&"9".repeat(40), 0), None);
    }
}
