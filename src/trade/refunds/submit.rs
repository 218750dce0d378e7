//! Handing decided refunds to the processor, each once, and learning what became of them.

use entity::{ids::RefundId, refund, states::RefundState};
use sea_orm::ConnectionTrait;
use time::{Duration, OffsetDateTime};

use super::{booking, model, store};
use crate::{
    base::{Currency, Money},
    db::{Tx, inbox},
    error::{Error, Result},
    ledger,
    ports::payments::{PaymentsError, Refund, RefundRequest, RefundState as Outcome, Transaction, TransactionKind},
    state::AppState,
    trade::{
        grants,
        orders::{OrderFacts, store as orders},
        payments::{BANK, Inbox, store as payments},
        usage,
    },
};

/// Refunds handed over in one round.
const REFUNDS_PER_ROUND: u64 = 50;
/// Hours for which processors surely remember an idempotency key; they promise a day.
const KEY_HOURS: i64 = 20;

/// Hands over what is due: decided refunds, refused ones after a wait, those without an answer.
/// Returns how many were tried.
///
/// # Errors
/// Those of the database; what the processor says is kept in the refund.
pub async fn submit_refunds(app: &AppState) -> Result<usize> {
    let mut tried = 0;
    for id in store::due_to_submit(app.db.read(), app.clock.now(), REFUNDS_PER_ROUND).await? {
        tried += usize::from(submit(app, id).await?);
    }
    Ok(tried)
}

/// Hands one refund over if it is due and nobody else is at it; true if the processor was asked.
pub(super) async fn submit(app: &AppState, id: RefundId) -> Result<bool> {
    let now = app.clock.now();
    let until = now + Duration::seconds(model::LEASE_SECONDS);
    let leased = app
        .db
        .write("trade.lease_refund", move |tx| async move { Ok((store::lease(&tx, id, now, until).await?, tx)) })
        .await?;
    let Some(row) = leased else { return Ok(false) };
    match ask(app, &row).await? {
        Ok(Refund { state: Outcome::Failed { text }, .. }) => fail(app, id, text).await?,
        Ok(refund) => {
            let processor_ref = refund.processor_ref;
            app.db
                .write("trade.note_refund", move |tx| {
                    let processor_ref = processor_ref.clone();
                    async move { Ok((store::note_taken(&tx, id, &processor_ref).await?, tx)) }
                })
                .await?;
        }
        Err(PaymentsError::Refused { code, text }) => {
            tracing::warn!(refund = %id, attempt = row.attempt, code, "the processor refused refund {id}: {text}");
            let text = format!("{code}: {text}");
            if model::is_final(&code, row.attempt) {
                fail(app, id, text).await?;
            } else {
                let at = now + model::refused_wait(row.attempt);
                note_later(app, row, Some(text), at).await?;
            }
        }
        Err(error) => {
            tracing::warn!(refund = %id, attempt = row.attempt, "refund {id} has no answer yet: {error}");
            note_later(app, row, None, now + Duration::seconds(model::UNKNOWN_WAIT_SECONDS)).await?;
        }
    }
    Ok(true)
}

/// What the processor says; the outer error is ours.
async fn ask(app: &AppState, row: &refund::Model) -> Result<Result<Refund, PaymentsError>> {
    let payment = payments::find(app.db.read(), row.payment_id).await?;
    if payment.as_ref().is_some_and(|payment| payment.processor == BANK) {
        // No processor has the money: the operator sends it, and the bank's line tells.
        let amount = Money::new(row.amount_minor, currency_of(row)?);
        let (processor_ref, our_ref) = (format!("{BANK}:{}", row.id), Some(row.id.to_string()));
        return Ok(Ok(Refund { processor_ref, our_ref, amount, state: Outcome::Pending }));
    }
    let charge_ref = payment
        .and_then(|payment| payment.processor_ref)
        .ok_or_else(|| Error::internal(format!("{} gives back a payment without a charge", row.id)))?;
    let currency = currency_of(row)?;
    let request = RefundRequest {
        idempotency_key: model::idempotency_key(row.id, row.attempt),
        our_ref: row.id.to_string(),
        charge_ref,
        amount: Money::new(row.amount_minor, currency),
    };
    app.db.faults().step(|| "payments.refund: before call".to_owned())?;
    let forgotten = app.clock.now() - Duration::hours(KEY_HOURS);
    if row.decided_at.is_some_and(|at| at.0 < forgotten) {
        // The processor may have forgotten the key by now, and would refund again under it.
        match app.payments.find_refund(&request.charge_ref, &request.our_ref).await {
            Ok(None) => {}
            Ok(Some(made)) => return Ok(Ok(made)),
            Err(error) => return Ok(Err(error)),
        }
    }
    let answer = app.payments.refund(&request).await;
    app.db.faults().step(|| "payments.refund: after call".to_owned())?;
    Ok(answer)
}

fn currency_of(row: &refund::Model) -> Result<Currency> {
    row.currency.parse().map_err(|e: crate::base::currency::UnknownCurrency| Error::internal(e))
}

