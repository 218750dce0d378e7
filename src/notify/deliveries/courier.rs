//! Takes lanes in which something is due, and works in many of them at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use entity::{Timestamp, ids::WebhookEndpointId};
use futures::future::join_all;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    send,
    store::{self, Lease},
};
use crate::{error::Result, limits, notify::endpoints::store as endpoints, state::AppState};

/// How often a process looks for what is due.
const TICK: Duration = Duration::from_millis(500);

/// Takes at most `limit` lanes; each belongs to this process until its lease runs out.
///
/// An endpoint has at most [`limits::WEBHOOKS_PER_ENDPOINT_AT_ONCE`] of them, whichever processes hold them, and one that
/// is failing has one.
async fn take(app: &AppState, limit: usize) -> Result<Vec<Lease>> {
    let now = app.clock.now();
    let due = store::due_lanes(app.db.read(), Timestamp(now), u64::try_from(limit).unwrap_or(u64::MAX)).await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let until = Timestamp(now + send::lease(&app.config.notify));
    app.db
        .write("notify.take_lanes", move |tx| {
            let due = due.clone();
            async move {
                let mut ids: Vec<WebhookEndpointId> = due.iter().map(|lane| lane.endpoint_id).collect();
                ids.sort_unstable();
                ids.dedup();
                let mut places: HashMap<WebhookEndpointId, i64> = HashMap::new();
                for endpoint in endpoints::lock_to_send(&tx, &ids).await? {
                    let is_failing = endpoint.failing_since.is_some();
                    let most = if is_failing { 1 } else { limits::WEBHOOKS_PER_ENDPOINT_AT_ONCE };
                    places.insert(endpoint.id, i64::try_from(most).unwrap_or(1));
                }
                for (endpoint, taken) in store::count_leased(&tx, &ids, Timestamp(now)).await? {
                    places.entry(endpoint).and_modify(|left| *left -= taken);
                }
                let mut mine = Vec::new();
                for lane in due {
                    let left = places.entry(lane.endpoint_id).or_insert(0);
                    if *left > 0
                        && let Some(lease) = store::lease(&tx, &lane, Timestamp(now), until).await?
                    {
                        *left -= 1;
                        mine.push(lease);
                    }
                }
                Ok((mine, tx))
            }
        })
        .await
}

/// Delivers what is due once; returns how many attempts that took. For tests and the demo: it waits for the slowest.
///
/// # Errors
/// Those of the database.
pub async fn deliver_due(app: &AppState) -> Result<usize> {
    let leases = take(app, limits::WEBHOOKS_AT_ONCE).await?;
    let outcomes = join_all(leases.iter().map(|lease| send::work(app, lease))).await;
    outcomes.into_iter().sum()
}

/// Delivers webhooks as long as the process runs.
pub struct Courier {
    app: AppState,
    places: Arc<Semaphore>,
}

impl Courier {
    /// A courier with all its places free.
    pub fn new(app: AppState) -> Self {
        Self { app, places: Arc::new(Semaphore::new(limits::WEBHOOKS_AT_ONCE)) }
    }

    /// Delivers until `stop`; what is on its way then is finished. A slow receiver keeps its few places and nobody else's.
    pub fn start(self, stop: CancellationToken, tasks: &TaskTracker) {
        let lanes = tasks.clone();
        tasks.spawn(async move {
            while !stop.is_cancelled() {
                let taken = self.round(&lanes).await.unwrap_or_else(|error| {
                    tracing::error!(error = %error, "webhooks could not be taken: {error}");
                    0
                });
                if taken == 0 {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = pause() => {}
                    }
                }
            }
        });
    }

    async fn round(&self, tasks: &TaskTracker) -> Result<usize> {
        let free = self.places.available_permits();
        if free == 0 {
            return Ok(0);
        }
        let leases = take(&self.app, free).await?;
        let taken = leases.len();
        for lease in leases {
            let (app, place) = (self.app.clone(), self.places.clone().acquire_owned().await);
            tasks.spawn(async move {
                if let Err(error) = send::work(&app, &lease).await {
                    tracing::error!(webhook_endpoint.id = %lease.endpoint, error = %error, "a webhook was not settled: {error}");
                }
                drop(place);
            });
        }
        Ok(taken)
    }
}

#[expect(clippy::disallowed_methods, reason = "between two looks there is nothing else to wait for")]
async fn pause() {
    tokio::time::sleep(TICK).await;
}
