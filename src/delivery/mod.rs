//! Files on their way to those who may have them.

mod files;

pub use files::{Files, Stored};
