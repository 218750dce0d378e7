//! What becomes of decoded rows: kept as they come, or only the first of an order.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    ops::{ControlFlow, Range},
};

use arrow_array::RecordBatch;
use serde_json::Value;

use super::{
    cell::{self, Key},
    filter::{self, Filter},
    scan::{Order, Row, Scan},
};
use crate::limits;

/// What takes decoded rows; `Break` when it has enough.
pub(super) trait Sink: Send + 'static {
    fn take(&mut self, batch: &RecordBatch) -> ControlFlow<()>;
}

/// Columns that are decoded: a batch has them in file order.
#[derive(Debug, Clone)]
pub(super) struct Projection {
    pub(super) columns: Vec<usize>,
}

impl Projection {
    pub(super) fn of(columns: &[usize]) -> Self {
        let mut columns = columns.to_vec();
        columns.sort_unstable();
        columns.dedup();
        Self { columns }
    }

    /// Where a column is in a batch.
    fn place(&self, column: usize) -> usize {
        self.columns.binary_search(&column).unwrap_or(0)
    }

    fn places(&self, filters: &[Filter]) -> Vec<usize> {
        filters.iter().map(|filter| self.place(filter.column)).collect()
    }
}

/// Keeps the values of wanted rows.
pub(super) struct Gather {
    pub(super) mask: Projection,
    pub(super) scan: Scan,
    /// The numbers of the rows that are decoded now, in order.
    pub(super) numbers: Vec<Range<u64>>,
    /// Rows decoded of them.
    pub(super) seen: u64,
    pub(super) found: Vec<Row>,
    pub(super) bytes: usize,
    pub(super) has_more: bool,
}

impl Gather {
    /// The number of the next row that is decoded.
    fn next_number(&mut self) -> u64 {
        let mut left = self.seen;
        self.seen += 1;
        for range in &self.numbers {
            let length = range.end - range.start;
            if left < length {
                return range.start + left;
            }
            left -= length;
        }
        0
    }
}

impl Sink for Gather {
    fn take(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        let places = self.mask.places(&self.scan.filters);
        for row in 0..batch.num_rows() {
            let number = self.next_number();
            if !filter::holds(&self.scan.filters, &places, batch, row) {
                continue;
            }
            if self.found.len() >= self.scan.limit || self.bytes > limits::ROWS_ANSWER_BYTES_MAX {
                self.has_more = true;
                return ControlFlow::Break(());
            }
            let cell = |column: &usize| {
                cell::value(batch.column(self.mask.place(*column)), row, self.scan.geometry == Some(*column))
            };
            let values: Vec<Value> = self.scan.columns.iter().map(cell).collect();
            self.bytes += values.iter().map(weight).sum::<usize>();
            self.found.push(Row { number, key: None, values });
        }
        ControlFlow::Continue(())
    }
}

/// About the bytes of a value as JSON.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(all) => all.iter().map(weight).sum::<usize>() + 2,
        Value::Object(all) => all.iter().map(|(name, value)| name.len() + 4 + weight(value)).sum::<usize>() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

/// A row's place in the order asked for; the greatest is the last.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) key: Option<Key>,
    pub(super) number: u64,
    pub(super) descending: bool,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_key = match (&self.key, &other.key) {
            (Some(own), Some(others)) => {
                let order = own.borrow().compare(others.borrow());
                if self.descending { order.reverse() } else { order }
            }
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        by_key.then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Place {}

/// Keeps the first wanted rows of an order.
pub(super) struct Top {
    pub(super) mask: Projection,
    pub(super) filters: Vec<Filter>,
    pub(super) order: Order,
    /// The number of the next row that is decoded.
    pub(super) start: u64,
    pub(super) best: BinaryHeap<Place>,
    pub(super) limit: usize,
}

impl Sink for Top {
    fn take(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        let places = self.mask.places(&self.filters);
        let column = batch.column(self.mask.place(self.order.column));
        let descending = self.order.descending;
        let after = self.order.after.clone().map(|(key, number)| Place { key, number, descending });
        for row in 0..batch.num_rows() {
            let number = self.start;
            self.start += 1;
            if !filter::holds(&self.filters, &places, batch, row) {
                continue;
            }
            let key = cell::key(column, row).map(cell::KeyRef::to_owned);
            let place = Place { key, number, descending };
            if after.as_ref().is_some_and(|after| place <= *after) {
                continue;
            }
            if self.best.len() < self.limit {
                self.best.push(place);
            } else if self.best.peek().is_some_and(|last| place < *last) {
                self.best.pop();
                self.best.push(place);
            }
        }
        ControlFlow::Continue(())
    }
}
