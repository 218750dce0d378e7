//! One verification of everything that money and grants promise.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, VerificationId},
    timestamp::Timestamp,
};

/// One verification of everything that money and grants promise.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "verification")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: VerificationId,
    /// The day whose nightly one it is, `2026-11-21`; absent where a person asked.
    pub day: Option<String>,
    pub requested_by: Option<AccountId>,
    pub created_at: Timestamp,
    /// When a process began with it.
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Absent until it is finished.
    pub violation_count: Option<i32>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub report: Option<Json>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
