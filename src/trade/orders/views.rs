//! An order as its parties see it.

use std::collections::HashMap;

use entity::{
    Timestamp,
    ids::{GrantId, ListingId, OfferId, OrderId, OrgId, PaymentId},
    order_line, payment,
    states::{OrderOrigin, OrderState, PaymentState},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::store::{self, OrderFacts};
use crate::{
    base::{Currency, Money},
    db::Db,
    error::{Error, Result},
    ports::payments::Action,
    state::AppState,
    trade::{payments::store as payment_store, slices::Slice},
};

/// A line of an order: one, or one for each listing of a bundle.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "line_no": 1, "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "provider_id": "org_019352f0a1b27c3d8e4f5061728394a6",
    "quantity": 1, "net": {"minor": 10001, "currency": "EUR"}, "discount": {"minor": 0, "currency": "EUR"},
    "tax": {"minor": 0, "currency": "EUR"}, "total": {"minor": 10001, "currency": "EUR"},
    "provider_share": {"minor": 8001, "currency": "EUR"}, "operator_share": {"minor": 2000, "currency": "EUR"}, "fee_bps": 2000,
    "grant_id": "grt_019352f0a1b27c3d8e4f5061728394a5"
}))]
pub struct LineView {
    /// Its number, from 1 on.
    pub line_no: i32,
    /// What.
    pub listing_id: ListingId,
    /// Who sells.
    pub provider_id: OrgId,
    /// How many units.
    pub quantity: i32,
    /// What is due with this order, before tax.
    pub net: Money,
    /// What was taken off the price, before tax.
    pub discount: Money,
    /// Tax on what is due.
    pub tax: Money,
    /// What the buyer pays for it.
    pub total: Money,
    /// What of it the provider receives.
    pub provider_share: Money,
    /// What of it the operator keeps.
    pub operator_share: Money,
    /// The operator's part in basis points.
    pub fee_bps: i32,
    /// From when on it pays for a period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_from: Option<Timestamp>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_until: Option<Timestamp>,
    /// The part of the rows and columns that was bought; absent for the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
    /// The grant, once completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<GrantId>,
}

/// An order, as its parties see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "ord_019352f0a1b27c3d8e4f5061728394a5", "state": "completed", "buyer_id": "org_019352f0a1b27c3d8e4f5061728394a5",
    "provider_id": "org_019352f0a1b27c3d8e4f5061728394a6", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
    "offer_id": "off_019352f0a1b27c3d8e4f5061728394a5", "use_case": "Warn drivers.", "origin": "purchase",
    "tax": {"minor": 0, "currency": "EUR"}, "lines": [], "total": {"minor": 10001, "currency": "EUR"},
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
    /// Who sells; of a bundle, its first line (for a provider of it, itself).
    pub provider_id: OrgId,
    /// What; of a bundle, its first line (for a provider of it, its own first one).
    pub listing_id: ListingId,
    /// At which offer.
    pub offer_id: OfferId,
    /// What the data will be used for.
    pub use_case: String,
    /// What it comes from.
    pub origin: OrderOrigin,
    /// The buyer's own number for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase_order: Option<String>,
    /// What the buyer pays; for a provider of a bundle, for its own lines.
    pub total: Money,
    /// What of it is tax.
    pub tax: Money,
    /// What of it the providers receive.
    pub provider_share: Money,
    /// What of it the operator keeps.
    pub operator_share: Money,
    /// The operator's part in basis points, as it was when the order was placed; of a bundle, the first line's.
    pub fee_bps: i32,
    /// What was ordered: one line, or one for each listing of a bundle; each of its providers sees its own alone.
    pub lines: Vec<LineView>,
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
    /// What the buyer has to do, while that is waited for; shown to the buyer alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
}

impl From<&payment::Model> for PaymentView {
    fn from(row: &payment::Model) -> Self {
        let action = row.action.clone().filter(|_| row.state == PaymentState::ActionRequired);
        Self {
            id: row.id,
            attempt: row.attempt,
            state: row.state,
            failure_code: row.failure_code.clone(),
            failure_text: row.failure_text.clone(),
            action: action.and_then(|action| serde_json::from_value(action).ok()),
        }
    }
}

