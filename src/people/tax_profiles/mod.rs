//! What an organisation's invoices say of it, and what decides about tax.
//!
//! Invariant: a version is never changed. A document shows the version in force when its order was placed.

mod http;
mod model;
mod service;
mod store;

pub use http::routes;
pub use model::{PostalAddress, TaxId, TaxProfile};
pub use service::{Known, known_at};
pub use store::{operator_id, registered_at};
