//! What an offer costs right now, read for several buyers at once.

use std::{collections::HashMap, sync::Arc};

use entity::{fee_rule, ids::OfferId};
use sea_orm::ConnectionTrait;
use time::OffsetDateTime;

use crate::{
    catalog::listings::{self, SaleFacts},
    error::Result,
    terms::offers::{self, SaleOffer},
    trade::fees::{self, Sale},
};

/// An offer that can be ordered, and what its price depends on.
#[derive(Debug, Clone)]
pub(in crate::trade) struct ForSale {
    pub offer: SaleOffer,
    /// What anybody may see of the listing; nothing where it is for named organisations only.
    pub facts: Option<SaleFacts>,
    /// The rules in force that could be about it; [`fees::resolve`] decides.
    pub rules: Arc<Vec<fee_rule::Model>>,
}

/// The sale that an offer makes.
pub(super) fn sale_of(offer: &SaleOffer) -> Sale {
    Sale { provider: offer.provider_id, listing: offer.listing_id, offer: offer.id }
}

/// Those of `ids` that can be ordered at `now`; three statements, however many they are.
pub(in crate::trade) async fn for_sale(
    conn: &impl ConnectionTrait,
    ids: &[OfferId],
    now: OffsetDateTime,
) -> Result<HashMap<OfferId, ForSale>> {
    let offers = offers::offers_for_sale(conn, ids, now).await?;
    if offers.is_empty() {
        return Ok(HashMap::new());
    }
    // As many as were asked for, so that the database prepares few statements.
    let filled = || offers.iter().cycle().take(ids.len());
    let wanted: Vec<_> = filled().map(|offer| offer.listing_id).collect();
    let facts = listings::facts_for_everybody(conn, &wanted).await?;
    let facts: HashMap<_, _> = facts.into_iter().map(|facts| (facts.listing_id, facts)).collect();
    let rules = if offers.iter().all(|offer| offer.price.is_zero()) {
        Vec::new()
    } else {
        fees::rules_for(conn, &filled().map(sale_of).collect::<Vec<_>>(), now).await?
    };
    let rules = Arc::new(rules);
    let found = offers.into_iter().map(|offer| {
        let facts = facts.get(&offer.listing_id).cloned();
        (offer.id, ForSale { facts, rules: rules.clone(), offer })
    });
    Ok(found.collect())
}
