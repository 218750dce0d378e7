//! The orders that follow from a subscription: the origin's, with what is different.

use entity::{
    Timestamp,
    ids::{OfferId, OrderId, PaymentId},
    order, order_line, payment,
    states::{Coverage, OfferKind, OrderOrigin, OrderState, SubscriptionKind},
    subscription,
};
use sea_orm::ConnectionTrait;
use time::{Date, Duration, OffsetDateTime};

use super::{
    model::{Schedule, Span},
    opening::priced,
    store,
};
use crate::{
    catalog::listings,
    db::Tx,
    error::Result,
    people::tax_profiles,
    state::AppState,
    terms::offers,
    trade::{
        fees::{self, Sale},
        gross::Taxed,
        orders::{OrderFacts, store as orders},
        payments::{self, store as payment_store},
        tax::{self, Purchase, Supplied, Taxes},
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

impl Charge {
    /// The day whose tax rates count: a period that is paid ahead, or a part, when it begins or is due; a month of use
    /// when it ends.
    fn supplied_on(&self) -> Date {
        match self.origin {
            OrderOrigin::Usage => (self.span.until - Duration::MICROSECOND).date(),
            _ => self.span.from.date(),
        }
    }
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

/// The tax on `minor` of a subscription that is charged now: that of the parties' profiles of today.
pub(super) async fn taxes(
    app: &AppState,
    conn: &impl ConnectionTrait,
    row: &subscription::Model,
    (minor, supplied_on): (i64, Date),
    now: OffsetDateTime,
) -> Result<Taxes> {
    let providers = tax_profiles::registered_at(conn, &[row.provider_id], now).await?;
    let mode = app.config.trade.tax_mode;
    let purchase = Purchase { mode, buyer: Some(row.buyer_id), placed_at: now, supplied_on };
    let supplied = [Supplied { provider: row.provider_id, net: super::begin::money(row, minor)? }];
    tax::of_lines(conn, &providers, purchase, &supplied).await
}

/// What the processor can charge of a subscription, with the tax that was decided.
pub(super) fn taxed(app: &AppState, row: &subscription::Model, taxes: &Taxes) -> Result<Taxed> {
    let rules = app.payments.charge_rules(super::begin::money(row, 0)?.currency);
    let tax_bps = taxes.lines.first().and_then(|tax| u32::try_from(tax.bps).ok()).unwrap_or(0);
    Ok(Taxed { rules, tax_bps })
}

/// An order over `charge`, with the fee rule and the tax of today frozen on its line. Nothing is written.
///
/// Where the processor charges in steps, it is over the largest part of the agreed price that can be charged.
pub(super) async fn order_over(
    app: &AppState,
    conn: &impl ConnectionTrait,
    row: &subscription::Model,
    charge: Charge,
    now: OffsetDateTime,
) -> Result<OrderFacts> {
    let origin = orders::load(conn, row.origin_order_id).await?;
    let (supplied_on, agreed_minor) = (charge.supplied_on(), charge.price_minor);
    let mut decided = taxes(app, conn, row, (agreed_minor, supplied_on), now).await?;
    let price_minor = taxed(app, row, &decided)?.agreed(agreed_minor);
    if price_minor != agreed_minor {
        decided = taxes(app, conn, row, (price_minor, supplied_on), now).await?;
    }
    let (_, plan) = store::offer(conn, charge.terms.offer_id).await?;
    let Charge { terms, span, .. } = charge;
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
        fee_bearer: fees::bearer(plan.fee_bearer, fee.bearer),
        hold_days: i32::try_from(app.config.trade.hold_days).unwrap_or(i32::MAX),
        dispute_bearer: fee.dispute_bearer.unwrap_or(app.config.trade.dispute_bearer),
        quantity: row.quantity,
        grants_access,
        period_from: Some(Timestamp(span.from)),
        period_until: Some(Timestamp(span.until)),
        ..origin.line
    };
    let mut facts = OrderFacts { order, line, more: Vec::new() };
    priced(&mut facts, super::begin::money(row, price_minor)?, decided)?;
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
