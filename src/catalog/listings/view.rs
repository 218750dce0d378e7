//! Listings as they are shown.

use entity::{
    Timestamp,
    ids::{ListingId, OrgId, RevisionId},
    listing,
    states::{Audience, ListingKind, ListingState, PersonalData, ProviderKind, Theme, UpdateFrequency},
};
use serde::Serialize;

use super::{
    extras::Extras,
    fields::{Contact, ListingIn, bbox_of},
    search::Facets,
    store::Facet,
};
use crate::{
    base::{LangText, Money, page::Page},
    error::Result,
};

/// A card for the API's documentation.
pub(super) fn card_example(state: &str) -> serde_json::Value {
    serde_json::json!({
        "id": "lst_019352f0a1b27c3d8e4f5061728394a5", "kind": "dataset", "state": state,
        "provider": {"id": "org_019352f0a1b27c3d8e4f5061728394a5", "slug": "fukui", "name": "Fukui Prefecture",
                     "kind": "public_sector"},
        "title": {"en": "River levels in Fukui", "ja": "福井県の河川水位"},
        "summary": {"en": "Water level every ten minutes at 41 gauges."},
        "theme": "environment", "tags": ["water", "gauges"], "place": "Fukui", "bbox": [135.4, 35.3, 136.9, 36.3],
        "update_frequency": "hourly", "personal_data": "none", "audience": "public", "formats": ["csv"],
        "licences": ["CC-BY-4.0"], "has_free_offer": true, "has_paid_offer": false, "prices_from": [],
        "updated_at": "2026-11-21T10:00:00Z"
    })
}

/// Who provides a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "org_019352f0a1b27c3d8e4f5061728394a5", "slug": "fukui", "name": "Fukui Prefecture", "kind": "public_sector"
}))]
pub struct ProviderView {
    /// Its id.
    pub id: OrgId,
    /// Its short name in addresses.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What kind of body it is.
    pub kind: Option<ProviderKind>,
}

/// A listing in a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!(card_example("published")))]
pub struct ListingCard {
    /// Its id.
    pub id: ListingId,
    /// What is offered.
    pub kind: ListingKind,
    /// Where it stands.
    pub state: ListingState,
    /// Who provides it.
    pub provider: ProviderView,
    /// One line, per language.
    pub title: LangText,
    /// What it is, per language.
    pub summary: LangText,
    /// The subject area.
    pub theme: Theme,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The place in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// West, south, east, north in degrees of WGS 84.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<f64>>, min_items = 4, max_items = 4)]
    pub bbox: Option<[f64; 4]>,
    /// How often it is promised to be updated.
    pub update_frequency: UpdateFrequency,
    /// Whether it holds data about persons.
    pub personal_data: PersonalData,
    /// Who may see it.
    pub audience: Audience,
    /// Formats of the current files.
    pub formats: Vec<String>,
    /// Codes of the licences on offer.
    pub licences: Vec<String>,
    /// True with a free offer.
    pub has_free_offer: bool,
    /// True with an offer at a price.
    pub has_paid_offer: bool,
    /// The lowest price per currency.
    pub prices_from: Vec<Money>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was first published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
}

/// The revision that a listing offers now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CurrentRevision {
    /// Its id.
    pub id: RevisionId,
    /// Its number, counted from 1.
    pub number: i32,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// Its files.
    pub file_count: i32,
    /// The size of all files.
    pub size_bytes: i64,
}

/// A listing with all that is known of it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "lst_019352f0a1b27c3d8e4f5061728394a5", "kind": "dataset", "state": "published",
    "provider": {"id": "org_019352f0a1b27c3d8e4f5061728394a5", "slug": "fukui", "name": "Fukui Prefecture",
                 "kind": "public_sector"},
    "title": {"en": "River levels in Fukui", "ja": "福井県の河川水位"},
    "summary": {"en": "Water level every ten minutes at 41 gauges."},
    "theme": "environment", "tags": ["water", "gauges"], "place": "Fukui", "bbox": [135.4, 35.3, 136.9, 36.3],
    "update_frequency": "hourly", "personal_data": "none", "audience": "public", "formats": ["csv"],
    "licences": ["CC-BY-4.0"], "has_free_offer": true, "has_paid_offer": false, "prices_from": [],
    "updated_at": "2026-11-21T10:00:00Z", "published_at": "2026-11-21T10:00:00Z", "version": 3,
    "contact": {"name": "Water desk", "email": "water@example.org"},
    "use_cases": ["Warn people along the river before it floods"], "created_at": "2026-11-20T10:00:00Z",
    "current_revision": {"id": "rev_019352f0a1b27c3d8e4f5061728394a5", "number": 1,
                         "published_at": "2026-11-21T10:00:00Z", "file_count": 1, "size_bytes": 4096},
    "offers_url": "/api/v1/listings/lst_019352f0a1b27c3d8e4f5061728394a5/offers",
    "revisions_url": "/api/v1/listings/lst_019352f0a1b27c3d8e4f5061728394a5/revisions"
}))]
pub struct ListingView {
    /// What a list shows of it.
    #[serde(flatten)]
    pub card: ListingCard,
    /// Counts its changes; also the `ETag`.
    pub version: i32,
    /// The first instant it tells about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covers_from: Option<Timestamp>,
    /// The last instant it tells about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covers_until: Option<Timestamp>,
    /// Who answers questions.
    pub contact: Contact,
    /// What it can be used for.
    pub use_cases: Vec<String>,
    /// Which personal data it holds, and on what legal ground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personal_data_note: Option<String>,
    /// Within how many days enquiries are answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_within_days: Option<i32>,
    /// The organisations that may see it; for its owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience_organizations: Option<Vec<OrgId>>,
    /// What the operator wrote when it was sent back; for its owner and the operator only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_note: Option<String>,
    /// The revision it offers now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_revision: Option<CurrentRevision>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
    /// Where its offers are.
    pub offers_url: String,
    /// Where its revisions are.
    pub revisions_url: String,
}

