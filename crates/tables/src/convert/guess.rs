//! The first pass: what each column holds, over the whole file.

use std::collections::HashMap;

use super::{
    number::{NumberType, Numbers},
    places::Shapes,
    plan::{Kind, Plan},
    reading::{Reading, read},
    style::{FlagStyle, StampStyle, offset_text},
    zone::Zone,
};
use crate::{
    CsvDialect,
    column::Cell,
    dialect::notation_of,
    geo::axis_of,
    rows::TakeRows,
    value::{Notation, Stamp},
};

/// What kinds of values a column has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    flags: bool,
    numbers: bool,
    days: bool,
    local_times: bool,
    instants: bool,
    years: bool,
    months: bool,
    texts: bool,
    nested: bool,
    shapes: bool,
}

/// A column as the first pass knows it.
#[derive(Debug, Clone)]
pub(super) struct Guess {
    pub(super) name: String,
    seen: Seen,
    /// Flags and numbers that the format itself has as such.
    native: bool,
    /// Something was written that a typed column does not give back: a placeholder, blanks, another style.
    is_exact: bool,
    flag_style: Option<FlagStyle>,
    pub(super) numbers: Numbers,
    stamp_style: Option<StampStyle>,
    zone: Option<String>,
    /// The zone of times without an offset, as the provider states it.
    stated_zone: Option<Zone>,
    pub(super) shapes: Shapes,
}

impl Guess {
    fn new(name: String, stated_zone: Option<Zone>) -> Self {
        Self {
            name,
            seen: Seen::default(),
            native: false,
            is_exact: true,
            flag_style: None,
            numbers: Numbers::default(),
            stamp_style: None,
            zone: None,
            stated_zone,
            shapes: Shapes::default(),
        }
    }

    /// True when all its values are numbers.
    pub(super) fn is_numeric(&self) -> bool {
        self.seen == Seen { numbers: true, ..Seen::default() }
    }

    /// True when its values are GeoJSON geometries.
    pub(super) fn is_shape(&self) -> bool {
        self.seen == Seen { shapes: true, ..Seen::default() }
    }

    fn add(&mut self, cell: Cell<'_>, notation: Notation) {
        match cell {
            Cell::Null => {}
            Cell::Boolean(_) => {
                self.native = true;
                self.seen.flags = true;
                self.flag_style = Some(FlagStyle::Lower);
            }
            Cell::Number(text) => {
                self.native = true;
                self.seen.numbers = true;
                self.numbers.add(text, true);
            }
            Cell::Json(_) => self.seen.nested = true,
            Cell::Geometry(json) => {
                self.seen.shapes = true;
                self.shapes.add_json(json);
            }
            Cell::Stamp(_) | Cell::Binary(_) => self.seen.texts = true,
            Cell::Text(text) => self.add_text(text, notation),
        }
    }

    fn add_text(&mut self, text: &str, notation: Notation) {
        if self.seen.texts && !self.shapes.may_be_text() {
            return;
        }
        match read(text, notation) {
            Reading::Empty => {
                // In JSON an empty text is a value.
                self.is_exact &= notation != Notation::Quoted;
            }
            Reading::Placeholder => self.is_exact = false,
            Reading::Flag(_) => {
                let style = FlagStyle::of(text);
                if !self.seen.flags {
                    self.flag_style = style;
                }
                self.seen.flags = true;
                self.is_exact &= style.is_some() && style == self.flag_style;
            }
            Reading::Number(plain) => {
                self.seen.numbers = true;
                let as_written =
                    plain == text || notation == Notation::Comma && plain.as_ref() == text.replace(',', ".");
                self.numbers.add(&plain, as_written);
            }
            Reading::Stamp(stamp) => self.add_stamp(text, &stamp),
            Reading::Year(_) => self.seen.years = true,
            Reading::Month(..) => self.seen.months = true,
            Reading::Text => {
                self.seen.texts = true;
                self.shapes.add_text(text);
            }
        }
    }

    fn add_stamp(&mut self, text: &str, stamp: &Stamp) {
        match (stamp.has_time, stamp.offset()) {
            (false, _) => self.seen.days = true,
            (true, None) => {
                self.seen.local_times = true;
                // No instant gives back a time that the clocks left out.
                self.is_exact &= self.stated_zone.is_none_or(|zone| zone.shows(stamp.utc()));
            }
            (true, Some(offset)) => {
                self.seen.instants = true;
                let zone = offset_text(offset);
                match &self.zone {
                    Some(known) if *known != zone => self.zone = Some("mixed".to_owned()),
                    Some(_) => {}
                    None => self.zone = Some(zone),
                }
            }
        }
        if self.stamp_style.is_none() {
            self.stamp_style = StampStyle::of(text).filter(|style| style.decimals <= 6);
        }
        let again = self.stamp_style.is_some_and(|style| {
            let mut again = String::with_capacity(text.len());
            style.write(stamp.utc(), &mut again);
            again == text
        });
        self.is_exact &= again;
    }

