//! Events, as they can be asked for after the fact.

use serde_json::Value;

use crate::{
    error::ApiError,
    list,
    world::{Call, World},
};

/// `GET /v1/events/{id}`
pub fn retrieve(world: &World, call: &Call, id: &str) -> Result<Value, ApiError> {
    call.params.allow(&[])?;
    Ok(world.store.find(&call.account, "event", id)?.value())
}

/// `GET /v1/events`
pub fn list(world: &World, call: &Call) -> Result<Value, ApiError> {
    let params = &call.params;
    params.allow(&[list::PAGE, list::CREATED, &["type", "types.#", "delivery_success"]].concat())?;
    let delivered = params.flag("delivery_success")?;
    let types = params.texts("types");
    list::page(world, call, "event", "/v1/events", |event| {
        let kind = event.text("type");
        let wanted = params.text("type").is_none_or(|pattern| type_matches(pattern, kind))
            && (types.is_empty() || types.iter().any(|name| name == kind));
        wanted && delivered.is_none_or(|delivered| world.outbox.is_delivered(event.id()) == delivered)
    })
}

/// `charge.*` stands for every type that begins with `charge.`.
fn type_matches(pattern: &str, kind: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == kind, |start| kind.starts_with(start))
}
