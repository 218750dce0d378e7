//! An order as its parties see it.

use std::collections::HashMap;

use entity::{
    Timestamp,
    ids::{GrantId, ListingId, OfferId, OrderId, OrgId, PaymentId},
    payment,
    states::{OrderState, PaymentState},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::store::{self, OrderFacts};
use crate::{
    base::Money,
    db::Db,
    error::{Error, Result},
    state::AppState,
    trade::payments::store as payment_store,
};

/// An order, as both parties see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "ord_019352f0a1b27c3d8e4f5061728394a5", "state": "completed", "buyer_id": "org_019352f0a1b27c3d8e4f5061728394a5",
    "provider_id": "org_019352f0a1b27c3d8e4f5061728394a6", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
    "offer_id": "off_019352f0a1b27c3d8e4f5061728394a5", "use_case": "Warn drivers.", "total": {"minor": 10001, "currency": "EUR"},
    "provider_share": {"minor": 8001, "currency": "EUR"}, "operator_share": {"minor": 2000, "currency": "EUR"}, "fee_bps": 2000,
    "licence_hash": "5f6a…", "grant_id": "grt_019352f0a1b27c3d8e4f5061728394a5",
    "payments": [{"id": "pay_019352f0a1b27c3d8e4f5061728394a5", "attempt": 1, "state": "succeeded"}],
    "created_at": "2026-11-21T10:00:00Z", "expires_at": "2026-11-23T10:00:00Z", "closed_at": "2026-11-21T10:00:01Z"
}))]
pub struct OrderView {
    /// Its id.
    pub id: OrderId,
    /// Where it stands.
    pub state: OrderState,
    /// Who buys.
    pub buyer_id: OrgId,
    /// Who sells.
    pub provider_id: OrgId,
    /// What.
    pub listing_id: ListingId,
    /// At which offer.
    pub offer_id: OfferId,
    /// What the data will be used for.
    pub use_case: String,
    /// What the buyer pays.
    pub total: Money,
    /// What of it the provider receives.
    pub provider_share: Money,
    /// What of it the operator keeps.
    pub operator_share: Money,
    /// The operator's part in basis points, as it was when the order was placed.
    pub fee_bps: i32,
    /// The terms that were accepted.
    pub licence_hash: String,
    /// The grant, once completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<GrantId>,
    /// Attempts to pay, the newest first.
    pub payments: Vec<PaymentView>,
    /// The provider's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_note: Option<String>,
    /// When it was placed.
    pub created_at: Timestamp,
    /// Until when it may be approved or paid.
    pub expires_at: Timestamp,
    /// When it was completed, declined, cancelled, or expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

/// One attempt to pay.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"id": "pay_019352f0a1b27c3d8e4f5061728394a5", "attempt": 1, "state": "succeeded"}))]
pub struct PaymentView {
    /// Its id.
    pub id: PaymentId,
    /// The how-manieth.
    pub attempt: i32,
    /// Where it stands.
    pub state: PaymentState,
    /// The processor's word for a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    /// What went wrong, for the buyer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_text: Option<String>,
}

impl From<&payment::Model> for PaymentView {
    fn from(row: &payment::Model) -> Self {
        let (failure_code, failure_text) = (row.failure_code.clone(), row.failure_text.clone());
        Self { id: row.id, attempt: row.attempt, state: row.state, failure_code, failure_text }
    }
}

/// One order, for a party of it.
pub(in crate::trade) async fn view(app: &AppState, id: OrderId, org: OrgId) -> Result<OrderView> {
    let view = app.counter.views.ask(id).await?;
    view.filter(|view| view.buyer_id == org || view.provider_id == org).ok_or_else(|| Error::not_found("order"))
}

/// These orders, in three statements; whose they are is to be checked by the caller.
pub(in crate::trade) async fn views_of(db: &Db, ids: &[OrderId]) -> Result<Vec<OrderView>> {
    views(db, store::load_all(db.read(), ids).await?).await
}

pub(super) async fn views(db: &Db, orders: Vec<OrderFacts>) -> Result<Vec<OrderView>> {
    let ids: Vec<OrderId> = orders.iter().map(|facts| facts.order.id).collect();
    let grants: HashMap<OrderId, GrantId> = store::grants_of(db.read(), &ids).await?.into_iter().collect();
    let mut payments: HashMap<OrderId, Vec<PaymentView>> = HashMap::new();
    for row in payment_store::of_orders(db.read(), &ids).await? {
        payments.entry(row.order_id).or_default().push((&row).into());
    }
    let build = |facts: OrderFacts| {
        let total = facts.total()?;
        let part = |minor| Money::new(minor, total.currency);
        Ok(OrderView {
            id: facts.order.id,
            state: facts.order.state,
            buyer_id: facts.order.buyer_id,
            provider_id: facts.line.provider_id,
            listing_id: facts.line.listing_id,
            offer_id: facts.line.offer_id,
            use_case: facts.order.use_case,
            total,
            provider_share: part(facts.line.provider_minor),
            operator_share: part(facts.line.operator_minor),
            fee_bps: facts.line.fee_bps,
            licence_hash: facts.line.licence_hash,
            grant_id: grants.get(&facts.order.id).copied(),
            payments: payments.remove(&facts.order.id).unwrap_or_default(),
            decision_note: facts.order.decision_note,
            created_at: facts.order.created_at,
            expires_at: facts.order.expires_at,
            closed_at: facts.order.closed_at,
        })
    };
    orders.into_iter().map(build).collect()
}
