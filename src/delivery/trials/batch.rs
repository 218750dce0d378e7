//! Rows of a table as questions see them.

use arrow_array::{Array as _, RecordBatch};
use arrow_schema::Schema;
use torv_trial::{Cell, Column, Plan, Row, Type};

use crate::delivery::tables::{
    cell::{self, KeyRef, Kind},
    filter::kind_of,
    scan::Fold,
};

/// The columns of a table.
pub(super) fn columns(schema: &Schema) -> Vec<Column> {
    let kind = |place| match kind_of(schema, place) {
        Kind::Boolean => Type::Boolean,
        Kind::Integer => Type::Integer,
        Kind::Decimal(scale) => Type::Decimal(u32::from(scale.unsigned_abs())),
        Kind::Float => Type::Float,
        Kind::Text => Type::Text,
        Kind::Date => Type::Date,
        Kind::Instant => Type::Instant,
        Kind::Other => Type::Other,
    };
    let fields = schema.fields().iter().enumerate();
    fields.map(|(place, field)| Column { name: field.name().clone(), kind: kind(place) }).collect()
}

/// All questions of a report, on their one way through the table.
pub(super) struct Questions(pub(super) Vec<Plan>);

impl Fold for Questions {
    fn take(&mut self, batch: &RecordBatch, places: &[usize]) {
        for row in 0..batch.num_rows() {
            let row = BatchRow { batch, places, row };
            for plan in &mut self.0 {
                plan.take(&row);
            }
        }
    }
}

struct BatchRow<'a> {
    batch: &'a RecordBatch,
    /// The columns of the file that the batch has.
    places: &'a [usize],
    row: usize,
}

impl Row for BatchRow<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        let Ok(place) = self.places.binary_search(&column) else { return Cell::Null };
        let array = self.batch.column(place);
        if array.is_null(self.row) {
            return Cell::Null;
        }
        match cell::key(array, self.row) {
            Some(KeyRef::Bool(value)) => Cell::Bool(value),
            Some(KeyRef::Int(value)) => Cell::Int(value),
            Some(KeyRef::Float(value)) => Cell::Float(value),
            Some(KeyRef::Text(value)) => Cell::Text(value),
            None => Cell::Opaque,
        }
    }
}
