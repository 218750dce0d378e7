//! Coupons: reductions that a provider gives, of its own offers, to whoever knows a code.
//!
//! Invariants: a coupon is never used more often than it says, however many buyers race · it is used in the order's own
//! transaction, and given back in that which closes the order unpaid · a code that is unknown, over or somebody else's
//! looks the same.

pub mod http;
mod model;
mod service;
mod store;

pub(super) use service::{Usable, Use, find_usable, unknown};
pub(super) use store::{claim_all, give_back};
