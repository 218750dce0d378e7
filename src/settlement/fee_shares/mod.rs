//! What the processor charged for a sale, where the provider bears it: its share is reduced once the
//! processor's line is known.
//!
//! The part is taken from where the share stands: from what is pending, else from what is payable, and what
//! is in neither any more the provider owes us. So no account of a provider falls below zero.

mod model;
mod service;
mod store;

pub use model::allocate;
pub use service::book_fee_shares;
pub(super) use service::source;
pub(super) use store::of_orders;
