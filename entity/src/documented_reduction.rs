//! The part of a reduction that issuing its credit notes reads and marks.

use sea_orm::entity::prelude::*;

use crate::{ids::OrderId, states::ReductionKind, timestamp::Timestamp};

/// The part of a reduction that issuing its credit notes reads and marks.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "order_reduction")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub line_no: i32,
    pub kind: ReductionKind,
    pub order_id: OrderId,
    pub created_at: Timestamp,
    pub undone_at: Option<Timestamp>,
    /// When its credit notes were issued.
    pub documents_issued_at: Option<Timestamp>,
    /// When its credit notes were corrected, because it was undone.
    pub correction_issued_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
