//! One test binary: every feature through HTTP, on every database that is there.

mod health;
mod licences;
mod offers;
#[expect(dead_code, reason = "what tests need comes before the tests that need it")]
mod support;
