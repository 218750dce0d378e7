//! The floor under every wing: connections, the one write transaction, and the tables that make
//! writes repeatable (idempotency keys, outbox, inbox).
//!
//! Invariant: [`Db::write`] is the only place that begins a transaction that writes.

pub mod bulk;
mod connect;
mod error;
mod faults;
mod gather;
mod group_commit;
pub mod idempotency;
pub mod inbox;
pub mod outbox;
mod tx;

pub use connect::{Schema, Steps, connect, connect_lazy_migrator, migrate};
pub use faults::Faults;
pub use gather::{Gather, deal, together_or_alone};
pub use tx::{Db, Snapshot, Tx};
