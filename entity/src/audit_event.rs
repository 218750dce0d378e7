//! Who did what to which resource; append-only.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, ApiKeyId, AuditId, OrgId},
    timestamp::Timestamp,
};

/// Who did what to which resource; append-only.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditId,
    pub at: Timestamp,
    pub account_id: Option<AccountId>,
    pub api_key_id: Option<ApiKeyId>,
    pub organization_id: Option<OrgId>,
    pub action: String,
    pub resource: String,
    pub request_id: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub detail: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
