//! Checkout Sessions: a hosted page that makes a payment intent and pays it.

use serde_json::{Value, json};

use crate::{
    charges::{self, Attempt},
    confirmation, customers,
    error::ApiError,
    list, money,
    payment_intents::{self, Draft},
    payment_methods::{self, Behaviour},
    schedule::Task,
    store::Object,
    world::{Call, SECONDS_PER_DAY, World},
};

const LINE_ITEMS_MAX: usize = 100;
/// The address that the hosted page has of everyone who was not named before.
const BUYER_EMAIL: &str = "buyer@example.org";
const EXPIRES_AFTER_MIN_SECONDS: i64 = 1_800;

const PARAMS: &[&str] = &[
    "mode",
    "success_url",
    "cancel_url",
    "customer",
    "customer_email",
    "customer_creation",
    "client_reference_id",
    "currency",
    "expires_at",
    "locale",
    "submit_type",
    "ui_mode",
    "metadata.*",
    "allowed_payment_method_types.#",
    "line_items.#.quantity",
    "line_items.#.price_data.currency",
    "line_items.#.price_data.unit_amount",
    "line_items.#.price_data.tax_behavior",
    "line_items.#.price_data.product_data.name",
    "line_items.#.price_data.product_data.description",
    "line_items.#.price_data.product_data.metadata.*",
    "payment_intent_data.metadata.*",
    "payment_intent_data.description",
    "payment_intent_data.transfer_group",
    "payment_intent_data.on_behalf_of",
    "payment_intent_data.capture_method",
    "payment_intent_data.receipt_email",
    "payment_intent_data.statement_descriptor_suffix",
    "payment_intent_data.setup_future_usage",
    "payment_method_options.customer_balance.funding_type",
    "payment_method_options.customer_balance.bank_transfer.type",
    "payment_method_options.customer_balance.bank_transfer.eu_bank_transfer.country",
];

/// `POST /v1/checkout/sessions`
pub fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(PARAMS)?;
    if params.required("mode")? != "payment" {
        return Err(ApiError::invalid("", "mode", "The twin only knows the mode `payment`."));
    }
    params.required("success_url")?;
    if let Some(customer) = params.text("customer") {
        world.store.find(&call.account, "customer", customer)?;
    }
    let expires_at = params.integer("expires_at")?.unwrap_or(world.now + SECONDS_PER_DAY);
    if !(EXPIRES_AFTER_MIN_SECONDS..=SECONDS_PER_DAY).contains(&(expires_at - world.now)) {
        let message =
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.";
        return Err(ApiError::invalid("", "expires_at", message));
    }
    let id = world.fresh_id("cs_test");
    let (items, currency) = items_of(world, call)?;
    let total: i64 = items.iter().filter_map(|item| item["amount_total"].as_i64()).sum();
    money::check_charge(total, &currency)?;
    let mut session = blank(world, call, &id, &currency, total);
    session.set("expires_at", expires_at);
    session.set("metadata", params.metadata()?);
    let order = order_of(call, &items)?;
    world.session_orders.insert(id.clone(), order);
    world.store.add(&call.account, session);
    world.schedule.plan(expires_at, Task::ExpireSession { session: id.clone() });
    retrieve_any(world, &id)
}

/// What the payment intent will need once the session is paid, and the items.
fn order_of(call: &Call, items: &[Value]) -> Result<Object, ApiError> {
    let params = &call.params;
    let text = |name: &str| params.text(&format!("payment_intent_data.{name}"));
    params.choice("payment_intent_data.capture_method", &["automatic", "automatic_async", "manual"])?;
    Ok(Object::from(json!({
        "line_items": items,
        "metadata": params.metadata_over("payment_intent_data.metadata", &Value::Null)?,
        "description": text("description"),
        "transfer_group": text("transfer_group"),
        "on_behalf_of": text("on_behalf_of"),
        "capture_method": text("capture_method"),
        "receipt_email": text("receipt_email"),
        "statement_descriptor_suffix": text("statement_descriptor_suffix"),
        "setup_future_usage": text("setup_future_usage"),
    })))
}

fn items_of(world: &mut World, call: &Call) -> Result<(Vec<Value>, String), ApiError> {
    let params = &call.params;
    let count = params.len_of("line_items");
    if count == 0 || count > LINE_ITEMS_MAX {
        let message = format!("Pass 1 to {LINE_ITEMS_MAX} line_items.");
        return Err(ApiError::invalid("parameter_missing", "line_items", message));
    }
    let currency = money::currency(params.required("line_items.0.price_data.currency")?)?;
    let mut items = Vec::with_capacity(count);
    for index in 0..count {
        let at = |name: &str| format!("line_items.{index}.{name}");
        if money::currency(params.required(&at("price_data.currency"))?)? != currency {
            let message = "All line items must have the same currency.";
            return Err(ApiError::invalid("", "line_items", message));
        }
        let unit = params.required_integer(&at("price_data.unit_amount"))?;
        let quantity = params.integer(&at("quantity"))?.unwrap_or(1);
        let total = unit.checked_mul(quantity).filter(|total| unit >= 0 && *total <= money::AMOUNT_MAX_MINOR);
        let Some(total) = total.filter(|_| quantity > 0) else {
            return Err(ApiError::invalid("amount_too_large", "line_items", "A line item's amount is out of range."));
        };
        items.push(json!({
            "id": world.fresh_id("li"),
            "object": "item",
            "adjustable_quantity": null,
            "amount_discount": 0,
            "amount_subtotal": total,
            "amount_tax": 0,
            "amount_total": total,
            "currency": currency,
            "description": params.required(&at("price_data.product_data.name"))?,
            "metadata": {},
            "price": null,
            "quantity": quantity,
        }));
    }
    Ok((items, currency))
}

