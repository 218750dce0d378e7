//! Charges: what was taken, and the balance transaction that brought it.

use serde_json::{Value, json};

use crate::{
    captures, disputes,
    error::ApiError,
    list, money,
    payment_methods::{self, Behaviour},
    store::Object,
    world::{Call, World},
};

/// How an attempt to pay ended.
#[derive(Debug)]
pub enum Attempt {
    /// The payment intent as it became.
    Paid(Object),
    Declined(ApiError),
}

/// Issuer texts by decline code: error code and message.
fn decline_text(decline_code: &str) -> (&'static str, &'static str) {
    match decline_code {
        "insufficient_funds" => ("card_declined", "Your card has insufficient funds."),
        "expired_card" => ("expired_card", "Your card has expired."),
        "processing_error" => {
            ("processing_error", "An error occurred while processing your card. Try again in a little bit.")
        }
        "authentication_required" => {
            ("authentication_required", "Your card was declined. This transaction requires authentication.")
        }
        "authentication_failed" => (
            "payment_intent_authentication_failure",
            "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
        ),
        _ => ("card_declined", "Your card was declined."),
    }
}

/// Charges the payment method that is on a payment intent.
pub fn attempt(world: &mut World, intent_id: &str, behaviour: Behaviour) -> Attempt {
    let intent = world.store.any(intent_id).cloned().unwrap_or_default();
    let account = world.store.owner(intent_id).unwrap_or_default().to_owned();
    let method = world.store.any(intent.text("payment_method")).cloned().unwrap_or_default();
    let mut charge = blank(world, &intent, &method);
    let charge_id = charge.id().to_owned();
    if let Behaviour::Decline(decline_code) = behaviour {
        let error = fail(world, &account, charge, decline_code);
        return Attempt::Declined(decline_intent(world, &intent, &method, error));
    }
    let amount = intent.integer("amount");
    let captured = intent.text("capture_method") != "manual";
    charge.set("paid", true);
    charge.set("status", "succeeded");
    charge.set("outcome", accepted());
    world.store.add(&account, charge);
    match (intent.text("capture_method"), world.settings.capture_delay_seconds) {
        ("manual", _) => {}
        ("automatic_async", delay @ 1..) => captures::capture_later(world, &charge_id, amount, delay),
        _ => captures::capture_amount(world, &charge_id, amount),
    }
    let intent = world.store.edit(intent_id, |intent| {
        intent.set("latest_charge", charge_id.clone());
        intent.set("last_payment_error", Value::Null);
        intent.set("next_action", Value::Null);
        intent.set(if captured { "amount_received" } else { "amount_capturable" }, amount);
        intent.set("status", if captured { "succeeded" } else { "requires_capture" });
    });
    if let (Some(customer), Some(_)) = (intent.optional("customer"), intent.optional("setup_future_usage")) {
        payment_methods::keep(world, method.id(), customer);
    }
    world.emit("charge.succeeded", &charge_id);
    world.emit(
        if captured { "payment_intent.succeeded" } else { "payment_intent.amount_capturable_updated" },
        intent_id,
    );
    if behaviour == Behaviour::Dispute {
        disputes::open(world, &charge_id, amount, "fraudulent");
    }
    Attempt::Paid(intent)
}

fn fail(world: &mut World, account: &str, mut charge: Object, decline_code: &'static str) -> ApiError {
    let (code, message) = decline_text(decline_code);
    let id = charge.id().to_owned();
    charge.set("status", "failed");
    charge.set("failure_code", code);
    charge.set("failure_message", message);
    charge.set("captured", false);
    charge.set("receipt_url", Value::Null);
    charge.set(
        "outcome",
        json!({
            "advice_code": null, "network_advice_code": null, "network_decline_code": null,
            "network_status": "declined_by_network", "reason": decline_code, "risk_level": "normal", "risk_score": 12,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        }),
    );
    world.store.add(account, charge);
    world.emit("charge.failed", &id);
    // Where the code says it all, Stripe gives no decline code next to it.
    let says_all = matches!(decline_code, "authentication_failed" | "expired_card" | "processing_error");
    let error =
        ApiError::card(code, Some(decline_code).filter(|_| !says_all), message).with_detail("charge", json!(id));
    if code == "expired_card" { error.with_param("exp_month") } else { error }
}

