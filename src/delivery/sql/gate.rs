//! How many queries there are at once: in the process, and of one organisation.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::ids::OrgId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    config::Sql,
    error::{Error, Problem, Result},
};

/// Seconds after which somebody who was sent away may come again.
const RETRY_AFTER_SECONDS: u32 = 5;

type Counts = Arc<Mutex<HashMap<OrgId, usize>>>;

/// Where queries wait for their turn.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    counts: Counts,
    per_organization: usize,
    wait: Duration,
}

/// One of the queries of an organisation, until this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    organization: OrgId,
    counts: Counts,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = locked(&self.counts);
        if let Some(count) = counts.get_mut(&self.organization) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.organization);
            }
        }
    }
}

/// Numbers stay right whoever panicked over them.
fn locked(counts: &Counts) -> MutexGuard<'_, HashMap<OrgId, usize>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    pub(super) fn new(config: &Sql) -> Self {
        Self {
            places: Arc::new(Semaphore::new(config.queries_at_once)),
            waiting: Arc::new(Semaphore::new(config.queries_waiting)),
            counts: Counts::default(),
            per_organization: config.queries_per_organization,
            wait: Duration::from_secs(config.wait_seconds),
        }
    }

    /// Counts a query of an organisation.
    ///
    /// # Errors
    /// `TooMany` when it has as many as it may.
    pub(super) fn share(&self, organization: OrgId) -> Result<Share> {
        let mut counts = locked(&self.counts);
        let count = counts.entry(organization).or_default();
        if *count >= self.per_organization {
            let most = self.per_organization;
            let detail =
                format!("Your organisation has {most} queries under way, the most there can be. Wait for one to end.");
            return Err(Error {
                retry_after_seconds: Some(RETRY_AFTER_SECONDS),
                ..Error::new(Problem::TooMany, detail)
            });
        }
        *count += 1;
        drop(counts);
        Ok(Share { organization, counts: self.counts.clone() })
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `Unavailable` when too many wait, or it takes too long.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        let busy =
            || Error::unavailable("Too many queries are being carried out. Try again shortly.", RETRY_AFTER_SECONDS);
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = self.waiting.clone().try_acquire_owned().map_err(|_| busy())?;
        timeout(self.wait, self.places.clone().acquire_owned()).await.map_err(|_| busy())?.map_err(|_| busy())
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn gate() -> Gate {
        let config = Sql { queries_at_once: 1, queries_per_organization: 2, queries_waiting: 0, ..Sql::default() };
        Gate::new(&config)
    }

    #[test]
    fn an_organisation_has_no_more_than_its_share() {
        let (gate, one, other) = (gate(), OrgId::at(OffsetDateTime::UNIX_EPOCH), OrgId::at(OffsetDateTime::UNIX_EPOCH));
        let held = [gate.share(one).unwrap(), gate.share(one).unwrap()];
        let refused = gate.share(one).unwrap_err();
        assert_eq!((refused.problem, refused.retry_after_seconds), (Problem::TooMany, Some(RETRY_AFTER_SECONDS)));
        gate.share(other).unwrap();
        drop(held);
        assert!(gate.share(one).is_ok() && locked(&gate.counts).is_empty());
    }

    #[tokio::test]
    async fn who_finds_everything_full_is_sent_away() {
        let gate = gate();
        let place = gate.turn().await.unwrap();
        assert_eq!(gate.turn().await.unwrap_err().problem, Problem::Unavailable);
        drop(place);
        drop(gate.turn().await.unwrap());
    }
}
