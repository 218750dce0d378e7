//! Bringing a dispute to where it stands at the processor.

use entity::{
    Timestamp, dispute,
    ids::{DisputeId, OrderId, PaymentId},
    payment,
    states::{DisputeBearer, DisputeState},
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{booking, model, store};
use crate::{
    db::{
        Tx, inbox,
        outbox::{self, News},
    },
    error::{Error, Result},
    ledger,
    ports::payments::Dispute,
    state::AppState,
    trade::{
        orders::{OrderFacts, store as orders},
        payments::{Inbox, store as payments},
        reductions, refunds,
    },
};

/// How far back a line whose dispute nobody told of is looked for.
const UNTOLD_DAYS: i64 = 180;
/// How much earlier than its first trace a dispute can have been opened.
const EARLIER_DAYS: i64 = 1;

/// Brings a dispute to where the processor has it; one that is there or beyond already stays as it is.
///
/// # Errors
/// Internal for a dispute of a payment that is not ours, or in another currency; those of the database.
pub async fn follow(app: &AppState, told: &Dispute, via: Inbox) -> Result<()> {
    let payment = payment_of(app, told).await?;
    let facts = orders::load(app.db.read(), payment.order_id).await?;
    let currency = facts.total()?.currency;
    if told.amount.currency != currency || told.amount.minor <= 0 {
        return Err(Error::internal(format!("{} disputes {} of {}", told.processor_ref, told.amount, payment.id)));
    }
    refunds::open_accounts(app, &facts).await?;
    let (told, now, processor) = (told.clone(), app.clock.now(), app.payments.name());
    let suspends = app.config.trade.dispute_suspends_access;
    app.db
        .write("trade.follow_dispute", move |tx| {
            let (told, via, order, payment) = (told.clone(), via.clone(), payment.order_id, payment.id);
            async move {
                if let Some((source, event)) = &via
                    && !inbox::finish(&tx, source, event, now).await?
                {
                    return Ok(((), tx));
                }
                ledger::lock_currency(&tx, currency).await?;
                let facts = orders::lock(&tx, order).await?;
                let known = store::by_ref(tx.conn(), processor, &told.processor_ref).await?;
                let row = match known {
                    Some(row) => row,
                    None => {
                        let fresh = warning(processor, &told, order, payment, now);
                        let fresh = dispute::Model { suspends_access: suspends, ..fresh };
                        store::insert(&tx, fresh.clone()).await?;
                        fresh
                    }
                };
                advance(&tx, row, &told, &facts, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

async fn payment_of(app: &AppState, told: &Dispute) -> Result<payment::Model> {
    let by_id = match told.payment_id {
        Some(id) => payments::find(app.db.read(), id).await?,
        None => None,
    };
    let found = match by_id {
        Some(payment) => Some(payment),
        None => payments::by_charge(app.db.read(), app.payments.name(), &told.charge_ref).await?,
    };
    found.ok_or_else(|| {
        Error::internal(format!("{} disputes {}, which is not ours", told.processor_ref, told.charge_ref))
    })
}

/// A dispute as a warning, which moves nothing: what follows brings it forward.
fn warning(processor: &str, told: &Dispute, order: OrderId, payment: PaymentId, now: OffsetDateTime) -> dispute::Model {
    dispute::Model {
        id: DisputeId::at(now),
        processor: processor.to_owned(),
        processor_ref: told.processor_ref.clone(),
        order_id: order,
        payment_id: payment,
        state: DisputeState::Warning,
        currency: told.amount.currency.code().to_owned(),
        amount_minor: told.amount.minor,
        reason: told.reason.chars().take(400).collect(),
        evidence_due_at: told.evidence_due_at.map(Timestamp),
        statement: None,
        evidence_submitted_at: None,
        accepted_at: None,
        opened_at: Timestamp(now),
        held_at: None,
        closed_at: None,
        next_poll_at: None,
        suspends_access: false,
        fee_due_at: None,
    }
}

async fn advance(
    tx: &Tx,
    mut row: dispute::Model,
    told: &Dispute,
    facts: &OrderFacts,
    now: OffsetDateTime,
) -> Result<()> {
    let to = model::state_of(told.stage);
    if !model::is_forward(row.state, to) {
        return Ok(());
    }
    if row.held_at.is_none() {
        // A warning can be about another amount than the dispute it becomes.
        row.amount_minor = told.amount.minor;
        booking::hold(tx, &row, facts, now).await?;
        row.held_at = Some(Timestamp(now));
        announce(tx, &row, "dispute.opened", now).await?;
    }
    row.state = to;
    row.evidence_due_at = told.evidence_due_at.map(Timestamp).or(row.evidence_due_at);
    if to == DisputeState::UnderReview {
        row.evidence_submitted_at = row.evidence_submitted_at.or(Some(Timestamp(now)));
    }
    row.next_poll_at = Some(Timestamp(now + Duration::seconds(model::POLL_SECONDS)));
    if matches!(to, DisputeState::Won | DisputeState::Lost) {
        (row.closed_at, row.next_poll_at) = (Some(Timestamp(now)), None);
        if to == DisputeState::Won {
            booking::win(tx, &row, facts, now).await?;
            announce(tx, &row, "dispute.won", now).await?;
        } else {
            booking::lose(tx, &row, facts, now).await?;
            let borne = facts.lines().any(|line| line.dispute_bearer == DisputeBearer::Provider);
            row.fee_due_at = borne.then_some(Timestamp(now));
            announce(tx, &row, "dispute.lost", now).await?;
        }
    }
    store::replace(tx, row).await?;
    reductions::follow_money(tx, facts, now).await
}

async fn announce(tx: &Tx, row: &dispute::Model, kind: &'static str, now: OffsetDateTime) -> Result<()> {
    let payload = json!({
        "dispute_id": row.id, "order_id": row.order_id, "amount_minor": row.amount_minor, "currency": row.currency,
    });
    outbox::append(tx, vec![News { topic: row.order_id.to_string(), kind, payload }], now).await
}

/// Asks the processor about disputes that are open for a while, and about lines of disputes that nobody
/// told of: how lost webhooks heal. Returns how many were brought forward or asked about.
///
/// # Errors
/// `Unavailable` when the processor does not answer; those of the database.
pub async fn poll(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let due = store::earliest_to_poll(app.db.read(), now).await?;
    let untold = store::earliest_untold(app.db.read(), now - Duration::days(UNTOLD_DAYS)).await?;
    let Some(earliest) = due.into_iter().chain(untold).min() else { return Ok(0) };
    let since = earliest.0 - Duration::days(EARLIER_DAYS);
    let unknown =
        |cause| Error::unavailable("The processor has not answered. Try again in a minute.", 60).because(cause);
    let told = app.payments.disputes(since).await.map_err(unknown)?;
    let mut forward = 0;
    for one in &told {
        let known = store::by_ref(app.db.read(), app.payments.name(), &one.processor_ref).await?;
        let state = model::state_of(one.stage);
        if known.is_some_and(|row| !model::is_forward(row.state, state)) {
            continue;
        }
        match follow(app, one, None).await {
            Ok(()) => forward += 1,
            Err(error) => tracing::error!(dispute = one.processor_ref, "a dispute can't be followed: {error}"),
        }
    }
    let next = now + Duration::seconds(model::POLL_SECONDS);
    app.db
        .write("trade.note_dispute_poll", move |tx| async move { Ok((store::polled(&tx, now, next).await?, tx)) })
        .await?;
    Ok(forward)
}
