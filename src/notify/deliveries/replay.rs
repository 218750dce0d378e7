//! Sending the log from some point on once more, in steps.

use entity::{
    ids::{OrgId, WebhookEndpointId},
    webhook_endpoint,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    service::{Told, queue_again},
    store,
};
use crate::{
    auth::Actor,
    db::Tx,
    error::{Error, Result},
    jobs::{NewJob, enqueue},
    notify::{
        endpoints::store::{self as endpoints, Wants},
        notices,
    },
    people::audit,
    state::AppState,
};

/// The job that queues the next step of a replay.
pub const REPLAY_JOB: &str = "notify.replay";
/// Notices looked at in one step.
const NOTICES_PER_STEP: u64 = 200;

/// What a step of a replay works on.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    organization_id: OrgId,
    endpoint_id: WebhookEndpointId,
    replay_no: i32,
    after: i64,
    until: i64,
}

/// What a replay sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replay {
    pub after: i64,
    pub until: i64,
}

/// Begins to send all notices after `after` to an endpoint once more, up to the newest one.
///
/// # Errors
/// `NotFound`, `Conflict` for an endpoint that is switched off, those of the database.
pub(super) async fn begin(app: &AppState, actor: &Actor, endpoint: WebhookEndpointId, after: i64) -> Result<Replay> {
    let (now, actor) = (app.clock.now(), actor.clone());
    app.db
        .write("notify.begin_replay", move |tx| {
            let actor = actor.clone();
            async move {
                let missing = || Error::not_found("webhook endpoint");
                let row = endpoints::lock(&tx, actor.org_id(), endpoint).await?.ok_or_else(missing)?;
                if row.disabled_reason.is_some() {
                    return Err(Error::conflict("The webhook endpoint is switched off. Switch it on first."));
                }
                let until = notices::newest(tx.conn(), actor.org_id()).await?;
                let replay_no = row.replays + 1;
                endpoints::replace(&tx, webhook_endpoint::Model { replays: replay_no, ..row }).await?;
                let organization_id = actor.org_id();
                let step = Step { organization_id, endpoint_id: endpoint, replay_no, after, until };
                enqueue(&tx, job(&step, now)?, now).await?;
                let detail = json!({"after": after, "until": until});
                audit::record(&tx, &actor, "webhook_endpoint.replay", endpoint, detail, now).await?;
                Ok((Replay { after, until }, tx))
            }
        })
        .await
}

/// One step, once: a step that was interrupted after its commit is not queued again.
fn job(step: &Step, now: OffsetDateTime) -> Result<NewJob> {
    let unique_key = Some(format!("replay:{}:{}:{}", step.endpoint_id, step.replay_no, step.after));
    Ok(NewJob { kind: REPLAY_JOB, unique_key, payload: serde_json::to_value(step)?, run_at: now })
}

/// Queues the next notices of a replay, and the step after them.
///
/// # Errors
/// Those of the database.
pub async fn replay_some(app: &AppState, payload: serde_json::Value) -> Result<()> {
    let step: Step = serde_json::from_value(payload)?;
    let now = app.clock.now();
    app.db
        .write("notify.replay", move |tx| {
            let step = step.clone();
            async move {
                take_step(&tx, step, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

async fn take_step(tx: &Tx, step: Step, now: OffsetDateTime) -> Result<()> {
    let Some(row) = endpoints::find(tx.conn(), step.organization_id, step.endpoint_id).await? else { return Ok(()) };
    let range = (step.after, step.until);
    let found = store::notices(tx.conn(), step.organization_id, range, NOTICES_PER_STEP).await?;
    let last = found.last().map(|(notice, _)| notice.cursor);
    let told: Vec<Told> = found
        .into_iter()
        .filter_map(|(notice, news)| {
            let news = news?;
            Some(Told {
                cursor: notice.cursor,
                notice: notice.id,
                organization: notice.organization_id,
                event: notice.event_id,
                kind: notice.kind,
                listing: news.listing_id,
                lane: news.lane,
            })
        })
        .collect();
    queue_again(tx, &told, &Wants::of(&row)?, step.replay_no, now).await?;
    match last {
        Some(after) => enqueue(tx, job(&Step { after, ..step }, now)?, now).await,
        None => Ok(()),
    }
}
