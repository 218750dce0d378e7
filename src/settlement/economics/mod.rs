//! Unit economics for the operator: what is left of each sale, as the ledger says.

mod http;
mod model;
mod service;
mod store;

pub use http::routes;
pub use model::{CurrencyEconomics, SalesGroup};
pub use service::economics;
