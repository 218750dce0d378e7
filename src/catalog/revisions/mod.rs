//! Revisions: the files behind a listing, streamed in while a revision is open and never changed once it is
//! published, with a profile of each.

mod http;
mod model;
mod service;
mod store;
mod upload;
mod view;

pub use http::{routes, upload_routes};
pub use service::{PROFILE_JOB, profile_stored_file};
pub(crate) use upload::pieces;
