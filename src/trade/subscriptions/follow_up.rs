//! The orders that follow from a subscription: the origin's, with what is different.

use entity::{
    Timestamp,
    ids::{OfferId, OrderId, PaymentId},
    order, order_line, payment,
    states::{Coverage, OfferKind, OrderOrigin, OrderState, SubscriptionKind},
    subscription,
};
use sea_orm::ConnectionTrait;
use time::{Duration, OffsetDateTime};

use super::{
    model::{Schedule, Span},
    opening::reprice,
    store,
};
use crate::{
    catalog::listings,
    db::Tx,
    error::Result,
    state::AppState,
    terms::offers,
    trade::{
        fees::{self, Sale},
        orders::{OrderFacts, store as orders},
        payments::{self, store as payment_store},
    },
};

/// What a follow-up order is over.
#[derive(Debug, Clone)]
pub(super) struct Charge {
    pub origin: OrderOrigin,
    pub terms: Terms,
    pub price_minor: i64,
    pub span: Span,
    pub expires_at: OffsetDateTime,
}

/// Under which offer and licence it is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    pub offer_id: OfferId,
    pub offer_kind: OfferKind,
    pub licence_hash: String,
    pub coverage: Coverage,
    pub revision_number: i32,
    pub term_months: Option<i32>,
}

impl Terms {
    /// Those of the purchase.
    pub(super) fn of_origin(facts: &OrderFacts) -> Self {
        let line = &facts.line;
        Self {
            offer_id: line.offer_id,
            offer_kind: line.offer_kind,
            licence_hash: line.licence_hash.clone(),
            coverage: line.coverage,
            revision_number: line.revision_number,
            term_months: line.term_months,
        }
    }
}

/// The terms of an offer that can be ordered at `now` at this price and licence; nothing when it is another
/// one by now, or can't be ordered any more.
pub(super) async fn terms_for_sale(
    conn: &impl ConnectionTrait,
    row: &subscription::Model,
    wanted: (OfferId, i64, &str),
    now: OffsetDateTime,
) -> Result<Option<Terms>> {
    let (offer_id, price_minor, licence_hash) = wanted;
    let Some(sale) = offers::offer_for_sale(conn, offer_id, now).await? else { return Ok(None) };
    let facts = listings::facts_for_sale(conn, sale.listing_id, Some(row.buyer_id)).await?;
    let Some(revision_number) = facts.and_then(|facts| facts.current_revision_number) else { return Ok(None) };
    let (offer, plan) = store::offer(conn, offer_id).await?;
    let same = super::begin::period_price(&offer, &plan, row.quantity)? == price_minor
        && sale.licence_hash == licence_hash
        && sale.listing_id == row.listing_id
        && sale.price.currency.code() == row.currency
        && plan.private_to.is_none_or(|org| org == row.buyer_id)
        && plan.renews;
    Ok(same.then_some(Terms {
        offer_id,
        offer_kind: sale.kind,
        licence_hash: sale.licence_hash,
        coverage: sale.coverage,
        revision_number,
        term_months: sale.term_months,
    }))
}

/// An order over `charge`, with the fee rule of today frozen on its line. Nothing is written.
pub(super) async fn order_over(
    app: &AppState,
    conn: &impl ConnectionTrait,
    row: &subscription::Model,
    charge: Charge,
    now: OffsetDateTime,
) -> Result<OrderFacts> {
    let origin = orders::load(conn, row.origin_order_id).await?;
    let Charge { terms, span, price_minor, .. } = charge;
    let sale = Sale {
        provider: row.provider_id,
        listing: row.listing_id,
        offer: terms.offer_id,
        kind: terms.offer_kind,
        price: super::begin::money(row, price_minor)?,
    };
    let rules = fees::rules_for(conn, &[sale], now).await?;
    let fee = fees::resolve(&rules, sale, now, app.config.trade.operator_bps);
    let id = OrderId::at(now);
    let order = order::Model {
        id,
        placed_by: None,
        state: OrderState::AwaitingPayment,
        created_at: Timestamp(now),
        expires_at: Timestamp(charge.expires_at),
        decided_at: None,
        decision_note: None,
        closed_at: None,
        hold_ended_at: None,
        origin: charge.origin,
        subscription_id: Some(row.id),
        saved_method_id: Some(row.saved_method_id),
        ..origin.order
    };
    let grants_access = matches!(charge.origin, OrderOrigin::Renewal | OrderOrigin::Upgrade);
    let line = order_line::Model {
        order_id: id,
        offer_id: terms.offer_id,
        offer_kind: terms.offer_kind,
        fee_rule_id: fee.rule,
        fee_bps: i32::try_from(fee.bps).unwrap_or(i32::MAX),
        licence_hash: terms.licence_hash,
        term_months: terms.term_months,
        coverage: terms.coverage,
        revision_number: terms.revision_number,
        hold_days: i32::try_from(app.config.trade.hold_days).unwrap_or(i32::MAX),
        dispute_bearer: fee.dispute_bearer.unwrap_or(app.config.trade.dispute_bearer),
        quantity: row.quantity,
        grants_access,
        period_from: Some(Timestamp(span.from)),
        period_until: Some(Timestamp(span.until)),
        ..origin.line
    };
    let mut facts = OrderFacts { order, line, more: Vec::new() };
    reprice(&mut facts, charge.price_minor)?;
    Ok(facts)
}

/// Writes an order down with a first attempt to charge it.
pub(super) async fn place(
    app: &AppState,
    tx: &Tx,
    facts: &OrderFacts,
    off_session: bool,
    now: OffsetDateTime,
) -> Result<PaymentId> {
    orders::insert_all(tx, std::iter::once(facts)).await?;
    attempt(app, tx, facts, &[], off_session, now).await
}

/// Writes a further attempt down; `earlier` are the attempts so far, newest first.
pub(super) async fn attempt(
    app: &AppState,
    tx: &Tx,
    facts: &OrderFacts,
    earlier: &[payment::Model],
    off_session: bool,
    now: OffsetDateTime,
) -> Result<PaymentId> {
    let number = earlier.first().map_or(1, |last| last.attempt.saturating_add(1));
    let row = payment::Model { off_session, ..payments::attempt(facts, number, app.payments.name(), now) };
    let id = row.id;
    payment_store::insert(tx, row).await?;
    Ok(id)
}

/// The charge of the next period of a renewing subscription.
pub(super) fn renewal(
    row: &subscription::Model,
    price_minor: i64,
    terms: Terms,
    span: Span,
    schedule: Schedule<'_>,
    now: OffsetDateTime,
) -> Charge {
    let expires_at = schedule.expires_at(SubscriptionKind::Renewing, now).max(row.period_until.0 + Duration::DAY);
    Charge { origin: OrderOrigin::Renewal, terms, price_minor, span, expires_at }
}
