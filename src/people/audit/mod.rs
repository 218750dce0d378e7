//! The audit log: who did what to which resource. Append-only, also in the database.

mod store;

pub use store::record;
