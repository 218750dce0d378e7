//! The outside, one file or folder per vendor. Only `bootstrap` names what is in here.

pub mod local_bus;
pub mod mail;
pub mod s3;
pub mod sandbox;
#[cfg(feature = "stripe")]
pub mod stripe;
mod tls;
pub mod webhook_sender;
