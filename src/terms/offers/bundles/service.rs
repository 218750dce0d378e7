//! Composing a bundle, and what the providers of its parts say to it.

use entity::{
    Timestamp, bundle_part,
    ids::{ListingId, OfferId, OrgId},
    offer,
    states::{LicenceKind, ListingState, PartState},
};
use serde_json::json;
use time::OffsetDateTime;

use super::store;
use crate::{
    auth::Actor,
    catalog::listings::{self, SaleFacts},
    db::{
        Tx,
        outbox::{self, News},
    },
    error::{Error, Result},
    people::{audit, organizations},
    state::AppState,
    terms::{
        licences::Terms,
        offers::{
            model::{self, Conditions, OfferStatus},
            plan::BundlePart,
            service::status,
            store as offers,
        },
    },
};

/// A bundle that is about to be published.
#[derive(Debug, Clone, Copy)]
pub(in crate::terms::offers) struct Composition<'a> {
    pub offer: OfferId,
    /// The composer's listing that it is published under.
    pub under: ListingId,
    pub conditions: &'a Conditions,
    pub licence: (LicenceKind, &'a Terms),
}

/// Writes the parts of a bundle down; those of other providers wait for their word.
///
/// # Errors
/// `Invalid` by part for a listing that the actor can't see or nobody can order, and for one that declares other
/// personal data than the licence; `PriceGuard` where the law keeps a part free.
pub(in crate::terms::offers) async fn compose(
    tx: &Tx,
    actor: &Actor,
    bundle: Composition<'_>,
    now: OffsetDateTime,
) -> Result<()> {
    let named = bundle.conditions.plan.as_ref().map(|plan| plan.parts.as_slice()).unwrap_or_default();
    if named.is_empty() {
        return Ok(());
    }
    if named.iter().all(|part| part.listing_id != bundle.under) {
        return Err(Error::invalid("/plan/parts", "Name the listing that the bundle is published under, too."));
    }
    let mut parts = Vec::new();
    for (place, part) in named.iter().enumerate() {
        let pointer = format!("/plan/parts/{place}/listing_id");
        let facts = orderable(tx, actor, part.listing_id, &pointer).await?;
        let (kind, terms) = bundle.licence;
        model::require_fitting_licence(bundle.conditions, kind, terms, facts.personal_data, &pointer)?;
        parts.push(row(bundle.offer, place, part, facts.provider_id, actor, now)?);
        require_priceable(tx, &facts).await?;
    }
    store::insert(tx, parts).await
}

async fn orderable(tx: &Tx, actor: &Actor, id: ListingId, pointer: &str) -> Result<SaleFacts> {
    let facts = listings::facts_for_sale(tx.conn(), id, Some(actor.org_id())).await?;
    let published =
        |facts: &SaleFacts| facts.state == ListingState::Published && facts.current_revision_number.is_some();
    let advice = "There is no such listing here that can be ordered: name one that is published.";
    facts.filter(published).ok_or_else(|| Error::invalid(pointer, advice))
}

/// Refuses a price for data that the law keeps free, whoever puts it into a bundle.
async fn require_priceable(tx: &Tx, facts: &SaleFacts) -> Result<()> {
    let kinds = organizations::provider_kinds(tx.conn(), &[facts.provider_id]).await?;
    listings::refuse_price(kinds.get(&facts.provider_id).copied().flatten(), facts.theme)
}

