//! Collects rows into a profile, whatever format they come from.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    ColumnType, Extent, Format, Profile, ProfileLimits,
    column::{Cell, Column, cut},
    geo::{Axis, Places, axis_of},
    value::{Notation, Stamp},
};

/// The rows read so far.
pub(super) struct Table<'l> {
    limits: &'l ProfileLimits,
    notation: Notation,
    columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    /// Columns left out because there are too many.
    skipped_columns: HashSet<u64>,
    /// Pairs of columns that hold latitude and longitude, as they were for this many columns.
    pairs: Vec<(usize, usize)>,
    paired_columns: usize,
    pub(super) rows: u64,
    truncated: bool,
    value_bytes: u64,
    places: Places,
    geometry_columns: Vec<String>,
    sample: Vec<Vec<Value>>,
    sample_bytes: usize,
    warnings: Vec<String>,
}

impl<'l> Table<'l> {
    pub(super) fn new(limits: &'l ProfileLimits, notation: Notation) -> Self {
        Self {
            limits,
            notation,
            columns: Vec::new(),
            by_name: HashMap::new(),
            skipped_columns: HashSet::new(),
            pairs: Vec::new(),
            paired_columns: 0,
            rows: 0,
            truncated: false,
            value_bytes: 0,
            places: Places::default(),
            geometry_columns: Vec::new(),
            sample: Vec::new(),
            sample_bytes: 0,
            warnings: Vec::new(),
        }
    }

    /// Adds a remark for the reader of the profile.
    pub(super) fn warn(&mut self, warning: String) {
        if self.warnings.len() < self.limits.max_warnings {
            self.warnings.push(warning);
        }
    }

