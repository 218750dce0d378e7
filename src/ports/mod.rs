//! What the exchange asks of the outside, in its own words.

pub mod bus;
pub mod mailer;
pub mod payments;
pub mod webhooks;
