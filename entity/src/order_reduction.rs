//! What a refund or a dispute takes off a line of an order.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{OrderId, OrgId},
    states::{DisputeBearer, ReductionKind},
    timestamp::Timestamp,
};

/// What a refund or a dispute takes off a line of an order.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "order_reduction")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub line_no: i32,
    pub kind: ReductionKind,
    pub order_id: OrderId,
    pub provider_id: OrgId,
    pub provider_minor: i64,
    pub operator_minor: i64,
    /// Of a deemed supplier's sale; of an agent's the tax is in the provider's part.
    pub tax_minor: i64,
    /// What of the provider's part was paid out before, so that the provider owes it.
    pub debt_minor: i64,
    /// What of the debt was given up because the reduction was undone before anything was taken back.
    pub undone_debt_minor: i64,
    /// When the provider's account was asked for the debt; absent while that is still to be done.
    pub recovery_asked_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// When it was undone: the refund failed, the dispute was won.
    pub undone_at: Option<Timestamp>,
    /// Who bears it, of a lost dispute: where it is the operator, the provider keeps its part, and the other way round.
    pub bearer: Option<DisputeBearer>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
