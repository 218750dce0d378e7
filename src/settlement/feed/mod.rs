//! The money feed: every posting as one row that never changes, for a finance team's own warehouse.
//!
//! Two times are kept apart: `effective_at`, when something happened, and `booked_at`, when the books
//! learned of it. Rows come in the order of sealing and not of ids, so a reader who goes on from its
//! cursor misses nothing, however late another process commits: what is not sealed yet is not in the feed
//! yet, which takes a second or two.

mod http;
mod model;
mod parquet_file;
mod service;

pub use http::routes;
pub use model::{FeedRow, FileFormat, Wanted};
pub use service::{Download, page};
