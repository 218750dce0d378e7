//! Files on their way to those who may have them.
//!
//! A download never waits for its own bookkeeping: who may is asked of the database for many requests
//! at once ([`downloads`]), what was sent is written down afterwards, many rows at once ([`Recorder`]).

pub mod downloads;
mod files;
mod pieces;
mod recorder;

pub use files::{Files, Stored};
pub use pieces::Pieces;
pub use recorder::{Delivered, Recorder};
