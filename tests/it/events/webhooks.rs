//! Webhook endpoints: what is sent, to whom, signed how.

use entity::{states::Coverage, webhook_endpoint};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{TestApp, on_both};

impl TestApp {
    pub async fn patch_endpoint(&self, hook: &crate::events::Hook, change: &Value) -> Value {
        let path = format!("/api/v1/webhook-endpoints/{}", hook.id);
        let read = self.as_org(&hook.org, "GET", &path).send().await.expect(200);
        let request = self.as_org(&hook.org, "PATCH", &path).header("if-match", read.header("etag"));
        request.json(change).send().await.expect(200).json()
    }
}

on_both! {
    async fn a_message_is_what_standard_webhooks_says(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        app.revisions(granted.listing, [2]).await;
        app.run_jobs().await;
        let got = hook.receiver.got();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].signatures_by(&hook.secret), 1);
        assert_eq!(got[0].signatures_by("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 0);
        let now = app.clock.now();
        assert_eq!(got[0].header("webhook-timestamp"), now.unix_timestamp().to_string());
        assert_eq!(got[0].header("content-type"), "application/json");
        let notice = &app.notices_of(&granted.buyer).await[0];
        assert_eq!(json!(got[0].header("webhook-id")), notice["id"]);
        assert_eq!(got[0].json(), json!({"type": "revision.published", "timestamp": notice["occurred_at"], "data": notice["data"]}));
        let delivered = app.deliveries(&hook, "delivered").await;
        assert_eq!(delivered.len(), 1);
        assert_eq!((&delivered[0]["attempts"], &delivered[0]["last_status"]), (&json!(1), &json!(204)));
        assert_eq!(app.deliveries(&hook, "pending").await, Vec::<Value>::new());
    }

    async fn a_secret_is_shown_once_and_kept_sealed(app) {
        let org = app.buyer().await;
        let hook = app.hook(&org, &json!({"description": "Nightly import"})).await;
        assert_eq!(hook.secret.len(), "whsec_".len() + 44, "32 bytes");
        let list = app.as_org(&org, "GET", "/api/v1/webhook-endpoints").send().await.expect(200);
        assert_eq!(list.json()["items"][0]["description"], "Nightly import");
        for answer in [list, app.see_hook(&hook, "").await.expect(200)] {
            assert!(!answer.text().contains("whsec_") && !answer.text().contains("sealed"), "{}", answer.text());
        }
        let rows = webhook_endpoint::Entity::find().all(app.app.db.read()).await.expect("readable");
        let raw = bytes_of(&hook.secret);
        assert!(rows.iter().all(|row| !row.sealed_secret.windows(raw.len()).any(|part| part == raw)));
        let audit = app.as_org(&org, "GET", "/api/v1/audit-events").send().await.expect(200).text();
        assert!(audit.contains("webhook_endpoint.create") && !audit.contains(&hook.secret));
    }

    async fn two_secrets_sign_while_one_replaces_the_other(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        let rotated = app.post_to(&hook, "/rotate-secret").await.expect(200);
        let fresh = rotated.str("/secret");
        assert_ne!(fresh, hook.secret);
        assert!(!rotated.str("/previous_secret_until").is_empty());
        app.revisions(granted.listing, [1]).await;
        app.run_jobs().await;
        app.advance(Duration::hours(24));
        app.revisions(granted.listing, [2]).await;
        app.run_jobs().await;
        let got = hook.receiver.got();
        let signed = |at: usize| (got[at].signatures_by(&hook.secret), got[at].signatures_by(&fresh));
        assert_eq!((got.len(), signed(0), signed(1)), (2, (1, 1), (0, 1)));
    }

    async fn an_endpoint_gets_what_it_asked_for(app) {
        let (one, two) = (app.granted(Coverage::Snapshot, 1).await, app.granted(Coverage::Snapshot, 1).await);
        app.bare_grant(&two.provider, &one.buyer, two.listing, Coverage::Snapshot, 1).await;
        let all = app.hook(&one.buyer, &json!({})).await;
        let kinds = app.hook(&one.buyer, &json!({"kinds": ["listing.retired"]})).await;
        let listing = app.hook(&one.buyer, &json!({"listing_ids": [two.listing]})).await;
        app.revisions(one.listing, [1]).await;
        app.revisions(two.listing, [2]).await;
        app.happens("listing.retired", one.listing, json!({"listing_id": one.listing})).await;
        app.run_jobs().await;
        let kinds_of = |hook: &crate::events::Hook| hook.receiver.got().iter().map(|got| got.json()["type"].clone()).collect::<Vec<_>>();
        assert_eq!(kinds_of(&all).len(), 3);
        assert_eq!(kinds_of(&kinds), ["listing.retired"]);
        assert_eq!(listing.receiver.data("number"), [2]);
        app.patch_endpoint(&kinds, &json!({"kinds": ["revision.published"]})).await;
        app.revisions(one.listing, [3]).await;
        app.run_jobs().await;
        assert_eq!(kinds_of(&kinds), ["listing.retired", "revision.published"]);
    }

    async fn a_test_goes_to_one_endpoint_whatever_it_asked_for(app) {
        let org = app.buyer().await;
        let hook = app.hook(&org, &json!({"kinds": ["payout.paid"]})).await;
        let other = app.hook(&org, &json!({})).await;
        let sent = app.post_to(&hook, "/test").await.expect(202).json();
        assert_eq!((&sent["kind"], &sent["state"]), (&json!("webhook.test"), &json!("pending")));
        app.run_jobs().await;
        let got = hook.receiver.got();
        assert_eq!((got.len(), got[0].signatures_by(&hook.secret)), (1, 1));
        assert_eq!(got[0].json()["type"], "webhook.test");
        assert_eq!(got[0].json()["data"], json!({"webhook_endpoint_id": hook.id}));
        assert_eq!(other.receiver.got().len(), 0);
        assert_eq!(app.notices_of(&org).await, Vec::<Value>::new());
    }

    async fn what_is_switched_off_is_not_sent_and_can_be_replayed(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        app.revisions(granted.listing, [1]).await;
        app.run_jobs().await;
        let off = app.patch_endpoint(&hook, &json!({"enabled": false})).await;
        assert_eq!((&off["enabled"], &off["disabled_reason"]), (&json!(false), &json!("owner")));
        app.revisions(granted.listing, [2, 3]).await;
        app.run_jobs().await;
        app.post_to(&hook, "/test").await.expect(409);
        assert_eq!(hook.receiver.data("number"), [1]);
        app.patch_endpoint(&hook, &json!({"enabled": true})).await;
        app.revisions(granted.listing, [4]).await;
        app.run_jobs().await;
        assert_eq!(hook.receiver.data("number"), [1, 4]);
        let first = app.notices_of(&granted.buyer).await[0]["cursor"].clone();
        let path = format!("/api/v1/webhook-endpoints/{}/replay", hook.id);
        let begun = app.as_org(&granted.buyer, "POST", &path).json(&json!({"after": first})).send().await.expect(202).json();
        assert!(begun["until"].as_i64() > first.as_i64());
        app.run_jobs().await;
        assert_eq!(hook.receiver.data("number"), [1, 4, 2, 3, 4]);
        let got = hook.receiver.got();
        assert_eq!(got[1].header("webhook-id"), got[4].header("webhook-id"), "a receiver can tell");
        assert_eq!(app.deliveries(&hook, "delivered").await.iter().filter(|one| one["replayed"] == true).count(), 3);
        app.as_org(&granted.buyer, "POST", &path).json(&json!({"after": -1})).send().await.expect(422);
    }

    async fn a_long_log_is_replayed_in_steps(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        app.revisions(granted.listing, 1..=450).await;
        app.run_jobs().await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        let path = format!("/api/v1/webhook-endpoints/{}/replay", hook.id);
        app.as_org(&granted.buyer, "POST", &path).json(&json!({"after": 0})).send().await.expect(202);
        app.run_jobs().await;
        let expected: Vec<i64> = (1..=450).collect();
        assert_eq!(hook.receiver.data("number"), expected);
    }

    async fn a_deleted_endpoint_gets_nothing_more_and_is_gone(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        app.revisions(granted.listing, [1]).await;
        torv::notify::fan_out(&app.app).await.expect("tells");
        let path = format!("/api/v1/webhook-endpoints/{}", hook.id);
        app.as_org(&granted.buyer, "DELETE", &path).send().await.expect(204);
        app.run_jobs().await;
        assert_eq!(hook.receiver.got().len(), 0);
        for rest in ["", "/deliveries"] {
            app.see_hook(&hook, rest).await.expect(404);
        }
        app.as_org(&granted.buyer, "DELETE", &path).send().await.expect(404);
        let row = webhook_endpoint::Entity::find().one(app.app.db.read()).await.expect("readable").expect("the row");
        assert!(row.sealed_secret.is_empty(), "secrets are wiped");
    }

    async fn endpoints_are_limited_checked_and_edited_by_one_at_a_time(app) {
        let org = app.buyer().await;
        for (body, pointer) in [
            (json!({"kinds": ["none.such"]}), "/kinds/0"),
            (json!({"kinds": ["payout.paid", "payout.paid"]}), "/kinds"),
            (json!({"listing_ids": vec![format!("lst_{}", "0".repeat(32)); 101]}), "/listing_ids"),
            (json!({"listing_ids": ["ord_1"]}), "/listing_ids/0"),
            (json!({"description": "x".repeat(201)}), "/description"),
            (json!({"secret": "mine"}), "/secret"),
        ] {
            let answer = app.make_endpoint(&org, "http://127.0.0.1:9/", &body).await.expect(422);
            assert_eq!(answer.str("/errors/0/pointer"), pointer, "{body}");
        }
        let hook = app.hook(&org, &json!({})).await;
        let path = format!("/api/v1/webhook-endpoints/{}", hook.id);
        let change = json!({"enabled": false});
        app.as_org(&org, "PATCH", &path).json(&change).send().await.expect(428);
        app.as_org(&org, "PATCH", &path).header("if-match", "\"7\"").json(&change).send().await.expect(412);
        let nothing_more = json!({});
        let all = (0..25).map(|_| app.make_endpoint(&org, "http://127.0.0.1:9/", &nothing_more));
        let made = futures::future::join_all(all);
        let made = made.await;
        assert_eq!(made.iter().filter(|answer| answer.status == 201).count(), 19);
        assert_eq!(made.iter().filter(|answer| answer.status == 409).count(), 6);
    }
}

/// The bytes of a secret.
fn bytes_of(secret: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64")
}
