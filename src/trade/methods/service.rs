//! Keeping, using and removing means of payment.

use entity::{
    Timestamp,
    ids::{OrgId, SavedMethodId},
    saved_method,
};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::store;
use crate::{
    auth::Actor,
    db::idempotency::{Claim, IdempotencyKey, claim},
    error::{Error, Result},
    people::audit,
    ports::payments::SaveMethodRequest,
    state::AppState,
    trade::{
        payments::{Means, outside},
        subscriptions,
    },
};

/// What a buyer agrees to when a means of payment is kept.
pub(super) const CONSENT_TEXT: &str = "You keep this means of payment at the processor, and we charge it without asking each time: for the \
     periods of subscriptions you ordered, for what you used of metered offers, and for the parts of prices you pay \
     in several. A price or licence that changes needs your word first. You can cancel, and remove it, at any time.";

/// Keeps the means behind a token; a repeated request finds the one it kept.
///
/// # Errors
/// `Invalid` for a token the processor does not know, `PaymentDeclined` for a means it refuses, and
/// `Unavailable` without an answer: then the same request has to be repeated.
pub async fn save(app: &AppState, actor: &Actor, token: &str, key: IdempotencyKey) -> Result<saved_method::Model> {
    let (now, owner) = (app.clock.now(), actor.org_id());
    let row = saved_method::Model {
        id: SavedMethodId::at(now),
        organization_id: owner,
        processor: app.payments.name().to_owned(),
        customer_ref: None,
        method_ref: None,
        label: None,
        consent_text: CONSENT_TEXT.to_owned(),
        consented_by: actor.account_id,
        created_at: Timestamp(now),
        removed_at: None,
    };
    let by = actor.clone();
    let id = app
        .db
        .write("trade.save_method", move |tx| {
            let (row, key, actor) = (row.clone(), key.clone(), by.clone());
            async move {
                if let Claim::Replay(earlier) = claim(&tx, &key, &row.id.to_string(), now).await? {
                    return Ok((earlier.parse().map_err(Error::internal)?, tx));
                }
                let id = row.id;
                store::insert(&tx, row).await?;
                audit::record(&tx, &actor, "saved_method.consent", id, json!({}), now).await?;
                Ok((id, tx))
            }
        })
        .await?;
    let row = find(app.db.read(), owner, id).await?;
    if row.method_ref.is_some() {
        return Ok(row);
    }
    keep(app, &row, token).await?;
    find(app.db.read(), owner, id).await
}

/// Has the processor keep it. The id is the root of the processor's idempotency key, so a repetition keeps one.
async fn keep(app: &AppState, row: &saved_method::Model, token: &str) -> Result<()> {
    let customer_ref = store::customer_of(app.db.read(), row.organization_id, &row.processor).await?;
    let request = SaveMethodRequest {
        idempotency_key: format!("{}:save:1", row.id),
        organization: row.organization_id,
        customer_ref,
        method: token.to_owned(),
    };
    app.db.faults().step(|| "payments.save_method: before the call".to_owned())?;
    let kept = app.payments.save_method(&request).await.map_err(outside::to_error)?;
    app.db.faults().step(|| "payments.save_method: after the call".to_owned())?;
    let id = row.id;
    app.db
        .write("trade.note_saved_method", move |tx| {
            let kept = kept.clone();
            async move {
                store::note_kept(&tx, id, &kept).await?;
                Ok(((), tx))
            }
        })
        .await
}

async fn find(conn: &impl ConnectionTrait, owner: OrgId, id: SavedMethodId) -> Result<saved_method::Model> {
    store::find(conn, owner, id).await?.ok_or_else(|| Error::not_found("payment method"))
}

/// Removes a means of payment of the actor's organisation; removing a removed one changes nothing.
///
/// # Errors
/// `NotFound`; `Conflict` while a subscription is charged on it.
pub async fn remove(app: &AppState, actor: &Actor, id: SavedMethodId) -> Result<()> {
    let (now, by) = (app.clock.now(), actor.clone());
    app.db
        .write("trade.remove_method", move |tx| {
            let actor = by.clone();
            async move {
                find(tx.conn(), actor.org_id(), id).await?;
                if let Some(user) = subscriptions::charged_on(tx.conn(), id).await? {
                    let detail =
                        format!("{user} is charged on it. Give that another means of payment first, or cancel it.");
                    return Err(Error::conflict(detail));
                }
                if store::remove(&tx, id, now).await? {
                    audit::record(&tx, &actor, "saved_method.remove", id, json!({}), now).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}

/// A kept means of payment of `owner` that can be charged.
///
/// # Errors
/// `Invalid` at `/saved_method_id` when there is none.
pub(in crate::trade) async fn require_usable(
    conn: &impl ConnectionTrait,
    owner: OrgId,
    id: SavedMethodId,
) -> Result<saved_method::Model> {
    let usable = |row: &saved_method::Model| row.method_ref.is_some() && row.removed_at.is_none();
    let advice = "Give one of the means of payment at GET /api/v1/payment-methods.";
    store::find(conn, owner, id).await?.filter(usable).ok_or_else(|| Error::invalid("/saved_method_id", advice))
}

fn means(row: saved_method::Model, off_session: bool) -> Option<Means> {
    Some(Means { method: row.method_ref?, customer_ref: row.customer_ref, off_session })
}

/// What an order is paid with while the buyer is there: the token that came with it, else the kept means.
///
/// # Errors
/// `Invalid` at `/saved_method_id` when there is no such means of payment.
pub async fn means_for(
    app: &AppState,
    actor: &Actor,
    token: Option<&str>,
    saved: Option<SavedMethodId>,
) -> Result<Option<Means>> {
    let Some(id) = saved else { return Ok(token.map(Means::token)) };
    let row = require_usable(app.db.read(), actor.org_id(), id).await?;
    Ok(token.map_or_else(|| means(row, false), |token| Some(Means::token(token))))
}

/// The kept means for a charge without the buyer; nothing when it was removed since.
pub(in crate::trade) async fn off_session(
    conn: &impl ConnectionTrait,
    owner: OrgId,
    id: SavedMethodId,
) -> Result<Option<Means>> {
    let row = store::find(conn, owner, id).await?.filter(|row| row.removed_at.is_none());
    Ok(row.and_then(|row| means(row, true)))
}
