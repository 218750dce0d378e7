//! Captures: when an authorized charge becomes money, and what happens to the rest.

use serde_json::Value;

use crate::{
    balance::Movement,
    error::ApiError,
    money,
    payment_methods::{self, Behaviour},
    schedule::Task,
    store::Object,
    world::{Call, SECONDS_PER_DAY, World},
};

/// Captures a part of an authorized charge and books the money with its fee. The rest is released.
pub fn capture_amount(world: &mut World, id: &str, amount: i64) {
    mark_captured(world, id, amount);
    book(world, id);
}

/// Captures a whole charge in the background: it counts as captured, but its balance transaction follows later with
/// `charge.updated`. Source: Stripe's page on asynchronous capture.
pub fn capture_later(world: &mut World, id: &str, amount: i64, delay_seconds: i64) {
    mark_captured(world, id, amount);
    world.schedule.plan(world.now + delay_seconds, Task::FinishCapture { charge: id.to_owned() });
}

fn mark_captured(world: &mut World, id: &str, amount: i64) {
    world.store.edit(id, |charge| {
        charge.set("captured", true);
        charge.set("amount_captured", amount);
        // What was authorized but is not captured counts as refunded.
        charge.set("amount_refunded", charge.integer("amount") - amount);
    });
}

/// Books a charge that was captured in the background. Whatever needs its money before it is due finishes it as well:
/// a transfer, a refund, a dispute.
pub fn finish_capture(world: &mut World, id: &str) {
    if world.store.any(id).is_some_and(|charge| charge.flag("captured") && charge.get("balance_transaction").is_null())
    {
        book(world, id);
        world.emit("charge.updated", id);
    }
}

fn book(world: &mut World, id: &str) {
    let charge = world.store.any(id).cloned().unwrap_or_default();
    let account = world.store.owner(id).unwrap_or_default().to_owned();
    let (settled, currency, exchange_rate) = world.settled(charge.integer("amount_captured"), charge.text("currency"));
    let instant = payment_methods::behaviour(world, charge.text("payment_method")) == Behaviour::Instant;
    let days = if instant { 0 } else { world.settings.settlement_days };
    let transaction = world.book(&Movement {
        account: &account,
        kind: if id.starts_with("py") { "payment" } else { "charge" },
        category: "charge",
        amount: settled,
        fee: world.settings.fees.on(settled),
        currency: &currency,
        available_on: world.now + days * SECONDS_PER_DAY,
        source: id,
        description: charge.optional("description"),
        exchange_rate,
    });
    world.store.edit(id, |charge| charge.set("balance_transaction", transaction));
}

/// Lets go of an authorized charge that was never captured.
pub fn release(world: &mut World, id: &str) {
    world.store.edit(id, |charge| {
        charge.set("amount_refunded", charge.integer("amount"));
        charge.set("refunded", true);
    });
    world.emit("charge.refunded", id);
}

/// `POST /v1/charges/{id}/capture`
pub fn capture(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&["amount"])?;
    let found = world.store.find(&call.account, "charge", id);
    let charge = found.map_err(|error| error.with_param("charge"))?;
    if charge.optional("payment_intent").is_some() {
        let message = "This charge belongs to a PaymentIntent: capture that instead.";
        return Err(ApiError::refused("", message));
    }
    if charge.flag("captured") {
        return Err(ApiError::refused("charge_already_captured", format!("Charge {id} has already been captured.")));
    }
    if charge.flag("refunded") {
        return Err(ApiError::refused("charge_already_refunded", format!("Charge {id} has already been refunded.")));
    }
    let amount = call.params.integer("amount")?.unwrap_or(charge.integer("amount"));
    money::check_charge(amount, charge.text("currency"))?;
    if amount > charge.integer("amount") {
        let message = "You cannot capture a charge for an amount greater than it already has.";
        return Err(ApiError::refused("", message).with_param("amount"));
    }
    capture_amount(world, id, amount);
    world.emit("charge.captured", id);
    Ok(world.store.any(id).map(Object::value).unwrap_or_default())
}
