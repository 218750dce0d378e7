//! Deciding payouts, and learning from the processor's lines that they were paid.

use entity::{
    ids::{OrgId, PayoutId, PayoutRunId},
    payout,
    states::PayoutRecipient,
};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    model::{self, Due, RunInput},
    store::{self, NewPayout},
    submit,
};
use crate::{
    auth::Actor,
    base::{Currency, Money},
    db::{
        Tx,
        idempotency::{Claim, IdempotencyKey, claim},
        outbox::{self, News},
    },
    error::{Error, Result},
    ledger::{self, Account, AccountBalance},
    people::audit,
    ports::payments::{Transaction, TransactionKind},
    state::AppState,
};

/// Orders one payout carries at most; the rest is due in the next run.
const ORDERS_PER_PAYOUT_MAX: u64 = 2_000;
/// Providers one run pays at most; the rest is due in the next run.
const PROVIDERS_PER_RUN_MAX: usize = 500;

/// A run with what it decided.
#[derive(Debug, Clone)]
pub struct Run {
    /// The run.
    pub id: PayoutRunId,
    /// Its payouts, as they stand now.
    pub payouts: Vec<payout::Model>,
}

/// Decides who is paid, books it, then hands each payout to the processor.
///
/// Repeating it with the same key decides nothing new. What the processor does not take now, the sweep
/// [`super::submit_payouts`] hands over later.
///
/// # Errors
/// `Invalid` for a minimum out of range, `IdempotencyKeyReused`, those of the database.
pub async fn run_payouts(app: &AppState, actor: &Actor, key: IdempotencyKey, input: RunInput) -> Result<Run> {
    input.check()?;
    let now = app.clock.now();
    let currency = input.currency;
    let accounts = [Account::ProcessorAvailable, Account::ClearingTransfer].map(|account| (account, currency));
    ledger::open_accounts(app, &accounts).await?;
    let actor = actor.clone();
    let (run, fresh) = app
        .db
        .write("settlement.run_payouts", move |tx| {
            let (actor, key) = (actor.clone(), key.clone());
            async move {
                let run = PayoutRunId::at(now);
                if let Claim::Replay(earlier) = claim(&tx, &key, &run.to_string(), now).await? {
                    return Ok(((earlier.parse().map_err(Error::internal)?, false), tx));
                }
                store::lock_currency(&tx, currency).await?;
                let decided = decide(&tx, run, actor.org_id(), input, now).await?;
                announce(&tx, &actor, run, &decided, now).await?;
                Ok(((run, true), tx))
            }
        })
        .await?;
    if fresh {
        for row in store::of_run(app.db.read(), run).await? {
            submit::submit(app, row.id).await?;
        }
    }
    Ok(Run { id: run, payouts: store::of_run(app.db.read(), run).await? })
}

async fn decide(
    tx: &Tx,
    run: PayoutRunId,
    operator: OrgId,
    input: RunInput,
    now: OffsetDateTime,
) -> Result<Vec<NewPayout>> {
    let (currency, minimum_minor) = (input.currency, input.minimum_minor);
    let balances = ledger::balances(tx.conn(), None).await?;
    let mut decided = Vec::new();
    if input.recipients.providers() {
        for organization in payable_to(&balances, currency, minimum_minor) {
            let account = Account::ProviderPayable(organization);
            let payable = ledger::order_balances(tx.conn(), &account, currency, ORDERS_PER_PAYOUT_MAX).await?;
            if let Some(due) = model::due(organization, payable, currency, minimum_minor)? {
                decided.push(decide_provider(tx, run, &due, now).await?);
            }
        }
    }
    if input.recipients.operator() {
        // The provider payouts just decided only move what is owed from payable to clearing: the sum stays.
        let unbooked_minor = store::unbooked_operator_minor(tx, currency).await?;
        let amount = model::operator_share(&balances, unbooked_minor, currency)?;
        if amount.minor >= minimum_minor {
            let id = PayoutId::at(now);
            let new = NewPayout { id, run, recipient: PayoutRecipient::Operator, organization: operator, amount };
            store::insert(tx, new, now).await?;
            decided.push(new);
        }
    }
    Ok(decided)
}

