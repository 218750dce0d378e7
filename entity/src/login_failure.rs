//! Wrong passwords counted per mail address, whether or not somebody has it.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// Wrong passwords counted per mail address, whether or not somebody has it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "login_failure")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub email_hash: String,
    pub failures: i32,
    pub window_ends_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
