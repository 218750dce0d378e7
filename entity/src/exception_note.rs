//! What somebody wrote about an exception.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, ExceptionId},
    timestamp::Timestamp,
};

/// What somebody wrote about an exception.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "exception_note")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub exception_id: ExceptionId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i32,
    pub author: Option<AccountId>,
    pub created_at: Timestamp,
    pub text: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
