//! Revisions: the files behind a listing, streamed in while a revision is open and never changed once it is
//! published, with a profile of each.

mod http;
mod model;
mod reference;
pub mod rows;
mod service;
mod store;
mod upload;
pub mod versions;
mod view;

pub use http::{routes, upload_routes};
pub use service::{PROFILE_JOB, profile_stored_file, shown_profile};
pub(crate) use upload::pieces;
