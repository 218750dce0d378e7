//! The end of a term, or of what was paid for; revocation; and consent to what breaks.

use entity::{
    grant,
    ids::{GrantId, OrderId, OrgId},
    states::GrantState,
};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    model::{self, GrantError},
    store,
};
use crate::{
    auth::Actor,
    base::page::Page,
    catalog::revisions::versions::{self, Held, Released},
    db::{
        Tx,
        outbox::{self, News},
    },
    error::{Error, Result},
    people::audit,
    state::AppState,
    terms::licences,
    trade::subscriptions,
};

/// Grants ended in one transaction.
const BATCH: u64 = 100;

/// What refunds and disputes leave of the access to what an order bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trade) enum Door {
    /// Nothing closes it.
    Open,
    /// A bank decides about the payment.
    Suspended(String),
    /// The money went back.
    Ended(String),
}

/// Brings the grants of an order to where the money stands, in the caller's transaction: downloads stop, or go on,
/// with its commit. What ended by its term, or is suspended because a part of the price is overdue, is not opened.
pub(in crate::trade) async fn set_door(tx: &Tx, order: OrderId, door: &Door, now: OffsetDateTime) -> Result<()> {
    let (state, reason, kind) = match door {
        Door::Open => (GrantState::Active, None, "grant.resumed"),
        Door::Suspended(reason) => (GrantState::Suspended, Some(reason.as_str()), "grant.suspended"),
        Door::Ended(reason) => (GrantState::Ended, Some(reason.as_str()), "grant.ended"),
    };
    let mut grants = store::that_follow_money(tx, order).await?;
    // Suspended without a reason: a part of the price is overdue, and only paying it, or an end, changes that.
    let is_overdue = |grant: &grant::Model| grant.state == GrantState::Suspended && grant.end_reason.is_none();
    grants.retain(|grant| !is_overdue(grant) || state == GrantState::Ended);
    grants.retain(|grant| grant.state != state || grant.end_reason.as_deref() != reason);
    let ids = grants.iter().map(|grant| grant.id).collect();
    store::set_door(tx, ids, state, (state == GrantState::Ended).then_some(now), reason).await?;
    let news = grants.into_iter().filter(|grant| grant.state != state).map(|grant| {
        let payload = json!({"grant_id": grant.id, "organization_id": grant.organization_id});
        News { topic: grant.listing_id.to_string(), kind, payload }
    });
    outbox::append(tx, news.collect(), now).await
}

/// Ends grants whose term is over; returns how many.
///
/// A download looks at the end of the term itself, so nothing depends on how soon this runs.
///
/// # Errors
/// Those of the database.
pub async fn end_terms(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let over = store::over(app.db.read(), now, BATCH).await?;
    if over.is_empty() {
        return Ok(0);
    }
    app.db
        .write("trade.end_terms", move |tx| {
            let over = over.clone();
            async move {
                let mut news = Vec::new();
                for grant in over {
                    if store::end(&tx, grant.id, "the term is over", now).await? {
                        let payload = json!({"grant_id": grant.id, "organization_id": grant.organization_id});
                        news.push(News { topic: grant.listing_id.to_string(), kind: "grant.ended", payload });
                    }
                }
                let ended = news.len();
                outbox::append(&tx, news, now).await?;
                Ok((ended, tx))
            }
        })
        .await
}

/// What breaking changes of the data are held against under a grant.
async fn held(app: &AppState, row: &grant::Model) -> Result<Held> {
    let made_on = versions::major_at(app.db.read(), row.listing_id, row.through_revision).await?;
    Ok(Held { through_revision: row.through_revision, major: made_on.max(row.accepted_major) })
}

