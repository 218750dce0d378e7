//! The operator's share, and who bears the processor's fee: dated rules, the most specific one wins.

pub mod http;
mod model;
mod store;

pub use model::{Fee, Sale, resolve};
pub(super) use store::rules_for;
