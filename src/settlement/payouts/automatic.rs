//! Payouts of the operator's balance that the processor makes by itself: their rows follow its lines.

use entity::{
    ids::{OrgId, PayoutId, PayoutRunId},
    states::PayoutRecipient,
};
use time::{Duration, OffsetDateTime};

use super::{
    service::announce_paid,
    store::{self, NewPayout},
};
use crate::{
    base::Money,
    db::Tx,
    error::Result,
    people::tax_profiles,
    ports::payments::{ProcessorPayout, Transaction, TransactionKind},
    settlement::{bank, outside},
    state::AppState,
};

/// How often the processor is asked about payouts whose lines or bank reference it did not tell yet.
const ASK_EVERY_SECONDS: i64 = 600;
/// How long a payout is asked about; a bank's reference that has not come by then never comes.
const ASK_ABOUT_DAYS: i64 = 30;
/// Payouts without a row that get one in one transaction.
const ADOPTED_AT_ONCE: u64 = 100;

/// Writes down, in the transaction that books its line, a payout that nobody here asked for, and that one came back.
///
/// # Errors
/// Those of the database.
pub async fn note_line(tx: &Tx, processor: &str, line: &Transaction, now: OffsetDateTime) -> Result<()> {
    let sent = line.amount.checked_neg()?;
    match line.kind {
        TransactionKind::Payout if line.our_ref.is_none() && sent.minor > 0 => {}
        TransactionKind::PayoutFailure if line.our_ref.is_none() => {
            return store::mark_automatic_returned(tx, &line.source_ref).await;
        }
        _ => return Ok(()),
    }
    let Some(operator) = tax_profiles::operator_id(tx.conn()).await? else {
        // Its line is booked; it is an exception until there is somebody to make it out to, and then it gets its row.
        tracing::error!(payout = line.source_ref, "the processor paid out {sent}, and no organisation operates");
        return Ok(());
    };
    keep(tx, operator, &Sent { processor, reference: &line.source_ref, amount: sent, at: line.created_at }, now).await
}

/// A payout as its line tells of it.
struct Sent<'a> {
    processor: &'a str,
    reference: &'a str,
    amount: Money,
    at: OffsetDateTime,
}

/// Writes a payout down as the operator's; nothing where that was done before.
async fn keep(tx: &Tx, operator: OrgId, sent: &Sent<'_>, now: OffsetDateTime) -> Result<()> {
    let words = format!("{}:{}", sent.processor, sent.reference);
    let new = NewPayout {
        id: PayoutId::derived_at(&words, sent.at),
        run: PayoutRunId::derived_at(&words, sent.at),
        recipient: PayoutRecipient::Operator,
        organization: operator,
        amount: sent.amount,
        source_ref: None,
    };
    match store::insert_automatic(tx, new, sent.reference, sent.at).await? {
        Some(row) => announce_paid(tx, &row, now).await,
        None => Ok(()),
    }
}

/// Gives a row to payouts that were made while no organisation operated, once one does; returns how many.
async fn adopt(app: &AppState) -> Result<usize> {
    let lines = store::automatic_without_row(app.db.read(), None, ADOPTED_AT_ONCE).await?;
    if lines.is_empty() || tax_profiles::operator_id(app.db.read()).await?.is_none() {
        return Ok(0);
    }
    let now = app.clock.now();
    app.db
        .write("settlement.adopt_payouts", move |tx| {
            let lines = lines.clone();
            async move {
                let Some(operator) = tax_profiles::operator_id(tx.conn()).await? else { return Ok((0, tx)) };
                for line in &lines {
                    let currency = crate::settlement::currency(&line.currency)?;
                    let amount = Money::new(line.amount_minor, currency).checked_neg()?;
                    let (processor, reference) = (line.processor.as_str(), line.source_ref.as_str());
                    keep(&tx, operator, &Sent { processor, reference, amount, at: line.created_at.0 }, now).await?;
                    if store::came_back(tx.conn(), reference).await? {
                        store::mark_automatic_returned(&tx, reference).await?;
                    }
                    let words = format!("{processor}:{reference}");
                    let payout = PayoutId::derived_at(&words, line.created_at.0);
                    bank::matching::name_payout(&tx, reference, payout).await?;
                }
                Ok((lines.len(), tx))
            }
        })
        .await
}

/// Asks about payouts that the processor made by itself, every ten minutes while something is missing; returns how
/// many rows changed.
///
/// # Errors
/// `Unavailable` when the processor does not answer; those of the database.
pub async fn follow_payouts(app: &AppState) -> Result<usize> {
    let every = Duration::seconds(ASK_EVERY_SECONDS);
    if !app.payments.features().automatic_payouts || !app.payouts_asked.is_due(app.clock.now(), every) {
        return Ok(0);
    }
    Ok(adopt(app).await? + follow(app).await?)
}

/// Asks at once: the job of a webhook about a payout.
///
/// # Errors
/// As [`follow_payouts`].
pub async fn follow(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let since = now - Duration::days(ASK_ABOUT_DAYS);
    let Some(oldest) = store::oldest_untold(app.db.read(), since).await? else { return Ok(0) };
    let told: Vec<ProcessorPayout> = app.payments.payouts(oldest).await.map_err(outside)?;
    app.db
        .write("settlement.follow_payouts", move |tx| {
            let told = told.clone();
            async move {
                let mut changed = 0;
                for payout in &told {
                    changed += store::note_told(&tx, payout).await?;
                }
                Ok((changed, tx))
            }
        })
        .await
}
