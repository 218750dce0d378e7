//! How each operation is tried: on which thing, with what in the request.

use entity::states::{ListingState, Role};
use serde_json::{Value, json};

use super::world::{Acting, World, free_offer, fresh, licence, order, order_in, text};
use crate::support::{PASSWORD, TestApp, listing_in};

/// What a request holds besides method, path and credentials.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    /// The parameters in the path.
    pub path: Vec<(&'static str, String)>,
    /// From the question mark on.
    pub query: String,
    pub headers: Vec<(&'static str, String)>,
    /// JSON, or a text that is sent as it is.
    pub body: Option<Value>,
}

impl Probe {
    fn json(body: Value) -> Self {
        Self { body: Some(body), ..Self::default() }
    }

    fn at(name: &'static str, value: impl Into<String>) -> Self {
        Self::default().and(name, value)
    }

    fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.path.push((name, value.into()));
        self
    }

    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With an idempotency key of its own.
    fn once(self) -> Self {
        self.header("idempotency-key", fresh())
    }
}

/// The request that tries `name`. What it would use up is made for it alone.
pub async fn probe(app: &TestApp, world: &World, name: &str, acting: &Acting) -> Probe {
    let catalogue = catalogue_probe(app, world, name).await;
    let known = match catalogue.or_else(|| settlement_probe(world, name)) {
        Some(probe) => Some(probe),
        None => match trade_probe(app, world, name).await {
            Some(probe) => Some(probe),
            None => people_probe(app, world, name, acting).await,
        },
    };
    known.unwrap_or_else(|| panic!("{name}: say in probes.rs how it is tried"))
}

async fn catalogue_probe(app: &TestApp, world: &World, name: &str) -> Option<Probe> {
    let home = &world.home;
    Some(match name {
        "search_listings" | "list_listings_in_review" => Probe::default(),
        "create_listing" => Probe::json(listing_in()),
        "get_listing" | "list_revisions" | "list_offers" => Probe::at("id", &world.listing),
        "list_listing_deliveries" | "get_listing_delivery_summary" => Probe::at("id", &world.listing),
        "get_listing draft" | "list_revisions draft" | "list_offers draft" => Probe::at("id", &world.draft),
        "edit_listing" => {
            let draft = app.draft(home, &json!({})).await;
            Probe::at("id", draft).header("if-match", "\"1\"").with(json!({"place": "Fukui city"}))
        }
        "publish_listing" => {
            let draft = app.draft(home, &json!({})).await;
            app.publish_data(home, &draft, "levels.csv", "a\n1\n").await;
            Probe::at("id", draft)
        }
        "withdraw_listing" | "approve_listing" | "return_listing" => {
            let draft = app.draft(home, &json!({})).await;
            app.publish_data(home, &draft, "levels.csv", "a\n1\n").await;
            app.force_state(draft.parse().expect("an id"), ListingState::InReview).await;
            let note = (name == "return_listing").then(|| json!({"note": "Say more."}));
            Probe { body: note, ..Probe::at("id", draft) }
        }
        "retire_listing" => Probe::at("id", app.published(home, &json!({})).await),
        "open_revision" => Probe::at("id", app.draft(home, &json!({})).await).with(json!({})),
        "get_revision" => Probe::at("id", &world.revision),
        "get_revision draft" => Probe::at("id", &world.draft_revision),
        "put_file" => Probe::at("id", open_revision(app, world).await).and("name", "more.csv").with(json!("a\n1\n")),
        "discard_revision" | "publish_revision" => Probe::at("id", open_revision(app, world).await),
        "delete_file" => Probe::at("id", open_revision(app, world).await).and("name", "levels.csv"),
        "get_file_profile" => Probe::at("id", &world.file),
        "get_file_profile draft" => Probe::at("id", &world.draft_file),
        "set_sample_policy" => Probe::at("id", &world.file).with(json!({"show": "none"})),
        "list_licences" => Probe::default(),
        "create_licence" | "preview_licence" => Probe::json(json!({"preset": "internal_use"})),
        "get_licence" => Probe::at("id", &world.licence),
        "archive_licence" => Probe::at("id", licence(app, home).await),
        "get_licence_document" | "get_licence_odrl" | "get_licence_text" => {
            Probe::at("hash", text(&world.offer, "/licence/hash"))
        }
        "create_offer" => {
            let draft = app.draft(home, &json!({})).await;
            Probe::at("id", draft).with(json!({"kind": "free", "licence": "CC-BY-4.0"}))
        }
        "get_offer" => Probe::at("id", text(&world.offer, "/id")),
        "get_offer draft" => Probe::at("id", &world.draft_offer),
        "withdraw_offer" => {
            let draft = app.draft(home, &json!({})).await;
            Probe::at("id", free_offer(app, home, &draft).await)
        }
        _ => return None,
    })
}

/// An open revision of `home` with one file.
async fn open_revision(app: &TestApp, world: &World) -> String {
    let draft = app.draft(&world.home, &json!({})).await;
    let revision = app.open_revision(&world.home, &draft).await;
    app.upload(&world.home, &revision, "levels.csv", "a\n1\n").await.expect(201);
    revision
}

