//! A column by month.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use crate::{
    answer::{Answer, Count, GRID_STEPS, Grid, Month, Share},
    noise::Noise,
    table::{Cell, Row, Type, month_of, month_text},
    terms::Terms,
};

/// Heaps that values are counted in: so many counters a month, however many values there are.
const HEAPS: usize = 8_192;

#[derive(Default)]
struct OfMonth {
    rows: i64,
    nulls: i64,
    /// Of a number: steps from the middle of its range.
    sum: i64,
    /// Of anything else: rows by heap; made when the first is counted.
    heaps: Vec<u32>,
}

pub(crate) struct Drift {
    column: usize,
    kind: Type,
    grid: Option<Grid>,
    time: (usize, Type),
    range: (i64, i64),
    first: i64,
    months: Vec<OfMonth>,
}

impl Drift {
    pub(crate) fn new(
        (column, kind, grid): (usize, Type, Option<Grid>),
        time: (usize, Type),
        range: (i64, i64),
        (first, last): (i64, i64),
    ) -> Self {
        let months = (first..=last).map(|_| OfMonth::default()).collect();
        Self { column, kind, grid, time, range, first, months }
    }

    pub(crate) fn take(&mut self, row: &dyn Row) {
        let at = self.time.1.seconds(row.cell(self.time.0)).filter(|at| (self.range.0..self.range.1).contains(at));
        let place = at.and_then(month_of).and_then(|month| usize::try_from(month - self.first).ok());
        let Some(month) = place.and_then(|place| self.months.get_mut(place)) else { return };
        month.rows += 1;
        let cell = row.cell(self.column);
        if let Some(grid) = self.grid {
            match self.kind.number(cell) {
                Some(number) => month.sum += grid.steps(number),
                None => month.nulls += 1,
            }
            return;
        }
        if cell == Cell::Null {
            month.nulls += 1;
            return;
        }
        month.heaps.resize(HEAPS, 0);
        // No secret: values that share a heap make an answer less exact, and tell nothing.
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(self.kind.show(cell));
        let heap = usize::try_from(hash % 8_192).unwrap_or(0);
        if let Some(rows) = month.heaps.get_mut(heap) {
            *rows = rows.saturating_add(1);
        }
    }

    /// A row lies in one month, where it changes each of three figures: rows and nulls by at most one, and the sum by
    /// at most the steps of half a range, or the largest heap by at most one.
    pub(crate) fn answer(&self, noise: &Noise, terms: &Terms) -> Answer {
        let (ones, steps) = (terms.scale(1, 3), terms.scale(GRID_STEPS, 3));
        let least = i64::from(terms.min_group_size);
        let months = self.months.iter().zip(self.first..).map(|(month, number)| {
            let name = month_text(number);
            let of = |what: &str, scale| noise.at(&[what, &name], scale);
            let (rows, nulls) = (month.rows + of("rows", ones), month.nulls + of("nulls", ones));
            let values = rows.saturating_sub(nulls.max(0));
            let is_enough = rows >= least && values >= least;
            let mean = self.grid.map(|grid| grid.mean((month.sum + of("sum", steps), steps), (values, ones)));
            let top = month.heaps.iter().max().map_or(0, |rows| i64::from(*rows));
            let top = self.grid.is_none().then(|| Share::of(top + of("top", ones), values, ones)).flatten();
            Month {
                rows: Count::of(rows, ones),
                nulls: Share::of(nulls, rows, ones).filter(|_| rows >= least),
                mean: mean.filter(|_| is_enough),
                top: top.filter(|_| is_enough),
                month: name.clone(),
            }
        });
        Answer::Drift { months: months.collect() }
    }
}
