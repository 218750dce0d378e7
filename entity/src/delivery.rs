//! One recorded delivery of a file.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{DeliveryId, FileId, GrantId, OrgId},
    states::RenditionFormat,
    timestamp::Timestamp,
};

/// One recorded delivery of a file.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeliveryId,
    pub grant_id: GrantId,
    pub file_id: FileId,
    pub organization_id: OrgId,
    pub at: Timestamp,
    pub status: i32,
    pub bytes_sent: i64,
    pub range: Option<String>,
    pub request_id: Option<String>,
    /// The rendition; the original, where there is none.
    pub format: Option<RenditionFormat>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
