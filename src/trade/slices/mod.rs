//! Slices: the rows in an area and a period, and some of the columns, of a file, sold by the owner's rule.
//!
//! A quote counts the rows from an index that a job made of the file; the order freezes the selection with file, revision
//! and counts on its line; the grant opens nothing but the files that a job cuts out of that file. Cutting and counting
//! ask one filter (`torv_tables::slices`), and a slice whose rows are not those that were counted is never handed out.
//!
//! The table of tasks is its own queue, as that of renditions: a row is leased by the process that works on it, and what
//! it made counts only if the row is still its own. A kill costs one attempt.

mod counting;
pub mod http;
mod make;
mod model;
mod news;
mod queue;
mod store;

pub use counting::{Counting, Quoted, quote};
pub use model::{AreaIn, PeriodIn, Slice, SliceFile, SliceIn};
pub use queue::{make_due, plan_indexes};
pub use store::{CutSlice, find_cut, find_cuts};

pub(super) use store::plan_cuts;
