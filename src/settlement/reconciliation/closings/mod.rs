//! Closing a month: its sums are frozen when nothing of it is unexplained.

mod http;
mod model;
mod service;
mod store;

pub use http::closing_routes;
