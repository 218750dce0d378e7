//! Listings, their audience, facets and prices in the database.

use entity::{
    Timestamp,
    ids::{ListingId, OfferId, OrgId, RevisionId},
    listing, listing_audience, listing_facet, listing_price, organization, revision,
    states::{Audience, ListingState, PersonalData, Theme},
};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, RelationDef,
    sea_query::Query,
};

use super::fields::ListingIn;
use crate::{
    base::Money,
    db::Tx,
    error::{Error, Result},
};

/// The columns of [`listing_facet`] rows that say what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Facet {
    Tag,
    Licence,
    Format,
}

impl Facet {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Licence => "licence",
            Self::Format => "format",
        }
    }
}

/// The columns that `fields` decide.
fn described(fields: &ListingIn, search_text: String) -> Result<listing::ActiveModel> {
    let [min_lon, min_lat, max_lon, max_lat] = fields.bbox.map_or([None; 4], |bbox| bbox.map(Some));
    Ok(listing::ActiveModel {
        title: Set(serde_json::to_value(&fields.title)?),
        summary: Set(serde_json::to_value(&fields.summary)?),
        theme: Set(fields.theme),
        tags: Set(serde_json::to_value(&fields.tags)?),
        place: Set(fields.place.clone()),
        min_lon: Set(min_lon),
        min_lat: Set(min_lat),
        max_lon: Set(max_lon),
        max_lat: Set(max_lat),
        covers_from: Set(fields.covers_from),
        covers_until: Set(fields.covers_until),
        update_frequency: Set(fields.update_frequency),
        contact: Set(serde_json::to_value(&fields.contact)?),
        use_cases: Set(serde_json::to_value(&fields.use_cases)?),
        personal_data: Set(fields.personal_data),
        personal_data_note: Set(fields.personal_data_note.clone()),
        audience: Set(fields.audience),
        answer_within_days: Set(fields.answer_within_days),
        search_text: Set(search_text),
        ..Default::default()
    })
}

/// Inserts a draft of `owner`.
pub(super) async fn insert_draft(
    tx: &Tx,
    id: ListingId,
    owner: OrgId,
    fields: &ListingIn,
    search_text: String,
    now: Timestamp,
) -> Result<()> {
    let row = listing::ActiveModel {
        id: Set(id),
        organization_id: Set(owner),
        kind: Set(fields.kind),
        state: Set(ListingState::Draft),
        version: Set(1),
        has_free_offer: Set(false),
        has_paid_offer: Set(false),
        created_at: Set(now),
        updated_at: Set(now),
        ..described(fields, search_text)?
    };
    listing::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    replace_facet(tx, id, Facet::Tag, &fields.tags).await?;
    replace_audience(tx, id, &fields.audience_organizations).await
}

/// Writes `changes` to the listing as it was read: same state, same version, which goes up by one.
///
/// # Errors
/// [`Problem::Conflict`](crate::error::Problem::Conflict) when it is not as it was read any more.
async fn update(tx: &Tx, read: &listing::Model, changes: listing::ActiveModel, now: Timestamp) -> Result<()> {
    let changes = listing::ActiveModel { id: NotSet, version: Set(read.version + 1), updated_at: Set(now), ..changes };
    let done = listing::Entity::update_many()
        .set(changes)
        .filter(listing::Column::Id.eq(read.id))
        .filter(listing::Column::State.eq(read.state))
        .filter(listing::Column::Version.eq(read.version))
        .exec(tx.conn())
        .await?;
    if done.rows_affected == 1 {
        return Ok(());
    }
    Err(Error::conflict("The listing was changed at the same moment. Read it again, then try again."))
}

/// Writes another description.
pub(super) async fn update_description(
    tx: &Tx,
    read: &listing::Model,
    fields: &ListingIn,
    search_text: String,
    now: Timestamp,
) -> Result<()> {
    update(tx, read, described(fields, search_text)?, now).await?;
    replace_facet(tx, read.id, Facet::Tag, &fields.tags).await
}

/// Moves the listing to the state `next`, with what the operator wrote about it.
pub(super) async fn update_state(
    tx: &Tx,
    read: &listing::Model,
    next: ListingState,
    review_note: Option<String>,
    now: Timestamp,
) -> Result<()> {
    let since = |state: ListingState| if next == state { Set(Some(now)) } else { NotSet };
    let changes = listing::ActiveModel {
        state: Set(next),
        review_note: Set(review_note),
        published_at: since(ListingState::Published),
        retired_at: since(ListingState::Retired),
        ..Default::default()
    };
    update(tx, read, changes, now).await
}

