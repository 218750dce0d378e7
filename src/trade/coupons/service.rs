//! Making and ending coupons, and finding the one a buyer names.

use entity::{
    Timestamp, coupon,
    ids::{CouponId, ListingId, OfferId, OrgId},
};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    model::{self, Draft},
    store,
};
use crate::{
    auth::Actor,
    base::Currency,
    catalog::listings,
    db::Tx,
    error::{Error, Result},
    limits,
    people::audit,
    state::AppState,
    terms::offers,
    trade::prices::Reduction,
};

/// A coupon that an order uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::trade) struct Use {
    pub coupon_id: CouponId,
    /// What it takes off, in minor units.
    pub off_minor: i64,
    /// How often one buyer may use it.
    pub per_buyer_max: Option<u32>,
}

/// A coupon that a buyer may use now.
#[derive(Debug, Clone)]
pub(in crate::trade) struct Usable {
    coupon: coupon::Model,
    pub reduction: Reduction,
}

impl Usable {
    /// True when it takes something off this line.
    pub(in crate::trade) fn is_for(&self, provider: OrgId, listing: ListingId, offer: OfferId) -> bool {
        model::is_for(&self.coupon, provider, listing, offer)
    }

    /// Its use by an order that it takes `off_minor` off.
    pub(in crate::trade) fn used(&self, off_minor: i64) -> Use {
        let per_buyer_max = self.coupon.per_buyer_max.and_then(|most| u32::try_from(most).ok());
        Use { coupon_id: self.coupon.id, off_minor, per_buyer_max }
    }
}

/// The one refusal of a code that is unknown, over, somebody else's, or not for what is bought: who tries codes learns
/// nothing from it.
pub(in crate::trade) fn unknown() -> Error {
    Error::invalid("/coupon", "There is no such coupon for this offer now. Check the code, or leave it out.")
}

/// The coupon of `provider` with this code, that `buyer` may use now for a price in `currency`.
///
/// # Errors
/// `Invalid` for one that can't be used by anybody now, and without a buyer; `Conflict` for one that is used up.
pub(in crate::trade) async fn find_usable(
    app: &AppState,
    provider: OrgId,
    code: &str,
    buyer: Option<OrgId>,
    currency: Currency,
) -> Result<Usable> {
    let log_in = || Error::invalid("/coupon", "Log in for the organisation that buys to use a coupon.");
    let (buyer, now) = (buyer.ok_or_else(log_in)?, app.clock.now());
    let found = store::find_by_code(app.db.read(), provider, &model::normalised(code)).await?;
    let coupon = found.filter(|coupon| model::holds(coupon, now)).ok_or_else(unknown)?;
    let reduction = model::reduction(&coupon, currency).ok_or_else(unknown)?;
    if coupon.redemptions_max.is_some_and(|most| coupon.redeemed >= most) {
        return Err(store::used_up());
    }
    if let Some(most) = coupon.per_buyer_max.and_then(|most| u64::try_from(most).ok())
        && store::count_of_buyer(app.db.read(), coupon.id, buyer).await? >= most
    {
        return Err(store::used_up());
    }
    Ok(Usable { coupon, reduction })
}

/// Makes a coupon for offers of the actor's own.
///
/// # Errors
/// `Invalid` for what makes no sense and for things that are not the actor's, `Conflict` for a code it has already, and
/// for too many.
pub(super) async fn create(app: &AppState, actor: Actor, draft: Draft) -> Result<coupon::Model> {
    crate::catalog::require_provider(&actor)?;
    let now = app.clock.now();
    draft.check(now)?;
    let row = row(&actor, &draft, now)?;
    app.db
        .write("trade.create_coupon", move |tx| {
            let (actor, draft, row) = (actor.clone(), draft.clone(), row.clone());
            async move {
                require_own(&tx, &actor, &draft).await?;
                let most = limits::COUPONS_PER_ORGANIZATION_MAX;
                if store::count_live(&tx, actor.org_id()).await? >= most {
                    return Err(Error::conflict(format!("You have {most} coupons. End one first.")));
                }
                if !store::insert(&tx, row.clone()).await? {
                    return Err(Error::conflict("You have, or had, a coupon with this code. Choose another one."));
                }
                audit::record(&tx, &actor, "coupon.create", row.id, json!({"scope": row.scope}), now).await?;
                Ok((row, tx))
            }
        })
        .await
}

fn row(actor: &Actor, draft: &Draft, now: OffsetDateTime) -> Result<coupon::Model> {
    let (scope, targets) = draft.scope();
    Ok(coupon::Model {
        id: CouponId::at(now),
        organization_id: actor.org_id(),
        code: model::normalised(&draft.code),
        off_bps: draft.percent_bps.map(i32::try_from).transpose().map_err(Error::internal)?,
        off_minor: draft.off.map(|off| off.minor),
        currency: draft.off.map(|off| off.currency.code().to_owned()),
        scope,
        targets,
        valid_from: Timestamp(draft.valid_from.unwrap_or(now)),
        valid_until: draft.valid_until.map(Timestamp),
        redemptions_max: draft.redemptions_max,
        per_buyer_max: draft.per_buyer_max,
        redeemed: 0,
        created_at: Timestamp(now),
        ended_at: None,
    })
}

/// Refuses listings and offers that are not the actor's.
async fn require_own(tx: &Tx, actor: &Actor, draft: &Draft) -> Result<()> {
    for (place, id) in draft.listings.iter().flatten().enumerate() {
        let found = listings::facts_for_sale(tx.conn(), *id, Some(actor.org_id())).await?;
        if found.is_none_or(|facts| facts.provider_id != actor.org_id()) {
            return Err(Error::invalid(format!("/listings/{place}"), "Name a listing of your own."));
        }
    }
    let named = draft.offers.as_deref().unwrap_or_default();
    let own = offers::owned_among(tx.conn(), named, actor.org_id()).await?;
    match named.iter().position(|id| !own.contains(id)) {
        Some(place) => Err(Error::invalid(format!("/offers/{place}"), "Name an offer of your own.")),
        None => Ok(()),
    }
}

/// Ends a coupon of the actor's own. Orders that use it stay as they are.
///
/// # Errors
/// `NotFound` for somebody else's, `Conflict` when it was ended before.
pub(super) async fn end(app: &AppState, actor: Actor, id: CouponId) -> Result<coupon::Model> {
    let now = app.clock.now();
    app.db
        .write("trade.end_coupon", move |tx| {
            let actor = actor.clone();
            async move {
                let found = store::find_owned(tx.conn(), id, actor.org_id()).await?;
                let coupon = found.ok_or_else(|| Error::not_found("coupon"))?;
                if !store::end(&tx, id, actor.org_id(), Timestamp(now)).await? {
                    return Err(Error::conflict("The coupon was ended before."));
                }
                audit::record(&tx, &actor, "coupon.end", id, json!({}), now).await?;
                Ok((coupon::Model { ended_at: Some(Timestamp(now)), ..coupon }, tx))
            }
        })
        .await
}
