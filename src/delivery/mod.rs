//! Files on their way to those who may have them.
//!
//! A download never waits for its own bookkeeping: who may is asked of the database for many requests
//! at once ([`downloads`]), what was sent is written down afterwards, many rows at once ([`Recorder`]).

mod damage;
pub mod downloads;
pub mod features;
mod files;
mod pieces;
mod recorder;
pub mod rows;
pub mod sharing;
pub mod sql;
pub mod storage;
pub mod tables;
pub mod trials;
mod upload;

pub use files::{Files, LocalCopy, OtherSender, Remote, Stored};
pub use pieces::Pieces;
pub use recorder::{Delivered, Recorder};
