//! One test binary: every feature through HTTP, on every database that is there.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that can't go on stops and says why")]

mod catalogue_search;
mod health;
mod listings;
mod revisions;
#[expect(dead_code, reason = "what tests need comes before the tests that need it")]
mod support;
