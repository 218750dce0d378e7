//! The operator's share: dated rules in basis points, the most specific one wins.

pub mod http;
mod model;
mod store;

pub use model::{Fee, Sale, resolve};
pub(super) use store::rules_for;
