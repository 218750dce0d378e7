//! Rows as questions see them: cells of a few types, compared as rows of the exchange are compared elsewhere.

use std::cmp::Ordering;

use time::{
    Date, OffsetDateTime, PrimitiveDateTime, format_description::well_known::Rfc3339, macros::format_description,
};

/// Characters of a value that questions look at; longer ones that begin alike count as one.
const VALUE_CHARS_MAX: usize = 200;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `true` and `false`.
    Boolean,
    /// Whole numbers.
    Integer,
    /// Decimal fractions with so many digits behind the point, as whole numbers without it.
    Decimal(u32),
    /// Binary fractions.
    Float,
    /// Text.
    Text,
    /// Days since 1970.
    Date,
    /// Nanoseconds since 1970, in UTC.
    Instant,
    /// What nothing is asked about but whether it is there.
    Other,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the file.
    pub name: String,
    /// What its values are.
    pub kind: Type,
}

/// A value where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// There is none.
    Null,
    /// There is one of a type that is not looked at.
    Opaque,
    /// Of a [`Type::Boolean`].
    Bool(bool),
    /// Of a [`Type::Integer`], [`Type::Decimal`], [`Type::Date`] or [`Type::Instant`].
    Int(i128),
    /// Of a [`Type::Float`].
    Float(f64),
    /// Of a [`Type::Text`].
    Text(&'a str),
}

/// A row of a table.
pub trait Row {
    /// The value in a column, by its place in the schema.
    fn cell(&self, column: usize) -> Cell<'_>;
}

/// A value that cells are compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
}

impl Literal {
    fn compare(&self, cell: Cell<'_>) -> Option<Ordering> {
        Some(match (cell, self) {
            (Cell::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Cell::Int(a), Self::Int(b)) => a.cmp(b),
            (Cell::Float(a), Self::Float(b)) => a.partial_cmp(b)?,
            (Cell::Text(a), Self::Text(b)) => a.cmp(b.as_str()),
            _ => return None,
        })
    }

    /// The one way to write it, as a value of this type.
    pub(crate) fn canonical(&self, kind: Type) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => kind.show_number(*value).unwrap_or_else(|| value.to_string()),
            // Minus zero is zero.
            Self::Float(value) => (value + 0.0).to_string(),
            Self::Text(value) => value.clone(),
        }
    }
}

/// How a cell is compared; a comparison with nothing holds for no row, as in SQL.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    Compare(Comparison, Literal),
    In(Vec<Literal>),
    IsNull(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Lt,
    Lte,
    Gt,
    Gte,
}

impl Comparison {
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Lte => "<=",
            Self::Gt => ">",
            Self::Gte => ">=",
        }
    }

    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Lte => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Gte => order.is_ge(),
        }
    }
}

impl Test {
    pub(crate) fn holds(&self, cell: Cell<'_>) -> bool {
        match self {
            Self::IsNull(wanted) => matches!(cell, Cell::Null) == *wanted,
            Self::Compare(comparison, literal) => literal.compare(cell).is_some_and(|order| comparison.accepts(order)),
            Self::In(all) => all.iter().any(|one| one.compare(cell).is_some_and(Ordering::is_eq)),
        }
    }
}

/// A condition on a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) column: usize,
    pub(crate) test: Test,
}

