//! Use cases of offers: publish, withdraw, and tell the catalogue what a listing costs.

use entity::{
    Timestamp,
    ids::{LicenceId, ListingId, OfferId},
    offer,
    states::{LicenceKind, ListingState, OfferKind, OfferState},
};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    bundles::{self, Composition},
    model::{self, Conditions, Draft, OfferStatus},
    slice_check,
    store::{self, NewOffer},
};
use crate::{
    auth::Actor,
    base::Money,
    catalog::listings::{self, ListingFacts, OfferFacts},
    db::{
        Tx,
        outbox::{self, News},
    },
    error::{Error, Result},
    jobs::{self, NewJob},
    limits,
    people::{audit, organizations},
    state::AppState,
    terms::licences::{self, Terms, resolve},
};

/// The job that tells the catalogue about an offer that begins or ends.
pub const REPROJECT_JOB: &str = "terms.reproject_offers";
/// What the catalogue calls every licence that is not an open one.
const COMMERCIAL_CODE: &str = "commercial";

/// How an offer names its licence, with the place in the request it was named at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LicenceChoice {
    id: LicenceId,
    pointer: &'static str,
}

impl LicenceChoice {
    /// A licence by id, or an open one by any name [`resolve`] knows.
    ///
    /// # Errors
    /// `Invalid` for both, neither, or a name that stands for no open licence.
    pub(super) fn new(id: Option<LicenceId>, name: Option<&str>) -> Result<Self> {
        match (id, name) {
            (Some(id), None) => Ok(Self { id, pointer: "/licence_id" }),
            (None, Some(name)) => {
                let advice = "Name an open licence of GET /api/v1/licences by its code, or give a licence_id.";
                let open = resolve(name).ok_or_else(|| Error::invalid("/licence", advice))?;
                Ok(Self { id: LicenceId::derived(open.spdx_id), pointer: "/licence" })
            }
            _ => {
                Err(Error::invalid("/licence_id", "Give either licence_id, or the code of an open licence in licence."))
            }
        }
    }
}

/// Publishes an offer for a listing of the actor's own.
///
/// # Errors
/// `Invalid` for conditions or a licence that don't fit, `NotFound` for a listing of somebody else, `PriceGuard`
/// where the law keeps the data free, `Conflict` for a retired listing or too many offers.
pub(super) async fn publish(
    app: &AppState,
    actor: Actor,
    listing: ListingId,
    draft: Draft,
    licence: LicenceChoice,
) -> Result<offer::Model> {
    crate::catalog::require_provider(&actor)?;
    let now = app.clock.now();
    let conditions = draft.check(now)?;
    require_chargeable(app, &conditions)?;
    let id = OfferId::at(now);
    app.db
        .write("terms.publish_offer", move |tx| {
            let (actor, conditions) = (actor.clone(), conditions.clone());
            async move {
                let facts = listings::lock_for_offer(&tx, listing, actor.org_id()).await?;
                require_known_buyer(&tx, &conditions, &actor).await?;
                require_room(&tx, &facts, now).await?;
                if conditions.price.is_some() {
                    listings::refuse_price(actor.organization.provider_kind, facts.theme)?;
                }
                let (fitting, conditions) = under_licence(&tx, &actor, &facts, conditions, licence).await?;
                let new = NewOffer {
                    id,
                    listing_id: listing,
                    organization_id: actor.org_id(),
                    licence_id: licence.id,
                    licence_hash: fitting.hash,
                    conditions: conditions.clone(),
                };
                store::insert(tx.conn(), new, Timestamp(now)).await?;
                let licence = (fitting.kind, &fitting.terms);
                let bundle = Composition { offer: id, under: listing, conditions: &conditions, licence };
                bundles::compose(&tx, &actor, bundle, now).await?;
                refuse_cheaper_whole(&tx, listing, now).await?;
                if let Some(gap) = next_gap(&tx, &facts, now).await? {
                    return Err(Error::invalid("/valid_until", without_price(gap)));
                }
                queue_boundaries(&tx, id, &conditions, now).await?;
                project(&tx, listing, now).await?;
                let row = note(&tx, &actor, id, "offer.publish", "offer.published", now).await?;
                Ok((row, tx))
            }
        })
        .await
}

/// Refuses a price that no buyer could be charged. Of an offer with a quantity the buyer's whole is looked at instead.
fn require_chargeable(app: &AppState, conditions: &Conditions) -> Result<()> {
    let plan = conditions.plan.as_ref();
    let has_quantity = plan.is_some_and(|plan| plan.quota.is_some() || !plan.volume.is_empty());
    let Some(price) = conditions.price.filter(|_| !has_quantity) else { return Ok(()) };
    let rules = app.payments.charge_rules(price.currency);
    if rules.check(price).is_ok() {
        let floor = plan.and_then(|plan| plan.slice.as_ref()).map(|rule| Money::new(rule.floor_minor, price.currency));
        if let Some(floor) = floor.filter(|floor| rules.check(*floor).is_err()) {
            let (min, step) =
                (Money::new(rules.min_minor, price.currency), Money::new(rules.step_minor, price.currency));
            let detail = format!("Nobody can be charged {floor}: choose at least {min}, in steps of {step}.");
            return Err(Error::invalid("/plan/slice/floor_minor", detail));
        }
        return Ok(());
    }
    let money = |minor| Money::new(minor, price.currency);
    let (min, max, step) = (money(rules.min_minor), money(rules.max_minor), money(rules.step_minor));
    if rules.max_minor < rules.min_minor {
        let detail = format!("Nobody can be charged in {} here: choose another currency.", price.currency);
        return Err(Error::invalid("/price/currency", detail));
    }
    let detail = format!("Nobody can be charged {price}: choose {min} to {max}, in steps of {step}.");
    Err(Error::invalid("/price/minor", detail))
}

