//! A means of payment that the processor keeps for a buyer.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, OrgId, SavedMethodId},
    timestamp::Timestamp,
};

/// A means of payment that the processor keeps for a buyer.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "saved_method")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SavedMethodId,
    pub organization_id: OrgId,
    pub processor: String,
    /// The processor's names for the buyer and the means; absent until it has kept it.
    pub customer_ref: Option<String>,
    pub method_ref: Option<String>,
    pub label: Option<String>,
    /// What the buyer agreed to, word by word; when is `created_at`.
    pub consent_text: String,
    /// Who agreed; absent where an API key did.
    pub consented_by: Option<AccountId>,
    pub created_at: Timestamp,
    pub removed_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