/// Notes whether there are offers for nothing and at a price.
pub(super) async fn update_offers(
    tx: &Tx,
    read: &listing::Model,
    has_free_offer: bool,
    has_paid_offer: bool,
    now: Timestamp,
) -> Result<()> {
    let changes = listing::ActiveModel {
        has_free_offer: Set(has_free_offer),
        has_paid_offer: Set(has_paid_offer),
        ..Default::default()
    };
    update(tx, read, changes, now).await
}

/// Makes `revision` the one that is offered.
pub(super) async fn update_current_revision(
    tx: &Tx,
    read: &listing::Model,
    revision: RevisionId,
    now: Timestamp,
) -> Result<()> {
    let changes = listing::ActiveModel { current_revision_id: Set(Some(revision)), ..Default::default() };
    update(tx, read, changes, now).await
}

/// Finds a listing of `owner`, in any state.
pub(in crate::catalog) async fn find_owned(
    conn: &impl ConnectionTrait,
    id: ListingId,
    owner: OrgId,
) -> Result<Option<listing::Model>> {
    let found = listing::Entity::find_by_id(id).filter(listing::Column::OrganizationId.eq(owner));
    Ok(found.one(conn).await?)
}

/// As [`find_owned`]; nobody else changes it until the transaction ends.
pub(in crate::catalog) async fn lock_owned(tx: &Tx, id: ListingId, owner: OrgId) -> Result<Option<listing::Model>> {
    let found = listing::Entity::find_by_id(id).filter(listing::Column::OrganizationId.eq(owner));
    Ok(found.lock_exclusive().one(tx.conn()).await?)
}

/// Locks a listing for a wing that has made sure whose it is.
pub(in crate::catalog) async fn lock(tx: &Tx, id: ListingId) -> Result<Option<listing::Model>> {
    Ok(listing::Entity::find_by_id(id).lock_exclusive().one(tx.conn()).await?)
}

/// Locks a listing that waits for the operator.
pub(super) async fn lock_in_review(tx: &Tx, id: ListingId) -> Result<Option<listing::Model>> {
    let waiting = listing::Entity::find_by_id(id).filter(listing::Column::State.eq(ListingState::InReview));
    Ok(waiting.lock_exclusive().one(tx.conn()).await?)
}

/// Finds a listing that `viewer` may see: their own in any state, others' once published, within its audience.
pub(super) async fn find_visible(
    conn: &impl ConnectionTrait,
    id: ListingId,
    viewer: Option<OrgId>,
) -> Result<Option<listing::Model>> {
    let shown = [ListingState::Published, ListingState::Retired];
    let shown = Condition::all().add(listing::Column::State.is_in(shown)).add(within_audience(viewer));
    let mut seen = Condition::any().add(shown);
    if let Some(owner) = viewer {
        seen = seen.add(listing::Column::OrganizationId.eq(owner));
    }
    Ok(listing::Entity::find_by_id(id).filter(seen).one(conn).await?)
}

/// The columns of a listing that an order looks at.
#[derive(Debug, FromQueryResult)]
pub(super) struct ForSale {
    pub id: ListingId,
    pub organization_id: OrgId,
    pub title: sea_orm::JsonValue,
    pub theme: Theme,
    pub state: ListingState,
    pub personal_data: PersonalData,
    /// Of the current revision, if there is one.
    pub number: Option<i32>,
}

/// What anybody may see of these listings, with the number of the current revision.
pub(super) async fn find_public_for_sale(conn: &impl ConnectionTrait, ids: &[ListingId]) -> Result<Vec<ForSale>> {
    use listing::Column;
    let current: RelationDef =
        listing::Entity::belongs_to(revision::Entity).from(Column::CurrentRevisionId).to(revision::Column::Id).into();
    Ok(listing::Entity::find()
        .select_only()
        .columns([
            Column::Id,
            Column::OrganizationId,
            Column::Title,
            Column::Theme,
            Column::State,
            Column::PersonalData,
        ])
        .column(revision::Column::Number)
        .join(JoinType::LeftJoin, current)
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::State.is_in([ListingState::Published, ListingState::Retired]))
        .filter(within_audience(None))
        .into_model()
        .all(conn)
        .await?)
}