/// The published revisions of what a party's grant is for, newest first, with when each reaches it.
///
/// # Errors
/// `NotFound` for a grant of others.
pub(super) async fn list_versions(
    app: &AppState,
    party: OrgId,
    id: GrantId,
    (before, limit): (Option<i32>, usize),
) -> Result<Page<(Released, model::Reach)>> {
    let conn = app.db.read();
    let row = store::find_party(conn, id, party).await?.ok_or_else(|| Error::not_found("grant"))?;
    if row.slice_file_id.is_some() {
        return Err(Error::conflict("This grant is of a slice of one revision: it has no versions."));
    }
    let held = held(app, &row).await?;
    let now = app.clock.now();
    let released = versions::page_of_listing(conn, row.listing_id, before, limit).await?;
    let page = Page::from_rows(released, limit, |one| one.release.number);
    Ok(page.map(|released| {
        let reach = model::reach(row.coverage, held, released.release, now);
        (released, reach)
    }))
}

/// Accepts a major of the data before its notice is over; what reached the grant before stays.
///
/// # Errors
/// `NotFound` for a grant that somebody else holds; [`GrantError`] where there is nothing to accept; `Invalid` for a
/// major that the listing does not have.
pub(super) async fn accept_version(app: &AppState, actor: Actor, id: GrantId, major: i32) -> Result<grant::Model> {
    let now = app.clock.now();
    let holder = actor.org_id();
    let row = store::find_party(app.db.read(), id, holder).await?;
    let row = row.filter(|row| row.organization_id == holder).ok_or_else(|| Error::not_found("grant"))?;
    let newest = versions::newest_major(app.db.read(), row.listing_id).await?.unwrap_or(0);
    if !(1..=newest).contains(&major) {
        return Err(Error::invalid("/major", format!("The newest major of this listing is {newest}.")));
    }
    let held = held(app, &row).await?;
    app.db
        .write("trade.accept_version", move |tx| {
            let actor = actor.clone();
            async move {
                let mut row = store::lock_held(&tx, id, holder).await?.ok_or_else(|| Error::not_found("grant"))?;
                model::require_acceptable(&row)?;
                if Some(major) > held.major.max(row.accepted_major) {
                    store::accept_major(&tx, id, major).await?;
                    audit::record(&tx, &actor, "grant.accept_version", id, json!({"major": major}), now).await?;
                    let payload = json!({"grant_id": id, "organization_id": holder, "major": major});
                    let news = News { topic: row.listing_id.to_string(), kind: "grant.version_accepted", payload };
                    outbox::append(&tx, vec![news], now).await?;
                    row.accepted_major = Some(major);
                }
                Ok((row, tx))
            }
        })
        .await
}

/// Revokes a grant that the actor's organisation has given; its holder reads the reason, and so does the audit log.
///
/// # Errors
/// `NotFound` for a grant of another provider; [`GrantError`] when it is over, its licence says that it can't be
/// revoked, or a subscription would go on being charged for it.
pub(super) async fn revoke(app: &AppState, actor: Actor, id: GrantId, reason: String) -> Result<grant::Model> {
    let now = app.clock.now();
    let provider = actor.org_id();
    let row = store::find_party(app.db.read(), id, provider).await?;
    let row = row.filter(|row| row.provider_id == provider).ok_or_else(|| Error::not_found("grant"))?;
    let licence = licences::find_document(app.db.read(), &row.licence_hash).await?;
    model::require_revocable(licence.terms.termination.on_breach)?;
    app.db
        .write("trade.revoke_grant", move |tx| {
            let (actor, reason) = (actor.clone(), reason.clone());
            async move {
                let mut row = store::lock_given(&tx, id, provider).await?.ok_or_else(|| Error::not_found("grant"))?;
                model::require_open(row.state)?;
                if subscriptions::is_kept(&tx, id).await? {
                    return Err(GrantError::Subscribed.into());
                }
                store::revoke(&tx, id, &reason, now).await?;
                let detail = json!({"holder_id": row.organization_id, "reason": reason});
                audit::record(&tx, &actor, "grant.revoke", id, detail, now).await?;
                let payload = json!({"grant_id": id, "organization_id": row.organization_id, "reason": reason});
                let news = News { topic: row.listing_id.to_string(), kind: "grant.revoked", payload };
                outbox::append(&tx, vec![news], now).await?;
                (row.state, row.ended_at, row.end_reason) =
                    (GrantState::Revoked, Some(entity::Timestamp(now)), Some(reason));
                Ok((row, tx))
            }
        })
        .await
}
