//! How many rows there are, and how many lack a value.

use crate::{
    answer::{Answer, ColumnCoverage, Count, Share},
    noise::Noise,
    table::{Cell, Row},
    terms::Terms,
};

pub(crate) struct Coverage {
    columns: Vec<(String, usize)>,
    rows: i64,
    nulls: Vec<i64>,
}

impl Coverage {
    pub(crate) fn new(columns: Vec<(String, usize)>) -> Self {
        Self { rows: 0, nulls: vec![0; columns.len()], columns }
    }

    pub(crate) fn take(&mut self, row: &dyn Row) {
        self.rows += 1;
        for ((_, column), nulls) in self.columns.iter().zip(&mut self.nulls) {
            *nulls += i64::from(row.cell(*column) == Cell::Null);
        }
    }

    /// A row changes the number of rows by one, and each number of nulls by at most one.
    pub(crate) fn answer(&self, noise: &Noise, terms: &Terms) -> Answer {
        let scale = terms.scale(1, 1 + self.columns.len());
        let rows = self.rows + noise.at(&["rows"], scale);
        let is_enough = rows >= i64::from(terms.min_group_size);
        let columns = self.columns.iter().zip(&self.nulls).map(|((name, _), nulls)| {
            let nulls = nulls + noise.at(&["nulls", name], scale);
            ColumnCoverage { name: name.clone(), nulls: Share::of(nulls, rows, scale).filter(|_| is_enough) }
        });
        Answer::Coverage { columns: columns.collect(), rows: Count::of(rows, scale) }
    }
}
