//! Asking again for what a reversal was refused over, as far as it is still owed.

use entity::{ids::ReversalId, reversal, states::ReversalState};
use serde_json::json;
use time::OffsetDateTime;

use super::{model, service::amount_of, store, submit};
use crate::{
    auth::Actor,
    db::Tx,
    error::{Error, Result},
    ledger::{self, Account},
    people::audit,
    state::AppState,
};

/// Refused reversals looked at in one round.
const REVERSALS_PER_ROUND: u64 = 50;

/// Reopens refused reversals whose time has come and whose debt is still there; returns how many.
///
/// # Errors
/// Those of the database.
pub(super) async fn reopen_due(app: &AppState) -> Result<usize> {
    let (now, mut reopened) = (app.clock.now(), 0);
    for id in store::due(app.db.read(), ReversalState::Refused, now, REVERSALS_PER_ROUND).await? {
        reopened += usize::from(reopen(app, id, None).await? > 0);
    }
    Ok(reopened)
}

/// The operator has a refused reversal asked for again at once, as far as it is still owed.
///
/// # Errors
/// `NotFound`; `Conflict` for one that was not refused, or whose debt is settled; those of the database.
pub async fn retry(app: &AppState, actor: &Actor, id: ReversalId) -> Result<reversal::Model> {
    if reopen(app, id, Some(actor)).await? == 0 {
        return Err(Error::conflict("Nothing of it is owed any more, or the next payout sets it off."));
    }
    submit::submit(app, id).await?;
    store::find(app.db.read(), id).await?.ok_or_else(missing)
}

fn missing() -> Error {
    Error::not_found("reversal")
}

/// Looks at a refused reversal under the lock that setting off takes too; returns what is asked for again.
async fn reopen(app: &AppState, id: ReversalId, by: Option<&Actor>) -> Result<i64> {
    let row = store::find(app.db.read(), id).await?.ok_or_else(missing)?;
    let (now, by, currency) = (app.clock.now(), by.cloned(), amount_of(&row)?.currency);
    app.db
        .write("settlement.reopen_reversal", move |tx| {
            let by = by.clone();
            async move {
                ledger::lock_currency(&tx, currency).await?;
                let row = store::find(tx.conn(), id).await?.ok_or_else(missing)?;
                if row.state != ReversalState::Refused {
                    if by.is_some() {
                        let text = format!("Only a refused reversal can be tried again: this one is {}.", row.state);
                        return Err(Error::conflict(text));
                    }
                    return Ok((0, tx));
                }
                let minor = reopen_in(&tx, &row, by.is_some(), now).await?;
                if let Some(actor) = by.filter(|_| minor > 0) {
                    let detail = json!({"order_id": row.order_id, "amount_minor": minor});
                    audit::record(&tx, &actor, "reversal.retry", id, detail, now).await?;
                }
                Ok((minor, tx))
            }
        })
        .await
}

async fn reopen_in(tx: &Tx, row: &reversal::Model, is_asked: bool, now: OffsetDateTime) -> Result<i64> {
    let (org, currency) = (row.organization_id, amount_of(row)?.currency);
    let sums = ledger::order_sums(tx.conn(), row.order_id).await?;
    let of = |account: Account| sums.get(&account.id(currency)).copied().unwrap_or(0);
    let debt_minor = of(Account::ProviderReceivable(org));
    let payable_minor = -of(Account::ProviderPayable(org));
    let in_flight = store::in_flight(tx.conn(), org, currency.code()).await?;
    let in_flight_minor = in_flight.get(&row.order_id).copied().unwrap_or(0);
    let minor = model::still_wanted(row.amount_minor, debt_minor, in_flight_minor, payable_minor.max(0));
    if minor > 0 {
        store::reopen(tx, row, minor, now).await?;
    } else if !is_asked {
        // While anything is owed it is looked at again; settled, never.
        let owed = debt_minor > 0;
        store::postpone(tx, row.id, owed.then(|| now + model::retry_wait(row.attempt))).await?;
    }
    Ok(minor)
}
