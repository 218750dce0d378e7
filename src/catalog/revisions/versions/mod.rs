//! Versions as a contract: each published revision gets a semantic version from what it changed, and a breaking one
//! reaches those who were granted an older major only after its notice, or when they accept it.

mod contract;
mod http;
mod model;
mod service;
mod store;

pub use contract::{Change, ChangeKind};
pub use http::routes;
pub use model::{Held, NotAVersion, Release, Step, Version, reaches};
pub use service::assign_due;
pub use store::{Released, major_at, newest_major, number_of, page_of_listing, version_of};