/// Leaves the decline on the payment intent and the payment intent in the error.
fn decline_intent(world: &mut World, intent: &Object, method: &Object, error: ApiError) -> ApiError {
    let error = error.with_detail("payment_method", method.value());
    let changed = world.store.edit(intent.id(), |intent| {
        intent.set("status", "requires_payment_method");
        intent.set("payment_method", Value::Null);
        intent.set("next_action", Value::Null);
        intent.set("latest_charge", error.details.get("charge").cloned().unwrap_or_default());
        intent.set("last_payment_error", Value::Object(error.members()));
    });
    world.emit("payment_intent.payment_failed", intent.id());
    error.with_detail("payment_intent", changed.value())
}

fn accepted() -> Value {
    json!({
        "advice_code": null, "network_advice_code": null, "network_decline_code": null,
        "network_status": "approved_by_network", "reason": null, "risk_level": "normal", "risk_score": 12,
        "seller_message": "Payment complete.", "type": "authorized",
    })
}

/// A charge of a payment intent (or of anything with its fields) before it is known how it ends.
fn blank(world: &mut World, intent: &Object, method: &Object) -> Object {
    let by_transfer = method.text("type") == "customer_balance";
    let id = world.fresh_id(if by_transfer { "py" } else { "ch" });
    Object::from(json!({
        "id": id,
        "object": "charge",
        "amount": intent.integer("amount"),
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": null,
        "application_fee": null,
        "application_fee_amount": null,
        "balance_transaction": null,
        "billing_details": { "address": null, "email": null, "name": null, "phone": null, "tax_id": null },
        "calculated_statement_descriptor": if by_transfer { Value::Null } else { json!("TWIN") },
        "captured": false,
        "created": world.now,
        "currency": intent.text("currency"),
        "customer": intent.get("customer"),
        "description": intent.get("description"),
        "disputed": false,
        "failure_balance_transaction": null,
        "failure_code": null,
        "failure_message": null,
        "fraud_details": {},
        "livemode": false,
        "metadata": intent.get("metadata"),
        "on_behalf_of": intent.get("on_behalf_of"),
        "outcome": null,
        "paid": false,
        "payment_intent": intent.optional("id"),
        "payment_method": method.optional("id"),
        "payment_method_details": payment_method_details(method, intent.integer("amount")),
        "receipt_email": intent.get("receipt_email"),
        "receipt_number": null,
        "receipt_url": format!("{}/_hosted/receipt/{id}", world.settings.base_url),
        "refunded": false,
        "review": null,
        "shipping": null,
        "source": null,
        "source_transfer": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": intent.get("statement_descriptor_suffix"),
        "status": "pending",
        "transfer_data": null,
        "transfer_group": intent.get("transfer_group"),
    }))
}

fn payment_method_details(method: &Object, amount: i64) -> Value {
    if method.text("type") == "customer_balance" {
        return json!({ "customer_balance": {}, "type": "customer_balance" });
    }
    let card = method.get("card");
    json!({
        "card": {
            "amount_authorized": amount,
            "authorization_code": "123456",
            "brand": card["brand"],
            "checks": {
                "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass",
            },
            "country": card["country"],
            "electronic_commerce_indicator": null,
            "exp_month": card["exp_month"],
            "exp_year": card["exp_year"],
            "extended_authorization": { "status": "disabled" },
            "fingerprint": card["fingerprint"],
            "funding": card["funding"],
            "incremental_authorization": { "status": "unavailable" },
            "installments": null,
            "last4": card["last4"],
            "mandate": null,
            "multicapture": { "status": "unavailable" },
            "network": card["brand"],
            "network_token": { "used": false },
            "network_transaction_id": "123456789012345",
            "overcapture": { "maximum_amount_capturable": amount, "status": "unavailable" },
            "regulated_status": "unregulated",
            "three_d_secure": null,
            "transaction_link_id": null,
            "wallet": null,
        },
        "type": "card",
    })
}

