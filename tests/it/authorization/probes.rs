//! How each operation is tried: on which thing, with what in the request.

use entity::states::{ListingState, Role};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};

use super::recurring::keep_method;
use super::world::{Acting, World, free_offer, fresh, licence, order, order_in, tax_profile, text};
use crate::support::{PASSWORD, TestApp, TestOrg, listing_in, sales::money};

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

    pub fn at(name: &'static str, value: impl Into<String>) -> Self {
        Self::default().and(name, value)
    }

    pub fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.path.push((name, value.into()));
        self
    }

    pub fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
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
    let mut known = catalogue_probe(app, world, name)
        .await
        .or_else(|| settlement_probe(world, name))
        .or_else(|| bank_probe(world, name));
    if known.is_none() {
        known = world.shared.probe(app, world, name).await;
    }
    if known.is_none() {
        known = terms_probe(app, world, name).await;
    }
    if known.is_none() {
        known = trade_probe(app, world, name).await;
    }
    if known.is_none() {
        known = after_sale_probe(app, world, name).await;
    }
    if known.is_none() {
        known = subscription_probe(app, world, name).await;
    }
    if known.is_none() {
        known = notices_probe(app, world, name).await;
    }
    if known.is_none() {
        known = people_probe(app, world, name, acting).await;
    }
    known.unwrap_or_else(|| panic!("{name}: say in probes.rs how it is tried"))
}

async fn catalogue_probe(app: &TestApp, world: &World, name: &str) -> Option<Probe> {
    let home = &world.home;
    Some(match name {
        "search_listings" | "list_listings_in_review" => Probe::default(),
        "create_listing" => Probe::json(listing_in()),
        "get_listing" | "list_revisions" | "list_offers" | "get_changelog" | "list_row_keys" => {
            Probe::at("id", &world.listing)
        }
        "list_listing_deliveries" | "get_listing_delivery_summary" => Probe::at("id", &world.listing),
        "get_listing draft" | "list_revisions draft" | "list_offers draft" | "get_changelog draft" => {
            Probe::at("id", &world.draft)
        }
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
        "get_revision draft" | "preview_version" => Probe::at("id", &world.draft_revision),
        "put_file" => Probe::at("id", open_revision(app, world).await).and("name", "more.csv").with(json!("a\n1\n")),
        "discard_revision" | "publish_revision" => Probe::at("id", open_revision(app, world).await),
        "delete_file" => Probe::at("id", open_revision(app, world).await).and("name", "levels.csv"),
        "get_file_profile" => Probe::at("id", &world.file),
        "get_file_profile draft" => Probe::at("id", &world.draft_file),
        "list_row_keys draft" => Probe::at("id", &world.draft),
        "set_row_key" => {
            Probe::at("id", &world.listing).and("name", "levels.csv").with(json!({"columns": ["station"]}))
        }
        "remove_row_key" => {
            set_row_key(app, home, &world.listing).await;
            Probe::at("id", &world.listing).and("name", "levels.csv")
        }
        "set_sample_policy" => Probe::at("id", &world.file).with(json!({"show": "none"})),
        "set_file_reference" => {
            let revision = open_revision(app, world).await;
            let shown = app.as_org(home, "GET", &format!("/api/v1/revisions/{revision}")).send().await.expect(200);
            Probe::at("id", shown.str("/files/0/id")).with(json!({"time_zone": "Europe/Copenhagen"}))
        }
        _ => return None,
    })
}

async fn terms_probe(app: &TestApp, world: &World, name: &str) -> Option<Probe> {
    let home = &world.home;
    Some(match name {
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
        "get_offer private" => Probe::at("id", &world.private_offer),
        "list_bundle_parts" => Probe::default(),
        "accept_bundle" | "leave_bundle" => Probe::at("id", bundle(app, world).await),
        "withdraw_offer" => {
            let draft = app.draft(home, &json!({})).await;
            Probe::at("id", free_offer(app, home, &draft).await)
        }
        _ => return None,
    })
}

