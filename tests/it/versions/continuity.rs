use entity::{audit_event, file, revision};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use torv::base::digest::sha256_hex;

use super::RETYPED;
use crate::support::{ForSale, TestApp, TestOrg, free, on_both, one_off};

const VISA: Option<&str> = Some("pm_card_visa");

async fn revoke(app: &TestApp, org: &TestOrg, grant: &str, body: &Value) -> crate::support::Answer {
    app.as_org(org, "POST", &format!("/api/v1/grants/{grant}/revoke")).json(body).send().await
}

/// Something for sale under a licence that can't be revoked.
async fn irrevocable(app: &TestApp) -> ForSale {
    let provider = app.provider().await;
    let listing = app.published(&provider, &json!({})).await;
    let preset = json!({"preset": "internal_use"});
    let preset = app.as_org(&provider, "POST", "/api/v1/licences").json(&preset).send().await.expect(201);
    let mut terms = preset.json()["document"]["terms"].clone();
    terms["termination"] = json!({"on_breach": "irrevocable"});
    let own = json!({"title": {"en": "For good"}, "terms": terms});
    let made = app.as_org(&provider, "POST", "/api/v1/licences").json(&own).send().await.expect(201);
    let mut conditions = one_off(500);
    conditions["licence_id"] = json!(made.str("/licence/id"));
    app.also_for_sale(&provider, &listing, &conditions).await
}

