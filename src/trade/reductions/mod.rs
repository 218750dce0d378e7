//! What refunds and disputes take off an order: how much of each line from whom, and where each share
//! stands when it is taken.
//!
//! Invariants: the parts of one reduction add up to it; all reductions of an order together never take
//! more than was paid, and a full one takes exactly what each party got.

mod door;
mod model;
mod store;

pub(super) use door::follow_money;
pub use model::is_split;
pub(super) use model::{Parts, Position, Taken, debits, parts_of, positions, returned, split_off, taken};
pub(super) use store::{active, bear, insert, of_source, order_account_sums, undo};