/// Refuses prices by which parts of the data can cost more than the whole does.
async fn refuse_cheaper_whole(tx: &Tx, listing: ListingId, now: OffsetDateTime) -> Result<()> {
    if slice_check::has_cheaper_whole(&store::find_not_over(tx.conn(), listing, now).await?) {
        let detail = "An offer for the whole would cost less than slices may at another one. The price of an offer with \
                      slices is the most they cost: let it be no higher than that of any other offer for the whole.";
        return Err(Error::invalid("/price/minor", detail));
    }
    Ok(())
}

/// Refuses an offer that is private to nobody, or to its own provider.
async fn require_known_buyer(tx: &Tx, conditions: &Conditions, actor: &Actor) -> Result<()> {
    let Some(buyer) = conditions.plan.as_ref().and_then(|plan| plan.private_to) else { return Ok(()) };
    let known = organizations::provider_kinds(tx.conn(), &[buyer]).await?;
    if buyer != actor.org_id() && known.contains_key(&buyer) {
        return Ok(());
    }
    Err(Error::invalid("/plan/private_to", "Name another organisation of this exchange."))
}

async fn require_room(tx: &Tx, facts: &ListingFacts, now: OffsetDateTime) -> Result<()> {
    if facts.state == ListingState::Retired {
        return Err(Error::conflict("The listing is retired: it takes no offers any more."));
    }
    let most = limits::OFFERS_PER_LISTING_MAX;
    if store::find_not_over(tx.conn(), facts.id, now).await?.len() >= most {
        return Err(Error::conflict(format!("The listing has {most} offers. Withdraw one first.")));
    }
    Ok(())
}

/// The licence that an offer is published under.
struct Fitting {
    hash: String,
    kind: LicenceKind,
    terms: Terms,
}

async fn under_licence(
    tx: &Tx,
    actor: &Actor,
    facts: &ListingFacts,
    conditions: Conditions,
    choice: LicenceChoice,
) -> Result<(Fitting, Conditions)> {
    let advice = "There is no such licence that you may use: it is not yours, or archived.";
    let licence = licences::find_usable(tx.conn(), choice.id, actor.org_id()).await?;
    let licence = licence.ok_or_else(|| Error::invalid(choice.pointer, advice))?;
    let terms = licences::find_document(tx.conn(), &licence.hash).await?.terms;
    model::require_fitting_licence(&conditions, licence.kind, &terms, facts.personal_data, choice.pointer)?;
    let conditions = conditions.under(&terms);
    Ok((Fitting { hash: licence.hash, kind: licence.kind, terms }, conditions))
}

/// Queues a look at the listing for the instants at which the offer begins and ends.
async fn queue_boundaries(tx: &Tx, id: OfferId, conditions: &Conditions, now: OffsetDateTime) -> Result<()> {
    let begin = Some(conditions.valid_from).filter(|from| *from > now).map(|from| ("begin", from));
    let end = conditions.valid_until.map(|until| ("end", until));
    for (boundary, run_at) in begin.into_iter().chain(end) {
        let unique_key = Some(format!("{REPROJECT_JOB}:{id}:{boundary}"));
        jobs::enqueue(tx, NewJob { kind: REPROJECT_JOB, unique_key, payload: json!({"offer_id": id}), run_at }, now)
            .await?;
    }
    Ok(())
}

/// Withdraws an offer of the actor's own. Orders and grants made from it stay.
///
/// # Errors
/// `NotFound` for an offer of somebody else, `Conflict` when it was withdrawn before, or when a listing that promises
/// no answer time would be left without a price.
pub(super) async fn withdraw(app: &AppState, actor: Actor, id: OfferId) -> Result<offer::Model> {
    let now = app.clock.now();
    app.db
        .write("terms.withdraw_offer", move |tx| {
            let actor = actor.clone();
            async move {
                let offer = store::find_owned(tx.conn(), id, actor.org_id()).await?;
                let offer = offer.ok_or_else(|| Error::not_found("offer"))?;
                let facts = listings::lock_for_offer(&tx, offer.listing_id, actor.org_id()).await?;
                if !store::withdraw(tx.conn(), id, actor.org_id(), Timestamp(now)).await? {
                    return Err(Error::conflict("The offer was withdrawn before."));
                }
                if let Some(gap) = next_gap(&tx, &facts, now).await? {
                    return Err(Error::conflict(without_price(gap)));
                }
                project(&tx, offer.listing_id, now).await?;
                let row = note(&tx, &actor, id, "offer.withdraw", "offer.withdrawn", now).await?;
                Ok((row, tx))
            }
        })
        .await
}

