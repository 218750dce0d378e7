//! A stateful local twin of the Stripe endpoints the exchange uses, for tests.
//!
//! It keeps balances, ids and a clock of its own, answers in the shapes of [`API_VERSION`], sends signed webhooks and
//! fails on purpose. It is no payment processor: it moves no money and trusts whoever reaches it.
//!
//! A request runs through `server` (authentication, faults, idempotency) to one line of `routes` and from there to
//! the room of its resource. All rooms work on one `world::World`.
#![recursion_limit = "256"] // json! expands once per member; a Checkout Session has more than 60

mod accounts;
mod balance;
mod balance_settings;
mod captures;
mod charges;
mod checkout;
mod clock;
mod confirmation;
mod control;
mod customers;
mod disputes;
mod error;
mod events;
mod expand;
mod faults;
mod form;
mod hosted;
mod idempotency;
mod ids;
mod list;
mod money;
mod params;
mod payment_intents;
mod payment_methods;
mod payouts;
mod refunds;
mod reversals;
mod routes;
mod schedule;
mod server;
mod socket;
mod store;
mod transfers;
mod twin;
mod webhooks;
mod world;

pub use clock::Clock;
pub use error::ApiError;
pub use faults::{Fault, FaultKind};
pub use money::{Conversion, FeeSchedule};
pub use twin::{Options, Twin};
pub use webhooks::{DeliveryPlan, Endpoint, SignatureTime, Tally};

/// The version of the API whose shapes are answered and sent.
pub const API_VERSION: &str = "2026-09-30.endive";

/// A rate in millionths as a JSON number with six decimals.
pub(crate) fn decimal_millionths(rate: i64) -> serde_json::Value {
    let text = format!("{}.{:06}", rate / 1_000_000, rate % 1_000_000);
    serde_json::from_str(&text).unwrap_or_default()
}
