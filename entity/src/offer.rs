//! A price and a licence for a listing. Never edited: it is withdrawn and replaced.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{LicenceId, ListingId, OfferId, OrgId},
    states::{Coverage, OfferKind, OfferState},
    timestamp::Timestamp,
};

/// A price and a licence for a listing. Never edited: it is withdrawn and replaced.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "offer")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OfferId,
    pub listing_id: ListingId,
    pub organization_id: OrgId,
    pub kind: OfferKind,
    pub state: OfferState,
    pub price_minor: i64,
    pub currency: String,
    pub term_months: Option<i32>,
    pub licence_id: LicenceId,
    pub licence_hash: String,
    pub approval_required: bool,
    pub coverage: Coverage,
    pub valid_from: Timestamp,
    pub valid_until: Option<Timestamp>,
    pub created_at: Timestamp,
    pub withdrawn_at: Option<Timestamp>,
    /// What a single price does not say: trial, renewal, metering, instalments, steps, parts.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub plan: Option<Json>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