    /// Number of columns so far.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Adds the columns of a header; empty names are filled and repeated ones numbered, with a warning each.
    pub(super) fn add_header<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let (mut empty, mut repeated) = (0_u32, Vec::new());
        for (at, name) in names.into_iter().enumerate() {
            if self.columns.len() >= self.limits.max_columns {
                self.column(name);
                continue;
            }
            let mut name = cut(name.trim(), self.limits.max_cell_bytes);
            if name.is_empty() {
                empty += 1;
                name = format!("column_{}", at + 1);
            }
            if self.by_name.contains_key(&name) {
                repeated.push(format!("{name:?}"));
                name =
                    (2..).map(|n| format!("{name}_{n}")).find(|free| !self.by_name.contains_key(free)).unwrap_or(name);
            }
            self.column(&name);
        }
        if empty > 0 {
            self.warn(format!("{empty} columns have no name in the header; they are named by their position"));
        }
        if !repeated.is_empty() {
            repeated.truncate(5);
            self.warn(format!("column names occur more than once: {}", repeated.join(", ")));
        }
    }

    /// The column of this name, made if it is new; nothing when there are too many.
    pub(super) fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(index) = self.by_name.get(name) {
            return Some(*index);
        }
        if self.columns.len() >= self.limits.max_columns {
            // Bounded as well: an object may invent a new key in each row.
            if self.skipped_columns.len() < self.limits.max_columns {
                self.skipped_columns.insert(super::sketch::hash(name.as_bytes()));
            }
            return None;
        }
        let name = cut(name, self.limits.max_cell_bytes);
        if let Some(index) = self.by_name.get(&name) {
            return Some(*index);
        }
        let axis = axis_of(&name);
        self.by_name.insert(name.clone(), self.columns.len());
        self.columns.push(Column::new(name, axis));
        Some(self.columns.len() - 1)
    }

    /// Fixes the type of a column.
    pub(super) fn declare(&mut self, column: usize, kind: ColumnType) {
        self.columns[column].declare(kind);
    }

    /// Lists a column whose values are not read.
    pub(super) fn leave_unread(&mut self, column: usize, why: &str) {
        self.columns[column].unread = true;
        self.warn(format!("column {:?} is listed without figures: {why}", self.columns[column].name));
    }

    /// Begins a row; false when enough rows were read.
    pub(super) fn begin_row(&mut self) -> bool {
        if self.rows >= self.limits.max_rows || self.value_bytes > self.limits.max_decoded_bytes {
            self.truncated = true;
            return false;
        }
        self.rows += 1;
        if self.sample.len() < self.limits.sample_rows && self.sample_bytes < self.limits.sample_max_bytes {
            self.sample.push(Vec::new());
        }
        true
    }

    /// Adds a value to the row at hand; a second one for the same column is passed over.
    pub(super) fn add(&mut self, index: usize, cell: Cell<'_>) {
        let (rows, limits) = (self.rows, self.limits);
        let counting = limits.counting(self.columns.len());
        let column = &mut self.columns[index];
        if column.last_row == rows {
            return;
        }
        column.last_row = rows;
        self.value_bytes = self.value_bytes.saturating_add(cell.size_bytes());
        column.add(cell, self.notation, counting, limits);
        if let Cell::Geometry(json) = cell {
            let _ = self.places.add_geometry(json);
            if self.geometry_columns.is_empty() {
                self.geometry_columns.push(column.name.clone());
            }
        }
        if self.sample.len() as u64 == rows {
            self.add_to_sample(index, cell);
        }
    }

    fn add_to_sample(&mut self, index: usize, cell: Cell<'_>) {
        let value = sampled(cell, self.limits.max_cell_bytes);
        self.sample_bytes += held_bytes(&value);
        if let Some(row) = self.sample.last_mut() {
            if row.len() <= index {
                row.resize(index + 1, Value::Null);
            }
            row[index] = value;
        }
    }

    /// Ends the row: pairs its angles to a place.
    pub(super) fn end_row(&mut self) {
        if self.paired_columns != self.columns.len() {
            self.pairs = pair_up(&self.columns);
            self.paired_columns = self.columns.len();
        }
        for (latitude, longitude) in &self.pairs {
            let angles = (self.columns[*longitude].angle.take(), self.columns[*latitude].angle.take());
            if let (Some(longitude), Some(latitude)) = angles {
                self.places.add(longitude, latitude);
            }
        }
    }

    /// Adds a box the file itself states, for shapes that are not read.
    pub(super) fn add_stated_bbox(&mut self, column: &str, [west, south, east, north]: [f64; 4]) {
        self.places.add(west, south);
        self.places.add(east, north);
        self.geometry_columns.push(column.to_owned());
    }

    /// The finished profile; encoding and dialect are for the caller to fill in.
    pub(super) fn finish(mut self, format: Format, size_bytes: u64) -> Profile {
        let width = self.columns.len();
        let counting = self.limits.counting(width);
        let extent = self.extent();
        if self.truncated {
            self.warn(format!("only the first {} rows were read", self.rows));
        }
        if !self.skipped_columns.is_empty() {
            let (kept, more) = (self.limits.max_columns, self.skipped_columns.len());
            self.warn(format!("only the first {kept} columns are profiled; there are at least {more} more"));
        }
        if self.places.outside() > 0 {
            self.warn(format!("{} places lie outside of the range of degrees, or at 0, 0", self.places.outside()));
        }
        for remark in self.columns.iter().filter_map(Column::remark).collect::<Vec<_>>() {
            self.warn(remark);
        }
        for row in &mut self.sample {
            row.resize(width, Value::Null);
        }
        let (rows, limits) = (self.rows, self.limits);
        Profile {
            format,
            encoding: None,
            had_bom: false,
            csv: None,
            row_count: rows,
            truncated: self.truncated,
            size_bytes,
            columns: self.columns.into_iter().map(|column| column.finish(rows, counting, limits)).collect(),
            extent,
            sample: self.sample,
            warnings: self.warnings,
        }
    }

    fn extent(&self) -> Option<Extent> {
        let mut extent = Extent { bbox: self.places.bbox(), ..Extent::default() };
        if extent.bbox.is_some() {
            let pairs = self.pairs.iter().flat_map(|(latitude, longitude)| [*latitude, *longitude]);
            extent.place_columns = self.geometry_columns.clone();
            extent.place_columns.extend(pairs.map(|index| self.columns[index].name.clone()));
        }
        let mut range: Option<(Stamp, Stamp)> = None;
        for column in &self.columns {
            let Some((min, max)) = column.time_range() else { continue };
            extent.time_columns.push(column.name.clone());
            let (from, to) = range.get_or_insert((min, max));
            if min.order(from).is_lt() {
                *from = min;
            }
            if max.order(to).is_gt() {
                *to = max;
            }
        }
        (extent.from, extent.to) = range.map(|(from, to)| (from.text(), to.text())).unzip();
        (extent.bbox.is_some() || extent.from.is_some()).then_some(extent)
    }
}

fn pair_up(columns: &[Column]) -> Vec<(usize, usize)> {
    let of = |wanted: Axis| {
        columns.iter().enumerate().filter_map(move |(index, column)| match &column.axis {
            Some((axis, stem)) if *axis == wanted => Some((index, stem)),
            _ => None,
        })
    };
    let longitudes: HashMap<&String, usize> = of(Axis::Longitude).map(|(index, stem)| (stem, index)).collect();
    of(Axis::Latitude).filter_map(|(index, stem)| Some((index, *longitudes.get(stem)?))).collect()
}

/// About what a value takes in memory.
fn held_bytes(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(held_bytes).sum(),
            Value::Object(members) => members.iter().map(|(name, value)| name.len() + held_bytes(value)).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

fn sampled(cell: Cell<'_>, max_bytes: usize) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Boolean(value) => Value::Bool(value),
        // A number that JSON's readers would round stays text.
        Cell::Number(text) => match text.parse::<serde_json::Number>() {
            Ok(number) if number.to_string() == text => Value::Number(number),
            _ => Value::String(cut(text, max_bytes)),
        },
        Cell::Stamp(stamp) => Value::String(stamp.text()),
        Cell::Text("") => Value::Null,
        Cell::Text(text) => Value::String(cut(text, max_bytes)),
        Cell::Json(text) | Cell::Geometry(text) => {
            let short = if text.len() <= max_bytes { serde_json::from_str(text).ok() } else { None };
            short.unwrap_or_else(|| Value::String(cut(text, max_bytes)))
        }
        Cell::Binary(bytes) => Value::String(format!("{} bytes", bytes.len())),
    }
}
