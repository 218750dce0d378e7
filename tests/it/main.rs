//! One test binary: every feature through HTTP, on every database that is there.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that can't go on stops and says why"
)]

mod downloads;
mod health;
#[expect(dead_code, unused_imports, reason = "what tests need comes before the tests that need it")]
mod support;
