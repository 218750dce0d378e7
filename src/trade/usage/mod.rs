//! What is counted: downloads and providers' reports, against a price by use or units paid ahead.
//!
//! Invariants: a record is written once and counted once, by its source key · a month's bill is the price of the sum of
//! its records, and never above the budget in force at its end · access stops before a unit beyond the limit is handed
//! out: in one process exactly, of several together at most by what the others are sending at that moment.

mod budget;
mod gate;
mod handed_out;
pub mod http;
mod model;
mod packs;
mod record;
mod report;
mod store;
mod views;

pub(in crate::trade) use budget::{close_month, open_meter};
pub use gate::{Meters, Reservation};
pub use handed_out::{HandedOut, hand_out};
pub(in crate::trade) use model::month_of;
pub(in crate::trade) use packs::add_pack;
pub use packs::withdraw_pack;
pub(crate) use record::count_deliveries;
pub(in crate::trade) use store::{ends_at, stop};
