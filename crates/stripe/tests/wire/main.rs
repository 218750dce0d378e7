//! The gateway against a scripted server: what goes over the wire, and what becomes of the answers.
#![expect(clippy::expect_used, reason = "a test that can't go on stops and says why")]

mod answers;
mod logs;
mod requests;
mod retries;
mod support;
