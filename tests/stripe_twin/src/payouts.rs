//! Automatic payouts of the platform's available balance, once a day at midnight UTC.

use serde_json::{Value, json};

use crate::{
    balance::Movement,
    balance_settings,
    error::ApiError,
    list, money,
    schedule::Task,
    store::Object,
    world::{Call, PLATFORM, SECONDS_PER_DAY, World},
};

/// From the payout until Stripe can tell what it consists of.
const RECONCILED_AFTER_SECONDS: i64 = 12 * 3_600;
/// From the payout until the bank has it.
const ARRIVES_AFTER_DAYS: i64 = 2;

/// Pays out every currency, down to its minimum balance, and plans the next day's run.
pub fn pay_out_daily(world: &mut World) {
    for (currency, funds) in world.balances.currencies(PLATFORM) {
        let minimum = balance_settings::minimum_of(world, PLATFORM, &currency);
        let amount = money::payable(funds.available.saturating_sub(minimum), &currency);
        if amount > 0 {
            pay_out(world, &currency, amount, funds.available - amount);
        }
    }
    world.schedule.plan(world.now + SECONDS_PER_DAY, Task::DailyPayouts);
}

fn pay_out(world: &mut World, currency: &str, amount: i64, rest: i64) {
    let id = world.fresh_id("po");
    let now = world.now;
    if rest > 0 {
        hold_rest(world, currency, rest, &id);
    }
    let movement = payout_movement(-amount, currency, "payout", "payout", &id, now);
    let mut taken = unpaid(world, currency);
    let transaction = world.book(&movement);
    taken.push(transaction.clone());
    if rest > 0 {
        let release = payout_movement(
            rest,
            currency,
            "payout_minimum_balance_release",
            "payout_minimum_balance_release",
            &id,
            now,
        );
        world.book(&release);
    }
    for transaction in taken {
        world.balances.paid_out_by.insert(transaction, id.clone());
    }
    let arrival_date = crate::world::next_midnight(now - 1) + ARRIVES_AFTER_DAYS * SECONDS_PER_DAY;
    world.store.add(PLATFORM, blank(&id, &transaction, amount, currency, now, arrival_date));
    world.emit("payout.created", &id);
    world.schedule.plan(now + RECONCILED_AFTER_SECONDS, Task::ReconcilePayout { payout: id.clone() });
    match world.next_payout_failure.take() {
        Some(code) => {
            let _refused = fail(world, &id, &code);
        }
        None => world.schedule.plan(arrival_date, Task::PayPayout { payout: id }),
    }
}

/// Keeps the minimum balance, and fractions of HUF and TWD, for the next payout, so that a payout's transactions add up.
fn hold_rest(world: &mut World, currency: &str, rest: i64, payout: &str) {
    let now = world.now;
    let kind = "payout_minimum_balance_hold";
    world.book(&payout_movement(-rest, currency, kind, kind, payout, now));
}

/// Pays out everything a connected account has, pending money included, so that nothing can be reversed from it.
pub fn drain(world: &mut World, account: &str) {
    let now = world.now;
    for (currency, funds) in world.balances.currencies(account) {
        let amount = funds.available + funds.pending;
        if amount <= 0 {
            continue;
        }
        let id = world.fresh_id("po");
        let movement = Movement { account, ..payout_movement(-amount, &currency, "payout", "payout", &id, now) };
        let transaction = world.book(&movement);
        let mut payout = blank(&id, &transaction, amount, &currency, now, now);
        payout.set("automatic", false);
        payout.set("reconciliation_status", "not_applicable");
        payout.set("status", "paid");
        world.store.add(account, payout);
        world.emit("payout.created", &id);
        world.emit("payout.paid", &id);
    }
}

fn payout_movement<'a>(
    amount: i64,
    currency: &'a str,
    kind: &'a str,
    category: &'a str,
    source: &'a str,
    now: i64,
) -> Movement<'a> {
    Movement {
        account: PLATFORM,
        kind,
        category,
        amount,
        fee: 0,
        currency,
        available_on: now,
        source,
        description: Some("STRIPE PAYOUT"),
        exchange_rate: Value::Null,
    }
}

