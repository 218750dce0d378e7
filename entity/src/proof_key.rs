//! An Ed25519 key that signs tree heads; the private half is sealed, the public half is published for ever.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// An Ed25519 key that signs tree heads; the private half is sealed, the public half is published for ever.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "proof_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    #[sea_orm(unique)]
    pub key_id: String,
    #[sea_orm(column_type = "Blob")]
    pub sealed_private_key: Vec<u8>,
    #[sea_orm(column_type = "Blob")]
    pub public_key: Vec<u8>,
    pub created_at: Timestamp,
    pub signs_until: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
