//! The control API under `/_twin/`: what the world outside of the API does, and what tests want to see.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    accounts::{self, Standing},
    balance::Movement,
    checkout, confirmation, disputes,
    error::ApiError,
    faults::Fault,
    money::{self, Conversion},
    payouts, refunds,
    store::Object,
    webhooks::{DeliveryPlan, Endpoint},
    world::{PLATFORM, World},
};

/// Executes a command that needs nothing but the world. `path` is without the leading `/_twin/`.
///
/// # Errors
/// An unknown command, a body that does not fit it, or a state that forbids it.
pub fn command(world: &mut World, path: &str, body: &Value) -> Result<Value, ApiError> {
    let segments: Vec<&str> = path.split('/').collect();
    let word = |name: &str, default: &'static str| body[name].as_str().unwrap_or(default).to_owned();
    match *segments {
        ["dump"] => return Ok(dump(world)),
        ["requests"] => return Ok(json!(world.requests)),
        ["faults"] => return set_faults(world, body),
        ["conversions"] => world.settings.conversions = conversions(body)?,
        ["capture_delay"] => {
            let seconds = body["seconds"].as_i64().filter(|seconds| *seconds >= 0);
            world.settings.capture_delay_seconds = seconds.ok_or_else(|| wrong("`seconds` must be 0 or more."))?;
        }
        ["top_up"] => top_up(world, body)?,
        ["payment_intents", id, "authenticate"] => {
            return confirmation::finish_authentication(world, id, word("outcome", "succeed") == "succeed")
                .map(|intent| intent.value());
        }
        ["payment_intents", id, "fund"] => {
            let left_over = confirmation::receive_bank_transfer(world, id, amount(body)?)?;
            return Ok(json!({ "left_over": left_over }));
        }
        ["checkout", id, "pay"] => {
            return checkout::pay(world, id, &word("payment_method", "pm_card_visa")).map(|intent| intent.value());
        }
        ["charges", id, "dispute"] => return dispute(world, id, body).map(|dispute| dispute.value()),
        ["disputes", id, "resolve"] => {
            let won = body["won"].as_bool().ok_or_else(|| wrong("`won` must be true or false."))?;
            disputes::resolve(world, id, won);
            return existing(world, id);
        }
        ["refunds", id, "fail"] => {
            refunds::fail(world, id, &word("reason", "lost_or_stolen_card"));
            return existing(world, id);
        }
        ["payouts", "fail_next"] => world.next_payout_failure = Some(word("code", "account_closed")),
        ["payouts", id, "fail"] => {
            payouts::fail(world, id, &word("code", "account_closed"))?;
            return existing(world, id);
        }
        ["accounts", id, "standing"] => {
            let standing = standing(&word("standing", "complete"))?;
            existing(world, id)?;
            return Ok(accounts::set_standing(world, id, standing).value());
        }
        ["accounts", id, "drain"] => {
            existing(world, id)?;
            payouts::drain(world, id);
        }
        ["webhooks"] => return Ok(world.outbox.status()),
        ["webhooks", "plan"] => world.outbox.plan = read::<DeliveryPlan>(body)?,
        ["webhooks", "endpoints"] => world.outbox.endpoints = endpoints(body)?,
        ["webhooks", "move"] => world.outbox.move_to(&word("url", "")),
        ["webhooks", "resend"] => {
            let event = Object::from(existing(world, &word("event", ""))?);
            world.outbox.resend(&event, world.now);
        }
        _ => return Err(ApiError::unknown_url("POST", &format!("/_twin/{path}"))),
    }
    Ok(json!({ "ok": true }))
}

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::invalid("", "", message)
}

fn read<T: DeserializeOwned>(body: &Value) -> Result<T, ApiError> {
    serde_json::from_value(body.clone()).map_err(|error| wrong(error.to_string()))
}

fn existing(world: &World, id: &str) -> Result<Value, ApiError> {
    world.store.any(id).map(Object::value).ok_or_else(|| ApiError::missing("object", id))
}

