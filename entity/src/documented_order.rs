//! The part of an order that issuing its documents reads and marks.

use sea_orm::entity::prelude::*;

use crate::{ids::OrderId, states::OrderState, timestamp::Timestamp};

/// The part of an order that issuing its documents reads and marks.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrderId,
    pub state: OrderState,
    pub total_minor: i64,
    pub closed_at: Option<Timestamp>,
    /// When its invoices were issued.
    pub documents_issued_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
