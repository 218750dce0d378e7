//! Terms an offer can point at: an open licence (without organisation) or a provider's own.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{LicenceId, OrgId},
    states::LicenceKind,
    timestamp::Timestamp,
};

/// Terms an offer can point at: an open licence (without organisation) or a provider's own.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "licence")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LicenceId,
    pub organization_id: Option<OrgId>,
    pub kind: LicenceKind,
    #[sea_orm(unique)]
    pub code: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub title: Json,
    pub hash: String,
    pub created_at: Timestamp,
    pub archived_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
