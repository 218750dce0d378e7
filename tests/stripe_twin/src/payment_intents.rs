//! Payment intents: what is asked for. How they are paid is in `confirmation`.

use serde_json::{Value, json};

use crate::{
    captures, confirmation,
    error::ApiError,
    list, money,
    store::Object,
    world::{Call, World},
};

const CREATE_PARAMS: &[&str] = &[
    "amount",
    "currency",
    "customer",
    "description",
    "metadata.*",
    "receipt_email",
    "transfer_group",
    "on_behalf_of",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "capture_method",
    "confirmation_method",
    "confirm",
    "setup_future_usage",
    "allowed_payment_method_types.#",
    "automatic_payment_methods.enabled",
    "automatic_payment_methods.allow_redirects",
];

const UPDATE_PARAMS: &[&str] =
    &["amount", "description", "metadata.*", "receipt_email", "transfer_group", "customer", "payment_method"];

/// What a new payment intent is made of.
#[derive(Debug)]
pub struct Draft<'a> {
    pub amount: i64,
    pub currency: String,
    pub customer: Option<&'a str>,
    pub description: Option<&'a str>,
    pub metadata: Value,
    pub receipt_email: Option<&'a str>,
    pub transfer_group: Option<&'a str>,
    pub on_behalf_of: Option<&'a str>,
    pub statement_descriptor_suffix: Option<&'a str>,
    pub capture_method: &'a str,
    pub confirmation_method: &'a str,
    pub setup_future_usage: Option<&'a str>,
    /// Empty: chosen automatically.
    pub method_types: Vec<String>,
    pub allow_redirects: &'a str,
}

/// Adds a payment intent that waits for a payment method and announces it.
pub fn add(world: &mut World, account: &str, draft: &Draft<'_>) -> Object {
    let id = world.fresh_id("pi");
    let secret = world.fresh_id(&format!("{id}_secret"));
    let automatic = draft.method_types.is_empty();
    let types =
        if automatic { vec!["card".to_owned(), "customer_balance".to_owned()] } else { draft.method_types.clone() };
    let automatic = automatic.then(|| json!({ "allow_redirects": draft.allow_redirects, "enabled": true }));
    let intent = Object::from(json!({
        "id": id,
        "object": "payment_intent",
        "allowed_payment_method_types": if automatic.is_some() { Value::Null } else { json!(types) },
        "amount": draft.amount,
        "amount_capturable": 0,
        "amount_details": { "tip": {} },
        "amount_received": 0,
        "application": null,
        "application_fee_amount": null,
        "automatic_payment_methods": automatic,
        "canceled_at": null,
        "cancellation_reason": null,
        "capture_method": draft.capture_method,
        "client_secret": secret,
        "confirmation_method": draft.confirmation_method,
        "created": world.now,
        "currency": draft.currency,
        "customer": draft.customer,
        "customer_account": null,
        "description": draft.description,
        "excluded_payment_method_types": null,
        "last_payment_error": null,
        "latest_charge": null,
        "livemode": false,
        "managed_payments": null,
        "metadata": draft.metadata,
        "next_action": null,
        "on_behalf_of": draft.on_behalf_of,
        "payment_method": null,
        "payment_method_configuration_details": null,
        "payment_method_options": {
            "card": {
                "installments": null, "mandate_options": null, "network": null, "request_three_d_secure": "automatic",
            },
        },
        "payment_method_types": types,
        "payment_record": null,
        "processing": null,
        "receipt_email": draft.receipt_email,
        "review": null,
        "setup_future_usage": draft.setup_future_usage,
        "shipping": null,
        "source": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": draft.statement_descriptor_suffix,
        "status": "requires_payment_method",
        "transfer_data": null,
        "transfer_group": draft.transfer_group,
    }));
    world.store.add(account, intent.clone());
    world.emit("payment_intent.created", &id);
    intent
}

