//! Torv: an open city data exchange.

pub mod base;
