//! What a listing shows beyond its own row: its provider, facets and prices, for a whole page in three statements.

use std::collections::HashMap;

use entity::{
    ids::{ListingId, OrgId, RevisionId},
    listing, listing_facet, listing_price, organization, revision,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{
    store::Facet,
    view::{CurrentRevision, ProviderView},
};
use crate::{
    base::{Currency, Money},
    error::{Error, Result},
};

/// What other tables know of some listings.
#[derive(Debug, Default)]
pub(super) struct Extras {
    providers: HashMap<OrgId, ProviderView>,
    facets: HashMap<ListingId, Vec<(String, String)>>,
    prices: HashMap<ListingId, Vec<Money>>,
}

impl Extras {
    /// Who provides `row`.
    ///
    /// # Errors
    /// Internal ones, for a listing that was not among those asked for.
    pub(super) fn provider(&self, row: &listing::Model) -> Result<ProviderView> {
        let unknown = || Error::internal(format!("the provider of {} was not read", row.id));
        self.providers.get(&row.organization_id).cloned().ok_or_else(unknown)
    }

    /// The values of one facet of a listing, in order.
    pub(super) fn facet(&self, id: ListingId, facet: Facet) -> Vec<String> {
        let all = self.facets.get(&id).map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|(name, _)| name == facet.as_str()).map(|(_, value)| value.clone()).collect()
    }

    /// The lowest price of a listing per currency.
    pub(super) fn prices_from(&self, id: ListingId) -> Vec<Money> {
        self.prices.get(&id).cloned().unwrap_or_default()
    }
}

/// Reads the extras of `rows`.
pub(super) async fn read(conn: &impl ConnectionTrait, rows: &[listing::Model]) -> Result<Extras> {
    if rows.is_empty() {
        return Ok(Extras::default());
    }
    let ids: Vec<ListingId> = rows.iter().map(|row| row.id).collect();
    let owners: std::collections::BTreeSet<OrgId> = rows.iter().map(|row| row.organization_id).collect();
    let mut extras = Extras::default();
    let providers = organization::Entity::find().filter(organization::Column::Id.is_in(owners)).all(conn).await?;
    for org in providers {
        let view = ProviderView { id: org.id, slug: org.slug, name: org.name, kind: org.provider_kind };
        extras.providers.insert(view.id, view);
    }
    let facets = listing_facet::Entity::find()
        .filter(listing_facet::Column::ListingId.is_in(ids.iter().copied()))
        .filter(listing_facet::Column::Facet.is_in([Facet::Format.as_str(), Facet::Licence.as_str()]))
        .order_by_asc(listing_facet::Column::Value)
        .all(conn)
        .await?;
    for row in facets {
        extras.facets.entry(row.listing_id).or_default().push((row.facet, row.value));
    }
    let prices: Vec<(ListingId, String, i64)> = listing_price::Entity::find()
        .select_only()
        .columns([listing_price::Column::ListingId, listing_price::Column::Currency])
        .column_as(listing_price::Column::PriceMinor.min(), "price_minor")
        .filter(listing_price::Column::ListingId.is_in(ids))
        .group_by(listing_price::Column::ListingId)
        .group_by(listing_price::Column::Currency)
        .order_by_asc(listing_price::Column::Currency)
        .into_tuple()
        .all(conn)
        .await?;
    for (id, currency, minor) in prices {
        let currency = currency.parse::<Currency>().map_err(Error::internal)?;
        extras.prices.entry(id).or_default().push(Money::new(minor, currency));
    }
    Ok(extras)
}

/// The revision that a listing offers now.
pub(super) async fn current_revision(
    conn: &impl ConnectionTrait,
    id: Option<RevisionId>,
) -> Result<Option<CurrentRevision>> {
    let Some(id) = id else { return Ok(None) };
    let row = revision::Entity::find_by_id(id).one(conn).await?;
    Ok(row.map(|row| CurrentRevision {
        id: row.id,
        number: row.number,
        published_at: row.published_at,
        file_count: row.file_count,
        size_bytes: row.size_bytes,
    }))
}
