//! One test binary: every feature through HTTP, on every database that is there.
#![expect(clippy::expect_used, clippy::print_stderr, reason = "a test that can't go on stops and says why")]

mod accounts;
mod api_keys;
mod audit;
mod catalogue_search;
mod downloads;
mod health;
mod licences;
mod listings;
mod offers;
mod organizations;
mod revisions;
#[expect(dead_code, reason = "what tests need comes before the tests that need it")]
mod support;
