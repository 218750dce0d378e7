//! A listing of the catalogue.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{ListingId, OrgId, RevisionId},
    states::{Audience, ListingKind, ListingState, PersonalData, Theme, UpdateFrequency},
    timestamp::Timestamp,
};

/// A listing of the catalogue.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "listing")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ListingId,
    pub organization_id: OrgId,
    pub kind: ListingKind,
    pub state: ListingState,
    pub version: i32,
    #[sea_orm(column_type = "JsonBinary")]
    pub title: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub summary: Json,
    pub theme: Theme,
    #[sea_orm(column_type = "JsonBinary")]
    pub tags: Json,
    pub place: Option<String>,
    pub min_lon: Option<f64>,
    pub min_lat: Option<f64>,
    pub max_lon: Option<f64>,
    pub max_lat: Option<f64>,
    pub covers_from: Option<Timestamp>,
    pub covers_until: Option<Timestamp>,
    pub update_frequency: UpdateFrequency,
    #[sea_orm(column_type = "JsonBinary")]
    pub contact: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub use_cases: Json,
    pub personal_data: PersonalData,
    pub personal_data_note: Option<String>,
    pub audience: Audience,
    pub answer_within_days: Option<i32>,
    pub review_note: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub search_text: String,
    pub current_revision_id: Option<RevisionId>,
    pub has_free_offer: bool,
    pub has_paid_offer: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub published_at: Option<Timestamp>,
    pub retired_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