async fn note_later(app: &AppState, row: refund::Model, refused: Option<String>, at: OffsetDateTime) -> Result<()> {
    app.db
        .write("trade.note_refund", move |tx| {
            let (row, refused) = (row.clone(), refused.clone());
            async move { Ok((store::note_later(&tx, &row, refused.as_deref(), at).await?, tx)) }
        })
        .await
}

/// Gives a refund up that the processor refused for good, and undoes what it booked.
async fn fail(app: &AppState, id: RefundId, text: String) -> Result<()> {
    let row = store::find(app.db.read(), id).await?.ok_or_else(|| Error::not_found("refund"))?;
    let facts = booking::order_of(app, &row).await?;
    booking::open_accounts(app, &facts).await?;
    let now = app.clock.now();
    app.db
        .write("trade.fail_refund", move |tx| {
            let (facts, text) = (facts.clone(), text.clone());
            async move { Ok((fail_in(&tx, id, &facts, &text, now).await?, tx)) }
        })
        .await
}

async fn fail_in(tx: &Tx, id: RefundId, facts: &OrderFacts, text: &str, now: OffsetDateTime) -> Result<()> {
    ledger::lock_currency(tx, facts.total()?.currency).await?;
    let facts = orders::lock(tx, facts.order.id).await?;
    if let Some(row) = store::mark_failed(tx, id, text).await? {
        booking::undo(tx, &row, &facts, now).await?;
    }
    Ok(())
}

/// Hears by webhook how a refund stands. Money is booked from the processor's lines alone, so this only
/// notes that the processor has it.
///
/// # Errors
/// Those of the database.
pub async fn hear(app: &AppState, refund: &Refund, via: Inbox) -> Result<()> {
    let id: Option<RefundId> = refund.our_ref.as_deref().and_then(|text| text.parse().ok());
    let (processor_ref, now) = (refund.processor_ref.clone(), app.clock.now());
    let taken = !matches!(refund.state, Outcome::Failed { .. });
    app.db
        .write("trade.hear_refund", move |tx| {
            let (via, processor_ref) = (via.clone(), processor_ref.clone());
            async move {
                if let Some((source, event)) = &via
                    && !inbox::finish(&tx, source, event, now).await?
                {
                    return Ok(((), tx));
                }
                if let Some(id) = id.filter(|_| taken) {
                    store::note_taken(&tx, id, &processor_ref).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}

/// Learns from a line of the processor, in the transaction that books it, what became of a refund.
///
/// # Errors
/// Those of the database.
pub async fn settle_line(tx: &Tx, line: &Transaction, now: OffsetDateTime) -> Result<()> {
    let Some(id) = line.our_ref.as_deref().and_then(|text| text.parse::<RefundId>().ok()) else { return Ok(()) };
    match line.kind {
        TransactionKind::Refund => {
            let sent = line.amount.checked_neg()?;
            // A line of another amount pays nothing: reconciliation names the two.
            note_paid(tx, id, sent, &line.source_ref, line.created_at, now).await.map(drop)
        }
        TransactionKind::RefundFailure => {
            let Some(row) = store::find(tx.conn(), id).await? else { return Ok(()) };
            if row.amount_minor != line.amount.minor || row.state == RefundState::Failed {
                return Ok(());
            }
            let facts = orders::load(tx.conn(), row.order_id).await?;
            fail_in(tx, id, &facts, "The money came back from the buyer's bank.", now).await
        }
        _ => Ok(()),
    }
}

async fn note_paid(
    tx: &Tx,
    id: RefundId,
    sent: Money,
    reference: &str,
    at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<bool> {
    let Some(row) = store::mark_paid(tx, id, sent, reference, at).await? else { return Ok(false) };
    if !grants::is_open(tx, row.order_id).await? {
        usage::withdraw_pack(tx, row.order_id).await?;
    }
    booking::announce(tx, &row, "refund.paid", now).await?;
    Ok(true)
}

/// A refund whose money the operator has to send by bank: it gives back what came by bank.
///
/// # Errors
/// Those of the database.
pub async fn due_by_bank(conn: &impl ConnectionTrait, id: RefundId) -> Result<Option<refund::Model>> {
    let Some(row) = store::find(conn, id).await? else { return Ok(None) };
    let is_open = matches!(row.state, RefundState::Approved | RefundState::Submitted);
    let payment = payments::find(conn, row.payment_id).await?;
    Ok(payment.filter(|payment| is_open && payment.processor == BANK).map(|_| row))
}

/// Learns from a line of the bank, in the transaction that books it, that a refund was paid; false when it is of another
/// amount, or was paid before.
///
/// # Errors
/// Those of the database.
pub async fn paid_by_bank(
    tx: &Tx,
    row: &refund::Model,
    line: &str,
    at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<bool> {
    note_paid(tx, row.id, Money::new(row.amount_minor, currency_of(row)?), line, at, now).await
}
