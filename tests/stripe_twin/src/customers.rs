//! Customers.

use serde_json::{Value, json};

use crate::{
    error::ApiError,
    payment_methods,
    store::Object,
    world::{Call, World},
};

const PARAMS: &[&str] =
    &["name", "email", "description", "phone", "metadata.*", "payment_method", "preferred_locales.#", "address.*"];

/// `POST /v1/customers`
pub fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(PARAMS)?;
    let metadata = params.metadata()?;
    let field = |name: &str| params.text(&format!("address.{name}"));
    let address = params.has("address").then(|| {
        json!({
            "city": field("city"), "country": field("country"), "line1": field("line1"),
            "line2": field("line2"), "postal_code": field("postal_code"), "state": field("state"),
        })
    });
    let mut customer = blank(world);
    for name in ["name", "email", "description", "phone"] {
        customer.set(name, params.text(name));
    }
    customer.set("address", address);
    customer.set("metadata", metadata);
    customer.set("preferred_locales", params.texts("preferred_locales"));
    let method = match params.text("payment_method") {
        Some(token) => Some(payment_methods::resolve(world, &call.account, token)?),
        None => None,
    };
    let id = customer.id().to_owned();
    world.store.add(&call.account, customer.clone());
    world.emit("customer.created", &id);
    if let Some(method) = method {
        payment_methods::keep(world, method.id(), &id);
    }
    Ok(customer.value())
}

/// Adds a customer of whom only the address is known.
pub fn add(world: &mut World, account: &str, email: &str) -> Object {
    let mut customer = blank(world);
    customer.set("email", email);
    world.store.add(account, customer.clone());
    world.emit("customer.created", customer.id());
    customer
}

fn blank(world: &mut World) -> Object {
    let id = world.fresh_id("cus");
    Object::from(json!({
        "id": id,
        "object": "customer",
        "address": null,
        "balance": 0,
        "created": world.now,
        "currency": null,
        "default_source": null,
        "delinquent": false,
        "description": null,
        "discount": null,
        "email": null,
        "invoice_prefix": id.chars().rev().take(8).collect::<String>().to_ascii_uppercase(),
        "invoice_settings": {
            "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null,
        },
        "livemode": false,
        "metadata": {},
        "name": null,
        "next_invoice_sequence": 1,
        "phone": null,
        "preferred_locales": [],
        "shipping": null,
        "tax_exempt": "none",
        "test_clock": null,
    }))
}

/// `GET /v1/customers/{id}`
pub fn retrieve(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(world.store.find(&call.account, "customer", id)?.value())
}

/// `POST /v1/customers/{id}`
pub fn update(world: &mut World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(PARAMS)?;
    let customer = world.store.find(&call.account, "customer", id)?;
    world.update_metadata(call, &customer)?;
    let customer = world.store.edit(id, |customer| {
        for field in ["name", "email", "description", "phone"] {
            if let Some(text) = call.params.text(field) {
                customer.set(field, text);
            }
        }
    });
    world.emit("customer.updated", id);
    Ok(customer.value())
}
