//! What may be asked about the tables of a listing before paying.

use sea_orm::entity::prelude::*;

use crate::{ids::ListingId, timestamp::Timestamp};

/// What may be asked about the tables of a listing before paying.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trial_policy")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub listing_id: ListingId,
    pub enabled: bool,
    /// New questions of one organisation in 30 days.
    pub questions_max: i32,
    /// New questions of all organisations together in 30 days.
    pub listing_questions_max: i32,
    /// ε of one question, in thousandths.
    pub epsilon_milli: i32,
    pub min_group_size: i32,
    #[sea_orm(column_type = "JsonBinary")]
    pub kinds: Json,
    /// Names, with ranges.
    #[sea_orm(column_type = "JsonBinary")]
    pub columns: Json,
    pub updated_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
