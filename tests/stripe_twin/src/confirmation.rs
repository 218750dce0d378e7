//! How a payment intent is paid: confirmation, authentication, bank transfers, declines.

use serde_json::{Value, json};

use crate::{
    charges::{self, Attempt},
    error::ApiError,
    payment_intents::expect_status,
    payment_methods::{self, Behaviour},
    store::Object,
    world::{Call, World},
};

/// Parameters of a confirmation, also when a payment intent is created and confirmed at once.
pub const PARAMS: &[&str] = &[
    "payment_method",
    "payment_method_data.type",
    "payment_method_data.card.token",
    "payment_method_data.billing_details.*",
    "payment_method_options.card.request_three_d_secure",
    "payment_method_options.customer_balance.funding_type",
    "payment_method_options.customer_balance.bank_transfer.type",
    "payment_method_options.customer_balance.bank_transfer.eu_bank_transfer.country",
    "return_url",
    "off_session",
    "use_stripe_sdk",
    "error_on_requires_action",
];

pub const CONFIRMABLE: &[&str] = &["requires_payment_method", "requires_confirmation", "requires_action"];

/// Checks the values of [`PARAMS`] before anything is changed.
///
/// # Errors
/// A value that is no boolean, or a payment method that does not exist.
pub fn check(world: &World, call: &Call) -> Result<(), ApiError> {
    let params = &call.params;
    for name in ["off_session", "use_stripe_sdk", "error_on_requires_action"] {
        params.flag(name)?;
    }
    let by_transfer = params.text("payment_method_data.type") == Some("customer_balance");
    if by_transfer && params.text("customer").is_none() {
        let message = "Bank transfers need a customer: pass `customer`.";
        return Err(ApiError::invalid("parameter_missing", "customer", message));
    }
    if let Some(id) = params.text("payment_method").filter(|id| world.store.any(id).is_some()) {
        world.store.find(&call.account, "payment_method", id)?;
    }
    Ok(())
}

/// Checks that there is somewhere to return to when a payment method may lead away. `allow_redirects` is the payment
/// intent's, if it chooses payment methods automatically.
///
/// # Errors
/// `return_url` is missing.
pub fn check_return_url(call: &Call, allow_redirects: Option<&str>) -> Result<(), ApiError> {
    let has_way_back = call.params.text("return_url").is_some() || call.params.flag("use_stripe_sdk")? == Some(true);
    if allow_redirects != Some("always") || has_way_back {
        return Ok(());
    }
    let message = "This PaymentIntent accepts payment methods that might redirect your customer off of your page: provide a `return_url`, or set automatic_payment_methods[allow_redirects] to never.";
    Err(ApiError::invalid("", "return_url", message))
}

/// The payment method a request brings along.
///
/// # Errors
/// An unknown payment method.
pub fn given_method(world: &mut World, call: &Call) -> Result<Option<Object>, ApiError> {
    if let Some(token) = call.params.text("payment_method") {
        return payment_methods::resolve(world, &call.account, token).map(Some);
    }
    if call.params.has("payment_method_data") {
        return payment_methods::from_data(world, call, "payment_method_data").map(Some);
    }
    Ok(None)
}

/// Puts a payment method on a payment intent, which then only needs to be confirmed.
pub fn put_method(world: &mut World, intent: &str, method: &Object) -> Object {
    world.store.edit(intent, |intent| {
        intent.set("payment_method", method.id());
        intent.set("status", "requires_confirmation");
        intent.set("next_action", Value::Null);
    })
}

/// `POST /v1/payment_intents/{id}/confirm`
pub fn confirm_request(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[PARAMS, &["receipt_email", "setup_future_usage"]].concat())?;
    let intent = world.store.find(&call.account, "payment_intent", id)?;
    expect_status(&intent, "confirm", CONFIRMABLE)?;
    let mut call = call.clone();
    if let Some(customer) = intent.optional("customer") {
        call.params.0.insert("customer".into(), json!(customer));
    }
    check(world, &call)?;
    check_return_url(&call, intent.get("automatic_payment_methods")["allow_redirects"].as_str())?;
    let intent = match given_method(world, &call)? {
        Some(method) => put_method(world, id, &method),
        None => intent,
    };
    confirm(world, &call, &intent)
}

/// Confirms with the payment method that is on the payment intent.
///
/// # Errors
/// No payment method, or a decline (402, with the payment intent and its failed charge kept).
pub fn confirm(world: &mut World, call: &Call, intent: &Object) -> Result<Value, ApiError> {
    let Some(method) = intent.optional("payment_method").map(str::to_owned) else {
        let message = "You cannot confirm this PaymentIntent because it's missing a payment method. Update it with a payment method and then confirm it again.";
        let error = ApiError::refused("payment_intent_unexpected_state", message);
        return Err(error.with_detail("payment_intent", intent.value()));
    };
    match payment_methods::behaviour(world, &method) {
        Behaviour::BankTransfer => Ok(await_bank_transfer(world, intent).value()),
        Behaviour::Authenticate => authenticate(world, call, intent),
        behaviour => match charges::attempt(world, intent.id(), behaviour) {
            Attempt::Paid(intent) => Ok(intent.value()),
            Attempt::Declined(error) => Err(error),
        },
    }
}