fn no_invoice() -> Value {
    json!({
        "enabled": false,
        "invoice_data": {
            "account_tax_ids": null, "custom_fields": null, "description": null, "footer": null, "issuer": null,
            "metadata": {}, "rendering_options": null,
        },
    })
}

fn blank(world: &World, call: &Call, id: &str, currency: &str, total: i64) -> Object {
    let params = &call.params;
    let allowed = params.texts("allowed_payment_method_types");
    let types = if allowed.is_empty() { vec!["card".to_owned()] } else { allowed.clone() };
    Object::from(json!({
        "id": id,
        "object": "checkout.session",
        "adaptive_pricing": { "enabled": false },
        "after_expiration": null,
        "allow_promotion_codes": null,
        "allowed_payment_method_types": if allowed.is_empty() { Value::Null } else { json!(allowed) },
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
        "billing_address_collection": null,
        "cancel_url": params.text("cancel_url"),
        "client_reference_id": params.text("client_reference_id"),
        "client_secret": null,
        "collected_information": null,
        "consent": null,
        "consent_collection": null,
        "created": world.now,
        "currency": currency,
        "currency_conversion": null,
        "custom_fields": [],
        "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null,
        },
        "customer": params.text("customer"),
        "customer_account": null,
        "customer_creation": if params.text("customer").is_some() { Value::Null } else { json!("if_required") },
        "customer_details": null,
        "customer_email": params.text("customer_email"),
        "discounts": [],
        "integration_identifier": null,
        "invoice": null,
        "invoice_creation": no_invoice(),
        "livemode": false,
        "locale": params.text("locale"),
        "managed_payments": null,
        "mode": "payment",
        "origin_context": null,
        "payment_intent": null,
        "payment_link": null,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": null,
        "payment_method_options": { "card": { "request_three_d_secure": "automatic" } },
        "payment_method_types": types,
        "payment_status": "unpaid",
        "permissions": null,
        "phone_number_collection": { "enabled": false },
        "recovered_from": null,
        "saved_payment_method_options": null,
        "setup_intent": null,
        "shipping_address_collection": null,
        "shipping_cost": null,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.text("submit_type"),
        "subscription": null,
        "success_url": params.text("success_url"),
        "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
        "ui_mode": "hosted_page",
        "url": format!("{}/_hosted/checkout/{id}", world.settings.base_url),
        "wallet_options": null,
    }))
}

fn retrieve_any(world: &World, id: &str) -> Result<Value, ApiError> {
    world.store.any(id).map(Object::value).ok_or_else(|| ApiError::missing("checkout.session", id))
}

/// Pays an open session as its page does, and returns the payment intent.
///
/// # Errors
/// The session is not open, or the payment method is unknown or declined. A declined session stays open.
pub fn pay(world: &mut World, id: &str, token: &str) -> Result<Object, ApiError> {
    let session = world.store.any(id).cloned().ok_or_else(|| ApiError::missing("checkout.session", id))?;
    if session.text("status") != "open" {
        return Err(ApiError::refused("", format!("This Checkout Session is {}.", session.text("status"))));
    }
    let account = world.store.owner(id).unwrap_or_default().to_owned();
    let method = if token == "customer_balance" {
        let mut params = crate::params::Params::default();
        params.0.insert("type".into(), json!(token));
        payment_methods::from_data(world, &Call { account: account.clone(), params }, "")?
    } else {
        payment_methods::resolve(world, &account, token)?
    };
    let intent = match session.optional("payment_intent") {
        Some(intent) => intent.to_owned(),
        None => add_intent(world, &account, &session),
    };
    confirmation::put_method(world, &intent, &method);
    match payment_methods::behaviour(world, method.id()) {
        Behaviour::BankTransfer => {
            let waiting = world.store.find(&account, "payment_intent", &intent)?;
            confirmation::await_bank_transfer(world, &waiting);
            complete(world, id, "unpaid");
        }
        Behaviour::Authenticate => {
            let back = session.text("success_url").to_owned();
            confirmation::require_authentication(world, &intent, Some(&back));
        }
        behaviour => match charges::attempt(world, &intent, behaviour) {
            Attempt::Paid(_) => complete(world, id, "paid"),
            Attempt::Declined(error) => return Err(error),
        },
    }
    Ok(world.store.any(&intent).cloned().unwrap_or_default())
}

