//! What is told of a slice that was bought, in the transaction that settles it: that it is ready, or can't be made.

use entity::{grant, ids::OrderId, slice_task, states::GrantState};
use serde_json::json;
use time::OffsetDateTime;

use super::store;
use crate::{
    db::{
        Tx,
        outbox::{self, News},
    },
    error::Result,
};

/// Tells the holder that the files of a slice can be downloaded. An index is nobody's.
pub(super) async fn tell_ready(tx: &Tx, row: &slice_task::Model, now: OffsetDateTime) -> Result<()> {
    tell(tx, row, "slice.ready", None, now).await
}

/// Tells the holder, the listing's owner and the operator that a slice can't be made, and what follows.
pub(super) async fn tell_failed(tx: &Tx, row: &slice_task::Model, reason: &str, now: OffsetDateTime) -> Result<()> {
    tell(tx, row, "slice.failed", Some(reason), now).await
}

async fn tell(
    tx: &Tx,
    row: &slice_task::Model,
    kind: &'static str,
    reason: Option<&str>,
    now: OffsetDateTime,
) -> Result<()> {
    let Some(id) = row.grant_id else { return Ok(()) };
    let grant = store::find_grant(tx.conn(), id).await?;
    // Nobody waits for what a refund or a revocation has closed for good.
    let Some(grant) = grant.filter(is_awaited) else { return Ok(()) };
    let slice = row.slice.clone().unwrap_or_default();
    let payload = json!({
        "listing_id": grant.listing_id, "order_id": grant.order_id, "grant_id": id,
        "organization_id": grant.organization_id, "file": slice["file"], "rows": slice["rows"],
        "reason": reason, "next": reason.map(|_| what_follows(grant.order_id)),
    });
    outbox::append(tx, vec![News { topic: grant.listing_id.to_string(), kind, payload }], now).await
}

/// What follows when a slice can't be made.
fn what_follows(order: OrderId) -> String {
    format!(
        "The operator is told too and can have it made again; slice.ready says when it is there. To have the money back \
         instead, its buyer asks for a refund: POST /api/v1/orders/{order}/refunds."
    )
}

fn is_awaited(grant: &grant::Model) -> bool {
    matches!(grant.state, GrantState::Active | GrantState::Suspended)
}
