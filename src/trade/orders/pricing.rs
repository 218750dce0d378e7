//! What an offer costs right now, read for several buyers at once.

use std::{collections::HashMap, sync::Arc};

use entity::{
    bundle_part, fee_rule,
    ids::{ListingId, OfferId, OrgId},
    states::OfferKind,
};
use sea_orm::ConnectionTrait;
use time::OffsetDateTime;

use crate::{
    catalog::listings::{self, SaleFacts},
    error::Result,
    people::tax_profiles::{self, TaxProfile},
    terms::offers::{self, SaleOffer},
    trade::fees::{self, Sale},
};

/// An offer that can be ordered, and what its price depends on.
#[derive(Debug, Clone)]
pub(in crate::trade) struct ForSale {
    pub offer: SaleOffer,
    /// What anybody may see of its listings; those for named organisations only are missing.
    pub facts: HashMap<ListingId, SaleFacts>,
    /// The parts of a bundle, in the order of their lines.
    pub parts: Vec<bundle_part::Model>,
    /// The rules in force that could be about it; [`fees::resolve`] decides.
    pub rules: Arc<Vec<fee_rule::Model>>,
    /// The tax profiles of the providers that have one.
    pub tax_profiles: Arc<HashMap<OrgId, TaxProfile>>,
}

/// The sale that an offer makes.
pub(super) fn sale_of(offer: &SaleOffer) -> Sale {
    Sale {
        provider: offer.provider_id,
        listing: offer.listing_id,
        offer: offer.id,
        kind: offer.kind,
        price: offer.price,
    }
}

/// Those of `ids` that can be ordered at `now`; four statements, however many they are, and one more with bundles.
pub(in crate::trade) async fn for_sale(
    conn: &impl ConnectionTrait,
    ids: &[OfferId],
    now: OffsetDateTime,
) -> Result<HashMap<OfferId, ForSale>> {
    let offers = offers::offers_for_sale(conn, ids, now).await?;
    if offers.is_empty() {
        return Ok(HashMap::new());
    }
    let bundles: Vec<OfferId> =
        offers.iter().filter(|offer| offer.kind == OfferKind::Bundle).map(|offer| offer.id).collect();
    let mut parts = offers::bundles::parts_of(conn, &bundles).await?;
    // As many as were asked for, so that the database prepares few statements.
    let filled = || offers.iter().cycle().take(ids.len());
    let in_bundles = || parts.values().flatten();
    let wanted: Vec<_> =
        filled().map(|offer| offer.listing_id).chain(in_bundles().map(|part| part.listing_id)).collect();
    let facts = listings::facts_for_everybody(conn, &wanted).await?;
    let facts: HashMap<_, _> = facts.into_iter().map(|facts| (facts.listing_id, facts)).collect();
    let rules = if offers.iter().all(|offer| offer.kind == OfferKind::Free) {
        Vec::new()
    } else {
        let in_bundle = |offer: &SaleOffer| {
            let whole = sale_of(offer);
            let of_part =
                move |part: &bundle_part::Model| Sale { provider: part.provider_id, listing: part.listing_id, ..whole };
            parts.get(&offer.id).into_iter().flatten().map(of_part).collect::<Vec<_>>()
        };
        let sales: Vec<Sale> = filled().map(sale_of).chain(offers.iter().flat_map(in_bundle)).collect();
        fees::rules_for(conn, &sales, now).await?
    };
    let providers: Vec<OrgId> =
        filled().map(|offer| offer.provider_id).chain(in_bundles().map(|part| part.provider_id)).collect();
    let tax_profiles = Arc::new(tax_profiles::registered_at(conn, &providers, now).await?);
    let rules = Arc::new(rules);
    let found = offers.into_iter().map(|offer| {
        let parts = parts.remove(&offer.id).unwrap_or_default();
        let listings = std::iter::once(offer.listing_id).chain(parts.iter().map(|part| part.listing_id));
        let facts = listings.filter_map(|id| Some((id, facts.get(&id)?.clone()))).collect();
        (offer.id, ForSale { facts, parts, rules: rules.clone(), tax_profiles: tax_profiles.clone(), offer })
    });
    Ok(found.collect())
}
