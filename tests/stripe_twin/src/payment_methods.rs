//! Payment methods, and the test tokens whose behaviour is agreed.

use serde_json::{Value, json};

use crate::{
    error::ApiError,
    list,
    store::Object,
    world::{Call, World},
};

/// What happens when a payment method is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Succeed,
    /// Declined, with the issuer's decline code.
    Decline(&'static str),
    /// The holder has to authenticate (3-D Secure) each time.
    Authenticate,
    /// Succeeds and is disputed at once.
    Dispute,
    /// Succeeds; the money is available at once.
    Instant,
    /// Succeeds; a refund fails later.
    RefuseRefund,
    /// Waits for a bank transfer.
    BankTransfer,
}

struct TestCard {
    /// Ends of the tokens: `pm_card_…` and `tok_…`.
    names: &'static [&'static str],
    brand: &'static str,
    last4: &'static str,
    behaviour: Behaviour,
}

const fn card(
    names: &'static [&'static str],
    brand: &'static str,
    last4: &'static str,
    behaviour: Behaviour,
) -> TestCard {
    TestCard { names, brand, last4, behaviour }
}

/// Source: Stripe's page on testing.
const TEST_CARDS: &[TestCard] = &[
    card(&["visa"], "visa", "4242", Behaviour::Succeed),
    card(&["visa_debit"], "visa", "5556", Behaviour::Succeed),
    card(&["mastercard"], "mastercard", "4444", Behaviour::Succeed),
    card(&["amex"], "amex", "8431", Behaviour::Succeed),
    card(&["de", "dk", "fr"], "visa", "0016", Behaviour::Succeed),
    card(&["bypassPending"], "visa", "0077", Behaviour::Instant),
    card(&["chargeDeclined", "visa_chargeDeclined"], "visa", "0002", Behaviour::Decline("generic_decline")),
    card(
        &["chargeDeclinedInsufficientFunds", "visa_chargeDeclinedInsufficientFunds"],
        "visa",
        "9995",
        Behaviour::Decline("insufficient_funds"),
    ),
    card(
        &["chargeDeclinedExpiredCard", "visa_chargeDeclinedExpiredCard"],
        "visa",
        "0069",
        Behaviour::Decline("expired_card"),
    ),
    card(
        &["chargeDeclinedProcessingError", "visa_chargeDeclinedProcessingError"],
        "visa",
        "0119",
        Behaviour::Decline("processing_error"),
    ),
    card(&["authenticationRequired"], "visa", "3184", Behaviour::Authenticate),
    card(&["threeDSecure2Required", "threeDSecureRequired"], "visa", "3220", Behaviour::Authenticate),
    card(&["createDispute"], "visa", "0259", Behaviour::Dispute),
    card(&["refundFail"], "visa", "5126", Behaviour::RefuseRefund),
];

fn test_card(token: &str) -> Option<&'static TestCard> {
    let name = token.strip_prefix("pm_card_").or_else(|| token.strip_prefix("tok_"))?;
    TEST_CARDS.iter().find(|card| card.names.contains(&name))
}

fn add(world: &mut World, account: &str, kind: &str, details: Value, behaviour: Behaviour) -> Object {
    let id = world.fresh_id("pm");
    let mut method = Object::from(json!({
        "id": id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": { "address": null, "email": null, "name": null, "phone": null, "tax_id": null },
        "created": world.now,
        "customer": null,
        "customer_account": null,
        "livemode": false,
        "metadata": {},
        "type": kind,
    }));
    method.set(kind, details);
    world.behaviours.insert(id, behaviour);
    world.store.add(account, method.clone());
    method
}

fn add_card(world: &mut World, account: &str, card: &TestCard) -> Object {
    let details = json!({
        "brand": card.brand,
        "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "unchecked" },
        "country": "US",
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": format!("twinFinger{}", card.last4),
        "funding": "credit",
        "generated_from": null,
        "last4": card.last4,
        "networks": { "available": [card.brand], "preferred": null },
        "regulated_status": "unregulated",
        "three_d_secure_usage": { "supported": true },
        "wallet": null,
    });
    add(world, account, "card", details, card.behaviour)
}

/// The payment method a request names: a test token makes a new one, an id finds a known one.
///
/// # Errors
/// `resource_missing`.
pub fn resolve(world: &mut World, account: &str, token: &str) -> Result<Object, ApiError> {
    match test_card(token) {
        Some(card) => Ok(add_card(world, account, card)),
        None => {
            let found = world.store.find(account, "payment_method", token);
            found.map_err(|_| ApiError::missing("PaymentMethod", token).with_param("payment_method"))
        }
    }
}

/// The payment method that `prefix` (`payment_method_data` or nothing) of a request describes.
///
/// # Errors
/// An unknown type or card.
pub fn from_data(world: &mut World, call: &Call, prefix: &str) -> Result<Object, ApiError> {
    let at = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    match call.params.required(&at("type"))? {
        "customer_balance" => Ok(add(world, &call.account, "customer_balance", json!({}), Behaviour::BankTransfer)),
        "card" => {
            let token = call.params.required(&at("card.token"))?;
            let card = test_card(token).ok_or_else(|| ApiError::missing("token", token))?;
            Ok(add_card(world, &call.account, card))
        }
        other => {
            let message = format!("Invalid type: {other}. The twin knows card and customer_balance.");
            Err(ApiError::invalid("", &at("type"), message))
        }
    }
}

/// Keeps a payment method with a customer for later payments.
pub fn keep(world: &mut World, method: &str, customer: &str) -> Object {
    let method = world.store.edit(method, |method| method.set("customer", customer));
    world.emit("payment_method.attached", method.id());
    method
}

pub fn behaviour(world: &World, method: &str) -> Behaviour {
    world.behaviours.get(method).copied().unwrap_or(Behaviour::Succeed)
}

/// `POST /v1/payment_methods`
pub fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    call.params.allow(&["type", "card.token", "metadata.*", "billing_details.*"])?;
    let metadata = call.params.metadata()?;
    let method = from_data(world, call, "")?;
    Ok(world.store.edit(method.id(), |method| method.set("metadata", metadata)).value())
}

/// `GET /v1/payment_methods/{id}`
pub fn retrieve(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(resolve(world, &call.account, id)?.value())
}

/// `POST /v1/payment_methods/{id}/attach`
pub fn attach(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&["customer"])?;
    let customer = call.params.required("customer")?;
    world.store.find(&call.account, "customer", customer)?;
    let method = resolve(world, &call.account, id)?;
    if method.optional("customer").is_some_and(|owner| owner != customer) {
        let message = "The payment method you provided has already been attached to a customer.";
        return Err(ApiError::refused("payment_method_unexpected_state", message));
    }
    Ok(keep(world, method.id(), customer).value())
}

/// `GET /v1/payment_methods`
pub fn list(world: &World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[list::PAGE, &["customer", "type"]].concat())?;
    list::page(world, call, "payment_method", "/v1/payment_methods", |method| {
        let equals = |name: &str| params.text(name).is_none_or(|text| method.text(name) == text);
        equals("customer") && equals("type")
    })
}