fn amount(body: &Value) -> Result<i64, ApiError> {
    let amount = body["amount"].as_i64().ok_or_else(|| wrong("`amount` must be a whole number of minor units."))?;
    money::check_size(amount)?;
    Ok(amount)
}

fn set_faults(world: &mut World, body: &Value) -> Result<Value, ApiError> {
    if body.is_array() {
        world.faults.replace(read::<Vec<Fault>>(body)?);
    }
    let seen = world.faults.seen().into_iter().map(|(fault, seen)| json!({ "fault": fault, "seen": seen }));
    Ok(seen.collect())
}

fn conversions(body: &Value) -> Result<Vec<Conversion>, ApiError> {
    let all = body.as_array().ok_or_else(|| wrong("Pass a list of {from, to, rate_millionths}."))?;
    let conversion = |item: &Value| {
        let rate_millionths = item["rate_millionths"].as_i64().filter(|rate| *rate > 0);
        let rate_millionths = rate_millionths.ok_or_else(|| wrong("`rate_millionths` must be positive."))?;
        let from = money::currency(item["from"].as_str().unwrap_or_default())?;
        let to = money::currency(item["to"].as_str().unwrap_or_default())?;
        Ok(Conversion { from, to, rate_millionths })
    };
    all.iter().map(conversion).collect()
}

fn endpoints(body: &Value) -> Result<Vec<Endpoint>, ApiError> {
    let all = body.as_array().ok_or_else(|| wrong("Pass a list of {url, secrets}."))?;
    let endpoint = |item: &Value| {
        let url = item["url"].as_str().ok_or_else(|| wrong("`url` is missing."))?.to_owned();
        Ok(Endpoint { url, secrets: read(&item["secrets"])? })
    };
    all.iter().map(endpoint).collect()
}

fn standing(word: &str) -> Result<Standing, ApiError> {
    match word {
        "incomplete" => Ok(Standing::Incomplete),
        "pending" => Ok(Standing::Pending),
        "complete" => Ok(Standing::Complete),
        "restricted" => Ok(Standing::Restricted),
        other => Err(wrong(format!("`standing` is incomplete, pending, complete or restricted, not {other}."))),
    }
}

fn dispute(world: &mut World, charge: &str, body: &Value) -> Result<Object, ApiError> {
    let found = world.store.any(charge).ok_or_else(|| ApiError::missing("charge", charge))?;
    if !found.flag("captured") || found.flag("disputed") {
        return Err(ApiError::refused("", "Only a captured charge that is not disputed can be disputed."));
    }
    let whole = found.integer("amount_captured");
    let amount = if body["amount"].is_null() { whole } else { amount(body)? };
    if amount > whole {
        return Err(wrong("A dispute can't exceed what was captured."));
    }
    let reason = body["reason"].as_str().unwrap_or("fraudulent").to_owned();
    Ok(disputes::open(world, charge, amount, &reason))
}

/// Adds money to the platform's available balance from its bank.
fn top_up(world: &mut World, body: &Value) -> Result<(), ApiError> {
    let currency = money::currency(body["currency"].as_str().unwrap_or("eur"))?;
    let id = world.fresh_id("tu");
    world.book(&Movement {
        account: PLATFORM,
        kind: "topup",
        category: "topup",
        amount: amount(body)?,
        fee: 0,
        currency: &currency,
        available_on: world.now,
        source: &id,
        description: Some("Top-up"),
        exchange_rate: Value::Null,
    });
    Ok(())
}

/// Every object by kind, and the balance of every account.
fn dump(world: &World) -> Value {
    let mut objects = world.store.dump();
    let connected = world.store.newest_first(PLATFORM, "account").map(Object::id);
    let balances = std::iter::once(PLATFORM)
        .chain(connected)
        .map(|account| (account.to_owned(), crate::balance::render(world, account)))
        .collect::<serde_json::Map<_, _>>();
    objects["balance"] = balances.values().cloned().collect();
    let settings = crate::balance_settings::render(world, PLATFORM);
    json!({ "now": world.now, "objects": objects, "balances": balances, "balance_settings": settings })
}
