//! What is learned of one column while its values pass by.

use std::cmp::Ordering;

use super::{
    ColumnProfile, ColumnType, ProfileLimits, TopValue,
    geo::Axis,
    limits::Counting,
    sketch::{Distinct, Frequent, hash},
    value::{Notation, Number, PLACEHOLDERS, Reading, Stamp, read},
};

/// One value of a row, as the format has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    Null,
    Boolean(bool),
    /// A number written as in JSON.
    Number(&'a str),
    Stamp(Stamp),
    /// Text, which is a number or a day as well where the format's [`Notation`] says so.
    Text(&'a str),
    /// A nested value, as JSON.
    Json(&'a str),
    /// A GeoJSON geometry, as JSON.
    Geometry(&'a str),
    Binary(&'a [u8]),
}

impl Cell<'_> {
    /// Bytes of the value as text or binary.
    pub(super) fn size_bytes(self) -> u64 {
        match self {
            Self::Number(text) | Self::Text(text) | Self::Json(text) | Self::Geometry(text) => text.len() as u64,
            Self::Binary(bytes) => bytes.len() as u64,
            Self::Null | Self::Boolean(_) | Self::Stamp(_) => 1,
        }
    }
}

/// The least and the greatest of what passed by.
#[derive(Debug)]
struct Range<T>(Option<(T, T)>);

impl<T: Clone> Range<T> {
    fn add(&mut self, value: &T, order: impl Fn(&T, &T) -> Ordering) {
        match &mut self.0 {
            None => self.0 = Some((value.clone(), value.clone())),
            Some((min, _)) if order(value, min).is_lt() => *min = value.clone(),
            Some((_, max)) if order(value, max).is_gt() => *max = value.clone(),
            Some(_) => {}
        }
    }
}

/// How many values were read as what.
#[derive(Debug, Default, Clone, Copy)]
struct Census {
    booleans: u64,
    integers: u64,
    decimals: u64,
    days: u64,
    times: u64,
    texts: u64,
    json: u64,
    geometries: u64,
    binaries: u64,
    /// Integers that could be days written as eight digits.
    compact_days: u64,
    /// Numbers that a format with numbers of its own has as text.
    quoted_numbers: u64,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) axis: Option<(Axis, String)>,
    /// The number in the row at hand, for columns of angles.
    pub(super) angle: Option<f64>,
    /// The row that last had a value or a null here, counted from one.
    pub(super) last_row: u64,
    /// True when the values are not read at all.
    pub(super) unread: bool,
    declared: Option<ColumnType>,
    census: Census,
    placeholders: [u64; PLACEHOLDERS.len()],
    numbers: Range<Number<'static>>,
    stamps: Range<Stamp>,
    texts: Range<String>,
    distinct: Distinct,
    frequent: Frequent,
}

impl Column {
    pub(super) fn new(name: String, axis: Option<(Axis, String)>) -> Self {
        Self {
            name,
            axis,
            angle: None,
            last_row: 0,
            unread: false,
            declared: None,
            census: Census::default(),
            placeholders: [0; PLACEHOLDERS.len()],
            numbers: Range(None),
            stamps: Range(None),
            texts: Range(None),
            distinct: Distinct::new(),
            frequent: Frequent::default(),
        }
    }

    /// Fixes the type, where the format names it.
    pub(super) fn declare(&mut self, kind: ColumnType) {
        self.declared = Some(kind);
    }

    pub(super) fn add(&mut self, cell: Cell<'_>, notation: Notation, counting: Counting, limits: &ProfileLimits) {
        match cell {
            Cell::Null => {}
            Cell::Boolean(value) => {
                self.census.booleans += 1;
                self.tally(if value { "true" } else { "false" }, counting, limits);
            }
            Cell::Number(text) => {
                match Number::parse(text, false) {
                    Some(number) => self.add_number(&number),
                    None => self.census.texts += 1,
                }
                self.tally(text, counting, limits);
            }
            Cell::Stamp(stamp) => {
                self.add_stamp(&stamp);
                self.tally(&stamp.text(), counting, limits);
            }
            Cell::Text(text) => self.add_text(text.trim(), notation, counting, limits),
            Cell::Json(text) => {
                self.census.json += 1;
                self.distinct.insert(hash(text.as_bytes()), counting.exact_max);
            }
            Cell::Geometry(text) => {
                self.census.geometries += 1;
                self.distinct.insert(hash(text.as_bytes()), counting.exact_max);
            }
            Cell::Binary(bytes) => {
                self.census.binaries += 1;
                self.distinct.insert(hash(bytes), counting.exact_max);
            }
        }
    }

    fn add_text(&mut self, text: &str, notation: Notation, counting: Counting, limits: &ProfileLimits) {
        if text.is_empty() {
            return;
        }
        match read(text, notation) {
            Reading::Placeholder(index) => {
                self.placeholders[index] += 1;
                return;
            }
            Reading::Boolean => self.census.booleans += 1,
            Reading::Number(number) => {
                self.census.quoted_numbers += u64::from(notation == Notation::Quoted);
                self.add_number(&number);
            }
            Reading::Stamp(stamp) => self.add_stamp(&stamp),
            Reading::Text => self.census.texts += 1,
        }
        self.tally(text, counting, limits);
    }

    fn add_number(&mut self, number: &Number<'_>) {
        if number.is_integer {
            self.census.integers += 1;
            self.census.compact_days += u64::from(Stamp::parse_compact(&number.text).is_some());
        } else {
            self.census.decimals += 1;
        }
        self.angle = self.axis.as_ref().map(|_| number.approx);
        // Most numbers lie within the range: look before making a copy.
        let inside =
            self.numbers.0.as_ref().is_some_and(|(min, max)| min.approx < number.approx && number.approx < max.approx);
        if !inside {
            self.numbers.add(&number.clone().into_owned(), |a, b| a.order(b));
        }
    }

    fn add_stamp(&mut self, stamp: &Stamp) {
        if stamp.has_time {
            self.census.times += 1;
        } else {
            self.census.days += 1;
        }
        self.stamps.add(stamp, Stamp::order);
    }

    /// Counts a scalar value by its text.
    fn tally(&mut self, text: &str, counting: Counting, limits: &ProfileLimits) {
        let hash = hash(text.as_bytes());
        self.distinct.insert(hash, counting.exact_max);
        self.frequent.add(hash, 1, self.last_row, counting.counters_max, || cut(text, limits.max_cell_bytes));
        self.add_to_text_range(text, limits);
    }

    fn add_to_text_range(&mut self, text: &str, limits: &ProfileLimits) {
        let inside = self.texts.0.as_ref().is_some_and(|(min, max)| min.as_str() < text && text < max.as_str());
        if !inside {
            self.texts.add(&cut(text, limits.max_cell_bytes), String::cmp);
        }
    }

    /// The earliest and latest day or time, where the column holds such.
    pub(super) fn time_range(&self) -> Option<(Stamp, Stamp)> {
        match self.kind() {
            ColumnType::Date if self.census.integers > 0 => {
                let (min, max) = self.numbers.0.as_ref()?;
                Some((Stamp::parse_compact(&min.text)?, Stamp::parse_compact(&max.text)?))
            }
            ColumnType::Date | ColumnType::DateTime => self.stamps.0,
            _ => None,
        }
    }

    fn kind(&self) -> ColumnType {
        if let Some(kind) = self.declared {
            return kind;
        }
        let Census { booleans, integers, decimals, days, times, texts, json, geometries, binaries, .. } = self.census;
        let (numbers, stamps) = (integers + decimals, days + times);
        let present = [booleans, numbers, stamps, texts, json, geometries, binaries].map(|count| count > 0);
        match present {
            [false, false, false, false, false, false, false] if self.placeholders.iter().all(|count| *count == 0) => {
                ColumnType::Empty
            }
            [true, false, false, false, false, false, false] => ColumnType::Boolean,
            [false, true, false, false, false, false, false] if decimals > 0 => ColumnType::Decimal,
            [false, true, false, false, false, false, false] if self.is_compact_day() => ColumnType::Date,
            [false, true, false, false, false, false, false] => ColumnType::Integer,
            [false, false, true, false, false, false, false] if times > 0 => ColumnType::DateTime,
            [false, false, true, false, false, false, false] => ColumnType::Date,
            [.., false, true, false] if self.scalars() == 0 => ColumnType::Geometry,
            [.., false, false, true] if self.scalars() == 0 => ColumnType::Binary,
            [.., json, geometries, binaries] if json || geometries || binaries => ColumnType::Json,
            _ => ColumnType::Text,
        }
    }

    fn scalars(&self) -> u64 {
        let Census { booleans, integers, decimals, days, times, texts, .. } = self.census;
        booleans + integers + decimals + days + times + texts
    }

    /// Eight digits are a day when all of them can be and the name says so: `start_date`, `更新日`.
    fn is_compact_day(&self) -> bool {
        let name = self.name.to_lowercase();
        let named = ["date", "日期", "日付", "日時", "年月日", "day", "begin", "start", "end", "update", "日"];
        self.census.compact_days == self.census.integers && named.iter().any(|word| name.contains(word))
    }

    /// What should be said of the column's values, if anything.
    pub(super) fn remark(&self) -> Option<String> {
        let Census { booleans, integers, decimals, days, times, quoted_numbers, .. } = self.census;
        let typed = [booleans, integers + decimals, days + times].into_iter().max().unwrap_or(0);
        let scalars = self.scalars();
        let name = &self.name;
        if self.kind() == ColumnType::Text && self.declared.is_none() && typed > 0 && typed * 2 > scalars {
            let other = scalars - typed;
            return Some(format!(
                "column {name:?}: {other} of {scalars} values are of another type than the rest, so it is text"
            ));
        }
        if quoted_numbers > 0 && matches!(self.kind(), ColumnType::Integer | ColumnType::Decimal) {
            return Some(format!("column {name:?}: {quoted_numbers} numbers are written as text, in quotation marks"));
        }
        let skipped = self.placeholders.iter().sum::<u64>();
        if skipped > 0 && !matches!(self.kind(), ColumnType::Text) {
            return Some(format!(
                "column {name:?}: {skipped} values are placeholders such as \"-\" and count as missing"
            ));
        }
        None
    }

    pub(super) fn finish(mut self, rows: u64, counting: Counting, limits: &ProfileLimits) -> ColumnProfile {
        let kind = self.kind();
        let compact = kind == ColumnType::Date && self.census.integers > 0;
        if kind == ColumnType::Text {
            self.count_placeholders_as_text(counting, limits);
        }
        let nested = self.census.json + self.census.geometries + self.census.binaries;
        let texts = |range: &Range<String>| range.0.clone();
        let range = match kind {
            ColumnType::Integer | ColumnType::Decimal => {
                let text = |number: &Number<'_>| cut(&number.text, limits.max_cell_bytes);
                self.numbers.0.as_ref().map(|(min, max)| (text(min), text(max)))
            }
            ColumnType::Date | ColumnType::DateTime if compact || self.stamps.0.is_some() => {
                self.time_range().map(|(min, max)| (min.text(), max.text()))
            }
            ColumnType::Boolean => texts(&self.texts).map(|(one, other)| {
                // `TRUE` stands before `false` in the order of text.
                let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
                if one <= other { (one, other) } else { (other, one) }
            }),
            ColumnType::Text => texts(&self.texts),
            _ => None,
        };
        let (min, max) = range.unzip();
        let null_count = if self.unread { 0 } else { rows.saturating_sub(self.scalars() + nested) };
        let shows_values = !matches!(kind, ColumnType::Json | ColumnType::Geometry | ColumnType::Binary);
        let lower_bounds = shows_values && self.frequent.are_lower_bounds();
        let top = self.frequent.top(if shows_values { limits.top_values } else { 0 });
        ColumnProfile {
            name: self.name,
            kind,
            null_count,
            min,
            max,
            distinct: self.distinct.count().min(rows - null_count),
            distinct_is_estimate: self.distinct.is_estimate(),
            top_values: top.into_iter().map(|(value, count)| TopValue { value, count }).collect(),
            top_values_are_lower_bounds: lower_bounds,
            quoted: self.census.quoted_numbers > 0,
            unread: self.unread,
            withheld: false,
        }
    }

    fn count_placeholders_as_text(&mut self, counting: Counting, limits: &ProfileLimits) {
        for (text, count) in PLACEHOLDERS.iter().zip(std::mem::take(&mut self.placeholders)) {
            if count > 0 {
                let hash = hash(text.as_bytes());
                self.census.texts += count;
                self.distinct.insert(hash, counting.exact_max);
                self.frequent.add(hash, count, self.last_row, counting.counters_max, || (*text).to_owned());
                self.add_to_text_range(text, limits);
            }
        }
    }
}

/// The first `max_bytes` of a text, on a character boundary, with `…` if there was more.
pub(super) fn cut(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let room = max_bytes.saturating_sub('…'.len_utf8());
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= room).last().unwrap_or(0);
    format!("{}…", &text[..end])
}
