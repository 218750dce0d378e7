//! Rows that were inserted, updated or deleted from one revision to the next, of tables whose provider named a key.
//!
//! Invariants: a set of changes is computed once per revision, table and key, by a job, and never changes · putting the
//! sets of consecutive revisions together gives what turns the first table into the last one · two tables that have
//! no unique key, or can't be read by row, have no set, and the reason is told.

mod compose;
mod diff;
mod http;
mod model;
mod service;
mod spill;
mod step;
mod store;

pub use compose::{Composed, Layout};
pub use http::{RowChangesView, routes};
pub use model::{CHANGE_TYPE, Counts};
pub use service::{COMPARE_JOB, Chain, compare_stored_tables, compose_chain, find_chain};
pub(in crate::catalog::revisions) use service::{KeptFile, plan, require_keys};
pub use step::{ChangedBy, ChangedRows, OpenStep, StepRows, find_step, has_key, list_steps, plan_missing_files};
pub(in crate::catalog::revisions) use store::of_revisions;
