//! Renditions: the files of published revisions in the formats that tools read, made by a job.
//!
//! They live in the catalogue, beside revisions, because publishing plans them and their states are shown with the
//! files; delivery and everything further down only reads them. The original is never touched: a rendition is another
//! file under a key of its own, or the original itself where that is in the format already.
//!
//! The table is its own queue: a row is leased by the process that makes it, the lease is renewed while it works, and
//! what it made counts only if the row is still its own. A kill costs one attempt.
//!
//! Of a table with a key, what changed in it since the revision before is made in the same way. That depends on the key,
//! so it goes when the key does, and it is no form of the file: it is not listed with its renditions.

mod changes;
mod heartbeat;
mod make;
mod model;
mod service;
mod store;
mod view;

pub use changes::{ChangesFile, find_changes};
pub use heartbeat::work_under_lease;
pub use model::{Rendition, media_type, name_in};
pub use service::{find_made, find_parquet, list_made, make_due, plan_missing};
pub use view::RenditionView;

pub(in crate::catalog) use changes::{forget_changes, plan_changes};
pub(in crate::catalog) use service::plan;
pub(in crate::catalog) use store::{RenditionRow, of_revision};
