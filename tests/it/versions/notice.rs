use entity::{audit_event, grant};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde_json::json;
use time::Duration;

use super::{RETYPED, SAME_COLUMNS, WIDER};
use crate::support::{Backend, Home, TestApp, free, on_both, one_off};

const VISA: &str = "pm_card_visa";

on_both! {
    async fn a_breaking_revision_reaches_an_older_grant_when_its_notice_is_over_and_the_old_one_stays(app) {
        let (sale, _) = app.market(&free()).await;
        app.run_jobs().await;
        let old = app.take(&sale, "old").await;
        app.release(&sale, SAME_COLUMNS).await;
        app.release(&sale, RETYPED).await;
        let new = app.take(&sale, "new").await;
        assert_eq!(app.gets(&old).await, [2, 1], "what breaks nothing comes at once");
        assert_eq!(app.gets(&new).await, [3, 2, 1], "a new grant takes the newest");
        let said = app.grant_versions(&old).await;
        let newest = &said[0];
        assert_eq!((&newest["version"], &newest["state"]), (&json!("2.0.0"), &json!("held_back")));
        assert_eq!((&newest["major"], &newest["available_at"]), (&json!(2), &json!("2026-12-21T10:00:00Z")));
        assert_eq!((&said[1]["state"], said[1].get("available_at")), (&json!("available"), None));
        assert_eq!(app.grant_versions(&new).await[0]["state"], "available");

        app.advance(Duration::days(29));
        app.release(&sale, RETYPED).await;
        assert_eq!(app.gets(&old).await, [2, 1], "later ones of that major wait with it");
        app.advance(Duration::days(1) - Duration::MICROSECOND);
        assert_eq!(app.gets(&old).await, [2, 1]);
        app.advance(Duration::MICROSECOND);
        assert_eq!(app.gets(&old).await, [4, 3, 2, 1], "the old major stays");
        let path = format!("/api/v1/grants/{}/files?revision=1", old.1);
        let url = app.as_org(&old.0, "GET", &path).send().await.expect(200).str("/items/0/url");
        app.get(url.strip_prefix("http://127.0.0.1:8080").unwrap()).await.expect(200);
    }

    async fn a_holder_accepts_a_major_before_its_notice_is_over(app) {
        let (sale, _) = app.market(&free()).await;
        app.run_jobs().await;
        let (old, other) = (app.take(&sale, "old").await, app.take(&sale, "other").await);
        app.release(&sale, RETYPED).await;
        let path = format!("/api/v1/grants/{}/accept-version", old.1);
        let accept = async |org, body| app.as_org(org, "POST", &path).json(&body).send().await;
        for (major, why) in [(0, "majors begin with 1"), (3, "there is none yet")] {
            assert_eq!(accept(&old.0, json!({"major": major})).await.expect(422).str("/errors/0/pointer"), "/major", "{why}");
        }
        accept(&other.0, json!({"major": 2})).await.expect(404);
        accept(&sale.provider, json!({"major": 2})).await.expect(404);
        assert_eq!(app.gets(&old).await, [1]);
        assert_eq!(accept(&old.0, json!({"major": 2})).await.expect(200).json()["accepted_major"], 2);
        assert_eq!((app.gets(&old).await, app.gets(&other).await), (vec![2, 1], vec![1]), "for this grant alone");
        accept(&old.0, json!({"major": 2})).await.expect(200);
        assert_eq!(accept(&old.0, json!({"major": 1})).await.expect(200).json()["accepted_major"], 2, "no way back");
        let told = app.news(&sale.listing).await.iter().filter(|(kind, _)| kind == "grant.version_accepted").count();
        let noted = audit_event::Entity::find().filter(audit_event::Column::Action.eq("grant.accept_version"));
        assert_eq!((told, noted.all(app.app.db.read()).await.unwrap().len()), (1, 1));
        app.release(&sale, WIDER).await;
        app.release(&sale, SAME_COLUMNS).await;
        assert_eq!(app.gets(&old).await, [3, 2, 1], "the next major waits again");
    }

    async fn a_revision_whose_version_is_not_known_yet_waits_the_moment_that_takes(app) {
        let (sale, _) = app.market(&free()).await;
        app.run_jobs().await;
        let old = app.take(&sale, "old").await;
        app.publish_data(&sale.provider, &sale.listing, "levels.csv", SAME_COLUMNS).await;
        assert_eq!(app.gets(&old).await, [1]);
        let said = app.grant_versions(&old).await;
        assert_eq!((&said[0]["state"], said[0].get("version")), (&json!("held_back"), None));
        let new = app.take(&sale, "new").await;
        assert_eq!(app.gets(&new).await, [2, 1], "it was offered with it");
        app.run_jobs().await;
        assert_eq!(app.gets(&old).await, [2, 1]);
    }

    async fn a_link_to_what_is_held_back_is_never_good_under_an_older_grant(app) {
        let (sale, _) = app.market(&free()).await;
        app.run_jobs().await;
        let old = app.take(&sale, "old").await;
        app.publish_data(&sale.provider, &sale.listing, "levels.csv", RETYPED).await;
        let new = app.take(&sale, "new").await;
        let path = format!("/api/v1/grants/{}/files?revision=2", new.1);
        let url = app.as_org(&new.0, "GET", &path).send().await.expect(200).str("/items/0/url");
        let link = url.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned();
        app.get(&link).await.expect(200);
        app.run_jobs().await;
        app.get(&link).await.expect(200);
        let path = format!("/api/v1/grants/{}/files?revision=2", old.1);
        let none = app.as_org(&old.0, "GET", &path).send().await.expect(200).json();
        assert_eq!(none["items"], json!([]));
        // The same link, as if its grant had been made on the old major.
        let id: entity::ids::GrantId = new.1.parse().unwrap();
        let moved = app.app.db.write("test.made_earlier", move |tx| async move {
            let row = grant::ActiveModel { id: Set(id), through_revision: Set(1), ..Default::default() };
            grant::Entity::update(row).exec(tx.conn()).await?;
            Ok(((), tx))
        });
        moved.await.unwrap();
        app.get(&link).await.expect(410);
    }

    async fn a_snapshot_covers_no_later_version_and_has_nothing_to_accept(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let grant = app.order(&buyer, &sale, "k", Some(VISA)).await.expect(201).str("/grant_id");
        app.release(&sale, RETYPED).await;
        let bought = (buyer, grant);
        assert_eq!(app.grant_versions(&bought).await[0]["state"], "not_covered");
        let path = format!("/api/v1/grants/{}/accept-version", bought.1);
        app.as_org(&bought.0, "POST", &path).json(&json!({"major": 2})).send().await.expect(409);
        app.advance(Duration::days(40));
        assert_eq!(app.gets(&bought).await, [1]);
    }

    async fn a_renewed_subscription_stays_on_its_major_and_keeps_what_was_accepted(app) {
        let subscribed = app.monthly(VISA).await;
        let held = async || (subscribed.buyer.clone(), app.see(&subscribed).await["grant_id"].as_str().unwrap().to_owned());
        app.pass(Duration::days(25)).await;
        app.release(&subscribed.sale, RETYPED).await;
        app.pass(Duration::days(10)).await;
        assert_eq!(app.see(&subscribed).await["period"], 2);
        assert_eq!(app.gets(&held().await).await, [1], "a renewal is no consent");
        let path = format!("/api/v1/grants/{}/accept-version", held().await.1);
        app.as_org(&subscribed.buyer, "POST", &path).json(&json!({"major": 2})).send().await.expect(200);
        app.pass(Duration::days(28)).await;
        assert_eq!(app.see(&subscribed).await["period"], 3);
        let newest = grant::Entity::find().order_by_desc(grant::Column::StartsAt).one(app.app.db.read()).await.unwrap().unwrap();
        assert_eq!((newest.id.to_string(), newest.accepted_major), (held().await.1, Some(2)));
    }
}

async fn without_notice(backend: Backend) {
    let Some(home) = Home::fresh(backend).await else { return };
    let app = TestApp::start(home, |config| config.catalog.breaking_notice_days = 0).await;
    let (sale, _) = app.market(&free()).await;
    app.run_jobs().await;
    let old = app.take(&sale, "old").await;
    app.release(&sale, RETYPED).await;
    assert_eq!(app.gets(&old).await, [2, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_may_do_without_notice() {
    without_notice(Backend::Sqlite).await;
}
