//! What an account decides about its balance: how much automatic payouts leave there, per currency.

use serde_json::{Map, Value, json};

use crate::{
    error::ApiError,
    money,
    world::{Call, World},
};

const MINIMUM: &str = "payments.payouts.minimum_balance_by_currency";

/// The balance settings of an account.
pub fn render(world: &World, account: &str) -> Value {
    let minimum: Map<String, Value> = world
        .minimum_balances
        .iter()
        .filter(|((owner, _), _)| owner == account)
        .map(|((_, currency), minor)| (currency.clone(), json!(minor)))
        .collect();
    json!({
        "object": "balance_settings",
        "payments": {
            "debit_negative_balances": false,
            "payouts": {
                "automatic_transfer_rules_by_currency": {},
                "minimum_balance_by_currency": if minimum.is_empty() { Value::Null } else { Value::Object(minimum) },
                "schedule": { "interval": "daily" },
                "statement_descriptor": null,
                "status": "enabled",
            },
            "settlement_timing": { "delay_days": world.settings.settlement_days, "start_of_day": null },
        },
    })
}

/// What automatic payouts leave in the platform's balance, in minor units.
pub fn minimum_of(world: &World, account: &str, currency: &str) -> i64 {
    world.minimum_balances.get(&(account.to_owned(), currency.to_owned())).copied().unwrap_or(0)
}

/// `GET /v1/balance_settings`
pub fn retrieve(world: &World, call: &Call) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(render(world, &call.account))
}

/// `POST /v1/balance_settings`. Currencies that are not named keep their minimum; an empty value removes it.
pub fn update(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[&format!("{MINIMUM}.*")])?;
    let mut wanted = Vec::new();
    for code in params.keys(MINIMUM) {
        let minor = params.integer(&format!("{MINIMUM}.{code}"))?;
        if minor.is_some_and(|minor| minor < 0) {
            let message = "A minimum balance must be greater than or equal to 0.";
            return Err(ApiError::invalid("parameter_invalid_integer", "payments", message));
        }
        wanted.push((money::currency(&code)?, minor));
    }
    for (currency, minor) in wanted {
        let key = (call.account.clone(), currency);
        match minor {
            Some(minor) => world.minimum_balances.insert(key, minor),
            None => world.minimum_balances.remove(&key),
        };
    }
    let settings = render(world, &call.account);
    world.emit_snapshot(&call.account, "balance_settings.updated", &settings);
    Ok(settings)
}
