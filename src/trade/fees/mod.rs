//! The operator's share, and who bears the processor's fee: dated rules, the most specific one wins.

pub mod http;
mod model;
mod store;

pub use model::{Fee, Sale, resolve};
pub(super) use store::rules_for;

use entity::states::FeeBearer;

/// Who bears the processor's fee of a line: its provider, where the operator's rule says so or the provider agreed to it.
pub(super) fn bearer(agreed: Option<FeeBearer>, by_rule: FeeBearer) -> FeeBearer {
    if agreed == Some(FeeBearer::Provider) { FeeBearer::Provider } else { by_rule }
}
