//! What is to be delivered: with each notice, by hand, as a test.

use std::collections::{BTreeSet, HashMap};

use entity::{
    Timestamp,
    ids::{EventId, ListingId, NoticeId, OrgId, WebhookDeliveryId, WebhookEndpointId},
    states::WebhookDeliveryState,
    webhook_delivery,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::store::{self, NewDelivery, When};
use crate::{
    auth::Actor,
    db::Tx,
    error::{Error, Result},
    limits,
    notify::{
        endpoints::store::{self as endpoints, Wants},
        kinds,
    },
    people::audit,
    state::AppState,
};

/// The lane of messages that try an endpoint out.
const TEST_LANE: &str = "test";
/// Deliveries forgotten in one go.
const FORGOTTEN_PER_BATCH: u64 = 200;

/// A notice that was just written.
#[derive(Debug, Clone)]
pub(in crate::notify) struct Told {
    pub cursor: i64,
    pub notice: NoticeId,
    pub organization: OrgId,
    pub event: EventId,
    pub kind: String,
    pub listing: Option<ListingId>,
    pub lane: String,
}

impl Told {
    fn to(&self, wants: &Wants, replay_no: i32, now: OffsetDateTime) -> NewDelivery {
        NewDelivery {
            id: WebhookDeliveryId::at(now),
            endpoint: wants.endpoint,
            notice: Some((self.cursor, self.event)),
            message: self.notice,
            replay_no,
            kind: self.kind.clone(),
            lane: self.lane.clone(),
        }
    }
}

/// Queues notices, in the order of their cursors, for the endpoints that want them.
///
/// # Errors
/// Those of the database.
pub(in crate::notify) async fn queue(tx: &Tx, told: Vec<Told>, now: OffsetDateTime) -> Result<()> {
    let orgs: BTreeSet<OrgId> = told.iter().map(|one| one.organization).collect();
    let wanting = endpoints::wanting(tx, &orgs.into_iter().collect::<Vec<_>>()).await?;
    let mut by_org: HashMap<OrgId, Vec<&Wants>> = HashMap::new();
    for wants in &wanting {
        by_org.entry(wants.organization).or_default().push(wants);
    }
    let mut new = Vec::new();
    for one in &told {
        let interested = by_org.get(&one.organization).into_iter().flatten();
        let interested = interested.filter(|wants| wants.includes(&one.kind, one.listing));
        new.extend(interested.map(|wants| one.to(wants, 0, now)));
    }
    put_in_line(tx, &new, When::InTurn, now).await
}

/// Queues what was told before for one endpoint once more.
///
/// # Errors
/// Those of the database.
pub(super) async fn queue_again(
    tx: &Tx,
    told: &[Told],
    wants: &Wants,
    replay_no: i32,
    now: OffsetDateTime,
) -> Result<()> {
    let wanted = told.iter().filter(|one| wants.includes(&one.kind, one.listing));
    let new: Vec<NewDelivery> = wanted.map(|one| one.to(wants, replay_no, now)).collect();
    put_in_line(tx, &new, When::InTurn, now).await
}

/// Lanes first: whoever holds a lane gives out the positions in it.
async fn put_in_line(tx: &Tx, new: &[NewDelivery], when: When, now: OffsetDateTime) -> Result<()> {
    let lanes: BTreeSet<(WebhookEndpointId, String)> = new.iter().map(|one| (one.endpoint, one.lane.clone())).collect();
    store::open_lanes(tx, lanes.into_iter().collect(), Timestamp(now), when).await?;
    store::insert(tx, new, Timestamp(now)).await
}

fn no_endpoint() -> Error {
    Error::not_found("webhook endpoint")
}

/// Sends a message to an endpoint that says nothing but that it works; returns its delivery.
///
/// # Errors
/// `NotFound`, `Conflict` for an endpoint that is switched off, those of the database.
pub(super) async fn send_test(
    app: &AppState,
    actor: &Actor,
    endpoint: WebhookEndpointId,
) -> Result<webhook_delivery::Model> {
    let now = app.clock.now();
    let (id, message, actor) = (WebhookDeliveryId::at(now), NoticeId::at(now), actor.clone());
    let org = actor.org_id();
    app.db
        .write("notify.send_test", move |tx| {
            let actor = actor.clone();
            async move {
                let row = endpoints::lock(&tx, actor.org_id(), endpoint).await?.ok_or_else(no_endpoint)?;
                if row.disabled_reason.is_some() {
                    return Err(Error::conflict("The webhook endpoint is switched off. Switch it on first."));
                }
                let (kind, lane) = (kinds::TEST.to_owned(), TEST_LANE.to_owned());
                let new = NewDelivery { id, endpoint, notice: None, message, replay_no: 0, kind, lane };
                put_in_line(&tx, &[new], When::Soon, now).await?;
                audit::record(&tx, &actor, "webhook_endpoint.test", endpoint, json!({}), now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    find(app, org, endpoint, id).await
}

/// Puts a delivery in line again, at once, with all its tries: a dead one, or one that waits for its next try.
///
/// # Errors
/// `NotFound`, `Conflict` for one that was delivered, those of the database.
pub(super) async fn retry(
    app: &AppState,
    actor: &Actor,
    endpoint: WebhookEndpointId,
    id: WebhookDeliveryId,
) -> Result<webhook_delivery::Model> {
    let (now, actor) = (app.clock.now(), actor.clone());
    app.db
        .write("notify.retry_delivery", move |tx| {
            let actor = actor.clone();
            async move {
                let own = endpoints::lock(&tx, actor.org_id(), endpoint).await?;
                own.ok_or_else(no_endpoint)?;
                let missing = || Error::not_found("webhook delivery");
                let lane = store::find(tx.conn(), endpoint, id).await?.ok_or_else(missing)?.lane;
                store::open_lanes(&tx, vec![(endpoint, lane)], Timestamp(now), When::Soon).await?;
                // Read again: whoever was at work in the lane has settled it by now.
                let row = store::find(tx.conn(), endpoint, id).await?.ok_or_else(missing)?;
                if row.state == WebhookDeliveryState::Delivered {
                    return Err(Error::conflict("It was delivered. Replay from a cursor to have it once more."));
                }
                let next_try_at = Some(Timestamp(now));
                let state = WebhookDeliveryState::Pending;
                let row = webhook_delivery::Model { state, failures: 0, next_try_at, done_at: None, ..row };
                store::replace(&tx, row.clone()).await?;
                audit::record(&tx, &actor, "webhook_delivery.retry", id, json!({}), now).await?;
                Ok((row, tx))
            }
        })
        .await
}

/// A delivery to an endpoint of `org`.
///
/// # Errors
/// `NotFound`, those of the database.
pub(super) async fn find(
    app: &AppState,
    org: OrgId,
    endpoint: WebhookEndpointId,
    id: WebhookDeliveryId,
) -> Result<webhook_delivery::Model> {
    endpoints::find(app.db.read(), org, endpoint).await?.ok_or_else(no_endpoint)?;
    let found = store::find(app.db.read(), endpoint, id).await?;
    found.ok_or_else(|| Error::not_found("webhook delivery"))
}

/// Forgets deliveries that were done long ago; returns how many.
///
/// # Errors
/// Those of the database.
pub async fn forget_old(app: &AppState) -> Result<usize> {
    let before = app.clock.now() - Duration::days(limits::WEBHOOK_HISTORY_DAYS);
    let old = store::done_before(app.db.read(), before, FORGOTTEN_PER_BATCH).await?;
    let count = old.len();
    if count == 0 {
        return Ok(0);
    }
    app.db
        .write("notify.forget_deliveries", move |tx| {
            let old = old.clone();
            async move {
                store::forget(&tx, &old).await?;
                Ok(((), tx))
            }
        })
        .await?;
    Ok(count)
}
