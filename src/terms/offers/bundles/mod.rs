//! Bundles: several listings for one price. Who composes one asks the providers of the other listings.
//!
//! Invariants: a bundle can be ordered only while every part is accepted · an offer never changes, so what was accepted
//! stays what it was · a provider that leaves takes the whole bundle off the shelf.

pub(super) mod http;
mod service;
mod store;

pub(super) use service::{Composition, compose};
pub use store::parts_of;
