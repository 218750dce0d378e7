//! The pages that Stripe hosts: checkout, authentication, onboarding. Plain forms, so that a test can post them.

use serde_json::Value;

use crate::{accounts::Standing, checkout, confirmation, error::ApiError, params::Params, world::World};

/// How a page answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Page {
    Html(String),
    /// See other.
    Redirect(String),
}

fn html(title: &str, body: &str) -> Page {
    Page::Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1>{body}</html>"
    ))
}

fn button(name: &str, value: &str, label: &str) -> String {
    format!("<form method=\"post\"><button name=\"{name}\" value=\"{value}\">{label}</button></form>")
}

/// Opens a page. `path` is without the leading `/_hosted/`.
///
/// # Errors
/// 404 for a page that does not exist.
pub fn open(world: &mut World, path: &str, query: &Params) -> Result<Page, ApiError> {
    let segments: Vec<&str> = path.split('/').collect();
    match *segments {
        ["checkout", id] => show_checkout(world, id),
        ["authenticate", id] => match query.text("outcome") {
            Some(outcome) => authenticate(world, id, outcome == "succeed"),
            None => {
                let buttons = button("outcome", "succeed", "Authenticate") + &button("outcome", "fail", "Fail");
                Ok(html("3-D Secure", &buttons))
            }
        },
        ["onboarding", token] => match world.onboarding_links.get(token) {
            Some(link) if link.expires_at < world.now => Ok(Page::Redirect(link.refresh_url.clone())),
            Some(_) => Ok(html("Tell us about yourself", &button("outcome", "complete", "Submit"))),
            None => Err(ApiError::missing("account_link", token)),
        },
        [kind @ ("receipt" | "bank_transfer" | "dashboard"), id] => {
            let object = world.store.any(id).ok_or_else(|| ApiError::missing(kind, id))?;
            let text = serde_json::to_string_pretty(&object.value()).unwrap_or_default();
            Ok(html(kind, &format!("<pre>{}</pre>", escaped(&text))))
        }
        _ => Err(ApiError::unknown_url("GET", &format!("/_hosted/{path}"))),
    }
}

/// Submits a page's form.
///
/// # Errors
/// What the page refuses: a session that is not open, a card that is declined.
pub fn submit(world: &mut World, path: &str, form: &Params) -> Result<Page, ApiError> {
    let segments: Vec<&str> = path.split('/').collect();
    match *segments {
        ["checkout", id] => {
            let intent = checkout::pay(world, id, form.text("payment_method").unwrap_or("pm_card_visa"))?;
            let action = &intent.get("next_action")["redirect_to_url"]["url"];
            let success = world.store.any(id).map(|session| session.text("success_url").to_owned()).unwrap_or_default();
            let target = action.as_str().map_or_else(|| success.replace("{CHECKOUT_SESSION_ID}", id), str::to_owned);
            Ok(Page::Redirect(target))
        }
        ["authenticate", id] => authenticate(world, id, form.text("outcome") == Some("succeed")),
        ["onboarding", token] => {
            let link = world.onboarding_links.remove(token).ok_or_else(|| ApiError::missing("account_link", token))?;
            if link.expires_at < world.now {
                return Ok(Page::Redirect(link.refresh_url));
            }
            crate::accounts::set_standing(world, &link.account, Standing::Complete);
            Ok(Page::Redirect(link.return_url))
        }
        _ => Err(ApiError::unknown_url("POST", &format!("/_hosted/{path}"))),
    }
}

fn show_checkout(world: &World, id: &str) -> Result<Page, ApiError> {
    let session = world.store.any(id).ok_or_else(|| ApiError::missing("checkout.session", id))?;
    if session.text("status") != "open" {
        return Ok(html("Checkout", "<p>This session is no longer open.</p>"));
    }
    let summary =
        format!("<p>{} {} (minor units)</p>", session.integer("amount_total"), escaped(session.text("currency")));
    let choices = [
        ("pm_card_visa", "Pay by card"),
        ("pm_card_authenticationRequired", "Pay by card with 3-D Secure"),
        ("pm_card_chargeDeclined", "Pay by a card that is declined"),
        ("customer_balance", "Pay by bank transfer"),
    ];
    let buttons: String = choices.iter().map(|(token, label)| button("payment_method", token, label)).collect();
    Ok(html("Checkout", &(summary + &buttons)))
}

fn authenticate(world: &mut World, id: &str, authenticated: bool) -> Result<Page, ApiError> {
    let before = world.store.any(id).map_or(Value::Null, |intent| intent.get("next_action").clone());
    let intent = confirmation::finish_authentication(world, id, authenticated)?;
    Ok(match before["redirect_to_url"]["return_url"].as_str() {
        Some(return_url) => {
            let separator = if return_url.contains('?') { '&' } else { '?' };
            Page::Redirect(format!(
                "{return_url}{separator}payment_intent={id}&redirect_status={}",
                match intent.text("status") {
                    "succeeded" | "requires_capture" => "succeeded",
                    _ => "failed",
                }
            ))
        }
        None => html("3-D Secure", "<p>You can close this page.</p>"),
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
