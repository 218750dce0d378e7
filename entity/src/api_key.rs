//! An API key as its hash.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, ApiKeyId, GrantId, OrgId},
    timestamp::Timestamp,
};

/// An API key as its hash.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    pub organization_id: OrgId,
    pub created_by: AccountId,
    pub name: String,
    #[sea_orm(unique)]
    pub secret_hash: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub scopes: Json,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    /// The one grant it opens, where it is the token of a share and nothing else.
    pub grant_id: Option<GrantId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
