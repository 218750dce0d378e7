//! Deciding payouts, and learning from the processor's lines that they were paid.

use entity::{
    ids::{OrgId, PayoutId, PayoutRunId},
    payout,
    states::PayoutRecipient,
};
use serde::Serialize;
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
    people::{audit, payout_accounts},
    ports::payments::{Transaction, TransactionKind},
    settlement::receivables::netting,
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
    /// Providers that are due something and are left out; nothing when the run is a repetition.
    pub skipped: Vec<Skipped>,
}

/// A provider that a run left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SkippedPayoutView, example = json!({
    "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "reason": "The processor still asks for: individual.id_number."
}))]
pub struct Skipped {
    /// The provider.
    pub organization_id: OrgId,
    /// Why.
    pub reason: String,
}

/// Decides who is paid, books it, then hands each payout to the processor.
///
/// Repeating it with the same key decides nothing new. What the processor does not take now, the sweep
/// [`super::submit_payouts`] hands over later.
///
/// # Errors
/// `Invalid` for a minimum out of range, and for the operator alone where the processor pays it out by itself;
/// `IdempotencyKeyReused`, those of the database.
pub async fn run_payouts(app: &AppState, actor: &Actor, key: IdempotencyKey, input: RunInput) -> Result<Run> {
    input.check()?;
    let input = model::payable_here(input, app.payments.features().automatic_payouts)?;
    let now = app.clock.now();
    let currency = input.currency;
    let accounts = [Account::ProcessorAvailable, Account::ClearingTransfer].map(|account| (account, currency));
    ledger::open_accounts(app, &accounts).await?;
    let plan = plan(app, input).await?;
    let (actor, skipped) = (actor.clone(), plan.skipped.clone());
    let (run, fresh) = app
        .db
        .write("settlement.run_payouts", move |tx| {
            let (actor, key, plan) = (actor.clone(), key.clone(), plan.clone());
            async move {
                let run = PayoutRunId::at(now);
                if let Claim::Replay(earlier) = claim(&tx, &key, &run.to_string(), now).await? {
                    return Ok(((earlier.parse().map_err(Error::internal)?, false), tx));
                }
                ledger::lock_currency(&tx, currency).await?;
                let decided = decide(&tx, run, actor.org_id(), input, &plan, now).await?;
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
    let skipped = if fresh { skipped } else { Vec::new() };
    Ok(Run { id: run, payouts: store::of_run(app.db.read(), run).await?, skipped })
}

/// What a run has to know of the processor before it decides.
#[derive(Debug, Clone, Default)]
struct Plan {
    /// A payout carries one order, out of the charge that paid it.
    per_charge: bool,
    skipped: Vec<Skipped>,
}

/// Asks, outside of the transaction, which providers the processor would not pay.
async fn plan(app: &AppState, input: RunInput) -> Result<Plan> {
    let features = app.payments.features();
    let mut plan = Plan { per_charge: features.transfers_per_charge, skipped: Vec::new() };
    if !features.checks_providers || !input.recipients.providers() {
        return Ok(plan);
    }
    let balances = ledger::balances(app.db.read(), None).await?;
    for organization_id in payable_to(&balances, input.currency) {
        let reason = match payout_accounts::asked(app, organization_id).await? {
            None => Some("It has no account at the processor yet.".to_owned()),
            Some(status) => payout_accounts::refusal(&status),
        };
        plan.skipped.extend(reason.map(|reason| Skipped { organization_id, reason }));
    }
    Ok(plan)
}

async fn decide(
    tx: &Tx,
    run: PayoutRunId,
    operator: OrgId,
    input: RunInput,
    plan: &Plan,
    now: OffsetDateTime,
) -> Result<Vec<NewPayout>> {
    let (currency, minimum_minor) = (input.currency, input.minimum_minor);
    let mut decided = Vec::new();
    if input.recipients.providers() {
        let balances = ledger::balances(tx.conn(), None).await?;
        for organization in payable_to(&balances, currency) {
            let account = Account::ProviderPayable(organization);
            let mut payable = ledger::order_balances(tx.conn(), &account, currency, ORDERS_PER_PAYOUT_MAX).await?;
            let contested = store::contested(tx, &payable).await?;
            netting::without(&mut payable, &contested);
            netting::net(tx, run, organization, currency, &mut payable, now).await?;
            let skipped = plan.skipped.iter().any(|skipped| skipped.organization_id == organization);
            if let Some(due) = model::due(organization, payable, currency, minimum_minor)?.filter(|_| !skipped) {
                decided.extend(decide_provider(tx, run, due, plan.per_charge, now).await?);
            }
        }
    }
    // What was set off changed what is owed.
    let balances = ledger::balances(tx.conn(), None).await?;
    if input.recipients.operator() {
        // The provider payouts just decided only move what is owed from payable to clearing: the sum stays.
        let unbooked_minor = store::unbooked_operator_minor(tx, currency).await?;
        let amount = model::operator_share(&balances, unbooked_minor, currency)?;
        if amount.minor >= minimum_minor {
            let id = PayoutId::at(now);
            let (recipient, organization) = (PayoutRecipient::Operator, operator);
            let new = NewPayout { id, run, recipient, organization, amount, source_ref: None };
            store::insert(tx, new.clone(), now).await?;
            decided.push(new);
        }
    }
    Ok(decided)
}

/// Providers that are due something.
fn payable_to(balances: &[AccountBalance], currency: Currency) -> Vec<OrgId> {
    balances
        .iter()
        .filter(|row| row.balance.currency == currency && row.balance.minor < 0)
        .filter_map(|row| row.organization_id.filter(|org| row.code == Account::ProviderPayable(*org).code()))
        .take(PROVIDERS_PER_RUN_MAX)
        .collect()
}

/// Decides what a provider gets: one payout, or one for each order where the processor moves shares
/// charge by charge.
async fn decide_provider(
    tx: &Tx,
    run: PayoutRunId,
    due: Due,
    per_charge: bool,
    now: OffsetDateTime,
) -> Result<Vec<NewPayout>> {
    let dues = if per_charge { due.by_order() } else { vec![due] };
    let mut decided = Vec::with_capacity(dues.len());
    for due in dues {
        let id = PayoutId::at(now);
        let source_ref = match due.orders.as_slice() {
            [(order, _)] if per_charge => store::charge_of(tx, *order).await?,
            _ => None,
        };
        let (recipient, organization, amount) = (PayoutRecipient::Provider, due.organization, due.total);
        let new = NewPayout { id, run, recipient, organization, amount, source_ref };
        store::insert(tx, new.clone(), now).await?;
        store::insert_items(tx, id, &due).await?;
        ledger::post(tx, vec![model::decision(id, &due, now)], now).await?;
        decided.push(new);
    }
    Ok(decided)
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
        _ => return Ok(()),
    };
    let sent = line.amount.checked_neg()?;
    // A line of another amount pays nothing: the payout stays open and reconciliation names the two.
    match store::mark_paid(tx, id, recipient, sent, &line.source_ref, line.created_at).await? {
        Some(row) => announce_paid(tx, &row, now).await,
        None => Ok(()),
    }
}

/// Tells that a payout has left.
pub(super) async fn announce_paid(tx: &Tx, row: &payout::Model, now: OffsetDateTime) -> Result<()> {
    let payload = facts(row.id, row.organization_id, row.recipient, row.amount_minor, &row.currency);
    outbox::append(tx, vec![News { topic: row.id.to_string(), kind: "payout.paid", payload }], now).await
}

/// What an amount column and a currency column say together.
pub(super) fn amount_of(row: &payout::Model) -> Result<Money> {
    Ok(Money::new(row.amount_minor, crate::settlement::currency(&row.currency)?))
}