/// False for offers that are no price of the listing in the catalogue: private ones, and bundles with other listings.
fn is_for_everybody(offer: &offer::Model) -> bool {
    let private = offer.plan.as_ref().is_some_and(|plan| !plan["private_to"].is_null());
    !private && offer.kind != OfferKind::Bundle
}

/// When a listing that promises no answer time would be without a price, if ever.
///
/// A draft may begin with one later, but then it has to stay: an offer that ends by itself can't be refused its end.
async fn next_gap(tx: &Tx, facts: &ListingFacts, now: OffsetDateTime) -> Result<Option<OffsetDateTime>> {
    let mut offers = store::find_not_over(tx.conn(), facts.id, now).await?;
    offers.retain(is_for_everybody);
    let first = offers.iter().map(|offer| offer.valid_from.0).min();
    let start = match (facts.state, first) {
        (ListingState::Retired, _) | (ListingState::Draft, None) => return Ok(None),
        (ListingState::Draft, Some(first)) => now.max(first),
        (ListingState::InReview | ListingState::Published, _) => now,
    };
    let listing = listings::find_visible(tx.conn(), facts.id, Some(facts.organization_id)).await?;
    if listing.answer_within_days.is_some() {
        return Ok(None);
    }
    let spans: Vec<_> =
        offers.iter().map(|offer| (offer.valid_from.0, offer.valid_until.map(|until| until.0))).collect();
    Ok(model::first_gap(&spans, start))
}

fn without_price(gap: OffsetDateTime) -> String {
    let at = gap.format(&Rfc3339).unwrap_or_default();
    format!(
        "This would leave the listing without a price from {at} on: publish another offer first that holds then, promise \
         an answer time in answer_within_days, or retire the listing."
    )
}

/// Where `offer` stands at `now`.
pub(super) fn status(offer: &offer::Model, now: OffsetDateTime) -> OfferStatus {
    model::status(offer.state, offer.valid_from.0, offer.valid_until.map(|until| until.0), now)
}

/// Writes the audit line and the news about an offer, and reads it back.
async fn note(
    tx: &Tx,
    actor: &Actor,
    id: OfferId,
    action: &'static str,
    kind: &'static str,
    now: OffsetDateTime,
) -> Result<offer::Model> {
    let row = store::find_owned(tx.conn(), id, actor.org_id()).await?;
    let row = row.ok_or_else(|| Error::internal("an offer just written is not there"))?;
    let facts = json!({
        "offer_id": id,
        "listing_id": row.listing_id,
        "kind": row.kind,
        "price": store::price(&row)?,
        "licence_hash": row.licence_hash,
        "valid_from": row.valid_from,
        "valid_until": row.valid_until,
        "private_to": row.plan.as_ref().map(|plan| plan["private_to"].clone()),
    });
    audit::record(tx, actor, action, id, facts.clone(), now).await?;
    outbox::append(tx, vec![News { topic: row.listing_id.to_string(), kind, payload: facts }], now).await?;
    Ok(row)
}

/// Tells the catalogue which offers of a listing hold at `now`; its row is locked by the caller.
async fn project(tx: &Tx, listing: ListingId, now: OffsetDateTime) -> Result<()> {
    let mut offers = store::find_not_over(tx.conn(), listing, now).await?;
    offers.retain(|offer| status(offer, now) == OfferStatus::Active && is_for_everybody(offer));
    let named = licences::find_named(tx.conn(), offers.iter().map(|offer| offer.licence_id).collect()).await?;
    let code = |id| named.iter().find(|licence| licence.id == id).and_then(|licence| licence.code.clone());
    let mut facts = Vec::with_capacity(offers.len());
    for offer in offers {
        let price = Some(store::price(&offer)?).filter(|_| offer.kind != OfferKind::Free);
        let licence_code = code(offer.licence_id).unwrap_or_else(|| COMMERCIAL_CODE.to_owned());
        facts.push(OfferFacts { offer_id: offer.id, price, licence_code });
    }
    listings::project_offers(tx, listing, facts, now).await
}

/// Does the job [`REPROJECT_JOB`]: an offer began or ended, so its listing costs something else. Repeating it changes nothing.
///
/// # Errors
/// Those of the database, and `Internal` for a payload that names no offer.
pub async fn reproject(app: &AppState, payload: &serde_json::Value) -> Result<()> {
    let id: OfferId = serde_json::from_value(payload["offer_id"].clone())?;
    let now = app.clock.now();
    app.db
        .write("terms.reproject_offers", move |tx| async move {
            let offer = store::find_of_listing_to_check(tx.conn(), id).await?;
            if let Some(offer) = offer.filter(|offer| offer.state == OfferState::Active) {
                listings::lock_for_offer(&tx, offer.listing_id, offer.organization_id).await?;
                project(&tx, offer.listing_id, now).await?;
            }
            Ok(((), tx))
        })
        .await
}
