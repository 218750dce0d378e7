//! An issued invoice, credit note, self-billed document or pro forma.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{DocumentId, OrderId, OrgId},
    states::{DocumentKind, DocumentLeg},
    timestamp::Timestamp,
};

/// An issued document. Rows are written once.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "document")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DocumentId,
    pub kind: DocumentKind,
    pub leg: DocumentLeg,
    /// Whose series the number is from: the seller's, also where somebody else writes it.
    pub issuer_id: OrgId,
    pub year: i32,
    /// Its place in the series, from 1 on.
    pub series_number: i64,
    pub number: String,
    pub seller_id: OrgId,
    pub buyer_id: OrgId,
    /// The provider whose part of the order it is about; absent where it is about all of it.
    pub provider_id: Option<OrgId>,
    pub order_id: OrderId,
    /// What it documents: the order, or the refund or dispute that took something off it.
    pub source_id: Uuid,
    pub currency: String,
    pub net_minor: i64,
    pub tax_minor: i64,
    /// The country whose tax it is.
    pub tax_country: Option<String>,
    /// The total with tax and rounding: what was settled.
    pub payable_minor: i64,
    /// The language it is shown in where nobody asks for another.
    pub language: String,
    pub issued_at: Timestamp,
    /// The document itself, as canonical JSON.
    #[sea_orm(column_type = "Text")]
    pub body: String,
    /// SHA-256 of the body.
    pub sha256: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