/// A value and how many listings have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"value": "environment", "count": 12}))]
pub struct FacetValue {
    /// The value, as the filter takes it.
    pub value: String,
    /// What to show for it, where that differs: a provider's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Listings of the filtered set that have it.
    pub count: i64,
}

/// Counts over the whole filtered set; the fifty most frequent values of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FacetsView {
    /// Listings of the filtered set.
    pub total: i64,
    /// Those with a free offer.
    pub free: i64,
    /// Those with an offer at a price.
    pub paid: i64,
    /// By subject area.
    pub theme: Vec<FacetValue>,
    /// By tag.
    pub tag: Vec<FacetValue>,
    /// By licence.
    pub licence: Vec<FacetValue>,
    /// By format.
    pub format: Vec<FacetValue>,
    /// By provider.
    pub provider: Vec<FacetValue>,
}

/// One page of the catalogue.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "items": [card_example("published")],
    "facets": {"total": 1, "free": 1, "paid": 0, "theme": [{"value": "environment", "count": 1}],
               "tag": [{"value": "water", "count": 1}], "licence": [{"value": "CC-BY-4.0", "count": 1}],
               "format": [{"value": "csv", "count": 1}],
               "provider": [{"value": "org_019352f0a1b27c3d8e4f5061728394a5", "label": "Fukui Prefecture", "count": 1}]}
}))]
pub struct CataloguePage {
    /// The page.
    #[serde(flatten)]
    pub page: Page<ListingCard>,
    /// The counts, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facets: Option<FacetsView>,
}

impl ListingCard {
    /// Shows `row` with what other tables know of it.
    pub(super) fn of(row: &listing::Model, extras: &Extras) -> Result<Self> {
        Ok(Self {
            id: row.id,
            kind: row.kind,
            state: row.state,
            provider: extras.provider(row)?,
            title: serde_json::from_value(row.title.clone())?,
            summary: serde_json::from_value(row.summary.clone())?,
            theme: row.theme,
            tags: serde_json::from_value(row.tags.clone())?,
            place: row.place.clone(),
            bbox: bbox_of(row),
            update_frequency: row.update_frequency,
            personal_data: row.personal_data,
            audience: row.audience,
            formats: extras.facet(row.id, Facet::Format),
            licences: extras.facet(row.id, Facet::Licence),
            has_free_offer: row.has_free_offer,
            has_paid_offer: row.has_paid_offer,
            prices_from: extras.prices_from(row.id),
            updated_at: row.updated_at,
            published_at: row.published_at,
        })
    }
}

/// Who looks at a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Eye {
    /// Its owner.
    Owner,
    /// The operator.
    Operator,
    /// Anyone else.
    Visitor,
}

impl ListingView {
    /// Shows `row` as `eye` may see it.
    pub(super) fn of(
        row: &listing::Model,
        extras: &Extras,
        audience: Vec<OrgId>,
        current_revision: Option<CurrentRevision>,
        eye: Eye,
    ) -> Result<Self> {
        let fields = ListingIn::of(row, audience)?;
        let address = format!("/api/v1/listings/{}", row.id);
        Ok(Self {
            card: ListingCard::of(row, extras)?,
            version: row.version,
            covers_from: fields.covers_from,
            covers_until: fields.covers_until,
            contact: fields.contact,
            use_cases: fields.use_cases,
            personal_data_note: fields.personal_data_note,
            answer_within_days: fields.answer_within_days,
            audience_organizations: (eye == Eye::Owner).then_some(fields.audience_organizations),
            review_note: row.review_note.clone().filter(|_| eye != Eye::Visitor),
            current_revision,
            created_at: row.created_at,
            retired_at: row.retired_at,
            offers_url: format!("{address}/offers"),
            revisions_url: format!("{address}/revisions"),
        })
    }
}

impl From<Facets> for FacetsView {
    fn from(facets: Facets) -> Self {
        let values = |counts: Vec<(String, i64)>| {
            counts.into_iter().map(|(value, count)| FacetValue { value, label: None, count }).collect()
        };
        let provider =
            |(id, name, count): (OrgId, String, i64)| FacetValue { value: id.to_string(), label: Some(name), count };
        Self {
            total: facets.total,
            free: facets.free,
            paid: facets.paid,
            theme: values(facets.theme),
            tag: values(facets.tag),
            licence: values(facets.licence),
            format: values(facets.format),
            provider: facets.provider.into_iter().map(provider).collect(),
        }
    }
}
