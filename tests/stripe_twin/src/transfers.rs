//! Transfers from the platform's balance to connected accounts.

use serde_json::{Value, json};

use crate::{
    balance::Movement,
    captures, charges,
    error::ApiError,
    list, money,
    store::Object,
    world::{Call, World},
};

/// `POST /v1/transfers`
pub fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[
        "amount",
        "currency",
        "destination",
        "source_transaction",
        "transfer_group",
        "description",
        "metadata.*",
    ])?;
    let currency = money::currency(params.required("currency")?)?;
    let destination = params.required("destination")?;
    let metadata = params.metadata()?;
    let source = match params.text("source_transaction") {
        Some(id) => {
            world.store.find(&call.account, "charge", id)?;
            captures::finish_capture(world, id);
            Some(world.store.find(&call.account, "charge", id)?)
        }
        None => None,
    };
    let amount = match (&source, params.integer("amount")?) {
        (_, Some(amount)) => amount,
        (Some(charge), None) => charge.integer("amount"),
        (None, None) => params.required_integer("amount")?,
    };
    money::check_size(amount)?;
    check_destination(world, call, destination)?;
    let available_on = match &source {
        Some(charge) => check_source(world, call, charge, amount, &currency)?,
        None => check_available(world, call, amount, &currency)?,
    };
    let group = transfer_group(world, call, source.as_ref());
    let transfer = Object::from(json!({
        "id": world.fresh_id("tr"),
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": null,
        "created": world.now,
        "currency": currency,
        "description": params.text("description"),
        "destination": destination,
        "destination_payment": null,
        "livemode": false,
        "metadata": metadata,
        "reversals": null,
        "reversed": false,
        "source_transaction": source.as_ref().map(Object::id),
        "source_type": "card",
        "transfer_group": group,
    }));
    Ok(book(world, &call.account, transfer, available_on).value())
}

/// Books both sides of a transfer and announces it.
fn book(world: &mut World, account: &str, mut transfer: Object, available_on: i64) -> Object {
    let id = transfer.id().to_owned();
    let (amount, currency) = (transfer.integer("amount"), transfer.text("currency").to_owned());
    let destination = transfer.text("destination").to_owned();
    let payment = charges::add_destination_payment(world, &destination, &transfer);
    let movement = |account, kind, category, amount, source| Movement {
        account,
        kind,
        category,
        amount,
        fee: 0,
        currency: &currency,
        available_on,
        source,
        description: None,
        exchange_rate: Value::Null,
    };
    let outgoing = world.book(&movement(account, "transfer", "transfer", -amount, &id));
    let incoming = world.book(&movement(&destination, "payment", "charge", amount, &payment));
    world.store.edit(&payment, |payment| payment.set("balance_transaction", incoming));
    transfer.set("balance_transaction", outgoing);
    transfer.set("destination_payment", payment);
    transfer.set(
        "reversals",
        json!({ "object": "list", "data": [], "has_more": false, "url": format!("/v1/transfers/{id}/reversals") }),
    );
    if let Some(charge) = transfer.optional("source_transaction") {
        *world.transferred.entry(charge.to_owned()).or_default() += amount;
    }
    world.store.add(account, transfer.clone());
    world.emit("transfer.created", &id);
    transfer
}

/// The account must exist and have the capability to receive transfers.
fn check_destination(world: &World, call: &Call, destination: &str) -> Result<(), ApiError> {
    let account = world.store.find(&call.account, "account", destination);
    let account = account.map_err(|_| {
        let message = format!("No such destination: '{destination}'");
        ApiError {
            param: Some("destination".into()),
            status: axum::http::StatusCode::BAD_REQUEST,
            ..ApiError::refused("resource_missing", message)
        }
    })?;
    if account.get("capabilities")["transfers"] != "active" {
        let message = "Your destination account needs to have at least one of the following capabilities enabled: transfers, crypto_transfers, legacy_payments";
        return Err(ApiError::refused("insufficient_capabilities_for_transfer", message));
    }
    Ok(())
}

/// With a source transaction: in its settlement currency, together no more than the charge. While the charge is
/// pending the transfer waits with it; afterwards the available balance has to suffice, as for any transfer.
fn check_source(world: &World, call: &Call, charge: &Object, amount: i64, currency: &str) -> Result<i64, ApiError> {
    let id = charge.id();
    let Some(transaction) = world.store.any(charge.text("balance_transaction")) else {
        let message = format!("The source_transaction {id} was not captured, so it can't be transferred.");
        return Err(ApiError::refused("", message).with_param("source_transaction"));
    };
    let settlement = transaction.text("currency");
    if settlement != currency {
        let message = format!(
            "The currency of source_transaction's balance transaction ({settlement}) must be the same as the transfer currency ({currency})"
        );
        return Err(ApiError::refused("", message).with_param("currency"));
    }
    let taken = world.transferred.get(id).copied().unwrap_or_default();
    let settled = transaction.integer("amount");
    if taken + amount > settled {
        let left = settled - taken;
        let message =
            format!("The source_transaction {id} has {left} {currency} left to transfer; {amount} is more than that.");
        return Err(ApiError::refused("", message).with_param("amount"));
    }
    if transaction.text("status") == "pending" {
        return Ok(transaction.integer("available_on"));
    }
    check_available(world, call, amount, currency)
}

fn check_available(world: &World, call: &Call, amount: i64, currency: &str) -> Result<i64, ApiError> {
    if world.balances.of(&call.account, currency).available < amount {
        let message = "You have insufficient available funds in your Stripe account. Try adding funds directly to your available balance by creating Charges using the 4000000000000077 test card.";
        return Err(ApiError::refused("balance_insufficient", message));
    }
    Ok(world.now)
}

/// The given group, else the charge's, else one named after its payment intent and put on the charge as well.
fn transfer_group(world: &mut World, call: &Call, source: Option<&Object>) -> Option<String> {
    if let Some(group) = call.params.text("transfer_group") {
        return Some(group.to_owned());
    }
    let charge = source?;
    if let Some(group) = charge.optional("transfer_group") {
        return Some(group.to_owned());
    }
    let group = format!("group_{}", charge.optional("payment_intent").unwrap_or(charge.id()));
    world.store.edit(charge.id(), |charge| charge.set("transfer_group", group.clone()));
    Some(group)
}

/// `GET /v1/transfers/{id}`
pub fn retrieve(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(world.store.find(&call.account, "transfer", id)?.value())
}

/// `POST /v1/transfers/{id}`
pub fn update(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&["metadata.*", "description"])?;
    let transfer = world.store.find(&call.account, "transfer", id)?;
    world.update_metadata(call, &transfer)?;
    let transfer = world.store.edit(id, |transfer| {
        if let Some(text) = call.params.text("description") {
            transfer.set("description", text);
        }
    });
    world.emit("transfer.updated", id);
    Ok(transfer.value())
}

/// `GET /v1/transfers`
pub fn list(world: &World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[list::PAGE, list::CREATED, &["destination", "transfer_group"]].concat())?;
    list::page(world, call, "transfer", "/v1/transfers", |transfer| {
        ["destination", "transfer_group"]
            .iter()
            .all(|field| params.text(field).is_none_or(|text| transfer.text(field) == text))
    })
}
