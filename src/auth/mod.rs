//! Our own use of cryptography: who is acting, and the secrets that prove it. No tables, no network.

pub mod actor;
pub mod password;
pub mod secrets;
pub mod signing;
pub mod token;

pub use actor::{Actor, Right};
pub use password::Passwords;
pub use secrets::{Secrets, random_bytes};
pub use token::Tokens;