fn authenticate(world: &mut World, call: &Call, intent: &Object) -> Result<Value, ApiError> {
    let params = &call.params;
    if params.flag("off_session")? == Some(true) || params.flag("error_on_requires_action")? == Some(true) {
        return match charges::attempt(world, intent.id(), Behaviour::Decline("authentication_required")) {
            Attempt::Paid(intent) => Ok(intent.value()),
            Attempt::Declined(error) => Err(error),
        };
    }
    let use_sdk = params.flag("use_stripe_sdk")? == Some(true);
    let return_url = params.text("return_url").filter(|_| !use_sdk);
    Ok(require_authentication(world, intent.id(), return_url).value())
}

/// Asks for the holder's authentication: on a page when there is somewhere to return to, else in the SDK.
pub fn require_authentication(world: &mut World, intent: &str, return_url: Option<&str>) -> Object {
    let url = format!("{}/_hosted/authenticate/{intent}", world.settings.base_url);
    let next_action = match return_url {
        Some(return_url) => json!({
            "redirect_to_url": { "return_url": return_url, "url": url },
            "type": "redirect_to_url",
        }),
        None => json!({
            "type": "use_stripe_sdk",
            "use_stripe_sdk": { "type": "three_d_secure_redirect", "stripe_js": url },
        }),
    };
    let intent = world.store.edit(intent, |intent| {
        intent.set("status", "requires_action");
        intent.set("next_action", next_action);
    });
    world.emit("payment_intent.requires_action", intent.id());
    intent
}

/// The holder has authenticated, or refused to. A decline leaves its trace on the payment intent.
///
/// # Errors
/// The payment intent does not wait for authentication.
pub fn finish_authentication(world: &mut World, id: &str, authenticated: bool) -> Result<Object, ApiError> {
    let intent = world.store.any(id).cloned().unwrap_or_default();
    expect_status(&intent, "authenticate", &["requires_action"])?;
    let action = intent.get("next_action")["type"].as_str().unwrap_or_default().to_owned();
    if action == "display_bank_transfer_instructions" {
        return Err(ApiError::refused("payment_intent_unexpected_state", "It waits for a bank transfer."));
    }
    let behaviour = if authenticated { Behaviour::Succeed } else { Behaviour::Decline("authentication_failed") };
    match charges::attempt(world, id, behaviour) {
        Attempt::Paid(intent) => {
            crate::checkout::payment_arrived(world, id);
            Ok(intent)
        }
        Attempt::Declined(_) => Ok(world.store.any(id).cloned().unwrap_or_default()),
    }
}

/// Shows the bank account to which the money is to be sent.
pub fn await_bank_transfer(world: &mut World, intent: &Object) -> Object {
    let reference =
        world.fresh_id("").trim_start_matches('_').chars().take(12).collect::<String>().to_ascii_uppercase();
    let instructions = json!({
        "amount_remaining": intent.integer("amount"),
        "currency": intent.text("currency"),
        "financial_addresses": [{
            "iban": {
                "account_holder_address": bank_address(),
                "account_holder_name": "Twin",
                "bank_address": bank_address(),
                "bic": "TWINDEFFXXX",
                "country": "DE",
                "iban": "DE89370400440532013000",
            },
            "supported_networks": ["sepa"],
            "type": "iban",
        }],
        "hosted_instructions_url": format!("{}/_hosted/bank_transfer/{}", world.settings.base_url, intent.id()),
        "reference": reference,
        "type": "eu_bank_transfer",
    });
    let intent = world.store.edit(intent.id(), |intent| {
        intent.set("status", "requires_action");
        intent.set(
            "next_action",
            json!({
                "display_bank_transfer_instructions": instructions,
                "type": "display_bank_transfer_instructions",
            }),
        );
        intent.set(
            "payment_method_options",
            json!({
                "customer_balance": {
                    "bank_transfer": {
                        "eu_bank_transfer": { "country": "DE" },
                        "requested_address_types": ["iban"],
                        "type": "eu_bank_transfer",
                    },
                    "funding_type": "bank_transfer",
                    "setup_future_usage": "none",
                },
            }),
        );
    });
    world.emit("payment_intent.requires_action", intent.id());
    intent
}

fn bank_address() -> Value {
    json!({ "city": "Berlin", "country": "DE", "line1": "Twin 1", "line2": null, "postal_code": "10115", "state": null })
}

/// A bank transfer arrived for a payment intent that waits for one. Too little leaves it waiting for the rest, too
/// much stays with the customer and is returned.
///
/// # Errors
/// The payment intent does not wait for a bank transfer, or the amount is not positive.
pub fn receive_bank_transfer(world: &mut World, id: &str, amount: i64) -> Result<i64, ApiError> {
    crate::money::check_size(amount)?;
    let intent = world.store.any(id).cloned().unwrap_or_default();
    let instructions = &intent.get("next_action")["display_bank_transfer_instructions"];
    let Some(remaining) = instructions["amount_remaining"].as_i64() else {
        return Err(ApiError::refused("payment_intent_unexpected_state", "It does not wait for a bank transfer."));
    };
    if amount < remaining {
        world.store.edit(id, |intent| {
            let mut action = intent.get("next_action").clone();
            action["display_bank_transfer_instructions"]["amount_remaining"] = json!(remaining - amount);
            intent.set("next_action", action);
        });
        world.emit("payment_intent.partially_funded", id);
        return Ok(0);
    }
    charges::attempt(world, id, Behaviour::BankTransfer);
    crate::checkout::payment_arrived(world, id);
    Ok(amount - remaining)
}
