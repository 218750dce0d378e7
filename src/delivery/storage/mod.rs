//! The integrity of what is stored: a slow re-reading of everything, and files that nothing refers to.

mod http;
mod orphans;
mod scrub;
mod store;

pub use http::routes;
pub use orphans::{Orphan, Orphans, find_orphans, remove_orphans};
pub use scrub::{ScrubReport, note_damaged_reads, scrub_all, scrub_next};
