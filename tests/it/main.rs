//! One test binary: every feature through HTTP, on every database that is there.

mod health;
mod support;
