//! `expand[]`: puts whole objects where an answer holds their ids.

use serde_json::Value;

use crate::{error::ApiError, store::Object, world::World};

const DEPTH_MAX: usize = 4;

/// Expands every path of the request in the answer.
///
/// # Errors
/// 400 for a path that is too deep or that no object of the answer has.
pub fn expand(world: &World, answer: &mut Value, paths: &[String]) -> Result<(), ApiError> {
    for path in paths {
        let names: Vec<&str> = path.split('.').collect();
        if names.len() > DEPTH_MAX {
            let message = format!("You cannot expand more than {DEPTH_MAX} levels of a property. Property: {path}");
            return Err(ApiError::invalid("", "expand", message));
        }
        walk(world, answer, &names, path)?;
    }
    Ok(())
}

fn walk(world: &World, node: &mut Value, names: &[&str], path: &str) -> Result<(), ApiError> {
    let Some((name, rest)) = names.split_first() else { return Ok(()) };
    if let Value::Array(items) = node {
        return items.iter_mut().try_for_each(|item| walk(world, item, names, path));
    }
    let Value::Object(map) = node else { return Ok(()) };
    if !map.contains_key(*name)
        && let Some(list) = sub_list(world, map.get("object"), map.get("id"), name)
    {
        map.insert((*name).to_owned(), list);
    }
    let Some(child) = map.get_mut(*name) else {
        let message = format!("This property cannot be expanded ({path}).");
        return Err(ApiError::invalid("", "expand", message));
    };
    let whole = child.as_str().and_then(|id| world.store.any(id)).map(Object::value);
    if let Some(whole) = whole {
        *child = whole;
    }
    walk(world, child, rest, path)
}

/// Lists that an object only has when they are asked for.
fn sub_list(world: &World, kind: Option<&Value>, id: Option<&Value>, name: &str) -> Option<Value> {
    let id = id?.as_str()?;
    match (kind?.as_str()?, name) {
        ("charge", "refunds") => Some(crate::refunds::sub_list(world, id)),
        ("checkout.session", "line_items") => crate::checkout::line_items(world, id),
        _ => None,
    }
}