    /// The type of the column, and whether its texts follow from its values.
    fn decide(&self) -> (Kind, bool) {
        let seen = self.seen;
        let only = |kind: Seen| seen == kind;
        let none = Seen::default();
        let is_exact = self.is_exact;
        if only(none) {
            return (Kind::Text, true);
        }
        if only(Seen { shapes: true, ..none }) {
            return (Kind::Shape, true);
        }
        let texts = seen.texts || seen.days || seen.local_times || seen.instants || seen.years || seen.months;
        if seen.nested || seen.shapes || self.native && (texts || seen.flags && seen.numbers) {
            return (Kind::Json, true);
        }
        if only(Seen { flags: true, ..none }) {
            return (Kind::Flag(self.flag_style.unwrap_or(FlagStyle::Lower)), is_exact);
        }
        if only(Seen { numbers: true, ..none }) {
            let (kind, follows) = self.numbers.decide(axis_of(&self.name).is_some());
            return match kind {
                NumberType::Text if self.native => (Kind::Json, true),
                NumberType::Text => (Kind::Text, true),
                NumberType::Long => (Kind::Long, is_exact && follows),
                NumberType::Decimal { digits, scale, style } => {
                    (Kind::Decimal { digits, scale, style }, is_exact && follows)
                }
                NumberType::Double(style) => (Kind::Double(style), is_exact && follows),
            };
        }
        let style = |has_time, has_zone| match self.stamp_style {
            Some(style) if is_exact => style,
            _ => StampStyle::canonical(has_time, has_zone),
        };
        if only(Seen { days: true, ..none }) {
            return (Kind::Date(style(false, false)), is_exact);
        }
        if only(Seen { local_times: true, ..none }) {
            let zone = self.stated_zone.map(|zone| zone.name().to_owned());
            return (Kind::Time { style: style(true, false), zone }, is_exact);
        }
        if only(Seen { instants: true, ..none }) {
            return (Kind::Time { style: style(true, true), zone: self.zone.clone() }, is_exact);
        }
        if only(Seen { years: true, ..none }) {
            return (Kind::EraYear, false);
        }
        if only(Seen { months: true, ..none }) {
            return (Kind::EraMonth, false);
        }
        (Kind::Text, true)
    }
}

/// All columns of a file, as the first pass knows them.
#[derive(Debug)]
pub(super) struct Guesses {
    pub(super) columns: Vec<Guess>,
    pub(super) by_name: HashMap<String, usize>,
    pub(super) notation: Notation,
    pub(super) rows: u64,
    columns_max: usize,
    zone: Option<Zone>,
    /// Why the file can't be converted.
    pub(super) refusal: Option<String>,
    pub(super) damaged: bool,
    pub(super) is_ragged: bool,
    /// The names of a header are used as they are.
    pub(super) has_plain_header: bool,
    stop: super::Stop,
}

impl Guesses {
    /// Nothing read yet.
    pub(super) fn new(notation: Notation, columns_max: usize, zone: Option<Zone>, stop: super::Stop) -> Self {
        Self {
            columns: Vec::new(),
            by_name: HashMap::new(),
            notation,
            rows: 0,
            columns_max,
            zone,
            refusal: None,
            damaged: false,
            is_ragged: false,
            has_plain_header: true,
            stop,
        }
    }

    /// The same for delimited text.
    pub(super) fn delimited(dialect: CsvDialect, columns_max: usize, zone: Option<Zone>, stop: super::Stop) -> Self {
        Self::new(notation_of(dialect), columns_max, zone, stop)
    }

    fn push(&mut self, name: String) -> Option<usize> {
        if self.columns.len() >= self.columns_max {
            self.refusal = Some(format!("The file has more than {} columns.", self.columns_max));
            return None;
        }
        self.by_name.insert(name.clone(), self.columns.len());
        self.columns.push(Guess::new(name, self.zone));
        Some(self.columns.len() - 1)
    }

    fn free_name(&self, name: &str) -> String {
        if self.by_name.contains_key(name) {
            (2..).map(|n| format!("{name}_{n}")).find(|free| !self.by_name.contains_key(free)).unwrap_or_default()
        } else {
            name.to_owned()
        }
    }

    /// The plan of each column, with a copy of the text beside it where that does not follow from the values.
    pub(super) fn plans(&self) -> Vec<Plan> {
        let mut plans = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let (kind, follows) = column.decide();
            let original = (!follows).then(|| self.free_name(&format!("{}_original", column.name)));
            let mark = self.notation == Notation::Comma && matches!(kind, Kind::Decimal { .. } | Kind::Double(_));
            plans.push(Plan { name: column.name.clone(), kind, original, has_decimal_comma: mark });
        }
        plans
    }
}

impl TakeRows for Guesses {
    fn warn(&mut self, _: String) {
        self.is_ragged = true;
    }

    fn note_damaged(&mut self, _: u64, _: &str) {
        self.damaged = true;
    }

    fn add_header(&mut self, names: &mut dyn Iterator<Item = &str>) {
        for (at, name) in names.enumerate() {
            let given = name;
            let name = name.trim();
            let name = if name.is_empty() { format!("column_{}", at + 1) } else { name.to_owned() };
            let name = self.free_name(&name);
            self.has_plain_header &= name == given;
            if self.push(name).is_none() {
                return;
            }
        }
    }

    fn column(&mut self, name: &str) -> Option<usize> {
        match self.by_name.get(name) {
            Some(index) => Some(*index),
            None => self.push(name.to_owned()),
        }
    }

    fn begin_row(&mut self) -> bool {
        if self.refusal.is_some() || self.rows.is_multiple_of(super::ROWS_PER_LOOK) && !self.stop.goes_on() {
            return false;
        }
        self.rows += 1;
        true
    }

    fn add(&mut self, index: usize, cell: Cell<'_>) {
        let notation = self.notation;
        if let Some(column) = self.columns.get_mut(index) {
            column.add(cell, notation);
        }
    }

    fn add_field(&mut self, index: usize, text: &str) {
        if index >= self.columns.len() {
            if text.is_empty() {
                return;
            }
            while self.columns.len() <= index {
                let name = self.free_name(&format!("column_{}", self.columns.len() + 1));
                if self.push(name).is_none() {
                    return;
                }
            }
        }
        self.add(index, Cell::Text(text));
    }

    fn end_row(&mut self) {}

    fn rows(&self) -> u64 {
        self.rows
    }
}
