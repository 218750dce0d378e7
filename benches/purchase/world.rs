//! Who buys what from whom: made once per database, through the API where there is one.

use entity::{
    Timestamp, account, api_key,
    ids::{AccountId, ApiKeyId, EventId, ListingId, OfferId, OrgId},
    membership, organization,
    states::{ProviderKind, Role},
};
use sea_orm::{ActiveValue::Set, EntityTrait as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use torv::{
    AppState,
    base::Clock,
    people::api_keys::{KEY_PREFIX, hash},
};

/// What the server believes its processor signs with.
pub const WEBHOOK_SECRET: &str = "whsec_of_the_bench";
const PROVIDERS: usize = 16;
const BUYERS: usize = 32;
const LISTINGS: usize = 64;

/// Everything a purchase needs to know.
#[derive(Debug, Serialize, Deserialize)]
pub struct World {
    /// Host and port of the server.
    pub address: String,
    /// Process id of the server.
    pub pid: u32,
    pub buyers: Vec<Party>,
    pub offers: Vec<Offer>,
}

/// An organisation with a key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Party {
    pub id: OrgId,
    pub key_id: ApiKeyId,
    pub key: String,
}

/// Something for sale.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Offer {
    pub id: OfferId,
    pub listing_id: ListingId,
    pub provider_id: OrgId,
    pub licence_hash: String,
    pub price_minor: i64,
}

/// Picks what one buyer buys next.
#[derive(Debug, Clone)]
pub struct Goods {
    at: usize,
    hot: bool,
}

impl Goods {
    pub fn new(buyer: usize, hot: bool) -> Self {
        Self { at: buyer * 7, hot }
    }

    pub fn next<'a>(&mut self, world: &'a World) -> &'a Offer {
        self.at += 1;
        &world.offers[if self.hot { 0 } else { self.at % world.offers.len() }]
    }
}

/// Makes providers with published listings and offers, and buyers, on a server that runs.
pub async fn fill(app: &AppState, address: String) -> World {
    let mut offers = Vec::new();
    let mut providers = Vec::new();
    for at in 0..PROVIDERS {
        providers.push(party(app, &format!("provider-{at}"), true).await);
    }
    for at in 0..LISTINGS {
        offers.push(list(&address, &providers[at % PROVIDERS], at).await);
    }
    let mut buyers = Vec::new();
    for at in 0..BUYERS {
        buyers.push(party(app, &format!("buyer-{at}"), false).await);
    }
    World { address, pid: std::process::id(), buyers, offers }
}

async fn list(address: &str, provider: &Party, at: usize) -> Offer {
    let key = &provider.key;
    let listing = post(
        address,
        key,
        "/api/v1/listings",
        &json!({
            "title": {"en": format!("River levels, gauge {at}")}, "summary": {"en": "Water level every ten minutes."},
            "theme": "environment", "tags": ["water"], "place": "Fukui", "bbox": [135.4, 35.3, 136.9, 36.3],
            "update_frequency": "hourly", "contact": {"name": "Water desk", "email": "water@example.org"},
            "use_cases": ["Warn people along the river"], "personal_data": "none", "answer_within_days": 5
        }),
    )
    .await;
    let id = text(&listing, "id");
    let revision = post(address, key, &format!("/api/v1/listings/{id}/revisions"), &json!({"note": "First."})).await;
    let revision = text(&revision, "id");
    let file = reqwest::Client::new()
        .put(format!("http://{address}/api/v1/revisions/{revision}/files/levels.csv"))
        .bearer_auth(key)
        .body("station,level\nAsuwa,1.25\n");
    assert_eq!(file.send().await.expect("an answer").status(), 201);
    post(address, key, &format!("/api/v1/revisions/{revision}/publish"), &Value::Null).await;
    let licence = post(address, key, "/api/v1/licences", &json!({"preset": "internal_use"})).await;
    let price_minor = 10_000 + i64::try_from(at).expect("a small number");
    let offer = json!({
        "kind": "subscription", "term_months": 12, "price": {"minor": price_minor, "currency": "EUR"},
        "licence_id": text(&licence["licence"], "id")
    });
    let offer = post(address, key, &format!("/api/v1/listings/{id}/offers"), &offer).await;
    post(address, key, &format!("/api/v1/listings/{id}/publish"), &Value::Null).await;
    Offer {
        id: text(&offer, "id").parse().expect("an id"),
        listing_id: id.parse().expect("an id"),
        provider_id: provider.id,
        licence_hash: text(&offer["licence"], "hash"),
        price_minor,
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

async fn post(address: &str, key: &str, path: &str, body: &Value) -> Value {
    let request = reqwest::Client::new()
        .post(format!("http://{address}{path}"))
        .bearer_auth(key)
        .header("idempotency-key", fresh_key());
    let request = if body.is_null() { request } else { request.json(body) };
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let value = answer.json().await.expect("JSON");
    assert!(status.is_success(), "{path}: {status} {value}");
    value
}

/// An organisation with an owner and a key.
async fn party(app: &AppState, name: &str, provides: bool) -> Party {
    let now = Timestamp(app.clock.now());
    let (id, owner, key_id) = (OrgId::at(now.0), AccountId::at(now.0), ApiKeyId::at(now.0));
    let key = format!("{KEY_PREFIX}bench-{name}");
    let org = organization::ActiveModel {
        id: Set(id),
        slug: Set(name.to_owned()),
        name: Set(name.to_owned()),
        country: Set("DK".to_owned()),
        provider_kind: Set(provides.then_some(ProviderKind::Company)),
        may_provide: Set(provides),
        may_buy: Set(!provides),
        may_operate: Set(false),
        processor_account: Set(None),
        created_at: Set(now),
    };
    let person = account::ActiveModel {
        id: Set(owner),
        email: Set(format!("{name}@example.org")),
        display_name: Set(name.to_owned()),
        locale: Set("en".to_owned()),
        password_hash: Set("no password logs in here".to_owned()),
        created_at: Set(now),
        password_changed_at: Set(now),
        disabled_at: Set(None),
    };
    let member = membership::ActiveModel {
        organization_id: Set(id),
        account_id: Set(owner),
        role: Set(Role::Owner),
        created_at: Set(now),
    };
    let row = api_key::ActiveModel {
        id: Set(key_id),
        organization_id: Set(id),
        created_by: Set(owner),
        name: Set("bench".to_owned()),
        secret_hash: Set(hash(&key)),
        scopes: Set(json!(["read", "catalogue", "buy"])),
        grant_id: Set(None),
        created_at: Set(now),
        expires_at: Set(Timestamp(now.0 + time::Duration::days(1))),
        revoked_at: Set(None),
        last_used_at: Set(Some(now)),
    };
    let made = app.db.write("bench.party", move |tx| {
        let (org, person, member, row) = (org.clone(), person.clone(), member.clone(), row.clone());
        async move {
            organization::Entity::insert(org).exec_without_returning(tx.conn()).await?;
            account::Entity::insert(person).exec_without_returning(tx.conn()).await?;
            membership::Entity::insert(member).exec_without_returning(tx.conn()).await?;
            api_key::Entity::insert(row).exec_without_returning(tx.conn()).await?;
            Ok(((), tx))
        }
    });
    made.await.expect("the organisation is made");
    Party { id, key_id, key }
}

/// An idempotency key that was never used.
pub fn fresh_key() -> String {
    EventId::at(Clock::system().now()).to_string()
}
