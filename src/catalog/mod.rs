//! What is offered, and what is known of it.

pub mod profile;