fn add_intent(world: &mut World, account: &str, session: &Object) -> String {
    let data = world.session_orders.get(session.id()).cloned().unwrap_or_default();
    let customer = match session.optional("customer") {
        None if data.optional("setup_future_usage").is_some() => Some(add_customer(world, account, session)),
        customer => customer.map(str::to_owned),
    };
    let draft = Draft {
        amount: session.integer("amount_total"),
        currency: session.text("currency").to_owned(),
        customer: customer.as_deref(),
        description: data.optional("description"),
        metadata: data.get("metadata").clone(),
        receipt_email: data.optional("receipt_email"),
        transfer_group: data.optional("transfer_group"),
        on_behalf_of: data.optional("on_behalf_of"),
        statement_descriptor_suffix: data.optional("statement_descriptor_suffix"),
        capture_method: data.optional("capture_method").unwrap_or("automatic_async"),
        confirmation_method: "automatic",
        setup_future_usage: data.optional("setup_future_usage"),
        method_types: session
            .get("allowed_payment_method_types")
            .as_array()
            .map_or_else(Vec::new, |types| types.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        allow_redirects: "always",
    };
    let intent = payment_intents::add(world, account, &draft);
    world.store.edit(session.id(), |session| session.set("payment_intent", intent.id()));
    intent.id().to_owned()
}

/// A payment method that is kept for later needs a customer: Checkout makes one.
fn add_customer(world: &mut World, account: &str, session: &Object) -> String {
    let email = session.optional("customer_email").unwrap_or(BUYER_EMAIL);
    let customer = customers::add(world, account, email);
    world.store.edit(session.id(), |session| session.set("customer", customer.id()));
    customer.id().to_owned()
}

fn complete(world: &mut World, id: &str, payment_status: &str) {
    world.store.edit(id, |session| {
        let email = session.optional("customer_email").unwrap_or(BUYER_EMAIL).to_owned();
        session.set("status", "complete");
        session.set("payment_status", payment_status);
        session.set("url", Value::Null);
        session.set(
            "customer_details",
            json!({
                "address": null, "business_name": null, "email": email, "individual_name": null, "name": null,
                "phone": null, "tax_exempt": "none", "tax_ids": [],
            }),
        );
    });
    world.emit("checkout.session.completed", id);
}

/// A payment intent was paid after its page was left: by bank transfer or after authentication.
pub fn payment_arrived(world: &mut World, intent: &str) {
    let owner = world.store.owner(intent).unwrap_or_default().to_owned();
    let found = {
        let mut sessions = world.store.newest_first(&owner, "checkout.session");
        sessions.find(|session| session.text("payment_intent") == intent).cloned()
    };
    let Some(session) = found else { return };
    if session.text("status") == "open" {
        complete(world, session.id(), "paid");
        return;
    }
    world.store.edit(session.id(), |session| session.set("payment_status", "paid"));
    world.emit("checkout.session.async_payment_succeeded", session.id());
}

/// Expires a session that is still open.
pub fn expire_when_open(world: &mut World, id: &str) {
    if world.store.any(id).is_none_or(|session| session.text("status") != "open") {
        return;
    }
    world.store.edit(id, |session| {
        session.set("status", "expired");
        session.set("url", Value::Null);
    });
    world.emit("checkout.session.expired", id);
}

/// `POST /v1/checkout/sessions/{id}/expire`
pub fn expire(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    let session = world.store.find(&call.account, "checkout.session", id)?;
    if session.text("status") != "open" {
        let message = format!(
            "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of {}.",
            session.text("status")
        );
        return Err(ApiError::refused("", message));
    }
    expire_when_open(world, id);
    retrieve(world, call, id)
}

/// `GET /v1/checkout/sessions/{id}`
pub fn retrieve(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(world.store.find(&call.account, "checkout.session", id)?.value())
}

/// `GET /v1/checkout/sessions`
pub fn list(world: &World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[list::PAGE, list::CREATED, &["payment_intent", "customer", "status"]].concat())?;
    list::page(world, call, "checkout.session", "/v1/checkout/sessions", |session| {
        ["payment_intent", "customer", "status"]
            .iter()
            .all(|field| params.text(field).is_none_or(|text| session.text(field) == text))
    })
}

/// The items of a session as a list.
pub fn line_items(world: &World, id: &str) -> Option<Value> {
    let items = world.session_orders.get(id)?.get("line_items").clone();
    let url = format!("/v1/checkout/sessions/{id}/line_items");
    Some(json!({ "object": "list", "data": items, "has_more": false, "url": url }))
}

/// `GET /v1/checkout/sessions/{id}/line_items`
pub fn list_line_items(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(list::PAGE)?;
    world.store.find(&call.account, "checkout.session", id)?;
    line_items(world, id).ok_or_else(|| ApiError::missing("checkout.session", id))
}