/// The available transactions of a currency that no payout took yet, oldest first.
fn unpaid(world: &World, currency: &str) -> Vec<String> {
    let transactions = world.store.newest_first(PLATFORM, "balance_transaction");
    let open = transactions.filter(|transaction| {
        transaction.text("currency") == currency
            && transaction.text("status") == "available"
            && !world.balances.paid_out_by.contains_key(transaction.id())
    });
    let mut ids: Vec<String> = open.map(|transaction| transaction.id().to_owned()).collect();
    ids.reverse();
    ids
}

fn blank(id: &str, transaction: &str, amount: i64, currency: &str, now: i64, arrival_date: i64) -> Object {
    Object::from(json!({
        "id": id,
        "object": "payout",
        "amount": amount,
        "application_fee": null,
        "application_fee_amount": null,
        "arrival_date": arrival_date,
        "automatic": true,
        "balance_transaction": transaction,
        "created": now,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": "ba_1TwinBankAccount0000",
        "failure_balance_transaction": null,
        "failure_code": null,
        "failure_message": null,
        "livemode": false,
        "metadata": {},
        "method": "standard",
        "original_payout": null,
        "payout_method": null,
        "reconciliation_status": "in_progress",
        "reversed_by": null,
        "source_type": "card",
        "statement_descriptor": null,
        "status": "in_transit",
        "trace_id": { "status": "pending", "value": null },
        "type": "bank_account",
    }))
}

/// Stripe knows now which transactions a payout consists of.
pub fn complete_reconciliation(world: &mut World, id: &str) {
    world.store.edit(id, |payout| payout.set("reconciliation_status", "completed"));
    world.emit("payout.reconciliation_completed", id);
}

/// The bank has the money, and its reference is known.
pub fn arrive(world: &mut World, id: &str) {
    if world.store.any(id).is_none_or(|payout| payout.text("status") != "in_transit") {
        return;
    }
    let trace = format!("TWIN{}", id.chars().rev().take(12).collect::<String>().to_ascii_uppercase());
    world.store.edit(id, |payout| {
        payout.set("status", "paid");
        payout.set("trace_id", json!({ "status": "supported", "value": trace }));
    });
    world.emit("payout.updated", id);
    world.emit("payout.paid", id);
}

/// The bank refused a payout: the money is back in the available balance.
///
/// # Errors
/// It does not exist or has failed before.
pub fn fail(world: &mut World, id: &str, code: &str) -> Result<(), ApiError> {
    let payout = world.store.find(PLATFORM, "payout", id)?;
    if payout.text("status") == "failed" {
        return Err(ApiError::refused("", format!("Payout {id} has failed before.")));
    }
    let now = world.now;
    let amount = payout.integer("amount");
    let movement = payout_movement(amount, payout.text("currency"), "payout_failure", "payout_reversal", id, now);
    let transaction = world.book(&movement);
    world.store.edit(id, |payout| {
        payout.set("status", "failed");
        payout.set("failure_balance_transaction", transaction);
        payout.set("failure_code", code);
        payout.set("failure_message", "The bank account could not be located.");
        payout.set("trace_id", json!({ "status": "unsupported", "value": null }));
    });
    world.emit("payout.failed", id);
    Ok(())
}

/// `GET /v1/payouts/{id}`
pub fn retrieve(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(world.store.find(&call.account, "payout", id)?.value())
}

/// `GET /v1/payouts`
pub fn list(world: &World, call: &Call) -> Result<Value, ApiError> {
    const ARRIVAL: &[&str] = &["arrival_date.gt", "arrival_date.gte", "arrival_date.lt", "arrival_date.lte"];
    let params = &call.params;
    params.allow(&[list::PAGE, list::CREATED, ARRIVAL, &["status", "destination"]].concat())?;
    let from =
        params.integer("arrival_date.gt")?.map(|at| at.saturating_add(1)).max(params.integer("arrival_date.gte")?);
    let until = params.integer("arrival_date.lt")?.unwrap_or(i64::MAX);
    let to = params.integer("arrival_date.lte")?.unwrap_or(i64::MAX);
    list::page(world, call, "payout", "/v1/payouts", |payout| {
        let arrival = payout.integer("arrival_date");
        let fits = |name: &str| params.text(name).is_none_or(|text| payout.text(name) == text);
        fits("status")
            && fits("destination")
            && from.is_none_or(|from| arrival >= from)
            && arrival < until
            && arrival <= to
    })
}
