//! Delta Sharing: tables in the buyer's own tools, by its open protocol.
//!
//! A share is a grant, its schema the provider, a table a Parquet file by its name, a version a revision. The files
//! themselves are fetched by signed links, made when they are asked for. What a version changed is a file of its own,
//! made beside the table where its provider named a key.
//!
//! Source: delta-io/delta-sharing, `PROTOCOL.md` (revision 5c1b002), and what the `PyPI` client `delta-sharing` 1.4.2
//! was seen to need.

mod capabilities;
mod changes;
mod http;
mod log;
mod model;
mod profile;
mod schema;
mod service;
mod views;

pub use http::routes;
pub use profile::routes as profile_routes;
