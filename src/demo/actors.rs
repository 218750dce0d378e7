//! Who takes part: the operator, providers and buyers, each with a log-in and an API key.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use super::{
    OPERATOR_EMAIL,
    client::{Client, succeeded},
    narrate,
    square::{Party, Square},
};
use crate::{config::Secret, error::Result, people::organizations, state::AppState};

/// Days that the API keys hold: more than the demo's clock is behind at first.
const KEY_DAYS: u16 = 180;

/// One participant, as the manifest hands it over.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Actor {
    pub role: &'static str,
    pub name: String,
    pub organization: String,
    pub email: String,
    pub password: String,
    pub api_key: String,
}

impl Actor {
    /// Logs in, for what a key may not do; returns the access token.
    pub(super) async fn logged_in(&self, client: &Client) -> Result<String> {
        log_in(client, &self.email, &self.password).await
    }
}

/// All participants by key; the operator under `operator`.
pub(super) type Actors = BTreeMap<String, Actor>;

/// Registers everybody over the API; the operator is made as `torv operator create` does it.
pub(super) async fn enrol(app: &AppState, client: &Client, square: &Square) -> Result<Actors> {
    let bar = narrate::bar("people", square.providers.len() + square.buyers.len() + 1);
    let mut actors = Actors::new();
    let password = password("operator");
    let secret = Secret::from(password.as_str());
    let made =
        organizations::create_operator(app, OPERATOR_EMAIL, "Olga Operator", &secret, "The square's operator (demo)");
    let (_, organization) = made.await?;
    let token = log_in(client, OPERATOR_EMAIL, &password).await?;
    let operator = Actor {
        role: "operator",
        name: "The square's operator (demo)".to_owned(),
        organization: organization.to_string(),
        email: OPERATOR_EMAIL.to_owned(),
        password,
        api_key: String::new(),
    };
    actors.insert("operator".to_owned(), with_key(client, &token, operator, "DK").await?);
    bar.inc(1);
    let parties = square.providers.iter().map(|party| ("provider", party));
    for (role, party) in parties.chain(square.buyers.iter().map(|party| ("buyer", party))) {
        actors.insert(party.key.clone(), register(client, role, party).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(actors)
}

/// Log-ins are printed, and the demo listens on this machine only unless told otherwise.
fn password(key: &str) -> String {
    format!("demo-{key}-square-1857")
}

async fn register(client: &Client, role: &'static str, party: &Party) -> Result<Actor> {
    let (email, password) = (format!("{}@demo.example", party.key), password(&party.key));
    let account = json!({"email": email, "password": password, "display_name": party.name, "locale": "en"});
    client.post("/api/v1/accounts", "", &account).await?;
    let token = log_in(client, &email, &password).await?;
    let provides = role == "provider";
    let organization = json!({
        "name": party.name, "country": party.country, "may_provide": provides, "may_buy": !provides,
        "provider_kind": party.kind,
    });
    let founded = client.post("/api/v1/organizations", &token, &organization).await?;
    let organization = founded.text("/id").or_else(|_| founded.text("/organization/id"))?;
    let actor = Actor { role, name: party.name.clone(), organization, email, password, api_key: String::new() };
    with_key(client, &token, actor, &party.country).await
}

async fn log_in(client: &Client, email: &str, password: &str) -> Result<String> {
    let body = json!({"email": email, "password": password});
    client.post("/api/v1/sessions", "", &body).await?.text("/access_token")
}

/// Says what invoices are to say of it, and takes an API key.
async fn with_key(client: &Client, token: &str, actor: Actor, country: &str) -> Result<Actor> {
    let path = format!("/api/v1/organizations/{}/tax-profile", actor.organization);
    let key = actor.email.split('@').next().unwrap_or_default();
    let profile = json!({
        "legal_name": actor.name, "address": address(country), "country": country, "is_business": true,
        "legal_id": {"value": format!("DEMO-{}", key.to_uppercase())},
        "electronic_address": {"scheme": "EM", "value": actor.email},
    });
    client.send(Method::PUT, &path, token, None, Some(&profile)).await.and_then(|reply| succeeded(reply, &path))?;
    let scopes: &[&str] = match actor.role {
        "provider" => &["read", "catalogue", "finance"],
        "buyer" => &["read", "buy"],
        _ => &["read", "catalogue", "finance"],
    };
    let body = json!({"name": "Demo", "scopes": scopes, "expires_in_days": KEY_DAYS});
    let path = format!("/api/v1/organizations/{}/api-keys", actor.organization);
    let made = client.send(Method::POST, &path, token, None, Some(&body)).await?;
    let api_key = made.text("/secret")?;
    Ok(Actor { api_key, ..actor })
}

/// A town hall of the country, where everybody of the demo has its office.
fn address(country: &str) -> serde_json::Value {
    let (street, postal_code, city) = match country {
        "JP" => ("3-17-1 Ote", "910-0005", "Fukui"),
        "TW" => ("No. 1, City Hall Road", "110204", "Taipei"),
        "DE" => ("Rathausmarkt 1", "20095", "Hamburg"),
        _ => ("Rådhuspladsen 2", "8000", "Aarhus C"),
    };
    json!({"street": street, "postal_code": postal_code, "city": city})
}
