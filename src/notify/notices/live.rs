//! Who follows the log at this process, and how they hear that there is more of it.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use entity::ids::OrgId;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::store;
use crate::{
    db::Db,
    error::{Error, Problem, Result},
    limits,
};

/// How often a process with streams looks at the end of the log.
const TICK: Duration = Duration::from_millis(500);
/// After which time a client that was turned away may try again.
const RETRY_SECONDS: u32 = 30;

/// The streams of this process. One task looks at the log for all of them; a stream reads only when it hears that there
/// is something for its organisation, so a thousand quiet streams cost one query.
#[derive(Clone, Default)]
pub struct LiveNotices(Arc<Inner>);

#[derive(Default)]
struct Inner {
    followers: Mutex<Followers>,
    closed: CancellationToken,
}

#[derive(Default)]
struct Followers {
    streams: usize,
    by_reader: HashMap<Uuid, usize>,
    by_org: HashMap<OrgId, watch::Sender<i64>>,
}

/// A place among the streams; it is given back when this is dropped.
pub(super) struct Following {
    live: LiveNotices,
    organization: OrgId,
    reader: Uuid,
    news: watch::Receiver<i64>,
}

/// What a stream has waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// There may be more of the log.
    News,
    /// It was silent for long.
    Silence,
    /// The process is about to end.
    Closed,
}

impl LiveNotices {
    /// Takes a place for a reader of an organisation.
    ///
    /// # Errors
    /// `TooMany` when the reader has as many streams as they may, `Unavailable` when the process has.
    pub(super) fn follow(&self, organization: OrgId, reader: Uuid) -> Result<Following> {
        let mut followers = self.followers();
        if followers.streams >= limits::NOTICE_STREAMS_MAX {
            return Err(Error::unavailable("Too many streams are open here. Read pages meanwhile.", RETRY_SECONDS));
        }
        let own = followers.by_reader.get(&reader).copied().unwrap_or(0);
        if own >= limits::NOTICE_STREAMS_PER_READER_MAX {
            let most = limits::NOTICE_STREAMS_PER_READER_MAX;
            let detail = format!("You have {most} streams open, which is the most. Close one, or read pages.");
            return Err(Error { retry_after_seconds: Some(RETRY_SECONDS), ..Error::new(Problem::TooMany, detail) });
        }
        followers.streams += 1;
        *followers.by_reader.entry(reader).or_default() += 1;
        let news = followers.by_org.entry(organization).or_insert_with(|| watch::Sender::new(0)).subscribe();
        Ok(Following { live: self.clone(), organization, reader, news })
    }

    /// Looks at the log for all streams until `stop`, and then ends them.
    pub fn start(self, db: Db, stop: CancellationToken, tasks: &TaskTracker) {
        tasks.spawn(async move {
            let mut seen = 0;
            while !stop.is_cancelled() {
                match self.look(&db, seen).await {
                    Ok(end) => seen = end,
                    Err(error) => tracing::warn!(error = %error, "the log of notices could not be looked at: {error}"),
                }
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = pause() => {}
                }
            }
            self.0.closed.cancel();
        });
    }

    /// Wakes the streams of organisations that were told something after `seen`; returns the end of the log.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn look(&self, db: &Db, seen: i64) -> Result<i64> {
        if self.followers().by_org.is_empty() {
            return Ok(seen);
        }
        // The end before the followers: who follows from later on reads what came before by themselves.
        let end = store::head(db.read()).await?;
        let orgs: Vec<OrgId> = self.followers().by_org.keys().copied().collect();
        if end == seen || orgs.is_empty() {
            return Ok(end);
        }
        let told = store::told_between(db.read(), &orgs, (seen, end)).await?;
        let followers = self.followers();
        for org in told {
            if let Some(news) = followers.by_org.get(&org) {
                news.send_replace(end);
            }
        }
        Ok(end)
    }

    fn followers(&self) -> std::sync::MutexGuard<'_, Followers> {
        self.0.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Following {
    /// Waits until there is more, or it was silent for long.
    pub(super) async fn wait(&mut self) -> Woken {
        let silence = Duration::from_secs(limits::NOTICE_STREAM_HEARTBEAT_SECONDS);
        tokio::select! {
            () = self.live.0.closed.cancelled() => Woken::Closed,
            news = tokio::time::timeout(silence, self.news.changed()) => match news {
                Ok(Ok(())) => Woken::News,
                Ok(Err(_)) => Woken::Closed,
                Err(_) => Woken::Silence,
            }
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut followers = self.live.followers();
        followers.streams = followers.streams.saturating_sub(1);
        if let Entry::Occupied(mut own) = followers.by_reader.entry(self.reader) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
        // This one's receiver is still there.
        if followers.by_org.get(&self.organization).is_some_and(|news| news.receiver_count() <= 1) {
            followers.by_org.remove(&self.organization);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "between two looks there is nothing else to wait for")]
async fn pause() {
    tokio::time::sleep(TICK).await;
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn places_are_limited_per_reader_and_given_back() {
        let live = LiveNotices::default();
        let (org, reader) = (OrgId::at(OffsetDateTime::UNIX_EPOCH), Uuid::from_u128(1));
        let own: Vec<_> =
            (0..limits::NOTICE_STREAMS_PER_READER_MAX).map(|_| live.follow(org, reader).unwrap()).collect();
        assert_eq!(live.follow(org, reader).err().map(|error| error.problem), Some(Problem::TooMany));
        assert!(live.follow(org, Uuid::from_u128(2)).is_ok());
        drop(own);
        assert!(live.follow(org, reader).is_ok());
        let followers = live.followers();
        assert_eq!((followers.streams, followers.by_reader.len(), followers.by_org.len()), (0, 0, 0));
    }

    #[test]
    fn a_process_has_only_so_many_places() {
        let live = LiveNotices::default();
        let org = OrgId::at(OffsetDateTime::UNIX_EPOCH);
        let places: Vec<_> =
            (0..limits::NOTICE_STREAMS_MAX).map(|at| live.follow(org, Uuid::from_u128(at as u128)).unwrap()).collect();
        let refused = live.follow(org, Uuid::from_u128(u128::MAX));
        assert_eq!(refused.err().map(|error| error.problem), Some(Problem::Unavailable));
        drop(places);
    }
}
