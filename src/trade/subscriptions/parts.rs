//! The parts of a price that are due after the purchase.

use entity::{states::OrderOrigin, subscription};
use time::OffsetDateTime;

use super::{
    begin,
    follow_up::{self, Charge, Terms},
    model::{self, Schedule, plan_of},
    store,
    sweep::{self, Next},
};
use crate::{
    db::Tx,
    error::{Error, Result},
    state::AppState,
    terms::offers::plan::Plan,
    trade::{
        gross::{self, Taxed},
        orders::{OrderFacts, store as orders},
        prices::Part,
    },
};

/// Places the order over the next part.
pub(super) async fn place(
    app: &AppState,
    tx: &Tx,
    row: &mut subscription::Model,
    schedule: Schedule<'_>,
    now: OffsetDateTime,
) -> Result<Next> {
    let plan = plan_of(row)?;
    let origin = orders::load(tx.conn(), row.origin_order_id).await?;
    let parts = agreed_parts(app, row, &plan, &origin)?;
    let paid = usize::try_from(row.period_no).unwrap_or(usize::MAX);
    let part = *parts.get(paid).ok_or_else(|| Error::internal(format!("{} has no part after {paid}", row.id)))?;
    let until = parts.get(paid.saturating_add(1)).map_or(part.due_at, |next| next.due_at);
    let span = model::Span { number: row.period_no.saturating_add(1), from: part.due_at, until };
    let decided = follow_up::taxes(app, tx.conn(), row, (part.minor, part.due_at.date()), now).await?;
    let charged: i64 = store::periods(tx.conn(), row.id).await?.iter().map(|period| period.amount_minor).sum();
    let left: Vec<i64> = parts.iter().skip(paid).map(|part| part.minor).collect();
    let taxed = follow_up::taxed(app, row, &decided)?;
    let charge = Charge {
        origin: OrderOrigin::Instalment,
        terms: Terms::of_origin(&origin),
        price_minor: model::next_part(&left, row.price_minor - charged, taxed),
        span,
        expires_at: schedule.expires_at(row.kind, now),
    };
    sweep::place(app, tx, row, charge, now).await
}

/// The parts as they were agreed to: cut at the rate of the purchase.
fn agreed_parts(app: &AppState, row: &subscription::Model, plan: &Plan, origin: &OrderFacts) -> Result<Vec<Part>> {
    let rules = app.payments.charge_rules(begin::money(row, 0)?.currency);
    let taxed = Taxed { rules, tax_bps: u32::try_from(origin.line.tax_bps).unwrap_or(0) };
    Ok(gross::parts(row.price_minor, &plan.instalments, taxed, row.anchor_at.0)?)
}
