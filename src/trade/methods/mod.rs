//! Means of payment that the processor keeps for a buyer, for charges without the buyer being there.
//!
//! Invariant: what the buyer agreed to is kept word by word, with time and person, and the processor's
//! names for buyer and means never leave the exchange.

pub mod http;
mod service;
mod store;

pub use service::{means_for, remove, save};
pub(super) use service::{off_session, require_usable};
