//! One dense sea-orm entity per table, and the identifiers and states they are made of.
//!
//! Rows never derive `Serialize`: a row can't become a response by accident.

pub mod ids;
pub mod states;
pub mod timestamp;

pub mod account;
pub mod api_key;
pub mod audit_event;
pub mod delivery;
pub mod fee_rule;
pub mod file;
pub mod grant;
pub mod idempotency;
pub mod inbox;
pub mod invitation;
pub mod job;
pub mod ledger_account;
pub mod ledger_balance;
pub mod ledger_entry;
pub mod licence;
pub mod licence_document;
pub mod listing;
pub mod listing_audience;
pub mod listing_facet;
pub mod listing_price;
pub mod login_failure;
pub mod membership;
pub mod offer;
pub mod order;
pub mod order_line;
pub mod organization;
pub mod outbox;
pub mod payment;
pub mod payout;
pub mod payout_item;
pub mod posting;
pub mod processor_transaction;
pub mod reconciliation;
pub mod refresh_token;
pub mod revision;
pub mod sandbox_event;
pub mod sandbox_object;
pub mod seal;
pub mod sealed_entry;
pub mod session;
pub mod signing_key;

pub use timestamp::Timestamp;
