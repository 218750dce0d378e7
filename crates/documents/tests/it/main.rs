//! The documents as a stranger sees them.
#![expect(clippy::print_stderr, clippy::unwrap_used, reason = "a test that can't go on stops and says why")]

mod model;
mod oracle;
mod pdf;
mod samples;
mod statement;
mod ubl;
