//! Rows of a table over HTTP: some columns, some rows, in some order, a page at a time.

mod http;
mod output;
mod query;

pub use http::routes;
