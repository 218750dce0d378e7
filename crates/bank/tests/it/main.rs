//! Reads files as callers do. The files in `tests/data` are written for these tests; banks and accounts are invented.
#![expect(clippy::expect_used, reason = "a test that can't go on stops and says why")]

mod fixtures;
mod limits;
mod payout;
mod profile;
mod refused;
mod roundtrip;
mod soup;
mod support;
mod truncated;
mod writers;
