//! The twin's rules, through HTTP as its users see them.
#![expect(clippy::unwrap_used, reason = "a test that can't go on stops and says why")]

mod accounts;
mod books;
mod checkout;
mod disputes;
mod faults;
mod idempotency;
mod lists;
mod payments;
mod payouts;
mod support;
mod transfers;
mod webhooks;
