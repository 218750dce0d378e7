//! Transfer reversals: money that comes back from a connected account, as long as it has enough.

use serde_json::{Value, json};

use crate::{
    balance::Movement,
    error::ApiError,
    list, money,
    store::Object,
    world::{Call, World},
};

/// A transfer embeds this many of its newest reversals.
const EMBEDDED_MAX: usize = 10;

/// `POST /v1/transfers/{id}/reversals`
pub fn create(world: &mut World, call: &Call, transfer_id: &str) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&["amount", "description", "metadata.*"])?;
    let metadata = params.metadata()?;
    let transfer = world.store.find(&call.account, "transfer", transfer_id)?;
    let left = transfer.integer("amount") - transfer.integer("amount_reversed");
    let amount = match params.integer("amount")? {
        Some(amount) => amount,
        None => left,
    };
    if left == 0 {
        return Err(ApiError::refused("", format!("Transfer {transfer_id} is already fully reversed.")));
    }
    money::check_size(amount)?;
    if amount > left {
        let message = format!("Reversal amount ({amount}) is greater than unreversed amount on transfer ({left}).");
        return Err(ApiError::refused("", message).with_param("amount"));
    }
    let funds = world.balances.of(transfer.text("destination"), transfer.text("currency"));
    if funds.available + funds.pending < amount {
        let message = "The connected account does not have enough balance to reverse this transfer.";
        return Err(ApiError::refused("balance_insufficient", message));
    }
    Ok(book(world, &call.account, &transfer, amount, &metadata).value())
}

fn book(world: &mut World, account: &str, transfer: &Object, amount: i64, metadata: &Value) -> Object {
    let id = world.fresh_id("trr");
    let refund_id = world.fresh_id("pyr");
    let (destination, currency) = (transfer.text("destination"), transfer.text("currency"));
    let available_on = world.available_with(transfer.text("balance_transaction"));
    let movement = |account, kind, category, amount, source| Movement {
        account,
        kind,
        category,
        amount,
        fee: 0,
        currency,
        available_on,
        source,
        description: None,
        exchange_rate: Value::Null,
    };
    let incoming = world.book(&movement(account, "transfer_refund", "transfer_reversal", amount, &id));
    let outgoing = world.book(&movement(destination, "payment_refund", "refund", -amount, &refund_id));
    let payment = transfer.text("destination_payment");
    world.store.add(
        destination,
        Object::from(json!({
            "id": refund_id, "object": "refund", "amount": amount, "balance_transaction": outgoing, "charge": payment,
            "created": world.now, "currency": currency, "customer": null, "customer_account": null, "metadata": {},
            "payment_intent": null, "payment_method": null, "reason": null, "receipt_number": null,
            "source_transfer_reversal": id, "status": "succeeded", "transfer_reversal": null,
        })),
    );
    world.store.edit(payment, |payment| {
        let refunded = payment.integer("amount_refunded") + amount;
        payment.set("amount_refunded", refunded);
        payment.set("refunded", refunded == payment.integer("amount"));
    });
    let reversal = Object::from(json!({
        "id": id,
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": incoming,
        "created": world.now,
        "currency": currency,
        "destination_payment_refund": refund_id,
        "metadata": metadata,
        "source_refund": null,
        "transfer": transfer.id(),
    }));
    world.store.add(account, reversal.clone());
    world.reversals_of.entry(transfer.id().to_owned()).or_default().push(id);
    embed(world, transfer.id(), amount);
    world.emit("transfer.reversed", transfer.id());
    reversal
}

fn embed(world: &mut World, transfer_id: &str, amount: i64) {
    let newest: Vec<Value> = of_transfer(world, transfer_id).into_iter().map(Object::value).collect();
    world.store.edit(transfer_id, |transfer| {
        let reversed = transfer.integer("amount_reversed") + amount;
        transfer.set("amount_reversed", reversed);
        transfer.set("reversed", reversed == transfer.integer("amount"));
        let list = json!({
            "object": "list",
            "data": newest[..newest.len().min(EMBEDDED_MAX)],
            "has_more": newest.len() > EMBEDDED_MAX,
            "url": format!("/v1/transfers/{transfer_id}/reversals"),
        });
        transfer.set("reversals", list);
    });
}

/// The reversals of a transfer, newest first.
fn of_transfer<'a>(world: &'a World, transfer: &str) -> Vec<&'a Object> {
    let ids = world.reversals_of.get(transfer).map(Vec::as_slice).unwrap_or_default();
    ids.iter().rev().filter_map(|id| world.store.any(id)).collect()
}

/// `GET /v1/transfers/{id}/reversals`
pub fn list(world: &World, call: &Call, transfer: &str) -> Result<Value, ApiError> {
    call.params.allow(list::PAGE)?;
    world.store.find(&call.account, "transfer", transfer)?;
    let reversals = of_transfer(world, transfer);
    list::page_of(&call.params, "transfer_reversal", &format!("/v1/transfers/{transfer}/reversals"), &reversals)
}

/// `GET /v1/transfers/{id}/reversals/{id}`
pub fn retrieve(world: &World, call: &Call, transfer: &str, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    let reversal = world.store.find(&call.account, "transfer_reversal", id)?;
    if reversal.text("transfer") != transfer {
        return Err(ApiError::missing("transfer_reversal", id));
    }
    Ok(reversal.value())
}
