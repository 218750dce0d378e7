//! Work that is done later: queued jobs, each once, and sweeps that look for what is due.
//!
//! A job is a row, so it is queued in the transaction that needs it. A process takes a job by a
//! lease; if it dies, the lease runs out and another takes it, so every job must be repeatable.
//! A sweep is a use case that is safe to run at any time, by any number of processes.

mod profile_file;
mod queue;
mod runner;

pub use queue::{NewJob, enqueue};
pub use runner::{run_due, run_until_quiet, start};