/// Owner and title of these listings.
pub(super) async fn names(
    conn: &impl ConnectionTrait,
    ids: &[ListingId],
) -> Result<Vec<(ListingId, OrgId, sea_orm::JsonValue)>> {
    Ok(listing::Entity::find()
        .select_only()
        .columns([listing::Column::Id, listing::Column::OrganizationId, listing::Column::Title])
        .filter(listing::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(conn)
        .await?)
}

/// Finds a listing that waits for the operator.
pub(super) async fn find_in_review(conn: &impl ConnectionTrait, id: ListingId) -> Result<Option<listing::Model>> {
    let waiting = listing::Entity::find_by_id(id).filter(listing::Column::State.eq(ListingState::InReview));
    Ok(waiting.one(conn).await?)
}

/// True for listings whose audience `viewer` belongs to; an owner belongs to every audience of their own.
pub(super) fn within_audience(viewer: Option<OrgId>) -> Condition {
    let everyone = Condition::any().add(listing::Column::Audience.eq(Audience::Public));
    let Some(viewer) = viewer else { return everyone };
    let named = Query::select()
        .column(listing_audience::Column::ListingId)
        .from(listing_audience::Entity)
        .and_where(listing_audience::Column::OrganizationId.eq(viewer))
        .to_owned();
    everyone.add(listing::Column::OrganizationId.eq(viewer)).add(listing::Column::Id.in_subquery(named))
}

/// The organisations a listing is named for, by id.
pub(super) async fn audience(conn: &impl ConnectionTrait, id: ListingId) -> Result<Vec<OrgId>> {
    Ok(listing_audience::Entity::find()
        .select_only()
        .column(listing_audience::Column::OrganizationId)
        .filter(listing_audience::Column::ListingId.eq(id))
        .order_by_asc(listing_audience::Column::OrganizationId)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Replaces the organisations a listing is named for.
pub(super) async fn replace_audience(tx: &Tx, id: ListingId, organizations: &[OrgId]) -> Result<()> {
    let old = listing_audience::Entity::delete_many().filter(listing_audience::Column::ListingId.eq(id));
    old.exec(tx.conn()).await?;
    let rows: Vec<_> = organizations
        .iter()
        .map(|&organization_id| listing_audience::ActiveModel {
            listing_id: Set(id),
            organization_id: Set(organization_id),
        })
        .collect();
    if !rows.is_empty() {
        listing_audience::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

/// Replaces what a listing is counted under; `values` are distinct.
pub(super) async fn replace_facet(tx: &Tx, id: ListingId, facet: Facet, values: &[String]) -> Result<()> {
    listing_facet::Entity::delete_many()
        .filter(listing_facet::Column::ListingId.eq(id))
        .filter(listing_facet::Column::Facet.eq(facet.as_str()))
        .exec(tx.conn())
        .await?;
    let rows: Vec<_> = values
        .iter()
        .map(|value| listing_facet::ActiveModel {
            listing_id: Set(id),
            facet: Set(facet.as_str().to_owned()),
            value: Set(value.clone()),
        })
        .collect();
    if !rows.is_empty() {
        listing_facet::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

/// Replaces the prices that a listing is filtered and sorted by.
pub(super) async fn replace_prices(tx: &Tx, id: ListingId, prices: &[(OfferId, Money)]) -> Result<()> {
    let old = listing_price::Entity::delete_many().filter(listing_price::Column::ListingId.eq(id));
    old.exec(tx.conn()).await?;
    let rows: Vec<_> = prices
        .iter()
        .map(|(offer_id, price)| listing_price::ActiveModel {
            offer_id: Set(*offer_id),
            listing_id: Set(id),
            currency: Set(price.currency.code().to_owned()),
            price_minor: Set(price.minor),
        })
        .collect();
    if !rows.is_empty() {
        listing_price::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

/// The name of an organisation, which its listings are found by.
pub(super) async fn organization_name(conn: &impl ConnectionTrait, id: OrgId) -> Result<String> {
    let name: Option<String> = organization::Entity::find_by_id(id)
        .select_only()
        .column(organization::Column::Name)
        .into_tuple()
        .one(conn)
        .await?;
    name.ok_or_else(|| Error::not_found("organisation"))
}

/// Those of `ids` that are organisations of the exchange.
pub(super) async fn known_organizations(conn: &impl ConnectionTrait, ids: &[OrgId]) -> Result<Vec<OrgId>> {
    Ok(organization::Entity::find()
        .select_only()
        .column(organization::Column::Id)
        .filter(organization::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(conn)
        .await?)
}