/// `POST /v1/payment_intents`
pub fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[CREATE_PARAMS, confirmation::PARAMS].concat())?;
    let amount = params.required_integer("amount")?;
    let code = params.required("currency")?;
    money::check_size(amount)?;
    let currency = money::currency(code)?;
    money::check_charge(amount, &currency)?;
    if let Some(customer) = params.text("customer") {
        world.store.find(&call.account, "customer", customer)?;
    }
    if let Some(account) = params.text("on_behalf_of") {
        world.store.find(&call.account, "account", account)?;
    }
    let confirm = params.flag("confirm")? == Some(true);
    if !confirm && params.has("return_url") {
        let message = "The parameter `return_url` cannot be passed when creating a PaymentIntent unless `confirm` is set to true.";
        return Err(ApiError::invalid("", "return_url", message));
    }
    let method_types = method_types(call)?;
    let draft = Draft {
        amount,
        currency,
        customer: params.text("customer"),
        description: params.text("description"),
        metadata: params.metadata()?,
        receipt_email: params.text("receipt_email"),
        transfer_group: params.text("transfer_group"),
        on_behalf_of: params.text("on_behalf_of"),
        statement_descriptor_suffix: params.text("statement_descriptor_suffix"),
        capture_method: params
            .choice("capture_method", &["automatic", "automatic_async", "manual"])?
            .unwrap_or("automatic_async"),
        confirmation_method: params.choice("confirmation_method", &["automatic", "manual"])?.unwrap_or("automatic"),
        setup_future_usage: params.choice("setup_future_usage", &["off_session", "on_session"])?,
        method_types,
        allow_redirects: params
            .choice("automatic_payment_methods.allow_redirects", &["always", "never"])?
            .unwrap_or("always"),
    };
    confirmation::check(world, call)?;
    if confirm {
        confirmation::check_return_url(call, draft.method_types.is_empty().then_some(draft.allow_redirects))?;
        if !params.has("payment_method") && !params.has("payment_method_data") {
            let message =
                "You cannot confirm this PaymentIntent because it's missing a payment method: pass `payment_method`.";
            return Err(ApiError::invalid("parameter_missing", "payment_method", message));
        }
    }
    let method = confirmation::given_method(world, call)?;
    let intent = add(world, &call.account, &draft);
    let intent = match &method {
        Some(method) => confirmation::put_method(world, intent.id(), method),
        None => intent,
    };
    if !confirm {
        return Ok(intent.value());
    }
    confirmation::confirm(world, call, &intent)
}

fn method_types(call: &Call) -> Result<Vec<String>, ApiError> {
    let automatic = call.params.flag("automatic_payment_methods.enabled")? == Some(true);
    let types = call.params.texts("allowed_payment_method_types");
    if automatic && !types.is_empty() {
        let message =
            "You may only specify one of these parameters: automatic_payment_methods, allowed_payment_method_types.";
        return Err(ApiError::invalid("", "allowed_payment_method_types", message));
    }
    if let Some(unknown) = types.iter().find(|name| !["card", "customer_balance"].contains(&name.as_str())) {
        let message =
            format!("The payment method type \"{unknown}\" is invalid. The twin knows card and customer_balance.");
        return Err(ApiError::invalid("payment_intent_invalid_parameter", "allowed_payment_method_types", message));
    }
    Ok(types)
}

/// `GET /v1/payment_intents/{id}`
pub fn retrieve(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&["client_secret"])?;
    Ok(world.store.find(&call.account, "payment_intent", id)?.value())
}

/// `GET /v1/payment_intents`
pub fn list(world: &World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[list::PAGE, list::CREATED, &["customer"]].concat())?;
    list::page(world, call, "payment_intent", "/v1/payment_intents", |intent| {
        params.text("customer").is_none_or(|customer| intent.text("customer") == customer)
    })
}

