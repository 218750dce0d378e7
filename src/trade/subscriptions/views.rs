//! A subscription as its parties see it.

use entity::{
    Timestamp,
    ids::{GrantId, ListingId, OfferId, OrderId, OrgId, SavedMethodId, SubscriptionId},
    states::{SubscriptionKind, SubscriptionState},
    subscription, subscription_period,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{begin::money, change::Cost, store};
use crate::{base::Money, error::Result, state::AppState};

/// A subscription, as both parties see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "sub_019352f0a1b27c3d8e4f5061728394a5", "kind": "renewing", "state": "active",
    "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "buyer_id": "org_019352f0a1b27c3d8e4f5061728394a5",
    "provider_id": "org_019352f0a1b27c3d8e4f5061728394a6", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
    "offer_id": "off_019352f0a1b27c3d8e4f5061728394a5", "price": {"minor": 4900, "currency": "EUR"}, "quantity": 1,
    "licence_hash": "5f6a…", "term_months": 1, "period": 3, "period_from": "2026-11-01T10:00:00Z",
    "period_until": "2026-12-01T10:00:00Z", "cancel_at_period_end": false, "pause_at_period_end": false,
    "created_at": "2026-09-01T10:00:00Z"
}))]
pub struct SubscriptionView {
    /// Its id.
    pub id: SubscriptionId,
    /// What is charged.
    pub kind: SubscriptionKind,
    /// Where it stands.
    pub state: SubscriptionState,
    /// The purchase it began with.
    pub order_id: OrderId,
    /// Who buys.
    pub buyer_id: OrgId,
    /// Who sells.
    pub provider_id: OrgId,
    /// What.
    pub listing_id: ListingId,
    /// At which offer.
    pub offer_id: OfferId,
    /// What was agreed to per period, before tax; of a price in parts, the whole.
    pub price: Money,
    /// Of how many.
    pub quantity: i32,
    /// The terms that were agreed to.
    pub licence_hash: String,
    /// Months of a period; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term_months: Option<i32>,
    /// The period, month or part that runs, counted from 1.
    pub period: i32,
    /// When it began.
    pub period_from: Timestamp,
    /// When it ends, or the next part is due.
    pub period_until: Timestamp,
    /// No further period follows.
    pub cancel_at_period_end: bool,
    /// The next period waits until it is resumed.
    pub pause_at_period_end: bool,
    /// The offer from the next period on, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_offer_id: Option<OfferId>,
    /// What that costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_price: Option<Money>,
    /// The order that waits to be paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_order_id: Option<OrderId>,
    /// Until when access goes on without that payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_until: Option<Timestamp>,
    /// The grant that gives access now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<GrantId>,
    /// What is charged; to the buyer alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved_method_id: Option<SavedMethodId>,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Its periods, months or parts so far, the first first; of a list, absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub periods: Option<Vec<PeriodView>>,
}

/// A period of a subscription.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"number": 2, "from": "2026-10-01T10:00:00Z", "until": "2026-11-01T10:00:00Z",
    "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "price": {"minor": 4900, "currency": "EUR"}}))]
pub struct PeriodView {
    /// Counted from 1.
    pub number: i32,
    /// When it began.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// The order that charges it; absent for a month that cost nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Units of a metered month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<i64>,
    /// What it costs, before tax.
    pub price: Money,
}

/// What an upgrade costs now.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "price": {"minor": 9900, "currency": "EUR"}, "licence_hash": "5f6a…", "rest": {"minor": 4950, "currency": "EUR"},
    "unused": {"minor": 2450, "currency": "EUR"}, "charge": {"minor": 2500, "currency": "EUR"},
    "total": {"minor": 3125, "currency": "EUR"}
}))]
pub struct ChangeView {
    /// What a whole period of the offer costs, before tax: `expected_total`.
    pub price: Money,
    /// Its terms: read `GET /api/v1/licence-documents/{hash}`.
    pub licence_hash: String,
    /// What it costs for the rest of the period that runs, before tax.
    pub rest: Money,
    /// What of the price you paid is for that time.
    pub unused: Money,
    /// What changing now costs before tax: `rest` − `unused`, `expected_charge`; it falls as time passes. Nothing where
    /// only a change at the period's end is possible.
    pub charge: Money,
    /// What you pay to change now, with tax.
    pub total: Money,
}

impl ChangeView {
    pub(super) fn new(cost: Cost) -> Self {
        let Cost { price, licence_hash, now, total } = cost;
        Self { price, licence_hash, rest: now.rest, unused: now.unused, charge: now.charge, total }
    }
}

/// A row as `org` sees it.
pub(super) fn view(row: subscription::Model, org: OrgId) -> Result<SubscriptionView> {
    let is_buyer = row.buyer_id == org;
    let (price, next_price) = (money(&row, row.price_minor)?, row.next_price_minor.map(|minor| money(&row, minor)));
    Ok(SubscriptionView {
        id: row.id,
        kind: row.kind,
        state: row.state,
        order_id: row.origin_order_id,
        buyer_id: row.buyer_id,
        provider_id: row.provider_id,
        listing_id: row.listing_id,
        offer_id: row.offer_id,
        price,
        quantity: row.quantity,
        licence_hash: row.licence_hash,
        term_months: row.term_months,
        period: row.period_no,
        period_from: row.period_from,
        period_until: row.period_until,
        cancel_at_period_end: row.cancel_at_period_end,
        pause_at_period_end: row.pause_at_period_end,
        next_offer_id: row.next_offer_id,
        next_price: next_price.transpose()?,
        due_order_id: row.due_order_id,
        grace_until: row.grace_until,
        grant_id: row.grant_id,
        saved_method_id: is_buyer.then_some(row.saved_method_id),
        end_reason: row.end_reason,
        created_at: row.created_at,
        ended_at: row.ended_at,
        periods: None,
    })
}

fn period_view(row: &subscription::Model, period: &subscription_period::Model) -> Result<PeriodView> {
    Ok(PeriodView {
        number: period.number,
        from: period.from_at,
        until: period.until_at,
        order_id: period.order_id,
        units: period.units,
        price: money(row, period.amount_minor)?,
    })
}

/// One subscription with its periods, for a party of it.
pub(super) async fn full_view(app: &AppState, row: subscription::Model, org: OrgId) -> Result<SubscriptionView> {
    let periods = store::periods(app.db.read(), row.id).await?;
    let periods = periods.iter().map(|period| period_view(&row, period)).collect::<Result<_>>()?;
    Ok(SubscriptionView { periods: Some(periods), ..view(row, org)? })
}