on_both! {
    async fn a_grant_is_revoked_with_a_reason_that_its_holder_reads(app) {
        let (sale, _) = app.market(&free()).await;
        let held = app.take(&sale, "k").await;
        let (buyer, grant) = &held;
        let path = format!("/api/v1/grants/{grant}");
        let files = app.as_org(buyer, "GET", &format!("{path}/files")).send().await.expect(200).str("/items/0/url");
        let link = files.strip_prefix("http://127.0.0.1:8080").unwrap();
        for without in [json!({}), json!({"reason": ""}), json!({"reason": " \n"}), json!({"reason": "x".repeat(401)})] {
            let answer = revoke(app, &sale.provider, grant, &without).await.expect(422);
            assert_eq!(answer.str("/errors/0/pointer"), "/reason", "{without}");
        }
        app.get(link).await.expect(200);
        let other = app.provider().await;
        revoke(app, &other, grant, &json!({"reason": "It is mine."})).await.expect(404);
        revoke(app, buyer, grant, &json!({"reason": "I am tired of it."})).await.expect(404);

        let reason = "It was passed on, which clause 3 does not allow.";
        let revoked = revoke(app, &sale.provider, grant, &json!({"reason": reason})).await.expect(200).json();
        assert_eq!((&revoked["state"], &revoked["end_reason"]), (&json!("revoked"), &json!(reason)));
        assert_eq!(app.as_org(buyer, "GET", &path).send().await.expect(200).json(), revoked, "the holder reads why");
        app.get(link).await.expect(403);
        app.as_org(buyer, "GET", &format!("{path}/files")).send().await.expect(403);
        let noted = audit_event::Entity::find().filter(audit_event::Column::Action.eq("grant.revoke"));
        let noted = noted.all(app.app.db.read()).await.unwrap();
        assert_eq!(noted.iter().map(|one| one.detail["reason"].as_str()).collect::<Vec<_>>(), [Some(reason)]);
        let told: Vec<Value> =
            app.news(&sale.listing).await.into_iter().filter(|(kind, _)| kind == "grant.revoked").map(|(_, facts)| facts).collect();
        assert_eq!((told.len(), &told[0]["reason"]), (1, &json!(reason)));
        revoke(app, &sale.provider, grant, &json!({"reason": "Again."})).await.expect(409);
        let accept = app.as_org(buyer, "POST", &format!("{path}/accept-version")).json(&json!({"major": 1})).send();
        app.run_jobs().await;
        assert!(matches!(accept.await.status, 409 | 422), "what is over accepts nothing");
    }

    async fn a_licence_that_can_not_be_revoked_is_kept(app) {
        let (sale, buyer) = (irrevocable(app).await, app.buyer().await);
        let grant = app.order(&buyer, &sale, "k", VISA).await.expect(201).str("/grant_id");
        let answer = revoke(app, &sale.provider, &grant, &json!({"reason": "We think again."})).await.expect(409);
        assert!(answer.str("/detail").contains("can't be revoked"), "{}", answer.text());
        assert_eq!(app.gets(&(buyer, grant)).await, [1]);
    }

    async fn the_grant_of_a_running_subscription_ends_with_that(app) {
        let subscribed = app.monthly("pm_card_visa").await;
        let grant = app.see(&subscribed).await["grant_id"].as_str().unwrap().to_owned();
        let answer = revoke(app, &subscribed.sale.provider, &grant, &json!({"reason": "No more."})).await.expect(409);
        assert!(answer.str("/detail").contains("subscription"), "{}", answer.text());
        assert!(app.has_access(&subscribed).await);
    }

    async fn a_paid_grant_that_is_revoked_leaves_its_money_to_be_asked_for(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let order = app.order(&buyer, &sale, "k", VISA).await.expect(201).json();
        let grant = order["grant_id"].as_str().unwrap();
        revoke(app, &sale.provider, grant, &json!({"reason": "The source forbids it."})).await.expect(200);
        let path = format!("/api/v1/orders/{}/refunds", order["id"].as_str().unwrap());
        let asked = app.as_org(&buyer, "POST", &path).header("idempotency-key", "r");
        let refund = asked.json(&json!({"reason": "It was revoked."})).send().await.expect(201).str("/id");
        let path = format!("/api/v1/refunds/{refund}/approve");
        app.as_org(&sale.provider, "POST", &path).json(&json!({"note": "Of course."})).send().await.expect(200);
        app.run_jobs().await;
        let after = app.as_org(&buyer, "GET", &format!("/api/v1/grants/{grant}")).send().await.expect(200).json();
        assert_eq!((&after["state"], &after["end_reason"]), (&json!("revoked"), &json!("The source forbids it.")));
        app.assert_all_agrees("revoked and given back").await;
    }

    async fn a_retired_listing_is_delivered_to_those_who_have_it(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let grant = app.order(&buyer, &sale, "k", VISA).await.expect(201).str("/grant_id");
        let held = (buyer.clone(), grant);
        let running = app.also_for_sale(&sale.provider, &sale.listing, &free()).await;
        let free = app.take(&running, "free").await;
        app.release(&sale, RETYPED).await;
        app.post(&sale.provider, &format!("/api/v1/listings/{}/retire", sale.listing)).await.expect(200);
        app.advance(time::Duration::days(200));
        app.run_jobs().await;
        assert_eq!((app.gets(&held).await, app.gets(&free).await), (vec![1], vec![2, 1]));
        let path = format!("/api/v1/grants/{}/files", held.1);
        let file = app.as_org(&buyer, "GET", &path).send().await.expect(200).json()["items"][0].clone();
        let url = file["url"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap();
        assert_eq!(sha256_hex(&app.get(url).await.expect(200).bytes), file["sha256"].as_str().unwrap());
        assert_eq!(app.version_numbers(&sale.listing).await.len(), 2, "and its changelog is still there");
    }

    async fn data_that_somebody_was_granted_is_never_deleted(app) {
        let (sale, _) = app.market(&free()).await;
        let held = app.take(&sale, "k").await;
        let row = revision::Entity::find().one(app.app.db.read()).await.unwrap().unwrap();
        let path = format!("/api/v1/revisions/{}", row.id);
        app.as_org(&sale.provider, "DELETE", &path).send().await.expect(409);
        app.as_org(&sale.provider, "DELETE", &format!("{path}/files/levels.csv")).send().await.expect(409);
        let past_the_rules = app.app.db.write("test.delete", |tx| async move {
            file::Entity::delete_many().exec(tx.conn()).await?;
            Ok(((), tx))
        });
        assert!(past_the_rules.await.is_err(), "the database refuses too");
        let past_the_rules = app.app.db.write("test.delete", |tx| async move {
            revision::Entity::delete_many().exec(tx.conn()).await?;
            Ok(((), tx))
        });
        assert!(past_the_rules.await.is_err());
        assert_eq!(app.gets(&held).await, [1]);
    }
}
