//! One test binary: every feature through HTTP, on every database that is there.

mod health;
mod settlement;
#[expect(dead_code, unused_imports, reason = "what tests need comes before the tests that need it")]
mod support;
