//! Quoting: what an offer costs a buyer now, and whether they may order it.

use std::collections::HashMap;

use entity::{
    bundle_part,
    ids::{ListingId, OfferId, OrgId},
    states::{Coverage, ListingState, OfferKind, PartState},
};
use time::OffsetDateTime;

use super::{
    checkout::{Checkout, Component, Wish, checkout},
    pricing::{ForSale, sale_of},
};
use crate::{
    base::Money,
    catalog::listings::{self, SaleFacts},
    error::{Error, Result},
    people::organizations,
    state::AppState,
    terms::offers::SaleOffer,
    trade::{
        coupons::{self, Use},
        fees::{self, Sale},
        gross::Taxed,
        slices::{self, Slice, SliceIn},
        subscriptions,
        tax::{self, Purchase, Supplied},
    },
};

/// What a buyer asks the price of.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The offer.
    pub offer_id: OfferId,
    /// How many units; 1 where an offer has none.
    pub quantity: i32,
    /// The code of a coupon.
    pub coupon: Option<String>,
    /// Units of a month, for the forecast of a metered offer.
    pub expected_units: Option<i64>,
    /// The part that is wanted; the whole without it.
    pub slice: Option<SliceIn>,
}

/// What an order would cost and give.
#[derive(Debug, Clone)]
pub struct Quote {
    /// The offer, as it is now.
    pub offer: SaleOffer,
    /// How many units.
    pub quantity: i32,
    /// What it costs.
    pub checkout: Checkout,
    /// The part that it gives; the whole without it.
    pub slice: Option<Slice>,
    /// The coupon that the order would use.
    pub(in crate::trade) coupon: Option<Use>,
}

/// A listing that is bought, and its share of the price.
struct Sold {
    facts: SaleFacts,
    revision_number: i32,
    weight: u64,
}

/// Computes exactly what an order would cost, without placing it.
///
/// An offer in the catalogue takes no statement that is not shared; a private offer, a bundle and a coupon take a few.
///
/// # Errors
/// `NotFound` for an offer that is not open to `buyer`, `Conflict` for a bundle that is not complete, `Invalid` for
/// a quantity, coupon or sum that does not go, `PriceGuard` where the law keeps the data free.
pub async fn quote(app: &AppState, ask: &Ask, buyer: Option<OrgId>) -> Result<Quote> {
    let now = app.clock.now();
    let mut found = app.counter.quotes.ask(ask.offer_id).await?.ok_or_else(missing)?;
    without_second_trial(app, &mut found, buyer).await?;
    let offer = &found.offer;
    let private_to = offer.plan.as_ref().and_then(|plan| plan.private_to);
    if private_to.is_some_and(|org| buyer != Some(org) && buyer != Some(offer.provider_id)) {
        return Err(missing());
    }
    let sold = sold(app, &found, buyer).await?;
    if private_to.is_some() || offer.kind == OfferKind::Bundle {
        // The catalogue does not know these prices, so a listing can have moved into a theme that must be free.
        require_priceable(app, offer, &sold).await?;
    }
    let slice = cut_out(app, &mut found.offer, &sold, ask).await?;
    let coupon = match &ask.coupon {
        Some(code) => Some(usable_coupon(app, &found.offer, code, buyer).await?),
        None => None,
    };
    let default_bps = app.config.trade.operator_bps;
    let components: Vec<Component> =
        sold.into_iter().map(|sold| component(&found, sold, coupon.as_ref(), default_bps, now)).collect();
    if coupon.is_some() && components.iter().all(|component| !component.in_coupon) {
        return Err(coupons::unknown());
    }
    let reduction = coupon.as_ref().map(|coupon| coupon.reduction);
    let wish = Wish { quantity: ask.quantity, coupon: reduction, expected_units: ask.expected_units };
    let purchase = Purchase { mode: app.config.trade.tax_mode, buyer, placed_at: now, supplied_on: now.date() };
    let checkout = with_taxes(app, &found, components, wish, purchase).await?;
    // A coupon whose part rounds to nothing is not used up by it.
    let taken = checkout.coupon_minor();
    let coupon = coupon.filter(|_| taken > 0).map(|coupon| coupon.used(taken));
    Ok(Quote { offer: found.offer, quantity: ask.quantity, checkout, slice, coupon })
}

/// Counts and prices the part that is asked for. From here on the offer is one for that part, at its price: it gives what
/// was frozen and nothing that comes later.
async fn cut_out(app: &AppState, offer: &mut SaleOffer, sold: &[Sold], ask: &Ask) -> Result<Option<Slice>> {
    let (Some(wish), Some(only)) = (&ask.slice, sold.first()) else { return Ok(None) };
    let quoted = slices::quote(app, offer, only.revision_number, wish).await?;
    offer.price = Money::new(quoted.price_minor, offer.price.currency);
    offer.coverage = Coverage::Snapshot;
    Ok(Some(quoted.slice))
}

