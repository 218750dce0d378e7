//! A provider's debt about an order that is given up.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, OrderId, OrgId, WriteOffId},
    states::WriteOffState,
    timestamp::Timestamp,
};

/// A provider's debt about an order that is given up.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "write_off")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WriteOffId,
    pub organization_id: OrgId,
    pub order_id: OrderId,
    pub state: WriteOffState,
    pub currency: String,
    pub amount_minor: i64,
    pub reason: String,
    pub asked_by: AccountId,
    pub asked_at: Timestamp,
    pub decided_by: Option<AccountId>,
    pub decided_at: Option<Timestamp>,
    pub decision_note: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
