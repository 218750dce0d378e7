//! One attempt to pay an order.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{OrderId, PaymentId},
    states::PaymentState,
    timestamp::Timestamp,
};

/// One attempt to pay an order.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentId,
    pub order_id: OrderId,
    pub attempt: i32,
    pub state: PaymentState,
    pub processor: String,
    pub processor_ref: Option<String>,
    pub amount_minor: i64,
    pub currency: String,
    pub failure_code: Option<String>,
    pub failure_text: Option<String>,
    pub created_at: Timestamp,
    pub settled_at: Option<Timestamp>,
    /// What the buyer has to do, while that is waited for.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub action: Option<Json>,
    /// Charged without the buyer being there, on a means of payment kept for that.
    pub off_session: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
