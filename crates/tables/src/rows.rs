//! What takes the rows of a file, whatever format they come from.

use super::{column::Cell, table::Table};

/// Takes rows one after the other: a header or columns as they come, then cells between the begin and end of a row.
pub(super) trait TakeRows {
    /// Notes something that the provider should know.
    fn warn(&mut self, warning: String);

    /// Notes byte sequences that are no characters, each of which reads as U+FFFD.
    fn note_damaged(&mut self, count: u64, encoding: &str) {
        self.warn(format!("{count} byte sequences are no characters in {encoding}; they read as U+FFFD"));
    }

    /// Adds the columns of a header.
    fn add_header(&mut self, names: &mut dyn Iterator<Item = &str>);

    /// The column of this name, made if it is new; nothing when it is not taken.
    fn column(&mut self, name: &str) -> Option<usize>;

    /// Begins a row; false when no more are wanted.
    fn begin_row(&mut self) -> bool;

    /// Adds a value to the row at hand.
    fn add(&mut self, index: usize, cell: Cell<'_>);

    /// Adds the field at a position, which may lie beyond the header.
    fn add_field(&mut self, index: usize, text: &str);

    /// Ends the row.
    fn end_row(&mut self);

    /// Rows begun so far.
    fn rows(&self) -> u64;
}

impl TakeRows for Table<'_> {
    fn warn(&mut self, warning: String) {
        Self::warn(self, warning);
    }

    fn add_header(&mut self, names: &mut dyn Iterator<Item = &str>) {
        Self::add_header(self, names);
    }

    fn column(&mut self, name: &str) -> Option<usize> {
        Self::column(self, name)
    }

    fn begin_row(&mut self) -> bool {
        Self::begin_row(self)
    }

    fn add(&mut self, index: usize, cell: Cell<'_>) {
        Self::add(self, index, cell);
    }

    fn add_field(&mut self, index: usize, text: &str) {
        if index < self.width() {
            Self::add(self, index, Cell::Text(text));
        }
    }

    fn end_row(&mut self) {
        Self::end_row(self);
    }

    fn rows(&self) -> u64 {
        self.rows
    }
}
