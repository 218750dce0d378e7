//! One test binary: every feature through HTTP, on every database that is there.
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that can't go on stops and says why"
)]

mod accounts;
mod after_sale;
mod api_keys;
mod audit;
mod authorization;
mod catalogue_search;
mod cli;
mod contract;
mod demo;
mod downloads;
mod events;
mod faults;
mod features;
mod fees;
mod grants;
mod hardening;
mod health;
mod invoices;
#[cfg(feature = "stripe")]
mod kill;
mod licences;
mod listings;
mod migrations;
mod offers;
mod orders;
mod organizations;
mod payments;
mod plans;
mod processes;
mod reference;
mod renditions;
mod revisions;
mod rows;
mod settlement;
mod sharing;
mod slices;
mod sql;
mod storage;
#[cfg(feature = "stripe")]
mod stripe;
mod subscriptions;
mod support;
mod takeover;
mod trials;
mod versions;
mod walk;
mod web_server;
mod webhooks;
