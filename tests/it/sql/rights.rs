//! Who may ask which table; what is counted.

use entity::states::{Coverage, GrantState, Role};
use serde_json::{Value, json};
use time::Duration;

use super::{ask, granted, problem, rivers, select};
use crate::support::{Answer, gauges, on_both, sql::is_built};

const COUNT: &str = "SELECT count(*) FROM gauges";

fn without_instance(answer: &Answer) -> Value {
    let mut body = answer.json();
    body["instance"] = Value::Null;
    body
}

on_both! {
    async fn a_table_that_is_not_yours_looks_like_one_that_is_not_there(app) {
        if !is_built() { return }
        let granted = granted(app).await;
        let stranger = app.buyer().await;
        for org in [&stranger, &granted.provider] {
            let refused = select(app, org, COUNT).await.expect(422);
            assert_eq!(problem(&refused), "sql-unknown-table");
            let unknown = select(app, org, "SELECT count(*) FROM gauge5").await.expect(422).text().replace("gauge5", "gauges");
            assert_eq!(without_instance(&refused), { let mut body: Value = serde_json::from_str(&unknown).unwrap(); body["instance"] = Value::Null; body });
            let named = |grant: &str| json!({"sql": "SELECT 1", "tables": {"gauges": {"grant": grant}}});
            let not_yours = ask(app, org, named(&granted.grant.to_string())).await.expect(404);
            let missing = ask(app, org, named(&format!("grt_{}", "0".repeat(32)))).await.expect(404);
            assert_eq!(without_instance(&not_yours), without_instance(&missing));
            assert_eq!(app.as_org(org, "GET", "/api/v1/sql/tables").send().await.expect(200).json()["items"], json!([]));
        }
        app.request("POST", "/api/v1/sql").json(&json!({"sql": COUNT})).send().await.expect(401);
        for role in [Role::Viewer, Role::Editor, Role::Finance] {
            let member = app.member(&granted.buyer, role).await;
            app.request("POST", "/api/v1/sql").bearer(member).json(&json!({"sql": COUNT})).send().await.expect(403);
        }
        let buyer = app.member(&granted.buyer, Role::Buyer).await;
        app.request("POST", "/api/v1/sql").bearer(buyer).json(&json!({"sql": COUNT})).send().await.expect(200);
    }

    async fn only_an_open_grant_is_read_from_the_next_query_on(app) {
        if !is_built() { return }
        let granted = granted(app).await;
        let named = json!({"sql": "SELECT count(*) FROM g", "tables": {"g": {"grant": granted.grant}}});
        ask(app, &granted.buyer, named.clone()).await.expect(200);
        for (state, status) in [(GrantState::Revoked, 403), (GrantState::Suspended, 403), (GrantState::Ended, 410)] {
            app.set_grant_state(granted.grant, state).await;
            assert_eq!(ask(app, &granted.buyer, named.clone()).await.status, status, "{state:?}");
            assert_eq!(problem(&select(app, &granted.buyer, COUNT).await.expect(422)), "sql-unknown-table", "{state:?}");
        }
        app.set_grant_state(granted.grant, GrantState::Active).await;
        select(app, &granted.buyer, COUNT).await.expect(200);
        app.advance(Duration::days(31));
        ask(app, &granted.buyer, named).await.expect(410);
        select(app, &granted.buyer, COUNT).await.expect(422);
    }

    async fn a_grant_reads_the_newest_revision_it_covers(app) {
        if !is_built() { return }
        let snapshot = app.granted(Coverage::Snapshot, 1).await;
        app.table(snapshot.listing, 1, "gauges.csv", &gauges(100, 10)).await;
        let running = app.buyer().await;
        app.bare_grant(&snapshot.provider, &running, snapshot.listing, Coverage::WhileActive, 1).await;
        app.advance(Duration::hours(1));
        app.table(snapshot.listing, 2, "gauges.csv", &gauges(30, 10)).await;
        for (org, rows) in [(&snapshot.buyer, 100), (&running, 30)] {
            assert_eq!(select(app, org, COUNT).await.expect(200).json()["rows"], json!([[rows]]));
        }
    }

    async fn a_share_token_reads_its_grant_alone(app) {
        if !is_built() { return }
        let granted = granted(app).await;
        let other = app.granted(Coverage::WhileActive, 1).await;
        let second = app.bare_grant(&other.provider, &granted.buyer, other.listing, Coverage::WhileActive, 1).await;
        app.table(other.listing, 1, "rivers.csv", &rivers()).await;
        let person = app.member(&granted.buyer, Role::Buyer).await;
        let path = format!("/api/v1/grants/{}/share-profile", granted.grant);
        let token = app.request("POST", &path).bearer(person).send().await.expect(201).str("/bearerToken");
        let with = async |body: Value| app.request("POST", "/api/v1/sql").bearer(&token).json(&body).send().await;
        with(json!({"sql": COUNT})).await.expect(200);
        with(json!({"sql": "SELECT count(*) FROM rivers"})).await.expect(422);
        with(json!({"sql": "SELECT 1", "tables": {"r": {"grant": second}}})).await.expect(404);
        select(app, &granted.buyer, "SELECT count(*) FROM rivers").await.expect(200);
    }

    async fn what_was_read_is_recorded_for_each_table(app) {
        if !is_built() { return }
        let granted = granted(app).await;
        let other = app.granted(Coverage::WhileActive, 1).await;
        let second = app.bare_grant(&other.provider, &granted.buyer, other.listing, Coverage::WhileActive, 1).await;
        app.table(other.listing, 1, "rivers.csv", &rivers()).await;
        // One that its query names and does not read.
        let sql = "SELECT River, 'gauges' FROM rivers ORDER BY 1 LIMIT 3";
        let bytes = select(app, &granted.buyer, sql).await.expect(200).bytes.len();
        app.app.recorder.flush().await;
        let noted = async |grant: &dyn std::fmt::Display| {
            let path = format!("/api/v1/grants/{grant}/deliveries");
            app.as_org(&granted.buyer, "GET", &path).send().await.expect(200).json()["items"].clone()
        };
        let items = noted(&second).await;
        assert_eq!((&items[0]["bytes_sent"], &items[0]["range"], items.as_array().unwrap().len()), (&json!(bytes), &json!("rows=3"), 1));
        assert_eq!(noted(&granted.grant).await, json!([]));
        select(app, &granted.buyer, "SELECT count(*) FROM rivers JOIN gauges ON rivers.n = gauges.number").await.expect(200);
        app.app.recorder.flush().await;
        assert_eq!((noted(&second).await.as_array().unwrap().len(), noted(&granted.grant).await.as_array().unwrap().len()), (2, 1));
    }

    async fn a_metered_grant_counts_each_answer_and_stops_at_its_budget(app) {
        if !is_built() { return }
        let subscribed = app.metered("request", &json!({"grace_units": 0})).await;
        app.table(subscribed.sale.listing.parse().unwrap(), 2, "gauges.csv", &gauges(10, 10)).await;
        let budget = json!({"budget": {"minor": 10, "currency": "EUR"}});
        let limit = app.as_org(&subscribed.buyer, "PUT", &format!("/api/v1/subscriptions/{}/budget", subscribed.id));
        let units = limit.json(&budget).send().await.expect(200).json()["limit_units"].as_i64().unwrap();
        let count = async |sql: &str| {
            let answer = select(app, &subscribed.buyer, sql).await;
            app.app.recorder.flush().await;
            answer
        };
        // What is refused, and what reads no table of it, costs nothing.
        count("SELECT nothing FROM gauges").await.expect(422);
        count("SELECT 1").await.expect(200);
        for _ in 0..units {
            count("SELECT count(*) FROM gauges a JOIN gauges b ON a.number = b.number").await.expect(200);
        }
        count(COUNT).await.expect(409);
        let path = format!("/api/v1/subscriptions/{}/usage", subscribed.id);
        assert_eq!(app.as_org(&subscribed.buyer, "GET", &path).send().await.expect(200).json()["units"], units);
    }

    async fn bytes_are_counted_as_they_are_answered(app) {
        if !is_built() { return }
        let subscribed = app.metered("byte", &json!({"included_units": 0, "tiers": [{"price_minor": 1, "per_units": 10}]})).await;
        app.table(subscribed.sale.listing.parse().unwrap(), 2, "gauges.csv", &gauges(10, 10)).await;
        let bytes = select(app, &subscribed.buyer, "SELECT * FROM gauges").await.expect(200).bytes.len();
        app.app.recorder.flush().await;
        let path = format!("/api/v1/subscriptions/{}/usage", subscribed.id);
        assert_eq!(app.as_org(&subscribed.buyer, "GET", &path).send().await.expect(200).json()["units"], bytes);
    }
}
