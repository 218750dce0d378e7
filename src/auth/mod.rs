//! Our own use of cryptography: who is acting, and the secrets that prove it. No tables, no network.

pub mod actor;
pub mod secrets;

pub use actor::{Actor, Right};
pub use secrets::Secrets;