/// `POST /v1/payment_intents/{id}`
pub fn update(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(UPDATE_PARAMS)?;
    let intent = world.store.find(&call.account, "payment_intent", id)?;
    let amount = params.integer("amount")?;
    if let Some(amount) = amount {
        money::check_charge(amount, intent.text("currency"))?;
        expect_status(&intent, "update the amount of", &["requires_payment_method", "requires_confirmation"])?;
    }
    if let Some(customer) = params.text("customer") {
        world.store.find(&call.account, "customer", customer)?;
    }
    world.update_metadata(call, &intent)?;
    if let Some(token) = params.text("payment_method") {
        expect_status(&intent, "change the payment method of", confirmation::CONFIRMABLE)?;
        let method = crate::payment_methods::resolve(world, &call.account, token)?;
        confirmation::put_method(world, id, &method);
    }
    let intent = world.store.edit(id, |intent| {
        if let Some(amount) = amount {
            intent.set("amount", amount);
        }
        for field in ["description", "receipt_email", "transfer_group", "customer"] {
            if let Some(text) = params.text(field) {
                intent.set(field, text);
            }
        }
    });
    Ok(intent.value())
}

/// `POST /v1/payment_intents/{id}/capture`. What is not captured is released.
pub fn capture(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&["amount_to_capture", "metadata.*", "statement_descriptor_suffix"])?;
    let intent = world.store.find(&call.account, "payment_intent", id)?;
    expect_status(&intent, "capture", &["requires_capture"])?;
    let capturable = intent.integer("amount_capturable");
    let amount = params.integer("amount_to_capture")?.unwrap_or(capturable);
    money::check_charge(amount, intent.text("currency"))?;
    if amount > capturable {
        let message = format!("The amount to capture ({amount}) is greater than what can be captured ({capturable}).");
        return Err(ApiError::refused("amount_too_large", message).with_param("amount_to_capture"));
    }
    world.update_metadata(call, &intent)?;
    let charge = intent.text("latest_charge").to_owned();
    captures::capture_amount(world, &charge, amount);
    let intent = world.store.edit(id, |intent| {
        intent.set("amount_capturable", 0);
        intent.set("amount_received", amount);
        intent.set("status", "succeeded");
    });
    world.emit("charge.captured", &charge);
    world.emit("payment_intent.succeeded", id);
    Ok(intent.value())
}

/// `POST /v1/payment_intents/{id}/cancel`
pub fn cancel(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    const REASONS: &[&str] = &["duplicate", "fraudulent", "requested_by_customer", "abandoned"];
    call.params.allow(&["cancellation_reason"])?;
    let reason = call.params.choice("cancellation_reason", REASONS)?.map(str::to_owned);
    let intent = world.store.find(&call.account, "payment_intent", id)?;
    expect_status(
        &intent,
        "cancel",
        &["requires_payment_method", "requires_capture", "requires_confirmation", "requires_action", "processing"],
    )?;
    if intent.text("status") == "requires_capture" {
        captures::release(world, intent.text("latest_charge"));
    }
    let now = world.now;
    let intent = world.store.edit(id, |intent| {
        intent.set("status", "canceled");
        intent.set("canceled_at", now);
        intent.set("cancellation_reason", reason);
        intent.set("amount_capturable", 0);
        intent.set("next_action", Value::Null);
    });
    world.emit("payment_intent.canceled", id);
    Ok(intent.value())
}

/// # Errors
/// `payment_intent_unexpected_state` when its status is none of the given ones.
pub fn expect_status(intent: &Object, verb: &str, statuses: &[&str]) -> Result<(), ApiError> {
    let status = intent.text("status");
    if statuses.contains(&status) {
        return Ok(());
    }
    let message = format!(
        "You cannot {verb} this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one of the following statuses may be: {}.",
        statuses.join(", ")
    );
    Err(ApiError::refused("payment_intent_unexpected_state", message).with_detail("payment_intent", intent.value()))
}
