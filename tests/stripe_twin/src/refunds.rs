//! Refunds: never more than was captured, in any number of parts.

use serde_json::{Value, json};

use crate::{
    balance::Movement,
    captures,
    error::ApiError,
    list, money,
    payment_methods::{self, Behaviour},
    schedule::Task,
    store::Object,
    world::{Call, PLATFORM, SECONDS_PER_DAY, World},
};

/// `POST /v1/refunds`
pub fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&["charge", "payment_intent", "amount", "reason", "metadata.*"])?;
    let metadata = params.metadata()?;
    let reason = params.choice("reason", &["duplicate", "fraudulent", "requested_by_customer"])?.map(str::to_owned);
    let asked = params.integer("amount")?;
    if let Some(amount) = asked {
        money::check_size(amount)?;
    }
    let charge = charge_of(world, call)?;
    let amount = refundable(&charge, asked)?;
    let refund = add(world, &call.account, &charge, amount, reason.as_deref(), &metadata);
    Ok(refund.value())
}

fn charge_of(world: &World, call: &Call) -> Result<Object, ApiError> {
    let params = &call.params;
    if let Some(id) = params.text("charge") {
        return world.store.find(&call.account, "charge", id);
    }
    let Some(id) = params.text("payment_intent") else {
        let message = "One of the following params should be provided for this request: payment_intent or charge.";
        return Err(ApiError::invalid("parameter_missing", "", message));
    };
    let intent = world.store.find(&call.account, "payment_intent", id)?;
    let charge = world.store.any(intent.text("latest_charge")).filter(|charge| charge.flag("paid"));
    charge.cloned().ok_or_else(|| {
        let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
        ApiError::refused("payment_intent_unexpected_state", message)
    })
}

/// The amount to refund: what is asked for, or all that is left.
fn refundable(charge: &Object, asked: Option<i64>) -> Result<i64, ApiError> {
    let id = charge.id();
    if charge.flag("refunded") {
        return Err(ApiError::refused("charge_already_refunded", format!("Charge {id} has already been refunded.")));
    }
    if charge.flag("disputed") {
        let message = format!("Charge {id} has been charged back; cannot issue a refund.");
        return Err(ApiError::refused("charge_disputed", message));
    }
    if charge.text("status") != "succeeded" {
        return Err(ApiError::refused("", format!("Charge {id} did not succeed and can't be refunded.")));
    }
    if !charge.flag("captured") {
        let whole = charge.integer("amount");
        return match asked {
            Some(amount) if amount != whole => {
                Err(ApiError::refused("", "You cannot partially refund an uncaptured charge. Instead, capture the charge for an amount less than the original amount.").with_param("amount"))
            }
            _ => Ok(whole),
        };
    }
    let left = charge.integer("amount") - charge.integer("amount_refunded");
    let amount = asked.unwrap_or(left);
    if amount > left {
        let message = format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).");
        return Err(ApiError::refused("", message).with_param("amount"));
    }
    Ok(amount)
}

fn add(
    world: &mut World,
    account: &str,
    charge: &Object,
    amount: i64,
    reason: Option<&str>,
    metadata: &Value,
) -> Object {
    captures::finish_capture(world, charge.id());
    let charge = &world.store.any(charge.id()).cloned().unwrap_or_default();
    let id = world.fresh_id("re");
    let transaction = charge.flag("captured").then(|| {
        let (settled, currency, exchange_rate) = world.settled(amount, charge.text("currency"));
        world.book(&Movement {
            account,
            kind: if charge.id().starts_with("py") { "payment_refund" } else { "refund" },
            category: "refund",
            amount: -settled,
            fee: 0,
            currency: &currency,
            available_on: world.available_with(charge.text("balance_transaction")),
            source: &id,
            description: Some("REFUND FOR CHARGE"),
            exchange_rate,
        })
    });
    let refund = Object::from(json!({
        "id": id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": transaction,
        "charge": charge.id(),
        "created": world.now,
        "currency": charge.text("currency"),
        "customer": charge.get("customer"),
        "customer_account": null,
        "destination_details": destination_details(charge),
        "metadata": metadata,
        "payment_intent": charge.get("payment_intent"),
        "payment_method": charge.get("payment_method"),
        "reason": reason,
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": "succeeded",
        "transfer_reversal": null,
    }));
    world.store.add(account, refund.clone());
    world.store.edit(charge.id(), |charge| {
        let refunded = charge.integer("amount_refunded") + amount;
        charge.set("amount_refunded", refunded);
        charge.set("refunded", refunded == charge.integer("amount"));
    });
    world.emit("refund.created", &id);
    world.emit("charge.refunded", charge.id());
    if payment_methods::behaviour(world, charge.text("payment_method")) == Behaviour::RefuseRefund {
        world.schedule.plan(world.now + SECONDS_PER_DAY, Task::FailRefund { refund: id });
    }
    refund
}

fn destination_details(charge: &Object) -> Value {
    if charge.get("payment_method_details")["type"] == "card" {
        return json!({
            "card": { "reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund" },
            "type": "card",
        });
    }
    json!({ "customer_cash_balance": {}, "type": "customer_cash_balance" })
}

/// Fails a refund: the money comes back to the balance and can be refunded again.
pub fn fail(world: &mut World, id: &str, reason: &str) {
    let Some(refund) = world.store.any(id).filter(|refund| refund.text("status") != "failed").cloned() else { return };
    let account = world.store.owner(id).unwrap_or(PLATFORM).to_owned();
    let amount = refund.integer("amount");
    let (settled, currency, exchange_rate) = world.settled(amount, refund.text("currency"));
    let transaction = world.book(&Movement {
        account: &account,
        kind: "refund_failure",
        category: "refund_failure",
        amount: settled,
        fee: 0,
        currency: &currency,
        available_on: world.now,
        source: id,
        description: Some("REFUND FAILURE"),
        exchange_rate,
    });
    world.store.edit(id, |refund| {
        refund.set("status", "failed");
        refund.set("failure_reason", reason);
        refund.set("failure_balance_transaction", transaction);
    });
    world.store.edit(refund.text("charge"), |charge| {
        charge.set("amount_refunded", charge.integer("amount_refunded") - amount);
        charge.set("refunded", false);
    });
    world.emit("refund.failed", id);
    world.emit("refund.updated", id);
}

/// `GET /v1/refunds/{id}`
pub fn retrieve(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(world.store.find(&call.account, "refund", id)?.value())
}

/// `POST /v1/refunds/{id}`
pub fn update(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&["metadata.*"])?;
    let refund = world.store.find(&call.account, "refund", id)?;
    let refund = world.update_metadata(call, &refund)?;
    world.emit("refund.updated", id);
    Ok(refund.value())
}

/// `GET /v1/refunds`
pub fn list(world: &World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[list::PAGE, list::CREATED, &["charge", "payment_intent"]].concat())?;
    list::page(world, call, "refund", "/v1/refunds", |refund| {
        ["charge", "payment_intent"]
            .iter()
            .all(|field| params.text(field).is_none_or(|text| refund.text(field) == text))
    })
}

/// The refunds of a charge as the list inside it.
pub fn sub_list(world: &World, charge: &str) -> Value {
    let owner = world.store.owner(charge).unwrap_or_default();
    let refunds = world.store.newest_first(owner, "refund").filter(|refund| refund.text("charge") == charge);
    let data: Vec<Value> = refunds.take(10).map(Object::value).collect();
    json!({ "object": "list", "data": data, "has_more": false, "url": format!("/v1/charges/{charge}/refunds") })
}
