//! Pages of objects, newest first, by cursor.

use serde_json::{Value, json};

use crate::{
    error::ApiError,
    params::Params,
    store::Object,
    world::{Call, World},
};

const LIMIT_DEFAULT: i64 = 10;
const LIMIT_MAX: i64 = 100;

/// The parameters of every list.
pub const PAGE: &[&str] = &["limit", "starting_after", "ending_before"];
/// The parameters of lists that can be filtered by instant.
pub const CREATED: &[&str] = &["created", "created.gt", "created.gte", "created.lt", "created.lte"];

/// A page of an account's objects of one kind that pass the filter and the request's `created`.
///
/// # Errors
/// A wrong limit or cursor.
pub fn page(
    world: &World,
    call: &Call,
    kind: &str,
    url: &str,
    filter: impl Fn(&Object) -> bool,
) -> Result<Value, ApiError> {
    let created = Created::of(&call.params)?;
    let passes = |object: &&Object| created.admits(object.integer("created")) && filter(object);
    let objects: Vec<&Object> = world.store.newest_first(&call.account, kind).filter(passes).collect();
    page_of(&call.params, kind, url, &objects)
}

/// A page of the given objects, which are newest first.
///
/// # Errors
/// As [`page`].
pub fn page_of(params: &Params, kind: &str, url: &str, objects: &[&Object]) -> Result<Value, ApiError> {
    let limit = params.integer("limit")?.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let message = format!("Invalid limit: must be between 1 and {LIMIT_MAX}.");
        return Err(ApiError::invalid("parameter_invalid_integer", "limit", message));
    }
    let limit = usize::try_from(limit).unwrap_or_default();
    let position = |cursor: &str, param: &str| {
        let found = objects.iter().position(|object| object.id() == cursor);
        found.ok_or_else(|| ApiError::missing(kind, cursor).with_param(param))
    };
    let (range, has_more) = if let Some(cursor) = params.text("ending_before") {
        let end = position(cursor, "ending_before")?;
        let start = end.saturating_sub(limit);
        (start..end, start > 0)
    } else {
        let start = match params.text("starting_after") {
            Some(cursor) => position(cursor, "starting_after")? + 1,
            None => 0,
        };
        let end = objects.len().min(start + limit);
        (start..end, end < objects.len())
    };
    let data: Vec<Value> = objects[range].iter().map(|object| object.value()).collect();
    Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }))
}

/// A closed range of instants, Unix seconds.
struct Created {
    from: i64,
    to: i64,
}

impl Created {
    fn of(params: &Params) -> Result<Self, ApiError> {
        if params.text("created").is_some() {
            let at = params.required_integer("created")?;
            return Ok(Self { from: at, to: at });
        }
        let after = params.integer("created.gt")?.map(|at| at.saturating_add(1));
        let before = params.integer("created.lt")?.map(|at| at.saturating_sub(1));
        let from = after.max(params.integer("created.gte")?).unwrap_or(i64::MIN);
        let to = before.unwrap_or(i64::MAX).min(params.integer("created.lte")?.unwrap_or(i64::MAX));
        Ok(Self { from, to })
    }

    fn admits(&self, created: i64) -> bool {
        (self.from..=self.to).contains(&created)
    }
}