impl OrderView {
    /// The order as `org` may see it: whole for its buyer and a sole provider, as an order of its own lines alone for a
    /// provider among several, and not at all for anybody else.
    pub(super) fn shown_to(mut self, org: OrgId) -> Option<Self> {
        if self.buyer_id == org {
            return Some(self);
        }
        self.lines.retain(|line| line.provider_id == org);
        let first = self.lines.first()?;
        (self.provider_id, self.listing_id) = (first.provider_id, first.listing_id);
        (self.fee_bps, self.grant_id) = (first.fee_bps, first.grant_id);
        let sum = |part: fn(&LineView) -> Money| {
            self.lines.iter().map(part).try_fold(Money::zero(self.total.currency), Money::checked_add).ok()
        };
        let of_lines = (sum(|line| line.total)?, sum(|line| line.tax)?);
        let shares = (sum(|line| line.provider_share)?, sum(|line| line.operator_share)?);
        (self.total, self.tax) = of_lines;
        (self.provider_share, self.operator_share) = shares;
        for payment in &mut self.payments {
            payment.action = None;
        }
        Some(self)
    }
}

/// One order, for a party of it.
pub(in crate::trade) async fn view(app: &AppState, id: OrderId, org: OrgId) -> Result<OrderView> {
    let view = app.counter.views.ask(id).await?;
    view.and_then(|view| view.shown_to(org)).ok_or_else(|| Error::not_found("order"))
}

/// These orders as their buyers see them, in three statements; who may see what is the caller's to decide.
pub(in crate::trade) async fn views_of(db: &Db, ids: &[OrderId]) -> Result<Vec<OrderView>> {
    views(db, store::load_all(db.read(), ids).await?).await
}

pub(super) async fn views(db: &Db, orders: Vec<OrderFacts>) -> Result<Vec<OrderView>> {
    let ids: Vec<OrderId> = orders.iter().map(|facts| facts.order.id).collect();
    let grants: HashMap<(OrderId, i32), GrantId> = store::grants_of(db.read(), &ids).await?.into_iter().collect();
    let mut payments: HashMap<OrderId, Vec<PaymentView>> = HashMap::new();
    for row in payment_store::of_orders(db.read(), &ids).await? {
        payments.entry(row.order_id).or_default().push((&row).into());
    }
    let mut build = |facts: OrderFacts| {
        let payments = payments.remove(&facts.order.id).unwrap_or_default();
        whole_view(facts, &grants, payments)
    };
    orders.into_iter().map(&mut build).collect()
}

/// The order as its buyer sees it.
fn whole_view(
    facts: OrderFacts,
    grants: &HashMap<(OrderId, i32), GrantId>,
    payments: Vec<PaymentView>,
) -> Result<OrderView> {
    let total = facts.total()?;
    let part = |minor| Money::new(minor, total.currency);
    let sum = |share: fn(&order_line::Model) -> i64| {
        facts.lines().map(|line| part(share(line))).try_fold(part(0), Money::checked_add)
    };
    let (provider_share, operator_share) = (sum(|line| line.provider_minor)?, sum(|line| line.operator_minor)?);
    let granted = |line: &order_line::Model| grants.get(&(line.order_id, line.line_no)).copied();
    let lines = facts.lines().map(|line| line_view(line, total.currency, granted(line))).collect::<Result<_>>()?;
    let grant_id = granted(&facts.line);
    let OrderFacts { order, line, .. } = facts;
    Ok(OrderView {
        id: order.id,
        state: order.state,
        buyer_id: order.buyer_id,
        provider_id: line.provider_id,
        listing_id: line.listing_id,
        offer_id: line.offer_id,
        use_case: order.use_case,
        origin: order.origin,
        purchase_order: order.purchase_order,
        total,
        tax: part(order.tax_minor),
        provider_share,
        operator_share,
        fee_bps: line.fee_bps,
        lines,
        licence_hash: line.licence_hash,
        grant_id,
        payments,
        decision_note: order.decision_note,
        created_at: order.created_at,
        expires_at: order.expires_at,
        closed_at: order.closed_at,
    })
}

fn line_view(line: &order_line::Model, currency: Currency, grant_id: Option<GrantId>) -> Result<LineView> {
    let part = |minor| Money::new(minor, currency);
    Ok(LineView {
        line_no: line.line_no,
        listing_id: line.listing_id,
        provider_id: line.provider_id,
        quantity: line.quantity,
        net: part(line.price_minor),
        discount: part(line.discount_minor),
        tax: part(line.tax_minor),
        total: part(line.price_minor).checked_add(part(line.tax_minor))?,
        provider_share: part(line.provider_minor),
        operator_share: part(line.operator_minor),
        fee_bps: line.fee_bps,
        period_from: line.period_from,
        period_until: line.period_until,
        slice: line.slice.clone().map(serde_json::from_value).transpose()?,
        grant_id,
    })
}