/// A bundle of `partner` that asks `home` for a part.
async fn bundle(app: &TestApp, world: &World) -> String {
    let own = app.published(&world.partner, &json!({})).await;
    let parts = json!([{"listing_id": own, "weight": 1}, {"listing_id": world.listing, "weight": 1}]);
    let body = json!({
        "kind": "bundle", "price": {"minor": 900, "currency": "EUR"}, "plan": {"parts": parts},
        "licence_id": licence(app, &world.partner).await,
    });
    let path = format!("/api/v1/listings/{own}/offers");
    app.as_org(&world.partner, "POST", &path).json(&body).send().await.expect(201).str("/id")
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
        "create_quote private" => Probe::json(json!({"offer_id": world.private_offer})),
        "create_coupon" => Probe::json(json!({"code": format!("{}-COUPON", fresh()), "percent_bps": 1_000})),
        "list_coupons" => Probe::default(),
        "end_coupon" => {
            let body = json!({"code": format!("{}-COUPON", fresh()), "percent_bps": 1_000});
            let made = app.as_org(home, "POST", "/api/v1/coupons").json(&body).send().await.expect(201);
            Probe::at("id", made.str("/id"))
        }
        "create_quote draft" => Probe::json(json!({"offer_id": world.draft_offer})),
        "place_order" => Probe::json(order_in(&world.paid_offer, None)).once(),
        "list_orders" | "list_grants" | "list_fee_rules" => Probe::default(),
        "get_order" | "get_receipt" | "get_order_proof" => Probe::at("order_id", &world.order),
        "approve_order" | "decline_order" => {
            let placed = order(app, partner, &world.offer, None).await;
            Probe::at("order_id", text(&placed, "/id")).with(json!({"note": "Thank you."}))
        }
        "cancel_order" => Probe::at("order_id", text(&order(app, home, &world.approved_offer, None).await, "/id")),
        "pay_order" => {
            let placed = order(app, home, &world.paid_offer, None).await;
            Probe::at("order_id", text(&placed, "/id")).with(json!({"payment_method": "pm_card_visa"})).once()
        }
        "open_checkout" => {
            let placed = order(app, home, &world.paid_offer, None).await;
            let pages =
                json!({"success_url": "https://maps.example/thanks", "cancel_url": "https://maps.example/basket"});
            Probe::at("order_id", text(&placed, "/id")).with(pages).once()
        }
        "get_grant" | "list_grant_versions" => Probe::at("grant_id", &world.grant),
        "accept_grant_version" => {
            let running = free_grant(app, (home, partner), &world.approved_offer).await;
            Probe::at("grant_id", running).with(json!({"major": 1}))
        }
        "download_changes" => {
            let running = free_grant(app, (home, partner), &world.approved_offer).await;
            set_row_key(app, partner, &text(&world.approved_offer, "/listing_id")).await;
            Probe { query: "?file=levels.csv&from=1.0.0".to_owned(), ..Probe::at("id", running) }
        }
        "revoke_grant" => {
            let given = free_grant(app, (partner, home), &world.offer).await;
            Probe::at("grant_id", given).with(json!({"reason": "It was passed on."}))
        }
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

/// Names the key of the one table of a listing.
async fn set_row_key(app: &TestApp, org: &TestOrg, listing: &str) {
    let path = format!("/api/v1/listings/{listing}/row-keys/levels.csv");
    app.as_org(org, "PUT", &path).json(&json!({"columns": ["station"]})).send().await.expect(200);
}

/// A grant of what is free once its provider approves.
async fn free_grant(app: &TestApp, (buyer, provider): (&TestOrg, &TestOrg), offer: &Value) -> String {
    let placed = text(&order(app, buyer, offer, None).await, "/id");
    let path = format!("/api/v1/orders/{placed}/approve");
    app.as_org(provider, "POST", &path).json(&json!({})).send().await.expect(200).str("/grant_id")
}

async fn subscription_probe(app: &TestApp, world: &World, name: &str) -> Option<Probe> {
    let own = || Probe::at("subscription_id", &world.recurring.subscription);
    let stock = || Probe::at("meter_id", &world.recurring.quota);
    let now = app.clock.now().format(&time::format_description::well_known::Rfc3339).ok()?;
    let report = json!({"records": [{"key": "probe", "units": 1, "occurred_at": now}]});
    let offer = &world.recurring.renewing_offer;
    let agreed = json!({"expected_total": offer["price"], "licence_hash": offer["licence"]["hash"]});
    Some(match name {
        "save_payment_method" => Probe::json(json!({"payment_method": "pm_card_visa", "consent": true})).once(),
        "list_payment_methods" | "list_subscriptions" | "list_quotas" => Probe::default(),
        "remove_payment_method" => Probe::at("saved_method_id", keep_method(app, &world.home).await),
        "get_subscription"
        | "cancel_subscription"
        | "keep_subscription"
        | "pause_subscription"
        | "resume_subscription"
        | "drop_subscription_change" => own(),
        "end_subscription" => {
            Probe::at("subscription_id", &world.recurring.served_subscription).with(json!({"note": "The sensors go."}))
        }
        "consent_to_subscription" => own().with(agreed),
        "preview_subscription_change" => Probe { query: format!("?offer_id={}", text(offer, "/id")), ..own() },
        "upgrade_subscription" => {
            let mut body = agreed;
            (body["offer_id"], body["expected_charge"]) = (offer["id"].clone(), offer["price"].clone());
            own().with(body).once()
        }
        "set_subscription_payment_method" => {
            own().with(json!({"saved_method_id": keep_method(app, &world.home).await}))
        }
        "report_usage" => Probe::at("subscription_id", &world.recurring.served_meter).with(report),
        "get_usage" => Probe::at("subscription_id", &world.recurring.meter),
        "set_budget" => Probe::at("subscription_id", &world.recurring.meter).with(json!({})),
        "get_quota" => stock(),
        "report_quota_usage" => stock().with(report),
        _ => return None,
    })
}

fn settlement_probe(world: &World, name: &str) -> Option<Probe> {
    Some(match name {
        "run_payouts" => Probe::json(json!({"currency": "EUR", "minimum_minor": 1, "recipients": "providers"})).once(),
        "list_payouts" | "list_reconciliations" | "get_settlement_balance" | "get_statement" => Probe::default(),
        "get_statement of" => Probe { query: format!("?organization={}", world.home.id), ..Probe::default() },
        "get_payout" | "retry_payout" => Probe::at("id", &world.payout),
        "get_payout_account" => Probe::default(),
        "start_onboarding" => Probe::json(json!({"return_url": "https://rivers.example/back"})),
        "run_reconciliation" => Probe::json(json!({})),
        "request_verification" | "list_verifications" => Probe::default(),
        "get_verification" => Probe::at("id", &world.verification),
        "get_reconciliation" => Probe::at("id", &world.reconciliation),
        "list_documents" | "get_vat_summary" => Probe::default(),
        "get_document" | "get_document_pdf" | "get_document_ubl" => Probe::at("document_id", &world.document),
        "export_dac7" => Probe { query: "?year=2026".to_owned(), ..Probe::default() },
        "get_tax_profile" => Probe::at("organization_id", world.home.id.to_string()),
        "put_tax_profile" => Probe::at("organization_id", world.home.id.to_string()).with(tax_profile()),
        "read_money_feed" | "download_money_feed" | "get_unit_economics" => Probe::default(),
        "list_proof_keys" | "list_tree_heads" | "get_transparency_totals" => Probe::default(),
        "get_tree_head" => Probe::at("day", "latest"),
        "get_consistency_proof" => Probe { query: "?from=1&to=1".to_owned(), ..Probe::default() },
        "export_ledger" => Probe { query: "?format=csv".to_owned(), ..Probe::default() },
        _ => return None,
    })
}

async fn after_sale_probe(app: &TestApp, world: &World, name: &str) -> Option<Probe> {
    let (home, partner) = (&world.home, &world.partner);
    let note = || json!({"note": "We have looked into it."});
    Some(match name {
        "request_refund" => {
            let placed = order(app, home, &world.paid_offer, Some("pm_card_visa")).await;
            Probe::at("order_id", text(&placed, "/id")).with(json!({"reason": "It is empty."})).once()
        }
        "issue_refund" => {
            let sold = app.sell(home, partner, money(500, "EUR")).await;
            Probe::at("order_id", sold.order.to_string()).with(json!({"reason": "It is empty."})).once()
        }
        "list_refunds" | "list_disputes" | "list_receivables" | "list_write_offs" | "list_reversals" => {
            Probe::default()
        }
        "withdraw_refund" => {
            let sold = app.sell(partner, home, money(500, "EUR")).await;
            Probe::at("refund_id", asked_back(app, home, &sold.order.to_string()).await)
        }
        "retry_reversal" => {
            let row = entity::reversal::Entity::find().one(app.app.db.read()).await;
            Probe::at("reversal_id", row.expect("reads").expect("a refused one").id.to_string())
        }
        "get_refund" => Probe::at("refund_id", &world.refund),
        "approve_refund" | "decline_refund" => {
            let sold = app.sell(home, partner, money(500, "EUR")).await;
            Probe::at("refund_id", asked_back(app, partner, &sold.order.to_string()).await).with(note())
        }
        "appeal_refund" => {
            let sold = app.sell(partner, home, money(500, "EUR")).await;
            let id = asked_back(app, home, &sold.order.to_string()).await;
            let path = format!("/api/v1/refunds/{id}/decline");
            app.as_org(partner, "POST", &path).json(&note()).send().await.expect(200);
            Probe::at("refund_id", id).with(note())
        }
        "get_dispute" => Probe::at("dispute_id", &world.dispute),
        "give_evidence" => Probe::at("dispute_id", &world.dispute).with(json!({"statement": "They read it."})),
        "accept_dispute" | "submit_dispute" => Probe::at("dispute_id", &world.other_dispute),
        "ask_write_off" => {
            let body = json!({"organization_id": home.id, "order_id": world.order, "reason": "Wound up."});
            Probe::json(body).once()
        }
        "approve_write_off" | "decline_write_off" => Probe::at("id", &world.write_off).with(json!({})),
        _ => return None,
    })
}

/// Exceptions are tried on one that is about no bank line, and is opened for each.
fn bank_probe(world: &World, name: &str) -> Option<Probe> {
    let bank = &world.bank;
    Some(match name {
        "open_bank_account" => {
            let word = fresh().replace('-', "_");
            Probe::json(json!({"name": word, "number": word, "currency": "EUR"}))
        }
        "list_bank_accounts" | "list_bank_statements" | "list_bank_lines" | "list_exceptions" | "list_closings" => {
            Probe::default()
        }
        "set_bank_profile" => Probe::at("name", "main").with(json!({"csv_layout": "german"})),
        "import_bank_statement" => Probe::default().with(json!(bank.statement)),
        "import_payout_report" => Probe::default().with(json!(bank.report)),
        "get_bank_statement" => Probe::at("id", &bank.import),
        "get_bank_line" => Probe::at("id", &bank.line),
        "get_exception" => Probe::at("id", &bank.exception),
        "detect_exceptions" => Probe::json(json!({})),
        "assign_exception" => Probe::at("id", &bank.exception).with(json!({"owner": null})),
        "note_exception" => Probe::at("id", &bank.exception).with(json!({"text": "Seen."})),
        "resolve_exception" => {
            let post = json!({"kind": "post", "reason": "Known.", "debit": "suspense_bank", "credit": "write_offs", "amount_minor": 250});
            Probe::at("id", &bank.exception).with(post)
        }
        "decide_resolution" => Probe::at("id", &bank.exception).with(json!({"agree": true})),
        "get_three_way_report" => Probe {
            query: "?from=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z&currency=EUR".to_owned(),
            ..Probe::default()
        },
        "close_month" => Probe::json(json!({"month": "2099-01", "currency": "EUR"})),
        _ => return None,
    })
}

/// A buyer's request for all of an order; returns its id.
pub async fn asked_back(app: &TestApp, buyer: &TestOrg, order: &str) -> String {
    let request = app.as_org(buyer, "POST", &format!("/api/v1/orders/{order}/refunds"));
    let body = json!({"reason": "It is empty."});
    request.header("idempotency-key", fresh()).json(&body).send().await.expect(201).str("/id")
}

async fn notices_probe(app: &TestApp, world: &World, name: &str) -> Option<Probe> {
    let endpoint = async || {
        let body = json!({"url": "http://127.0.0.1:9/hook"});
        // An organisation has a few at most, so what is tried out is taken away before.
        let listed = app.as_org(&world.home, "GET", "/api/v1/webhook-endpoints").send().await.expect(200).json();
        for old in listed["items"].as_array().expect("a list") {
            let path = format!("/api/v1/webhook-endpoints/{}", text(old, "/id"));
            app.as_org(&world.home, "DELETE", &path).send().await.expect(204);
        }
        let made = app.as_org(&world.home, "POST", "/api/v1/webhook-endpoints").json(&body).send().await;
        made.expect(201).str("/id")
    };
    Some(match name {
        "list_notices" | "stream_notices" | "get_unread_notices" | "list_notice_kinds" | "list_webhook_endpoints" => {
            Probe::default()
        }
        "get_mail_preferences" => Probe::default(),
        "set_mail_preferences" => Probe::json(json!({"items": [{"kind": "*", "mode": "off"}]})),
        "unsubscribe_from_mails" => {
            let (org, account) = (world.home.id, world.home.owner);
            let signature = app.app.secrets.sign_link(&format!("unsubscribe {org} {account}"));
            Probe::at("token", format!("{org}.{account}.{signature}"))
        }
        "mark_notices_read" => Probe::json(json!({"cursor": 0})),
        "create_webhook_endpoint" => {
            endpoint().await;
            Probe::json(json!({"url": "http://127.0.0.1:9/hook"}))
        }
        "change_webhook_endpoint" => {
            Probe::at("id", endpoint().await).header("if-match", "\"1\"").with(json!({"description": "Mine"}))
        }
        "replay_webhook_endpoint" => Probe::at("id", endpoint().await).with(json!({"after": 0})),
        "get_webhook_delivery" | "retry_webhook_delivery" => {
            let id = endpoint().await;
            let path = format!("/api/v1/webhook-endpoints/{id}/test");
            let delivery = app.as_org(&world.home, "POST", &path).send().await.expect(202).str("/id");
            Probe::at("id", id).and("delivery_id", delivery)
        }
        "get_webhook_endpoint"
        | "delete_webhook_endpoint"
        | "rotate_webhook_secret"
        | "test_webhook_endpoint"
        | "list_webhook_deliveries" => Probe::at("id", endpoint().await),
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
        "get_my_account" | "log_out" | "list_audit_events" | "list_storage_findings" | "list_slice_failures" => {
            Probe::default()
        }
        "retry_slice" => Probe::at("id", failed_slice(app).await),
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

/// Something of a slice that could not be made.
async fn failed_slice(app: &TestApp) -> String {
    let file = entity::file::Entity::find().one(app.app.db.read()).await.expect("reads").expect("a file");
    let (id, now) = (entity::ids::SliceId::derived(&fresh()), entity::Timestamp(app.clock.now()));
    let row = entity::slice_task::Model {
        id,
        file_id: file.id,
        grant_id: None,
        time_column: fresh(),
        slice: None,
        state: entity::states::RenditionState::Failed,
        attempts: 1,
        run_at: now,
        lease_until: None,
        progress_permille: 0,
        files: None,
        size_bytes: None,
        row_count: None,
        error: Some("A test.".to_owned()),
        created_at: now,
        made_at: None,
    };
    app.write(async move |tx: &torv::db::Tx| {
        let row = sea_orm::IntoActiveModel::into_active_model(row);
        entity::slice_task::Entity::insert(row).exec_without_returning(tx.conn()).await.expect("inserts");
    })
    .await;
    id.to_string()
}
