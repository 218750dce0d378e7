//! A revision of a listing's data; immutable once published.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{ListingId, RevisionId},
    states::RevisionState,
    timestamp::Timestamp,
};

/// A revision of a listing's data; immutable once published.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "revision")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RevisionId,
    pub listing_id: ListingId,
    pub number: i32,
    pub state: RevisionState,
    pub note: String,
    pub created_at: Timestamp,
    pub published_at: Option<Timestamp>,
    pub file_count: i32,
    pub size_bytes: i64,
    /// Its version, once it is known.
    pub major: Option<i32>,
    pub minor: Option<i32>,
    pub patch: Option<i32>,
    /// From when on grants made on an older major get it without accepting it.
    pub reaches_older_at: Option<Timestamp>,
    /// Published since breaking changes are announced first; until its version is known, older grants wait.
    pub gives_notice: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