/// Providers whose payable balance reaches the minimum.
fn payable_to(balances: &[AccountBalance], currency: Currency, minimum_minor: i64) -> Vec<OrgId> {
    balances
        .iter()
        .filter(|row| row.balance.currency == currency && row.balance.minor <= -minimum_minor)
        .filter_map(|row| row.organization_id.filter(|org| row.code == Account::ProviderPayable(*org).code()))
        .take(PROVIDERS_PER_RUN_MAX)
        .collect()
}

async fn decide_provider(tx: &Tx, run: PayoutRunId, due: &Due, now: OffsetDateTime) -> Result<NewPayout> {
    let id = PayoutId::at(now);
    let (recipient, organization, amount) = (PayoutRecipient::Provider, due.organization, due.total);
    let new = NewPayout { id, run, recipient, organization, amount };
    store::insert(tx, new, now).await?;
    store::insert_items(tx, id, due).await?;
    ledger::post(tx, vec![model::decision(id, due, now)], now).await?;
    Ok(new)
}

async fn announce(tx: &Tx, actor: &Actor, run: PayoutRunId, decided: &[NewPayout], now: OffsetDateTime) -> Result<()> {
    let ids: Vec<String> = decided.iter().map(|new| new.id.to_string()).collect();
    audit::record(tx, actor, "payout.run", run, json!({ "payouts": ids }), now).await?;
    let news = decided
        .iter()
        .map(|new| {
            let facts = facts(new.id, new.organization, new.recipient, new.amount.minor, new.amount.currency.code());
            News { topic: new.id.to_string(), kind: "payout.decided", payload: facts }
        })
        .collect();
    outbox::append(tx, news, now).await
}

fn facts(
    id: PayoutId,
    organization: OrgId,
    recipient: PayoutRecipient,
    amount_minor: i64,
    currency: &str,
) -> serde_json::Value {
    json!({
        "payout_id": id, "organization_id": organization, "recipient": recipient, "amount_minor": amount_minor,
        "currency": currency,
    })
}

/// Tries a failed payout again at once.
///
/// # Errors
/// `NotFound`; `Conflict` when it has not failed; those of the database.
pub async fn retry(app: &AppState, actor: &Actor, id: PayoutId) -> Result<payout::Model> {
    let missing = || Error::not_found("payout");
    store::find(app.db.read(), id, None).await?.ok_or_else(missing)?;
    let (now, actor) = (app.clock.now(), actor.clone());
    app.db
        .write("settlement.retry_payout", move |tx| {
            let actor = actor.clone();
            async move {
                if !store::make_due(&tx, id, now).await? {
                    return Err(Error::conflict("Only a failed payout can be tried again."));
                }
                audit::record(&tx, &actor, "payout.retry", id, json!({}), now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    submit::submit(app, id).await?;
    store::find(app.db.read(), id, None).await?.ok_or_else(missing)
}

/// Learns from a line of the processor, in the transaction that books it, what became of a payout.
///
/// # Errors
/// Those of the database.
pub async fn settle_line(tx: &Tx, line: &Transaction, now: OffsetDateTime) -> Result<()> {
    let Some(id) = line.our_ref.as_deref().and_then(|text| text.parse::<PayoutId>().ok()) else { return Ok(()) };
    let recipient = match line.kind {
        TransactionKind::Transfer => PayoutRecipient::Provider,
        TransactionKind::Payout => PayoutRecipient::Operator,
        TransactionKind::PayoutFailure => return store::mark_returned(tx, id).await,
        TransactionKind::Charge | TransactionKind::Fee | TransactionKind::Other(_) => return Ok(()),
    };
    let sent = line.amount.checked_neg()?;
    // A line of another amount pays nothing: the payout stays open and reconciliation names the two.
    if let Some(row) = store::mark_paid(tx, id, recipient, sent, &line.source_ref, line.created_at).await? {
        let payload = facts(row.id, row.organization_id, row.recipient, row.amount_minor, &row.currency);
        outbox::append(tx, vec![News { topic: row.id.to_string(), kind: "payout.paid", payload }], now).await?;
    }
    Ok(())
}

/// What an amount column and a currency column say together.
pub(super) fn amount_of(row: &payout::Model) -> Result<Money> {
    Ok(Money::new(row.amount_minor, crate::settlement::currency(&row.currency)?))
}