impl Type {
    /// Reads what somebody wrote of a value of this type.
    pub(crate) fn literal(self, text: &str) -> Option<Literal> {
        match self {
            Self::Boolean => text.to_ascii_lowercase().parse().ok().map(Literal::Bool),
            Self::Integer => text.parse().ok().map(Literal::Int),
            Self::Decimal(scale) => unscaled(text, scale).map(Literal::Int),
            Self::Float => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Literal::Float),
            Self::Text => Some(Literal::Text(text.to_owned())),
            Self::Date => parse_date(text).map(|date| Literal::Int(i128::from(days(date)))),
            Self::Instant => instant(text).map(|at| Literal::Int(at.unix_timestamp_nanos())),
            Self::Other => None,
        }
    }

    /// True for what has a mean.
    pub(crate) const fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal(_) | Self::Float)
    }

    /// True for what lies in time.
    pub(crate) const fn is_time(self) -> bool {
        matches!(self, Self::Date | Self::Instant)
    }

    /// True for what groups, and values that are matched, can be made of.
    pub(crate) const fn is_value(self) -> bool {
        matches!(self, Self::Boolean | Self::Integer | Self::Text | Self::Date)
    }

    /// The number in a cell.
    pub(crate) fn number(self, cell: Cell<'_>) -> Option<f64> {
        match (self, cell) {
            (Self::Decimal(scale), Cell::Int(unscaled)) => {
                Some(to_float(unscaled) / 10_f64.powi(i32::try_from(scale).unwrap_or(0)))
            }
            (Self::Integer, Cell::Int(number)) => Some(to_float(number)),
            (Self::Float, Cell::Float(number)) => Some(number).filter(|number| number.is_finite()),
            _ => None,
        }
    }

    /// The instant in a cell, in seconds since 1970.
    pub(crate) fn seconds(self, cell: Cell<'_>) -> Option<i64> {
        match (self, cell) {
            (Self::Date, Cell::Int(days)) => i64::try_from(days).ok()?.checked_mul(86_400),
            (Self::Instant, Cell::Int(nanos)) => i64::try_from(nanos.div_euclid(1_000_000_000)).ok(),
            _ => None,
        }
    }

    /// A whole number that stands for a value of this type, written as that value; different ones differently.
    fn show_number(self, number: i128) -> Option<String> {
        match self {
            Self::Decimal(scale) if scale > 0 => {
                let (sign, digits) = (if number < 0 { "-" } else { "" }, number.unsigned_abs().to_string());
                let scale = usize::try_from(scale).ok()?;
                let digits = format!("{digits:0>width$}", width = scale + 1);
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                Some(format!("{sign}{whole}.{fraction}"))
            }
            Self::Date => Some(day(number)?.to_string()),
            Self::Instant => OffsetDateTime::from_unix_timestamp_nanos(number).ok()?.format(&Rfc3339).ok(),
            _ => None,
        }
    }

    /// The value in a cell as text, cut if it is long; nothing where there is none.
    pub(crate) fn show(self, cell: Cell<'_>) -> Option<String> {
        match (self, cell) {
            (_, Cell::Bool(value)) => Some(value.to_string()),
            (Self::Date, Cell::Int(days)) => Some(day(days)?.to_string()),
            (_, Cell::Int(value)) => Some(value.to_string()),
            (_, Cell::Text(value)) => Some(value.chars().take(VALUE_CHARS_MAX).collect()),
            _ => None,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "means are estimates; the noise is wider than what is rounded off")]
pub(crate) fn to_float(number: i128) -> f64 {
    number as f64
}

/// The nearest whole number; what does not fit is cut off at the end.
#[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates, and NaN becomes 0")]
pub(crate) fn to_whole(number: f64) -> i64 {
    number.round() as i64
}

/// The digits of a decimal fraction without its point; nothing when it has more behind it than `scale`.
fn unscaled(text: &str, scale: u32) -> Option<i128> {
    let scale = usize::try_from(scale).ok()?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let good = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !good(whole) || !good(fraction) || fraction.len() > scale {
        return None;
    }
    format!("{whole}{fraction:0<scale$}").parse().ok().map(|number: i128| sign * number)
}

fn parse_date(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

fn epoch() -> i32 {
    OffsetDateTime::UNIX_EPOCH.date().to_julian_day()
}

fn days(date: Date) -> i32 {
    date.to_julian_day() - epoch()
}

fn day(days: i128) -> Option<Date> {
    Date::from_julian_day(epoch().checked_add(i32::try_from(days).ok()?)?).ok()
}

/// A time as RFC 3339; without a zone, and as a day alone, it is taken for UTC.
pub(crate) fn instant(text: &str) -> Option<OffsetDateTime> {
    let local = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| PrimitiveDateTime::parse(text, local).ok().map(PrimitiveDateTime::assume_utc))
        .or_else(|| parse_date(text).map(|date| date.midnight().assume_utc()))
}

/// Seconds since 1970 as RFC 3339.
pub(crate) fn time_text(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).ok().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Months since year 0.
pub(crate) fn month_of(seconds: i64) -> Option<i64> {
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    Some(i64::from(at.year()) * 12 + i64::from(u8::from(at.month())) - 1)
}

/// A month as `2026-11`.
pub(crate) fn month_text(month: i64) -> String {
    format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1)
}
