//! What the wings below ask of listings and tell them: offers project their prices, trade asks what is for sale.

use std::collections::{BTreeSet, HashMap};

use entity::{
    Timestamp,
    ids::{ListingId, OfferId, OrgId},
    listing,
    states::{Audience, ListingState, PersonalData, Theme},
};
use sea_orm::ConnectionTrait;
use time::OffsetDateTime;

use super::{
    extras,
    model::{ListingError, is_answerable},
    store::{self, Facet},
};
use crate::{
    base::{LangText, Money},
    db::Tx,
    error::{Error, Result},
};

/// What the catalogue keeps of an active offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferFacts {
    /// The offer.
    pub offer_id: OfferId,
    /// Its price; none for a free offer.
    pub price: Option<Money>,
    /// The code of its licence, as the catalogue counts and filters by.
    pub licence_code: String,
}

/// What an offer must know of its listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingFacts {
    /// The listing.
    pub id: ListingId,
    /// Its owner.
    pub organization_id: OrgId,
    /// What it is called.
    pub title: LangText,
    /// Its subject area, which the price guard looks at.
    pub theme: Theme,
    /// Where it stands.
    pub state: ListingState,
    /// Who may see it.
    pub audience: Audience,
    /// Its declaration about personal data.
    pub personal_data: PersonalData,
}

/// What an order must know of its listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleFacts {
    /// The listing.
    pub listing_id: ListingId,
    /// Who sells.
    pub provider_id: OrgId,
    /// What it is called.
    pub title: LangText,
    /// The number of the revision it offers now; none before the first is published.
    pub current_revision_number: Option<i32>,
    /// Its subject area, which the price guard looks at.
    pub theme: Theme,
    /// Where it stands; only what is published can be ordered.
    pub state: ListingState,
    /// Its declaration about personal data.
    pub personal_data: PersonalData,
}

/// Locks a listing of `provider`, so that its theme and state hold until the transaction ends.
///
/// # Errors
/// [`Problem::NotFound`](crate::error::Problem::NotFound) when there is none, or it is somebody else's.
pub async fn lock_for_offer(tx: &Tx, listing_id: ListingId, provider: OrgId) -> Result<ListingFacts> {
    let row = store::lock_owned(tx, listing_id, provider).await?.ok_or_else(|| Error::not_found("listing"))?;
    Ok(ListingFacts {
        id: row.id,
        organization_id: row.organization_id,
        title: serde_json::from_value(row.title)?,
        theme: row.theme,
        state: row.state,
        audience: row.audience,
        personal_data: row.personal_data,
    })
}

/// Takes over the active offers of a listing: what it is filtered, counted and sorted by. `facts` are all of them.
///
/// # Errors
/// [`Problem::Conflict`](crate::error::Problem::Conflict) when a published listing would be left without a price
/// and without a promised answer time.
pub async fn project_offers(tx: &Tx, listing: ListingId, facts: Vec<OfferFacts>, now: OffsetDateTime) -> Result<()> {
    let row = store::lock(tx, listing).await?.ok_or_else(|| Error::not_found("listing"))?;
    let prices: Vec<(OfferId, Money)> =
        facts.iter().filter_map(|offer| offer.price.map(|price| (offer.offer_id, price))).collect();
    let (has_free_offer, has_paid_offer) = (prices.len() < facts.len(), !prices.is_empty());
    let seen = matches!(row.state, ListingState::InReview | ListingState::Published);
    if seen && !is_answerable(has_free_offer, has_paid_offer, row.answer_within_days) {
        return Err(ListingError::NothingToAnswer.into());
    }
    let licences: BTreeSet<String> = facts.into_iter().map(|offer| offer.licence_code).collect();
    store::update_offers(tx, &row, has_free_offer, has_paid_offer, Timestamp(now)).await?;
    store::replace_prices(tx, listing, &prices).await?;
    store::replace_facet(tx, listing, Facet::Licence, &licences.into_iter().collect::<Vec<_>>()).await
}

/// Finds a listing that `viewer` may see: their own in any state; others' once published, also after it was
/// retired, within its audience.
///
/// # Errors
/// [`Problem::NotFound`](crate::error::Problem::NotFound) for all others: unknown and not yours are the same.
pub async fn find_visible(
    conn: &impl ConnectionTrait,
    listing_id: ListingId,
    viewer: Option<OrgId>,
) -> Result<listing::Model> {
    store::find_visible(conn, listing_id, viewer).await?.ok_or_else(|| Error::not_found("listing"))
}

/// What `buyer` would order; nothing where they may not see it.
///
/// # Errors
/// Those of the database.
pub async fn facts_for_sale(
    conn: &impl ConnectionTrait,
    listing_id: ListingId,
    buyer: Option<OrgId>,
) -> Result<Option<SaleFacts>> {
    let Some(row) = store::find_visible(conn, listing_id, buyer).await? else { return Ok(None) };
    let current = extras::current_revision(conn, row.current_revision_id).await?;
    Ok(Some(SaleFacts {
        listing_id: row.id,
        provider_id: row.organization_id,
        title: serde_json::from_value(row.title)?,
        current_revision_number: current.map(|revision| revision.number),
        theme: row.theme,
        state: row.state,
        personal_data: row.personal_data,
    }))
}

/// What anybody may see and order, of these listings; one statement. Those for named organisations are
/// left out: [`facts_for_sale`] knows who asks.
///
/// # Errors
/// Those of the database.
pub async fn facts_for_everybody(conn: &impl ConnectionTrait, ids: &[ListingId]) -> Result<Vec<SaleFacts>> {
    let rows = store::find_public_for_sale(conn, ids).await?;
    rows.into_iter()
        .map(|row| {
            Ok(SaleFacts {
                listing_id: row.id,
                provider_id: row.organization_id,
                title: serde_json::from_value(row.title)?,
                current_revision_number: row.number,
                theme: row.theme,
                state: row.state,
                personal_data: row.personal_data,
            })
        })
        .collect()
}

/// Whose a listing is, and what it is called.
#[derive(Debug, Clone, PartialEq)]
pub struct ListingName {
    /// Its owner.
    pub organization_id: OrgId,
    /// What it is called, per language.
    pub title: serde_json::Value,
}

/// Whose these listings are, and what they are called, whoever may see them; one statement.
///
/// # Errors
/// Those of the database.
pub async fn names(conn: &impl ConnectionTrait, ids: &[ListingId]) -> Result<HashMap<ListingId, ListingName>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = store::names(conn, ids).await?;
    let named = |(id, organization_id, title)| (id, ListingName { organization_id, title });
    Ok(rows.into_iter().map(named).collect())
}
