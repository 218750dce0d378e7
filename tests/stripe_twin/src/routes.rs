//! The table of contents of the API: one line per endpoint.

use axum::http::Method;
use serde_json::Value;

use crate::{
    accounts, balance, balance_settings, captures, charges, checkout, confirmation, customers, disputes,
    error::ApiError,
    events, payment_intents, payment_methods, payouts, refunds, reversals, transfers,
    world::{Call, World},
};

/// Executes a request. `path` is without the leading `/v1/`.
///
/// # Errors
/// What the endpoint refuses, and 404 for an unknown one.
pub fn dispatch(world: &mut World, method: &Method, path: &str, call: &Call) -> Result<Value, ApiError> {
    let segments: Vec<&str> = path.split('/').collect();
    match *method {
        Method::GET => get(world, &segments, call),
        Method::POST => post(world, &segments, call),
        _ => None,
    }
    .unwrap_or_else(|| Err(ApiError::unknown_url(method.as_str(), &format!("/v1/{path}"))))
}

fn get(world: &mut World, segments: &[&str], call: &Call) -> Option<Result<Value, ApiError>> {
    Some(match *segments {
        ["accounts"] => accounts::list(world, call),
        ["accounts", id] => accounts::retrieve(world, call, id),
        ["balance"] => balance::retrieve(world, call),
        ["balance_settings"] => balance_settings::retrieve(world, call),
        ["balance_transactions"] => balance::list_transactions(world, call),
        ["balance_transactions", id] => balance::retrieve_transaction(world, call, id),
        ["charges"] => charges::list(world, call),
        ["charges", id] => charges::retrieve(world, call, id),
        ["checkout", "sessions"] => checkout::list(world, call),
        ["checkout", "sessions", id] => checkout::retrieve(world, call, id),
        ["checkout", "sessions", id, "line_items"] => checkout::list_line_items(world, call, id),
        ["customers", id] => customers::retrieve(world, call, id),
        ["disputes"] => disputes::list(world, call),
        ["disputes", id] => disputes::retrieve(world, call, id),
        ["events"] => events::list(world, call),
        ["events", id] => events::retrieve(world, call, id),
        ["payment_intents"] => payment_intents::list(world, call),
        ["payment_intents", id] => payment_intents::retrieve(world, call, id),
        ["payment_methods"] => payment_methods::list(world, call),
        ["payment_methods", id] => payment_methods::retrieve(world, call, id),
        ["payouts"] => payouts::list(world, call),
        ["payouts", id] => payouts::retrieve(world, call, id),
        ["refunds"] => refunds::list(world, call),
        ["refunds", id] => refunds::retrieve(world, call, id),
        ["transfers"] => transfers::list(world, call),
        ["transfers", id] => transfers::retrieve(world, call, id),
        ["transfers", id, "reversals"] => reversals::list(world, call, id),
        ["transfers", id, "reversals", reversal] => reversals::retrieve(world, call, id, reversal),
        _ => return None,
    })
}

fn post(world: &mut World, segments: &[&str], call: &Call) -> Option<Result<Value, ApiError>> {
    Some(match *segments {
        ["account_links"] => accounts::create_link(world, call),
        ["accounts"] => accounts::create(world, call),
        ["accounts", id] => accounts::update(world, call, id),
        ["accounts", id, "login_links"] => accounts::create_login_link(world, call, id),
        ["balance_settings"] => balance_settings::update(world, call),
        ["charges"] => charges::create(world, call),
        ["charges", id] => charges::update(world, call, id),
        ["charges", id, "capture"] => captures::capture(world, call, id),
        ["checkout", "sessions"] => checkout::create(world, call),
        ["checkout", "sessions", id, "expire"] => checkout::expire(world, call, id),
        ["customers"] => customers::create(world, call),
        ["customers", id] => customers::update(world, call, id),
        ["disputes", id] => disputes::update(world, call, id),
        ["disputes", id, "close"] => disputes::close(world, call, id),
        ["payment_intents"] => payment_intents::create(world, call),
        ["payment_intents", id] => payment_intents::update(world, call, id),
        ["payment_intents", id, "cancel"] => payment_intents::cancel(world, call, id),
        ["payment_intents", id, "capture"] => payment_intents::capture(world, call, id),
        ["payment_intents", id, "confirm"] => confirmation::confirm_request(world, call, id),
        ["payment_methods"] => payment_methods::create(world, call),
        ["payment_methods", id, "attach"] => payment_methods::attach(world, call, id),
        ["refunds"] => refunds::create(world, call),
        ["refunds", id] => refunds::update(world, call, id),
        ["transfers"] => transfers::create(world, call),
        ["transfers", id] => transfers::update(world, call, id),
        ["transfers", id, "reversals"] => reversals::create(world, call, id),
        _ => return None,
    })
}
