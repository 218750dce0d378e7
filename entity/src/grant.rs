//! Who may use what, until when, under which terms.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{FileId, GrantId, ListingId, MeterId, OrderId, OrgId},
    states::{Coverage, GrantState},
    timestamp::Timestamp,
};

/// Who may use what, until when, under which terms.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "grants")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GrantId,
    pub order_id: OrderId,
    pub line_no: i32,
    pub listing_id: ListingId,
    pub organization_id: OrgId,
    pub provider_id: OrgId,
    pub licence_hash: String,
    pub coverage: Coverage,
    pub through_revision: i32,
    pub state: GrantState,
    pub starts_at: Timestamp,
    pub ends_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<String>,
    /// What counts its use, and stops it when the budget or the units are used up.
    pub meter_id: Option<MeterId>,
    /// The newest major that its holder accepted before the notice was over.
    pub accepted_major: Option<i32>,
    /// The file that a slice was cut from: the grant opens the slice alone. The whole is granted without.
    pub slice_file_id: Option<FileId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
