//! Bringing in files: bank statements (camt.053, MT940, tables) and the processor's payout reports.
//!
//! A file is read twice: once to see that it holds as a whole, then to write its rows in batches under an
//! import that nobody sees until the last batch is there. One import at a time writes to an account, so a
//! row that is there already was there before. What a crash leaves is removed by the next import or sweep.

mod files;
mod http;
mod model;
mod read;
mod service;
mod store;

pub use files::Plan;
pub use http::{routes, upload_routes};
pub use model::{FormatName, Request};
pub use service::{Progress, Tell, import_file, remove_abandoned};
pub(in crate::settlement) use store::seen;
