//! Deciding what is taken back from where, and learning from the processor's lines that it was.

use std::collections::HashMap;

use entity::{
    Timestamp,
    ids::{OrderId, OrgId, PayoutId, ReversalId},
    order_reduction, reversal,
    states::ReversalState,
};
use serde_json::json;
use time::OffsetDateTime;

use super::{model, store};
use crate::{
    base::Money,
    db::{
        Tx,
        outbox::{self, News},
    },
    error::Result,
    ledger,
    ports::payments::{Transaction, TransactionKind},
    settlement::currency,
    state::AppState,
};

/// Debts asked for in one go.
const BATCH: u64 = 100;

/// Asks for debts that refunds and disputes have made: each becomes reversals of the transfers that
/// carried the share. Returns how many debts.
///
/// # Errors
/// Those of the database.
pub async fn ask_for_debts(app: &AppState) -> Result<usize> {
    let mut asked = 0;
    for debt in store::debts_to_recover(app.db.read(), BATCH).await? {
        asked += usize::from(ask_for(app, debt).await?);
    }
    Ok(asked)
}

async fn ask_for(app: &AppState, debt: order_reduction::Model) -> Result<bool> {
    let Some(code) = store::currency_of(app.db.read(), debt.order_id).await? else { return Ok(false) };
    let (now, of) = (app.clock.now(), currency(&code)?);
    app.db
        .write("settlement.ask_for_debt", move |tx| {
            let (debt, code) = (debt.clone(), code.clone());
            async move {
                ledger::lock_currency(&tx, of).await?;
                if !store::claim_debt(&tx, &debt, now).await? {
                    return Ok((false, tx));
                }
                let rooms = store::rooms(&tx, debt.order_id, debt.provider_id).await?;
                for part in model::spread(debt.debt_minor, &rooms) {
                    let row = reversal::Model {
                        id: ReversalId::at(now),
                        order_id: debt.order_id,
                        organization_id: debt.provider_id,
                        payout_id: part.payout,
                        state: ReversalState::Created,
                        currency: code.clone(),
                        amount_minor: part.minor,
                        attempt: 1,
                        next_try_at: Some(Timestamp(now)),
                        processor_ref: None,
                        failure_text: None,
                        created_at: Timestamp(now),
                        done_at: None,
                    };
                    store::insert(&tx, row).await?;
                }
                Ok((true, tx))
            }
        })
        .await
}

/// The order and the provider whose debt a line of a reversal pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// The order.
    pub order: OrderId,
    /// The provider.
    pub organization: OrgId,
}

/// What is behind each line of a reversal of ours, by the line's id; one of another amount is nobody's.
pub async fn behind(app: &AppState, lines: &[Transaction]) -> Result<HashMap<String, Behind>> {
    let of = |line: &Transaction| line.our_ref.as_deref().and_then(|text| text.parse::<ReversalId>().ok());
    let reversals = lines.iter().filter(|line| line.kind == TransactionKind::TransferReversal);
    let ids: Vec<ReversalId> = reversals.clone().filter_map(of).collect();
    let rows: HashMap<ReversalId, reversal::Model> =
        store::find_all(app.db.read(), &ids).await?.into_iter().map(|row| (row.id, row)).collect();
    let explained = |line: &Transaction| {
        let row = rows.get(&of(line)?)?;
        let same = row.amount_minor == line.amount.minor && row.currency == line.amount.currency.code();
        let behind = Behind { order: row.order_id, organization: row.organization_id };
        same.then(|| (line.id.clone(), behind))
    };
    Ok(reversals.filter_map(explained).collect())
}

/// Learns from a line of the processor, in the transaction that books it, that a share came back, or that a provider
/// got money from which a refused reversal may be taken now.
///
/// # Errors
/// Those of the database.
pub async fn settle_line(tx: &Tx, line: &Transaction, now: OffsetDateTime) -> Result<()> {
    if line.kind == TransactionKind::Transfer
        && let Some(payout) = line.our_ref.as_deref().and_then(|text| text.parse::<PayoutId>().ok())
    {
        return store::hasten(tx, payout, now).await;
    }
    let Some(id) = line.our_ref.as_deref().and_then(|text| text.parse::<ReversalId>().ok()) else { return Ok(()) };
    if line.kind != TransactionKind::TransferReversal {
        return Ok(());
    }
    let Some(row) = store::mark_done(tx, id, line.amount, &line.source_ref, line.created_at).await? else {
        return Ok(());
    };
    let payload = json!({
        "reversal_id": row.id, "order_id": row.order_id, "organization_id": row.organization_id,
        "amount_minor": row.amount_minor, "currency": row.currency,
    });
    outbox::append(tx, vec![News { topic: row.order_id.to_string(), kind: "reversal.done", payload }], now).await
}

/// What an amount column and a currency column say together.
pub(super) fn amount_of(row: &reversal::Model) -> Result<Money> {
    Ok(Money::new(row.amount_minor, currency(&row.currency)?))
}