/// `POST /v1/charges`, as integrations made them before payment intents.
pub fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[
        "amount",
        "currency",
        "source",
        "capture",
        "description",
        "metadata.*",
        "transfer_group",
        "customer",
    ])?;
    let amount = params.required_integer("amount")?;
    let code = params.required("currency")?;
    money::check_size(amount)?;
    let currency = money::currency(code)?;
    money::check_charge(amount, &currency)?;
    let capture = params.flag("capture")?.unwrap_or(true);
    let metadata = params.metadata()?;
    let token = params.required("source")?;
    let method = payment_methods::resolve(world, &call.account, token)
        .map_err(|_| ApiError::missing("token", token).with_param("source"))?;
    let order = Object::from(json!({
        "amount": amount, "currency": currency, "description": params.text("description"), "metadata": metadata,
        "transfer_group": params.text("transfer_group"), "customer": params.text("customer"),
    }));
    let mut charge = blank(world, &order, &method);
    if let Behaviour::Decline(decline_code) = payment_methods::behaviour(world, method.id()) {
        return Err(fail(world, &call.account, charge, decline_code));
    }
    charge.set("paid", true);
    charge.set("status", "succeeded");
    charge.set("outcome", accepted());
    let id = charge.id().to_owned();
    world.store.add(&call.account, charge);
    if capture {
        captures::capture_amount(world, &id, amount);
    }
    world.emit("charge.succeeded", &id);
    if payment_methods::behaviour(world, method.id()) == Behaviour::Dispute {
        disputes::open(world, &id, amount, "fraudulent");
    }
    retrieve_any(world, &id)
}

fn retrieve_any(world: &World, id: &str) -> Result<Value, ApiError> {
    world.store.any(id).map(Object::value).ok_or_else(|| ApiError::missing("charge", id))
}

/// `GET /v1/charges/{id}`
pub fn retrieve(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(world.store.find(&call.account, "charge", id)?.value())
}

/// `POST /v1/charges/{id}`
pub fn update(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&["metadata.*", "description"])?;
    let charge = world.store.find(&call.account, "charge", id)?;
    world.update_metadata(call, &charge)?;
    let charge = world.store.edit(id, |charge| {
        if let Some(text) = call.params.text("description") {
            charge.set("description", text);
        }
    });
    world.emit("charge.updated", id);
    Ok(charge.value())
}

/// `GET /v1/charges`
pub fn list(world: &World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[list::PAGE, list::CREATED, &["payment_intent", "customer", "transfer_group"]].concat())?;
    list::page(world, call, "charge", "/v1/charges", |charge| {
        ["payment_intent", "customer", "transfer_group"]
            .iter()
            .all(|field| params.text(field).is_none_or(|text| charge.text(field) == text))
    })
}

/// Adds the payment that a transfer makes in the connected account and returns its id.
pub fn add_destination_payment(world: &mut World, account: &str, transfer: &Object) -> String {
    let order = Object::from(json!({
        "amount": transfer.integer("amount"), "currency": transfer.text("currency"), "metadata": {},
        "transfer_group": null,
    }));
    let mut payment = blank(world, &order, &Object::from(json!({ "type": "customer_balance" })));
    payment.set("payment_method_details", json!({ "stripe_account": {}, "type": "stripe_account" }));
    payment.set("amount_captured", transfer.integer("amount"));
    payment.set("captured", true);
    payment.set("paid", true);
    payment.set("status", "succeeded");
    payment.set("source_transfer", transfer.id());
    payment.set("outcome", accepted());
    let id = payment.id().to_owned();
    world.store.add(account, payment);
    id
}
