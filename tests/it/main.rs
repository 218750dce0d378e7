//! One test binary: every feature through HTTP, on every database that is there.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that can't go on stops and says why"
)]

mod accounts;
mod api_keys;
mod audit;
mod catalogue_search;
mod cli;
mod demo;
mod downloads;
mod health;
mod licences;
mod listings;
mod migrations;
mod offers;
mod organizations;
mod processes;
mod revisions;
mod settlement;
mod support;
