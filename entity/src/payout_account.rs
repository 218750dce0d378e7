//! What the processor last said of an organisation's account there.

use sea_orm::entity::prelude::*;

use crate::{ids::OrgId, timestamp::Timestamp};

/// What the processor last said of an organisation's account there.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payout_account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrgId,
    #[sea_orm(unique)]
    pub account_ref: String,
    pub transfers_active: bool,
    pub payouts_active: bool,
    /// What is missing now, in the processor's words: a list of texts.
    #[sea_orm(column_type = "JsonBinary")]
    pub requirements_due: Json,
    pub disabled_reason: Option<String>,
    pub checked_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
