//! One attempt: what is sent, and what follows from the answer.

use std::time::Instant;

use entity::{
    Timestamp, states::WebhookDeliveryState, webhook_attempt, webhook_delivery, webhook_endpoint, webhook_lane,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    model::{self, Next, Outcome},
    store::{self, Lease},
};
use crate::{
    config::Notify,
    db::Tx,
    error::{Error, Result},
    notify::endpoints::{announce_disabled, secrets_of, store as endpoints},
    ports::webhooks::Message,
    state::AppState,
};

/// Besides two attempts, how long a process may work in a lane before another may take it.
const LEASE_MARGIN_SECONDS: u64 = 10;
/// Deliveries of a lane that are sent under one lease, so that no lane keeps a place for itself.
const DELIVERIES_PER_LEASE: usize = 20;

/// How long a process may work in a lane before another may take it: longer than one attempt can take.
pub(super) fn lease(notify: &Notify) -> Duration {
    let seconds = 2 * notify.webhook_timeout_seconds + LEASE_MARGIN_SECONDS;
    Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Sends what is due in a lane, one after the other; returns how many attempts that took.
pub(super) async fn work(app: &AppState, lease: &Lease) -> Result<usize> {
    let mut attempts = 0;
    while attempts < DELIVERIES_PER_LEASE {
        let endpoint = endpoints::find_to_send(app.db.read(), lease.endpoint).await?;
        let next = store::oldest(app.db.read(), lease).await?;
        let (Some(endpoint), Some(delivery)) = (endpoint, next) else {
            release(app, lease).await?;
            return Ok(attempts);
        };
        let started = Instant::now();
        let outcome = send(app, &endpoint, &delivery).await?;
        let latency_ms = i32::try_from(started.elapsed().as_millis()).unwrap_or(i32::MAX);
        attempts += 1;
        let goes_on = settle(app, lease, Attempt { endpoint, delivery, outcome, latency_ms }).await?;
        if !goes_on {
            return Ok(attempts);
        }
    }
    release(app, lease).await?;
    Ok(attempts)
}

async fn send(
    app: &AppState,
    endpoint: &webhook_endpoint::Model,
    delivery: &webhook_delivery::Model,
) -> Result<Outcome> {
    let now = app.clock.now();
    let body = match delivery.event_id {
        Some(event) => {
            let news = store::find_news(app.db.read(), event).await?;
            let news = news.ok_or_else(|| Error::internal(format!("{} tells of nothing", delivery.id)))?;
            model::body(&news.kind, news.occurred_at, &news.data)
        }
        None => model::body(&delivery.kind, delivery.created_at, &json!({"webhook_endpoint_id": endpoint.id})),
    };
    let (id, seconds) = (delivery.message_id.to_string(), now.unix_timestamp());
    let secrets = secrets_of(app, endpoint, now)?;
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(&id, seconds, &body)).collect();
    let headers = vec![
        ("webhook-id", id),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ];
    app.db.faults().step(|| "notify.send: before the call".to_owned())?;
    let outcome = app.webhooks.send(Message { url: endpoint.url.clone(), headers, body }).await;
    app.db.faults().step(|| "notify.send: after the call".to_owned())?;
    metrics::counter!("webhook_attempts_total", "taken" => model::is_taken(&outcome).to_string()).increment(1);
    Ok(outcome)
}

/// An attempt that was made.
#[derive(Debug, Clone)]
struct Attempt {
    endpoint: webhook_endpoint::Model,
    delivery: webhook_delivery::Model,
    outcome: Outcome,
    latency_ms: i32,
}

/// Writes down how an attempt went, and what follows; true when this process goes on in the lane.
async fn settle(app: &AppState, lease: &Lease, attempt: Attempt) -> Result<bool> {
    let (now, lease) = (app.clock.now(), lease.clone());
    let notify = app.config.notify.clone();
    app.db
        .write("notify.settle", move |tx| {
            let (lease, attempt, notify) = (lease.clone(), attempt.clone(), notify.clone());
            async move {
                let taken = model::is_taken(&attempt.outcome);
                // The endpoint before the lane, as whoever takes lanes does, so that nobody waits in a circle.
                let endpoint = match !taken || attempt.endpoint.failing_since.is_some() {
                    true => endpoints::lock_to_send(&tx, &[lease.endpoint]).await?.pop(),
                    false => None,
                };
                let Some(lane) = store::lock_leased(&tx, &lease).await? else { return Ok((false, tx)) };
                let delivery = note(&tx, &attempt, &notify.webhook_retry_seconds, now).await?;
                if let Some(endpoint) = endpoint {
                    note_health(&tx, &endpoint, &attempt.outcome, notify.webhook_disable_after_days, now).await?;
                }
                let until = now + self::lease(&notify);
                let goes_on = set_lane(&tx, lane, &lease, &delivery, (now, until)).await?;
                Ok((goes_on, tx))
            }
        })
        .await
}