fn row(
    offer: OfferId,
    place: usize,
    part: &BundlePart,
    provider_id: OrgId,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<bundle_part::Model> {
    let own = provider_id == actor.org_id();
    Ok(bundle_part::Model {
        offer_id: offer,
        line_no: i32::try_from(place + 1).map_err(Error::internal)?,
        listing_id: part.listing_id,
        provider_id,
        weight: i32::try_from(part.weight).map_err(Error::internal)?,
        state: if own { PartState::Accepted } else { PartState::Invited },
        decided_at: own.then_some(Timestamp(now)),
    })
}

/// Accepts the parts of a bundle that are the actor's listings. Repeating it changes nothing.
///
/// # Errors
/// `NotFound` for a bundle without a listing of the actor's, `Conflict` when it is over or was left, `PriceGuard` where
/// the law keeps the data free.
pub(super) async fn accept(app: &AppState, actor: Actor, id: OfferId) -> Result<offer::Model> {
    let now = app.clock.now();
    app.db
        .write("terms.accept_bundle", move |tx| {
            let actor = actor.clone();
            async move {
                let (offer, own) = own_parts(&tx, &actor, id).await?;
                if own.iter().any(|part| part.state == PartState::Left) {
                    return Err(Error::conflict("You left this bundle. Its composer can publish it anew."));
                }
                if !matches!(status(&offer, now), OfferStatus::Active | OfferStatus::Upcoming) {
                    return Err(Error::conflict("The bundle is over."));
                }
                for part in &own {
                    let facts = orderable(&tx, &actor, part.listing_id, "/listing_id").await?;
                    require_priceable(&tx, &facts).await?;
                }
                let invited = [PartState::Invited];
                let org = actor.org_id();
                if store::decide(&tx, id, org, &invited, PartState::Accepted, Timestamp(now)).await? > 0 {
                    tell(&tx, &actor, &offer, "offer.accept_part", "offer.part_accepted", now).await?;
                }
                Ok((offer, tx))
            }
        })
        .await
}

/// Takes the actor's listings out of a bundle, which withdraws it. Orders and grants made from it stay.
///
/// # Errors
/// `NotFound` as [`accept`]; `Conflict` for the composer, and when it was left before.
pub(super) async fn leave(app: &AppState, actor: Actor, id: OfferId) -> Result<offer::Model> {
    let now = app.clock.now();
    app.db
        .write("terms.leave_bundle", move |tx| {
            let actor = actor.clone();
            async move {
                let (offer, _) = own_parts(&tx, &actor, id).await?;
                if offer.organization_id == actor.org_id() {
                    return Err(Error::conflict("The bundle is your own offer: withdraw it."));
                }
                let present = [PartState::Invited, PartState::Accepted];
                let left = store::decide(&tx, id, actor.org_id(), &present, PartState::Left, Timestamp(now)).await?;
                if left == 0 {
                    return Err(Error::conflict("You left this bundle before."));
                }
                offers::withdraw(tx.conn(), id, offer.organization_id, Timestamp(now)).await?;
                tell(&tx, &actor, &offer, "offer.leave_bundle", "offer.part_left", now).await?;
                let offer = offers::find_of_listing_to_check(tx.conn(), id).await?;
                let offer = offer.ok_or_else(|| Error::internal("an offer just left is not there"))?;
                Ok((offer, tx))
            }
        })
        .await
}

async fn own_parts(tx: &Tx, actor: &Actor, id: OfferId) -> Result<(offer::Model, Vec<bundle_part::Model>)> {
    let missing = || Error::not_found("bundle with a listing of yours");
    let mut parts = store::parts_of(tx.conn(), &[id]).await?.remove(&id).unwrap_or_default();
    parts.retain(|part| part.provider_id == actor.org_id());
    if parts.is_empty() {
        return Err(missing());
    }
    let offer = offers::find_of_listing_to_check(tx.conn(), id).await?.ok_or_else(missing)?;
    Ok((offer, parts))
}

async fn tell(
    tx: &Tx,
    actor: &Actor,
    offer: &offer::Model,
    action: &'static str,
    kind: &'static str,
    now: OffsetDateTime,
) -> Result<()> {
    let facts = json!({"offer_id": offer.id, "listing_id": offer.listing_id, "provider_id": actor.org_id()});
    audit::record(tx, actor, action, offer.id, facts.clone(), now).await?;
    outbox::append(tx, vec![News { topic: offer.listing_id.to_string(), kind, payload: facts }], now).await
}
