//! API keys: scoped, hashed, expiring, shown once.

mod store;

pub(super) use store::identify;
pub use store::{KEY_PREFIX, hash};
