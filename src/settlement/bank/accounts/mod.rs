//! Bank accounts of the operator: which statements are taken, and how their tables are laid out.

mod http;
mod model;
mod service;
mod store;

pub use http::routes;
pub use model::{CsvLayout, profile_of};
pub use service::{NewBankAccount, open};
pub(in crate::settlement) use store::all;
