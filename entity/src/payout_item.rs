//! An order whose provider share, or what is left of it, a payout carries.

use sea_orm::entity::prelude::*;

use crate::ids::{OrderId, PayoutId};

/// An order whose provider share, or what is left of it, a payout carries.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payout_item")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: OrderId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub payout_id: PayoutId,
    pub amount_minor: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
