//! An order.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, OrderId, OrgId, SavedMethodId, SubscriptionId},
    states::{OrderOrigin, OrderState, TaxMode},
    timestamp::Timestamp,
};

/// An order.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrderId,
    pub buyer_id: OrgId,
    pub placed_by: Option<AccountId>,
    pub state: OrderState,
    pub use_case: String,
    pub currency: String,
    pub total_minor: i64,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub decided_at: Option<Timestamp>,
    pub decision_note: Option<String>,
    pub closed_at: Option<Timestamp>,
    /// When the providers' shares became payable; set by settlement, absent while the hold runs.
    pub hold_ended_at: Option<Timestamp>,
    pub origin: OrderOrigin,
    pub subscription_id: Option<SubscriptionId>,
    /// The kept means of payment that it, and what follows from it, is charged on.
    pub saved_method_id: Option<SavedMethodId>,
    /// The buyer's own number for it, which its invoices carry.
    pub purchase_order: Option<String>,
    pub tax_mode: TaxMode,
    /// What of the total is tax; the sum over the lines.
    pub tax_minor: i64,
    /// The country whose tax it is.
    pub tax_country: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
