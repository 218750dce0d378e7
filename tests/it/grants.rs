//! Grants: who sees them, when they begin and end, and that downloads stop with them.

use entity::states::GrantState;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::support::{TestApp, TestOrg, free, on_both, one_off, subscription};

const VISA: Option<&str> = Some("pm_card_visa");

async fn list(app: &TestApp, org: &TestOrg, query: &str) -> Vec<Value> {
    let page = app.as_org(org, "GET", &format!("/api/v1/grants?{query}")).send().await.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

/// A grant that begins at `start` and lasts `months`: its id and its end.
async fn granted_at(app: &TestApp, start: OffsetDateTime, months: i32) -> (TestOrg, String, Option<String>) {
    app.advance(start - app.clock.now());
    let (sale, buyer) = app.market(&subscription(500, months)).await;
    let id = app.order(&buyer, &sale, "k", VISA).await.expect(201).str("/grant_id");
    let grant = app.as_org(&buyer, "GET", &format!("/api/v1/grants/{id}")).send().await.expect(200).json();
    (buyer, id, grant["ends_at"].as_str().map(str::to_owned))
}

on_both! {
    async fn a_grant_is_seen_by_its_holder_and_its_provider_alone(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let order = app.order(&buyer, &sale, "k", VISA).await.expect(201).json();
        let id = order["grant_id"].as_str().unwrap();
        let path = format!("/api/v1/grants/{id}");
        let grant = app.as_org(&buyer, "GET", &path).send().await.expect(200).json();
        assert_eq!(app.as_org(&sale.provider, "GET", &path).send().await.expect(200).json(), grant);
        assert_eq!((&grant["state"], &grant["coverage"], &grant["through_revision"]), (&json!("active"), &json!("snapshot"), &json!(1)));
        assert_eq!((&grant["order_id"], &grant["licence_hash"]), (&order["id"], &json!(sale.licence_hash)));
        let stranger = app.buyer().await;
        app.as_org(&stranger, "GET", &path).send().await.expect(404);
        let both = [grant];
        assert_eq!(list(app, &buyer, "").await, both);
        assert_eq!(list(app, &sale.provider, "side=provider").await, both);
        assert_eq!(list(app, &buyer, &format!("state=active&listing_id={}", sale.listing)).await, both);
        assert!(list(app, &buyer, "state=ended").await.is_empty() && list(app, &stranger, "").await.is_empty());
        assert!(list(app, &buyer, "side=provider").await.is_empty() && list(app, &sale.provider, "").await.is_empty());
    }

    async fn a_term_ends_on_its_day_and_the_downloads_with_it(app) {
        let (sale, buyer) = app.market(&subscription(500, 1)).await;
        let order = app.order(&buyer, &sale, "k", VISA).await.expect(201).json();
        let id = order["grant_id"].as_str().unwrap();
        let files = format!("/api/v1/grants/{id}/files");
        app.advance(datetime!(2026-12-21 10:00 UTC) - app.clock.now() - Duration::SECOND);
        app.run_jobs().await;
        let url = app.as_org(&buyer, "GET", &files).send().await.expect(200).str("/items/0/url");
        let url = url.strip_prefix("http://127.0.0.1:8080").unwrap();
        app.get(url).await.expect(200);
        app.advance(Duration::SECOND);
        let link = app.get(url).await.status;
        assert!(matches!(link, 403 | 404 | 410), "before the job ran: {link}");
        assert_ne!(app.as_org(&buyer, "GET", &files).send().await.status, 200);
        app.run_jobs().await;
        let grant = app.as_org(&buyer, "GET", &format!("/api/v1/grants/{id}")).send().await.expect(200).json();
        assert_eq!((&grant["state"], &grant["end_reason"]), (&json!("ended"), &json!("the term is over")));
        assert_eq!((&grant["ended_at"], &grant["ends_at"]), (&grant["ends_at"], &json!("2026-12-21T10:00:00Z")));
        assert_eq!(app.get(url).await.status, link);
        app.run_jobs().await;
        let told = app.news(&sale.listing).await.into_iter().filter(|(kind, _)| kind == "grant.ended").count();
        assert_eq!(told, 1);
        app.order(&buyer, &sale, "again", VISA).await.expect(201);
    }

    async fn more_terms_than_one_round_takes_all_end(app) {
        let (sale, buyer) = app.market(&subscription(500, 1)).await;
        for n in 0..120 {
            app.order(&buyer, &sale, &n.to_string(), VISA).await.expect(201);
        }
        app.deliver_webhooks(crate::support::Delivery::InOrder).await;
        app.advance(Duration::days(31));
        app.run_jobs().await;
        assert!(list(app, &buyer, "state=active").await.is_empty());
        assert_eq!(list(app, &buyer, "state=ended&limit=100").await.len(), 100);
    }

    async fn months_end_on_the_last_day_that_there_is(app) {
        for (start, months, end) in [
            (datetime!(2026-11-30 23:59:59.5 UTC), 3, "2027-02-28T23:59:59.5Z"),
            (datetime!(2026-12-31 00:00 UTC), 1, "2027-01-31T00:00:00Z"),
            (datetime!(2026-12-31 00:00 UTC), 36, "2029-12-31T00:00:00Z"),
            (datetime!(2027-01-31 12:00 UTC), 1, "2027-02-28T12:00:00Z"),
            (datetime!(2027-01-31 12:00 UTC), 12, "2028-01-31T12:00:00Z"),
            (datetime!(2027-01-31 12:00 UTC), 13, "2028-02-29T12:00:00Z"),
            (datetime!(2027-08-31 12:00 UTC), 6, "2028-02-29T12:00:00Z"),
            (datetime!(2028-02-29 12:00 UTC), 12, "2029-02-28T12:00:00Z"),
        ] {
            let ends_at = if months > 12 { months_of(app, start, months).await } else { granted_at(app, start, months).await.2 };
            assert_eq!(ends_at.as_deref(), Some(end), "{months} months from {start}");
        }
    }

    async fn a_free_grant_has_no_end_and_covers_what_comes(app) {
        let (sale, buyer) = app.market(&free()).await;
        let id = app.order(&buyer, &sale, "k", None).await.expect(201).str("/grant_id");
        let files = format!("/api/v1/grants/{id}/files");
        assert_eq!(app.as_org(&buyer, "GET", &files).send().await.expect(200).json()["items"].as_array().unwrap().len(), 1);
        app.publish_data(&sale.provider, &sale.listing, "more.csv", "station,level\nHino,2\n").await;
        // Without the file of before it breaks a promise, so it comes after its notice.
        app.run_jobs().await;
        app.advance(Duration::days(300));
        app.run_jobs().await;
        let grant = app.as_org(&buyer, "GET", &format!("/api/v1/grants/{id}")).send().await.expect(200).json();
        assert_eq!((&grant["state"], &grant["coverage"]), (&json!("active"), &json!("while_active")));
        assert!(app.as_org(&buyer, "GET", &files).send().await.expect(200).text().contains("more.csv"));
    }

    async fn a_revoked_grant_does_not_end_a_second_time(app) {
        let (sale, buyer) = app.market(&subscription(500, 1)).await;
        let id = app.order(&buyer, &sale, "k", VISA).await.expect(201).str("/grant_id");
        app.set_grant_state(id.parse().unwrap(), GrantState::Revoked).await;
        app.advance(Duration::days(40));
        app.run_jobs().await;
        let grant = app.as_org(&buyer, "GET", &format!("/api/v1/grants/{id}")).send().await.expect(200).json();
        assert_eq!(grant["state"], "revoked");
    }
}

/// The end of a term that outlasts the usual licence, of a licence without an end.
async fn months_of(app: &TestApp, start: OffsetDateTime, months: i32) -> Option<String> {
    app.advance(start - app.clock.now());
    let (provider, buyer) = (app.provider().await, app.buyer().await);
    let listing = app.published(&provider, &json!({})).await;
    let preset =
        app.as_org(&provider, "POST", "/api/v1/licences").json(&json!({"preset": "internal_use"})).send().await;
    let mut terms = preset.expect(201).json()["document"]["terms"].clone();
    terms["duration"] = json!("perpetual");
    let made =
        app.as_org(&provider, "POST", "/api/v1/licences").json(&json!({"title": {"en": "For long"}, "terms": terms}));
    let mut conditions = subscription(500, months);
    conditions["licence_id"] = json!(made.send().await.expect(201).str("/licence/id"));
    let sale = app.also_for_sale(&provider, &listing, &conditions).await;
    let id = app.order(&buyer, &sale, "k", VISA).await.expect(201).str("/grant_id");
    let grant = app.as_org(&buyer, "GET", &format!("/api/v1/grants/{id}")).send().await.expect(200).json();
    grant["ends_at"].as_str().map(str::to_owned)
}