/// Prices `components` and decides their tax. The parts of a price depend on the rate where a processor charges in
/// steps, so where something is charged later the rate is asked for first.
async fn with_taxes(
    app: &AppState,
    found: &ForSale,
    components: Vec<Component>,
    wish: Wish,
    purchase: Purchase,
) -> Result<Checkout> {
    let (conn, now, profiles) = (app.db.read(), purchase.placed_at, &found.tax_profiles);
    let rules = app.payments.charge_rules(found.offer.price.currency);
    let untaxed = Taxed { rules, tax_bps: 0 };
    let mut whole = checkout(&found.offer, components.clone(), wish, untaxed, now)?;
    if let (Some(later), Some(line)) = (whole.schedule.first(), whole.lines.first()) {
        let supplied = [Supplied { provider: line.provider_id, net: later.amount }];
        let taxes = tax::of_lines(conn, profiles, purchase, &supplied).await?;
        let tax_bps = taxes.lines.first().and_then(|tax| u32::try_from(tax.bps).ok()).unwrap_or(0);
        if tax_bps > 0 {
            whole = checkout(&found.offer, components, wish, Taxed { rules, tax_bps }, now)?;
        }
    }
    let supplied: Vec<_> =
        whole.lines.iter().map(|line| Supplied { provider: line.provider_id, net: line.due }).collect();
    let taxes = tax::of_lines(conn, profiles, purchase, &supplied).await?;
    whole.with_taxes(taxes, wish, &rules)
}

/// A buyer has one trial per listing: for a second one the offer has none.
async fn without_second_trial(app: &AppState, found: &mut ForSale, buyer: Option<OrgId>) -> Result<()> {
    let listing = found.offer.listing_id;
    let Some(plan) = found.offer.plan.as_mut().filter(|plan| plan.trial_days > 0) else { return Ok(()) };
    if let Some(buyer) = buyer
        && subscriptions::had_trial(app.db.read(), buyer, listing).await?
    {
        plan.trial_days = 0;
    }
    Ok(())
}

fn missing() -> Error {
    Error::not_found("offer open to you")
}

/// The listings that are bought, in the order of the lines.
async fn sold(app: &AppState, found: &ForSale, buyer: Option<OrgId>) -> Result<Vec<Sold>> {
    let offer = &found.offer;
    if offer.kind != OfferKind::Bundle {
        let (facts, revision_number) = open_to(app, &found.facts, offer.listing_id, buyer).await?;
        return Ok(vec![Sold { facts, revision_number, weight: 1 }]);
    }
    require_complete(&found.parts)?;
    let mut sold = Vec::new();
    for part in &found.parts {
        let (facts, revision_number) = open_to(app, &found.facts, part.listing_id, buyer).await?;
        let weight = u64::try_from(part.weight).map_err(Error::internal)?;
        sold.push(Sold { facts, revision_number, weight });
    }
    Ok(sold)
}

fn require_complete(parts: &[bundle_part::Model]) -> Result<()> {
    if !parts.is_empty() && parts.iter().all(|part| part.state == PartState::Accepted) {
        return Ok(());
    }
    Err(Error::conflict("Not every provider of this bundle has accepted its part yet. Try again later."))
}

/// What of a listing `buyer` would get; not found where they may not see it, or nothing can be ordered.
async fn open_to(
    app: &AppState,
    public: &HashMap<ListingId, SaleFacts>,
    listing: ListingId,
    buyer: Option<OrgId>,
) -> Result<(SaleFacts, i32)> {
    let facts = match public.get(&listing) {
        Some(facts) => facts.clone(),
        None => listings::facts_for_sale(app.db.read(), listing, buyer).await?.ok_or_else(missing)?,
    };
    let revision_number = facts.current_revision_number.filter(|_| facts.state == ListingState::Published);
    Ok((facts, revision_number.ok_or_else(missing)?))
}

async fn require_priceable(app: &AppState, offer: &SaleOffer, sold: &[Sold]) -> Result<()> {
    if offer.kind == OfferKind::Free {
        return Ok(());
    }
    let providers: Vec<OrgId> = sold.iter().map(|sold| sold.facts.provider_id).collect();
    let kinds = organizations::provider_kinds(app.db.read(), &providers).await?;
    for sold in sold {
        let kind = kinds.get(&sold.facts.provider_id).copied().flatten();
        listings::refuse_price(kind, sold.facts.theme)?;
    }
    Ok(())
}

async fn usable_coupon(app: &AppState, offer: &SaleOffer, code: &str, buyer: Option<OrgId>) -> Result<coupons::Usable> {
    if offer.price.is_zero() || offer.plan.as_ref().is_some_and(|plan| plan.trial_days > 0) {
        return Err(Error::invalid("/coupon", "Leave the coupon out: there is nothing to pay at this purchase."));
    }
    coupons::find_usable(app, offer.provider_id, code, buyer, offer.price.currency).await
}

fn component(
    found: &ForSale,
    sold: Sold,
    coupon: Option<&coupons::Usable>,
    default_bps: u32,
    now: OffsetDateTime,
) -> Component {
    let Sold { facts, revision_number, weight } = sold;
    let (provider, listing, offer) = (facts.provider_id, facts.listing_id, found.offer.id);
    let sale = Sale { provider, listing, ..sale_of(&found.offer) };
    Component {
        listing_id: listing,
        provider_id: provider,
        title: facts.title,
        revision_number,
        fee: fees::resolve(&found.rules, sale, now, default_bps),
        weight,
        in_coupon: coupon.is_some_and(|coupon| coupon.is_for(provider, listing, offer)),
    }
}
