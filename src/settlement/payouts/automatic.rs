//! Payouts of the operator's balance that the processor makes by itself: their rows follow its lines.

use std::sync::{Mutex, PoisonError};

use entity::{
    ids::{PayoutId, PayoutRunId},
    states::PayoutRecipient,
};
use time::{Duration, OffsetDateTime};

use super::{
    service::announce_paid,
    store::{self, NewPayout},
};
use crate::{
    db::Tx,
    error::Result,
    ports::payments::{ProcessorPayout, Transaction, TransactionKind},
    settlement::outside,
    state::AppState,
};

/// How often the processor is asked about payouts whose lines or bank reference it did not tell yet.
const ASK_EVERY_SECONDS: i64 = 600;
/// How long a payout is asked about; a bank's reference that has not come by then never comes.
const ASK_ABOUT_DAYS: i64 = 30;

/// When this process last asked about payouts.
#[derive(Debug, Default)]
pub struct PayoutsAsked(Mutex<Option<OffsetDateTime>>);

impl PayoutsAsked {
    /// True when it is time to ask; then it counts as asked.
    fn ask(&self, now: OffsetDateTime) -> bool {
        let mut asked_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = asked_at.is_none_or(|at| now - at >= Duration::seconds(ASK_EVERY_SECONDS));
        if due {
            *asked_at = Some(now);
        }
        due
    }
}

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
    let Some(operator) = store::operator(tx).await? else {
        tracing::error!(payout = line.source_ref, "the processor paid out {sent}, and no organisation operates");
        return Ok(());
    };
    let (words, at) = (format!("{processor}:{}", line.source_ref), line.created_at);
    let new = NewPayout {
        id: PayoutId::derived_at(&words, at),
        run: PayoutRunId::derived_at(&words, at),
        recipient: PayoutRecipient::Operator,
        organization: operator,
        amount: sent,
        source_ref: None,
    };
    let row = store::insert_automatic(tx, new, &line.source_ref, at).await?;
    announce_paid(tx, &row, now).await
}

/// Asks about payouts that the processor made by itself, every ten minutes while something is missing; returns how
/// many rows changed.
///
/// # Errors
/// `Unavailable` when the processor does not answer; those of the database.
pub async fn follow_payouts(app: &AppState) -> Result<usize> {
    if !app.payments.features().automatic_payouts || !app.payouts_asked.ask(app.clock.now()) {
        return Ok(0);
    }
    follow(app).await
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
