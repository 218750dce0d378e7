//! Offers in the database.

use entity::{
    Timestamp,
    ids::{LicenceId, ListingId, OfferId, OrgId},
    offer,
    states::OfferState,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, ExprTrait as _},
};
use time::OffsetDateTime;

use super::{
    model::{Conditions, SaleOffer},
    plan::Plan,
};
use crate::{
    base::Money,
    error::{Error, Result},
};

/// The currency a free offer's zero is counted in.
const FREE_CURRENCY: &str = "EUR";

/// What an offer row is made from.
#[derive(Debug, Clone)]
pub(super) struct NewOffer {
    pub id: OfferId,
    pub listing_id: ListingId,
    pub organization_id: OrgId,
    pub licence_id: LicenceId,
    pub licence_hash: String,
    pub conditions: Conditions,
}

pub(super) async fn insert(conn: &impl ConnectionTrait, new: NewOffer, now: Timestamp) -> Result<()> {
    let Conditions { kind, price, term_months, approval_required, coverage, valid_from, valid_until, plan } =
        new.conditions;
    let row = offer::ActiveModel {
        id: Set(new.id),
        listing_id: Set(new.listing_id),
        organization_id: Set(new.organization_id),
        kind: Set(kind),
        state: Set(OfferState::Active),
        price_minor: Set(price.map_or(0, |price| price.minor)),
        currency: Set(price.map_or(FREE_CURRENCY, |price| price.currency.code()).to_owned()),
        term_months: Set(term_months),
        licence_id: Set(new.licence_id),
        licence_hash: Set(new.licence_hash),
        approval_required: Set(approval_required),
        coverage: Set(coverage),
        valid_from: Set(Timestamp(valid_from)),
        valid_until: Set(valid_until.map(Timestamp)),
        created_at: Set(now),
        withdrawn_at: Set(None),
        plan: Set(plan.map(serde_json::to_value).transpose()?),
    };
    offer::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(())
}

/// The price of a row; zero for a free offer.
///
/// # Errors
/// `Internal` for a currency this exchange does not know.
pub(super) fn price(row: &offer::Model) -> Result<Money> {
    let currency =
        row.currency.parse().map_err(|error: crate::base::currency::UnknownCurrency| Error::internal(error))?;
    Ok(Money::new(row.price_minor, currency))
}

/// An offer whose listing the caller has still to be allowed to see.
pub(super) async fn find_of_listing_to_check(conn: &impl ConnectionTrait, id: OfferId) -> Result<Option<offer::Model>> {
    Ok(offer::Entity::find_by_id(id).one(conn).await?)
}

/// As [`find_of_listing_to_check`], unless the offer is private to somebody else than `viewer`.
pub(super) async fn find_shown_of_listing_to_check(
    conn: &impl ConnectionTrait,
    id: OfferId,
    viewer: Option<OrgId>,
) -> Result<Option<offer::Model>> {
    Ok(offer::Entity::find_by_id(id).filter(shown_to(viewer)).one(conn).await?)
}

/// These offers, for a caller that has made sure that they may be seen.
pub(super) async fn find_all(conn: &impl ConnectionTrait, ids: &[OfferId]) -> Result<Vec<offer::Model>> {
    Ok(offer::Entity::find().filter(offer::Column::Id.is_in(ids.iter().copied())).all(conn).await?)
}

/// The plan of a row.
///
/// # Errors
/// `Internal` for one that can't be read.
pub(super) fn plan(row: &offer::Model) -> Result<Option<Plan>> {
    row.plan.clone().map(serde_json::from_value).transpose().map_err(Error::internal)
}

/// Offers of `owner` among `ids`, whatever their state.
///
/// # Errors
/// Those of the database.
pub async fn owned_among(conn: &impl ConnectionTrait, ids: &[OfferId], owner: OrgId) -> Result<Vec<OfferId>> {
    let found = offer::Entity::find().select_only().column(offer::Column::Id);
    let found = found.filter(offer::Column::Id.is_in(ids.iter().copied()));
    Ok(found.filter(offer::Column::OrganizationId.eq(owner)).into_tuple().all(conn).await?)
}

/// An offer of `owner`.
pub(super) async fn find_owned(conn: &impl ConnectionTrait, id: OfferId, owner: OrgId) -> Result<Option<offer::Model>> {
    Ok(offer::Entity::find_by_id(id).filter(offer::Column::OrganizationId.eq(owner)).one(conn).await?)
}

