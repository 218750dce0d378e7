//! Webhooks that were stored: each is handled once, now or by the sweep.

use entity::inbox as inbox_row;

use super::settle;
use crate::{
    db::inbox,
    error::{Error, Result},
    jobs::{self, NewJob},
    people::payout_accounts,
    ports::payments::Subject,
    state::AppState,
    trade::{disputes, refunds},
};

/// The job that asks the processor what became of its payouts.
pub const FOLLOW_PAYOUTS_JOB: &str = "settlement.follow_payouts";
/// Messages handled in one go.
const BATCH: u64 = 50;

/// Handles webhooks that were stored but not handled; returns how many.
///
/// # Errors
/// Those of the database; a message that can't be handled is noted and, after some tries, set aside.
pub async fn handle_inbox(app: &AppState) -> Result<usize> {
    let waiting = inbox::waiting(&app.db, app.clock.now(), BATCH).await?;
    let mut handled = 0;
    for row in waiting {
        match handle_message(app, &row).await {
            Ok(()) => handled += 1,
            Err(error) => {
                let text = error.cause.as_ref().map_or_else(|| error.to_string(), ToString::to_string);
                tracing::warn!(event = row.event_id, kind = row.kind, "a webhook could not be handled: {text}");
                app.db
                    .write("trade.fail_message", move |tx| {
                        let (row, text) = (row.clone(), text.clone());
                        async move {
                            inbox::fail(&tx, &row, &text).await?;
                            Ok(((), tx))
                        }
                    })
                    .await?;
            }
        }
    }
    Ok(handled)
}

/// Handles one stored webhook: an event about a charge, a refund or a dispute brings it
/// forward, any other is noted as seen.
pub(super) async fn handle_message(app: &AppState, row: &inbox_row::Model) -> Result<()> {
    let via = (row.source.clone(), row.event_id.clone());
    let event = app.payments.parse_event(row.body.as_bytes()).map_err(Error::internal)?;
    match event.subject {
        Subject::Charge(charge) => return Box::pin(settle(app, &charge, None, Some(via))).await,
        Subject::Account(status) => return payout_accounts::note_status(app, status, via).await,
        Subject::Refund(refund) => return Box::pin(refunds::hear(app, &refund, Some(via))).await,
        Subject::Dispute(dispute) => return Box::pin(disputes::follow(app, &dispute, Some(via))).await,
        Subject::Payout(_) | Subject::Other => {}
    }
    let is_payout = matches!(event.subject, Subject::Payout(_));
    let now = app.clock.now();
    app.db
        .write("trade.note_event", move |tx| {
            let (source, event) = via.clone();
            async move {
                if inbox::finish(&tx, &source, &event, now).await? && is_payout {
                    // Payouts are settlement's: it asks the processor what became of them.
                    let unique_key = Some(format!("{FOLLOW_PAYOUTS_JOB}:{event}"));
                    let job =
                        NewJob { kind: FOLLOW_PAYOUTS_JOB, unique_key, payload: serde_json::json!({}), run_at: now };
                    jobs::enqueue(&tx, job, now).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}