async fn trade_probe(app: &TestApp, world: &World, name: &str) -> Option<Probe> {
    let (home, partner) = (&world.home, &world.partner);
    Some(match name {
        "create_quote" => Probe::json(json!({"offer_id": world.offer["id"]})),
        "create_quote draft" => Probe::json(json!({"offer_id": world.draft_offer})),
        "place_order" => Probe::json(order_in(&world.paid_offer, None)).once(),
        "list_orders" | "list_grants" | "list_fee_rules" => Probe::default(),
        "get_order" | "get_receipt" => Probe::at("order_id", &world.order),
        "approve_order" | "decline_order" => {
            let placed = order(app, partner, &world.offer, None).await;
            Probe::at("order_id", text(&placed, "/id")).with(json!({"note": "Thank you."}))
        }
        "cancel_order" => Probe::at("order_id", text(&order(app, home, &world.approved_offer, None).await, "/id")),
        "pay_order" => {
            let placed = order(app, home, &world.paid_offer, None).await;
            Probe::at("order_id", text(&placed, "/id")).with(json!({"payment_method": "pm_card_visa"})).once()
        }
        "get_grant" => Probe::at("grant_id", &world.grant),
        "list_grant_files" | "list_grant_deliveries" => Probe::at("id", &world.grant),
        "create_fee_rule" => Probe::json(json!({"operator_bps": 1_500})).once(),
        "download_file" | "probe_file" => {
            let (token, name) = world.link.rsplit_once("/d/")?.1.split_once('/')?;
            Probe::at("token", token).and("name", name)
        }
        "receive_webhook" => {
            let (signature, body) = world.webhook.clone();
            Probe::at("processor", "sandbox").header("torv-sandbox-signature", signature).with(json!(body))
        }
        "get_jwks" | "get_liveness" | "get_readiness" | "list_problems" => Probe::default(),
        "get_problem" => Probe::at("slug", "not-found"),
        _ => return None,
    })
}

fn settlement_probe(world: &World, name: &str) -> Option<Probe> {
    Some(match name {
        "run_payouts" => Probe::json(json!({"currency": "EUR", "minimum_minor": 1, "recipients": "providers"})).once(),
        "list_payouts" | "list_reconciliations" | "get_settlement_balance" | "get_statement" => Probe::default(),
        "get_statement of" => Probe { query: format!("?organization={}", world.home.id), ..Probe::default() },
        "get_payout" | "retry_payout" => Probe::at("id", &world.payout),
        "run_reconciliation" => Probe::json(json!({})),
        "get_reconciliation" => Probe::at("id", &world.reconciliation),
        "export_ledger" => Probe { query: "?format=csv".to_owned(), ..Probe::default() },
        _ => return None,
    })
}

async fn people_probe(app: &TestApp, world: &World, name: &str, acting: &Acting) -> Option<Probe> {
    let home = &world.home;
    let in_home = || Probe::at("organization_id", home.id.to_string());
    Some(match name {
        "register_account" => Probe::json(
            json!({"email": format!("{}@example.com", fresh()), "password": PASSWORD, "display_name": "New"}),
        ),
        "log_in" | "refresh_session" => {
            let email = format!("{}@example.com", fresh());
            let tokens = app.register(&email).await;
            if name == "log_in" {
                return Some(Probe::json(json!({"email": email, "password": PASSWORD})));
            }
            Probe::json(json!({"refresh_token": tokens.refresh}))
        }
        "get_my_account" | "log_out" | "list_audit_events" => Probe::default(),
        "change_my_password" => {
            Probe::json(json!({"current_password": PASSWORD, "new_password": "seagull lamp harbour"}))
        }
        "found_organization" => Probe::json(json!({"name": "Annex", "country": "DK", "may_buy": true})),
        "get_organization" | "list_members" | "list_api_keys" | "list_invitations" => in_home(),
        "list_own_listings" => Probe::at("id", home.id.to_string()),
        "change_organization" => in_home().with(json!({"name": "Home"})),
        "remove_member" | "change_member_role" => {
            let (account, _) = app.member_account(home, Role::Viewer).await;
            let body = (name == "change_member_role").then(|| json!({"role": "editor"}));
            Probe { body, ..in_home().and("account_id", account.to_string()) }
        }
        "create_api_key" => in_home().with(json!({"name": "Test", "scopes": ["read"], "expires_in_days": 1})),
        "revoke_api_key" => {
            let secret = app.key(home, &["read"]).await;
            in_home().and("api_key_id", secret.strip_prefix(torv::people::api_keys::KEY_PREFIX)?)
        }
        "invite_member" => in_home().with(json!({"email": format!("{}@example.com", fresh()), "role": "viewer"})),
        "revoke_invitation" => in_home().and("invitation_id", invite(app, world, "somebody@example.com").await.0),
        "accept_invitation" => {
            let email = acting.account.map_or_else(fresh, |account| account.to_string());
            let (_, token) = invite(app, world, &format!("{email}@example.org")).await;
            Probe::json(json!({"token": token}))
        }
        _ => return None,
    })
}

/// An invitation by somebody the actors don't belong to; `home` where it is taken back. Returns id and token.
async fn invite(app: &TestApp, world: &World, email: &str) -> (String, String) {
    let org = if email.ends_with(".org") { &world.partner } else { &world.home };
    let path = format!("/api/v1/organizations/{}/invitations", org.id);
    let owner = app.owner(org).await;
    let body = json!({"email": email, "role": "viewer"});
    let made = app.request("POST", &path).bearer(owner).json(&body).send().await.expect(201);
    (made.str("/id"), made.str("/token"))
}
