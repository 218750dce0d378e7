//! The outside, one file or folder per vendor. Only `bootstrap` names what is in here.

pub mod local_bus;
pub mod sandbox;
#[cfg(feature = "stripe")]
pub mod stripe;