fn not_over(now: OffsetDateTime) -> Condition {
    let no_end = Condition::any().add(offer::Column::ValidUntil.is_null());
    let not_over = no_end.add(offer::Column::ValidUntil.gt(Timestamp(now)));
    Condition::all().add(offer::Column::State.eq(OfferState::Active)).add(not_over)
}

/// The offers of a listing that hold now or will; at most [`crate::limits::OFFERS_PER_LISTING_MAX`].
pub(super) async fn find_not_over(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    now: OffsetDateTime,
) -> Result<Vec<offer::Model>> {
    let offers = offer::Entity::find().filter(offer::Column::ListingId.eq(listing)).filter(not_over(now));
    Ok(offers.order_by_asc(offer::Column::Id).all(conn).await?)
}

/// Offers that `viewer` may see, of listings that it may see: its own, and others' but those private to somebody else.
fn shown_to(viewer: Option<OrgId>) -> Condition {
    // `->>` gives the text of a JSON member on both databases, and NULL where there is none.
    let private_to = || Expr::cust("plan ->> 'private_to'");
    let everyone = Condition::any().add(private_to().is_null());
    let Some(viewer) = viewer else { return everyone };
    everyone.add(private_to().eq(viewer.to_string())).add(offer::Column::OrganizationId.eq(viewer))
}

/// One row more than `limit` of a listing's offers that `viewer` may see, newest first; without `over`, only those that
/// hold or will.
pub(super) async fn page(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    viewer: Option<OrgId>,
    over: bool,
    before: Option<OfferId>,
    limit: usize,
    now: OffsetDateTime,
) -> Result<Vec<offer::Model>> {
    let before = before.map(|id| offer::Column::Id.lt(id));
    let offers = offer::Entity::find()
        .filter(offer::Column::ListingId.eq(listing))
        .filter(shown_to(viewer))
        .filter(if over { Condition::all() } else { not_over(now) })
        .filter(Condition::all().add_option(before))
        .order_by_desc(offer::Column::Id)
        .limit(u64::try_from(limit + 1).unwrap_or(u64::MAX));
    Ok(offers.all(conn).await?)
}

/// Withdraws an offer of `owner`; false when it was withdrawn before.
pub(super) async fn withdraw(conn: &impl ConnectionTrait, id: OfferId, owner: OrgId, now: Timestamp) -> Result<bool> {
    let done = offer::Entity::update_many()
        .col_expr(offer::Column::State, Expr::value(OfferState::Withdrawn))
        .col_expr(offer::Column::WithdrawnAt, Expr::value(Some(now)))
        .filter(offer::Column::Id.eq(id))
        .filter(offer::Column::OrganizationId.eq(owner))
        .filter(offer::Column::State.eq(OfferState::Active))
        .exec(conn)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Everything about an offer that an order freezes; nothing unless it can be ordered at `now`.
///
/// Whether the buyer may see the listing is the catalogue's to say.
///
/// # Errors
/// Those of the database.
pub async fn offer_for_sale(
    conn: &impl ConnectionTrait,
    id: OfferId,
    now: OffsetDateTime,
) -> Result<Option<SaleOffer>> {
    Ok(offers_for_sale(conn, &[id], now).await?.pop())
}

/// As [`offer_for_sale`], for several offers in one statement; those that can't be ordered are left out.
///
/// # Errors
/// Those of the database.
pub async fn offers_for_sale(
    conn: &impl ConnectionTrait,
    ids: &[OfferId],
    now: OffsetDateTime,
) -> Result<Vec<SaleOffer>> {
    let offers = offer::Entity::find().filter(offer::Column::Id.is_in(ids.iter().copied())).filter(not_over(now));
    let rows = offers.filter(offer::Column::ValidFrom.lte(Timestamp(now))).all(conn).await?;
    rows.into_iter()
        .map(|row| {
            let plan = plan(&row)?;
            Ok(SaleOffer {
                id: row.id,
                listing_id: row.listing_id,
                provider_id: row.organization_id,
                kind: row.kind,
                price: price(&row)?,
                term_months: row.term_months,
                licence_id: row.licence_id,
                licence_hash: row.licence_hash,
                approval_required: row.approval_required,
                coverage: row.coverage,
                plan,
            })
        })
        .collect()
}
