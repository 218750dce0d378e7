//! Stored files that were found to be damaged while somebody read them, until the sweep writes them down.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Keys that are remembered at the same time; a store that loses more has worse problems.
const KEYS_MAX: usize = 1_000;

/// A shared list of keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Damage(Arc<Mutex<BTreeSet<String>>>);

impl Damage {
    /// Notes a file that is not what was stored.
    pub(super) fn note(&self, key: String) {
        metrics::counter!("storage_damaged_reads_total").increment(1);
        tracing::error!(key, "the stored file {key} is not what was stored");
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() < KEYS_MAX {
            keys.insert(key);
        }
    }

    /// Takes what was noted so far.
    pub(super) fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
