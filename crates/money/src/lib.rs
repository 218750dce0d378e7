//! What the exchange does with money, as pure arithmetic: whole minor units in, whole minor units out.
//!
//! Invariants: no float · sums are checked, and inside 128 bits wide · parts add up to their whole · what is rounded is
//! rounded once · nothing here reads a clock, a database or the network, and nothing knows what an id looks like: who
//! somebody is, is a type parameter.
//!
//! It is a crate of its own so that it can be tested to the last operator: `.ci/mutants` changes each of them, and the
//! tests have to notice.

pub mod allocate;
pub mod balance;
pub mod chain;
pub mod chargeable;
pub mod currency;
pub mod fee_rules;
pub mod fee_shares;
pub mod money;
pub mod months;
#[cfg(feature = "openapi")]
mod openapi;
pub mod payouts;
pub mod plan;
pub mod prices;
pub mod receivables;
pub mod reductions;
pub mod reversals;
pub mod standing;
pub mod tax;
pub mod usage;

pub use currency::Currency;
pub use money::{Money, MoneyError};