/// The delivery as it stands after the attempt, which is written down with it.
async fn note(
    tx: &Tx,
    attempt: &Attempt,
    retry_seconds: &[u32],
    now: OffsetDateTime,
) -> Result<webhook_delivery::Model> {
    // Read again: its owner may have put it in line anew meanwhile.
    let stored = store::find(tx.conn(), attempt.delivery.endpoint_id, attempt.delivery.id).await?;
    let mut row = stored.ok_or_else(|| Error::internal(format!("{} is gone", attempt.delivery.id)))?;
    let status = attempt.outcome.as_ref().ok().map(|answer| i32::from(answer.status));
    row.attempts += 1;
    row.last_status = status;
    if model::is_taken(&attempt.outcome) {
        (row.state, row.next_try_at, row.done_at) = (WebhookDeliveryState::Delivered, None, Some(Timestamp(now)));
    } else {
        row.failures += 1;
        match model::after_failure(&attempt.outcome, row.failures, retry_seconds, row.id, now) {
            Next::TryAt(at) => row.next_try_at = Some(Timestamp(at)),
            Next::GiveUp => {
                (row.state, row.next_try_at, row.done_at) = (WebhookDeliveryState::Dead, None, Some(Timestamp(now)));
            }
        }
    }
    let made = webhook_attempt::Model {
        delivery_id: row.id,
        number: row.attempts,
        at: Timestamp(now),
        status,
        latency_ms: attempt.latency_ms,
        failure: attempt.outcome.as_ref().err().copied(),
        answer: attempt.outcome.as_ref().map(|answer| answer.beginning.clone()).unwrap_or_default(),
    };
    store::insert_attempt(tx, made).await?;
    store::replace(tx, row.clone()).await?;
    Ok(row)
}

/// Notes since when an endpoint fails; one that has for days, or says that it is gone, is switched off.
async fn note_health(
    tx: &Tx,
    endpoint: &webhook_endpoint::Model,
    outcome: &Outcome,
    after_days: u32,
    now: OffsetDateTime,
) -> Result<()> {
    if model::is_taken(outcome) {
        return endpoints::note_health(tx, endpoint.id, None, None).await;
    }
    let since = endpoint.failing_since.or(Some(Timestamp(now)));
    let disabled = model::disables(outcome, since, after_days, now);
    endpoints::note_health(tx, endpoint.id, since, disabled).await?;
    match disabled {
        Some(reason) => announce_disabled(tx, endpoint.organization_id, endpoint.id, reason, now).await,
        None => Ok(()),
    }
}

/// Sets when a lane is looked at next; true when something waits in it now, and then it is kept for longer.
async fn set_lane(
    tx: &Tx,
    mut lane: webhook_lane::Model,
    lease: &Lease,
    settled: &webhook_delivery::Model,
    (now, until): (OffsetDateTime, OffsetDateTime),
) -> Result<bool> {
    let next = store::oldest(tx.conn(), lease).await?;
    let goes_on = next.as_ref().is_some_and(|next| next.id != settled.id);
    lane.next_try_at = match next {
        Some(_) if goes_on => Some(Timestamp(now)),
        Some(same) => same.next_try_at,
        None => None,
    };
    lane.leased_until = goes_on.then_some(Timestamp(until));
    store::set_lane(tx, lane).await?;
    Ok(goes_on)
}

/// Gives a lane back; what waits in it stays due.
async fn release(app: &AppState, lease: &Lease) -> Result<()> {
    let lease = lease.clone();
    app.db
        .write("notify.release_lane", move |tx| {
            let lease = lease.clone();
            async move {
                if let Some(lane) = store::lock_leased(&tx, &lease).await? {
                    let next = store::oldest(tx.conn(), &lease).await?;
                    let next_try_at = next.and(lane.next_try_at);
                    store::set_lane(&tx, webhook_lane::Model { leased_until: None, next_try_at, ..lane }).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}
