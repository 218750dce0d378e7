//! Quotes, orders, payments and the grants that follow from them.
//!
//! Invariant: paid and granted are one transaction ([`payments::settle`]); neither exists without
//! the other. What was promised (price, fee rule, terms) is frozen on the order line.

mod counter;
pub mod coupons;
pub mod disputes;
pub mod fees;
pub mod grants;
pub mod gross;
pub mod methods;
pub mod orders;
pub mod payments;
pub mod reductions;
pub mod refunds;
pub mod slices;
pub mod subscriptions;
pub mod tax;
pub mod usage;

pub use counter::Counter;
pub use torv_money::prices;
