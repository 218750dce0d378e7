//! Quotes, orders, payments and the grants that follow from them.
//!
//! Invariant: paid and granted are one transaction ([`payments::settle`]); neither exists without
//! the other. What was promised (price, fee rule, terms) is frozen on the order line.

mod counter;
pub mod fees;
pub mod grants;
pub mod orders;
pub mod payments;

pub use counter::Counter;
