//! Slices of a table: the rows in an area and a period, and some of the columns.
//!
//! [`build_index`] reads a Parquet file once and writes a side file of where and when its rows are; [`Index`] counts from
//! that how many rows a selection has, exactly; [`cut()`] writes those rows. Both ask [`Filter::takes`], so what is counted
//! is what is written.
//!
//! A geometry counts by the centre of the box around it (a point by itself), in ten-millionths of a degree. A row without
//! geometry, or with one that is not on the earth, lies in no area; a row without a time in no period.

mod area;
mod build;
mod cut;
mod index;
mod rows;

use serde::{Deserialize, Serialize};

pub use area::{Area, AreaError, POSITIONS_MAX, Point, RINGS_MAX};
pub use build::build_index;
pub use cut::{Cut, cut};
pub use index::Index;

/// Which rows are wanted: those that fulfil all that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Rows in this area.
    pub area: Option<Area>,
    /// Rows from the first instant on and before the second, in microseconds since 1970 UTC. A day is its midnight.
    pub period: Option<(i64, i64)>,
}

impl Filter {
    /// True for a row there and then.
    pub fn takes(&self, place: Option<Point>, time: Option<i64>) -> bool {
        let there = self.area.as_ref().is_none_or(|area| place.is_some_and(|at| area.holds(at)));
        let then = self.period.is_none_or(|(from, to)| time.is_some_and(|at| from <= at && at < to));
        there && then
    }
}

/// A column, as far as a slice's price depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceColumn {
    /// Its name, unique in the file.
    pub name: String,
    /// Bytes of its values divided by the rows of the file, rounded up, at least 1. Texts count their bytes in UTF-8,
    /// numbers and times the bytes of their type, flags one; an absent text nothing.
    pub width_bytes: u64,
    /// It holds the geometry by which areas are cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_geometry: bool,
}
