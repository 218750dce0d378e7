//! An order with everything that was promised, before it is written.

use entity::{
    Timestamp,
    ids::OrderId,
    order, order_line,
    states::{FeeBearer, OrderOrigin, OrderState},
};
use time::{Duration, OffsetDateTime};

use super::{checkout::QuotedLine, quote::Quote, service::PlaceOrder, store::OrderFacts};
use crate::{
    auth::Actor,
    error::{Error, Result},
    ports::payments::BANK_TRANSFER,
    state::AppState,
    trade::fees,
};

/// The order with everything frozen that was promised.
///
/// # Errors
/// Internal, for a quote without a line.
pub(super) fn freeze(
    app: &AppState,
    quote: &Quote,
    actor: &Actor,
    input: &PlaceOrder,
    now: OffsetDateTime,
) -> Result<OrderFacts> {
    let (offer, id, total) = (&quote.offer, OrderId::at(now), quote.checkout.total);
    let state = match (offer.approval_required, total.is_zero()) {
        (true, _) => OrderState::AwaitingApproval,
        (false, true) => OrderState::Completed,
        (false, false) => OrderState::AwaitingPayment,
    };
    let order = order::Model {
        id,
        buyer_id: actor.org_id(),
        placed_by: actor.account_id,
        state,
        use_case: input.use_case.clone(),
        currency: total.currency.code().to_owned(),
        total_minor: total.minor,
        created_at: Timestamp(now),
        expires_at: Timestamp(now + window(app, state, input.payment_method.as_deref())),
        decided_at: None,
        decision_note: None,
        closed_at: (state == OrderState::Completed).then_some(Timestamp(now)),
        hold_ended_at: None,
        origin: OrderOrigin::Purchase,
        subscription_id: None,
        saved_method_id: input.saved_method_id,
        purchase_order: input.purchase_order.clone(),
        tax_mode: quote.checkout.tax_mode,
        tax_minor: quote.checkout.tax_minor,
        tax_country: quote.checkout.tax_country.clone(),
    };
    let mut lines = Vec::with_capacity(quote.checkout.lines.len());
    for (place, line) in (1..).zip(&quote.checkout.lines) {
        lines.push(freeze_line(app, quote, line, id, place, now)?);
    }
    OrderFacts::new(order, lines).ok_or_else(|| Error::internal("a quote without a line"))
}

/// How long an order waits for the next step.
fn window(app: &AppState, state: OrderState, method: Option<&str>) -> Duration {
    let trade = &app.config.trade;
    match (state, method) {
        (OrderState::AwaitingApproval, _) => Duration::days(i64::from(trade.approval_window_days)),
        (_, Some(BANK_TRANSFER)) => Duration::days(i64::from(trade.invoice_window_days)),
        _ => Duration::hours(i64::from(trade.payment_window_hours)),
    }
}

fn freeze_line(
    app: &AppState,
    quote: &Quote,
    line: &QuotedLine,
    order: OrderId,
    line_no: i32,
    now: OffsetDateTime,
) -> Result<order_line::Model> {
    let offer = &quote.offer;
    let trial_until = quote.checkout.trial_until.map(Timestamp);
    Ok(order_line::Model {
        order_id: order,
        line_no,
        listing_id: line.listing_id,
        offer_id: offer.id,
        provider_id: line.provider_id,
        offer_kind: offer.kind,
        price_minor: line.due.minor,
        currency: line.due.currency.code().to_owned(),
        fee_rule_id: line.fee.rule,
        fee_bps: i32::try_from(line.fee.bps).unwrap_or(i32::MAX),
        operator_minor: line.split.operator.minor,
        provider_minor: line.split.provider.minor,
        licence_hash: offer.licence_hash.clone(),
        term_months: offer.term_months,
        coverage: offer.coverage,
        revision_number: line.revision_number,
        hold_days: i32::try_from(app.config.trade.hold_days).unwrap_or(i32::MAX),
        quantity: quote.quantity,
        discount_minor: line.priced.discount_minor(),
        tax_minor: line.tax.minor,
        tax_bps: line.tax.bps,
        tax_category: line.tax.category.map(str::to_owned),
        fee_bearer: fee_bearer(quote, line),
        dispute_bearer: line.fee.dispute_bearer.unwrap_or(app.config.trade.dispute_bearer),
        grants_access: true,
        period_from: trial_until.map(|_| Timestamp(now)),
        period_until: trial_until,
        slice: quote.slice.as_ref().map(serde_json::to_value).transpose()?,
    })
}

/// Who bears the processor's fee of a line. What the composer of a bundle agreed to binds nobody else: the operator's
/// rule for each partner does.
fn fee_bearer(quote: &Quote, line: &QuotedLine) -> FeeBearer {
    let own = quote.offer.plan.as_ref().filter(|_| line.provider_id == quote.offer.provider_id);
    fees::bearer(own.and_then(|plan| plan.fee_bearer), line.fee.bearer)
}
