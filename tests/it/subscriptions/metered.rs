use entity::{
    states::{Coverage, OfferKind, OrderOrigin, OrderState, RevisionState},
    usage_record,
};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use time::Duration;

use super::market::{DECLINED_LATER, Subscribed, meter};
use crate::support::{Answer, TestApp, gauges, on_both, one_off};

/// A link to a file of the grant that the subscription gives, without the host.
pub async fn link(app: &TestApp, of: &Subscribed) -> String {
    let grant = app.grants_of(of).await.last().unwrap().id;
    let path = format!("/api/v1/grants/{grant}/files");
    let url = app.as_org(&of.buyer, "GET", &path).send().await.expect(200).str("/items/0/url");
    url.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned()
}

/// Downloads once, and waits until it is counted.
pub async fn download(app: &TestApp, of: &Subscribed) -> u16 {
    let answer = app.get(&link(app, of).await).await;
    app.app.recorder.flush().await;
    answer.status
}

async fn usage(app: &TestApp, of: &Subscribed, query: &str) -> Value {
    app.as_org(&of.buyer, "GET", &format!("/api/v1/subscriptions/{}/usage{query}", of.id))
        .send()
        .await
        .expect(200)
        .json()
}

async fn budget(app: &TestApp, of: &Subscribed, minor: Option<i64>) -> Answer {
    let body = json!({"budget": minor.map(|minor| json!({"minor": minor, "currency": "EUR"}))});
    app.as_org(&of.buyer, "PUT", &format!("/api/v1/subscriptions/{}/budget", of.id)).json(&body).send().await
}

async fn report(app: &TestApp, of: &Subscribed, records: Value) -> Answer {
    let path = format!("/api/v1/subscriptions/{}/usage", of.id);
    app.as_org(&of.sale.provider, "POST", &path).json(&json!({"records": records})).send().await
}

fn record(app: &TestApp, key: &str, units: i64, before: Duration) -> Value {
    let at = (app.clock.now() - before).format(&time::format_description::well_known::Rfc3339).unwrap();
    json!({"key": key, "units": units, "occurred_at": at})
}

on_both! {
    async fn a_month_costs_exactly_what_was_downloaded(app) {
        let subscribed = app.metered("request", &json!({})).await;
        assert_eq!(app.see_order(&subscribed.buyer, &subscribed.order).await["total"]["minor"], 0);
        for _ in 0..5 {
            assert_eq!(download(app, &subscribed).await, 200);
            app.pass(Duration::DAY).await;
        }
        let month = usage(app, &subscribed, "").await;
        assert_eq!((&month["units"], &month["cost"]["minor"], &month["is_closed"]), (&json!(5), &json!(30), &json!(false)));
        assert_eq!(month["days"].as_array().unwrap().len(), 5);
        assert_eq!(month["forecast"]["expected_units"], 30);
        app.pass(Duration::days(25) + Duration::hours(23)).await;
        assert!(app.followed(&subscribed).await.is_empty(), "usage may still be reported");
        app.pass(Duration::hours(1)).await;
        let orders = app.followed(&subscribed).await;
        assert_eq!((orders.len(), orders[0].origin, orders[0].state, orders[0].total_minor), (1, OrderOrigin::Usage, OrderState::Completed, 30));
        assert_eq!(usage(app, &subscribed, "?month=1").await["is_closed"], true);
        assert_eq!(app.grants_of(&subscribed).await.len(), 1, "the grant is the purchase's");
        app.pass(Duration::days(31)).await;
        let periods = app.see(&subscribed).await["periods"].clone();
        assert_eq!(periods[1]["price"]["minor"], 0);
        assert!(periods[1].get("order_id").is_none(), "a month without usage has no order");
        assert_eq!(app.followed(&subscribed).await.len(), 1);
        app.assert_all_agrees("two months").await;
    }

    async fn bytes_are_counted_as_they_are_sent(app) {
        let subscribed = app.metered("byte", &json!({"included_units": 0, "tiers": [{"price_minor": 1, "per_units": 10}]})).await;
        let url = link(app, &subscribed).await;
        let whole = app.get(&url).await.expect(200).bytes.len();
        let part = app.request("GET", &url).header("range", "bytes=0-3").send().await.expect(206).bytes.len();
        app.request("HEAD", &url).send().await.expect(200);
        app.app.recorder.flush().await;
        assert_eq!(usage(app, &subscribed, "").await["units"], json!(whole + part));
    }

    async fn a_budget_stops_access_and_raising_it_opens_at_once(app) {
        let subscribed = app.metered("request", &json!({"grace_units": 1})).await;
        assert_eq!(budget(app, &subscribed, Some(20)).await.expect(200).json()["limit_units"], 5, "2 included, 2 paid, 1 grace");
        let mut statuses = Vec::new();
        for _ in 0..7 { statuses.push(download(app, &subscribed).await) }
        assert_eq!(statuses, [200, 200, 200, 200, 200, 409, 409]);
        let month = usage(app, &subscribed, "").await;
        assert_eq!((&month["units"], &month["cost"]["minor"]), (&json!(5), &json!(20)), "the grace is free");
        let told: Vec<_> = app.news(&subscribed.id.replace("sub_", "mtr_")).await.into_iter().map(|(kind, facts)| (kind, facts["percent"].clone())).collect();
        assert_eq!(told, [("budget.reached".to_owned(), json!(50)), ("budget.reached".to_owned(), json!(100))]);
        budget(app, &subscribed, Some(19)).await.expect(422);
        budget(app, &subscribed, Some(40)).await.expect(200);
        assert_eq!(download(app, &subscribed).await, 200);
        budget(app, &subscribed, None).await.expect(200);
        for _ in 0..4 { assert_eq!(download(app, &subscribed).await, 200) }
        budget(app, &subscribed, Some(80)).await.expect(200);
        app.pass(Duration::days(32)).await;
        assert_eq!(app.followed(&subscribed).await[0].total_minor, 80);
        assert_eq!(download(app, &subscribed).await, 200, "a new month");
        app.assert_all_agrees("budget").await;
    }

    async fn the_bill_never_exceeds_the_budget_whatever_is_reported(app) {
        let subscribed = app.metered("event", &json!({})).await;
        budget(app, &subscribed, Some(50)).await.expect(200);
        report(app, &subscribed, json!([record(app, "a", 1_000, Duration::ZERO)])).await.expect(200);
        assert_eq!(download(app, &subscribed).await, 409, "access stops for what only the provider counts, too");
        app.pass(Duration::days(32)).await;
        assert_eq!(app.followed(&subscribed).await[0].total_minor, 50);
        app.assert_all_agrees("over-reported").await;
    }

    async fn a_report_is_counted_once_whole_or_not_at_all(app) {
        let subscribed = app.metered("event", &json!({})).await;
        app.pass(Duration::DAY).await;
        let batch = json!([record(app, "a", 3, Duration::HOUR), record(app, "b", 4, Duration::HOUR)]);
        assert_eq!(report(app, &subscribed, batch.clone()).await.expect(200).json()["counted"], 2);
        assert_eq!(report(app, &subscribed, batch).await.expect(200).json(), json!({"counted": 0, "repeated": 2, "counted_in_a_later_month": 0}));
        report(app, &subscribed, json!([record(app, "c", 1, Duration::HOUR), record(app, "a", 9, Duration::HOUR)])).await.expect(409);
        for (records, pointer) in [
            (json!([]), "/records"),
            (json!([record(app, "", 1, Duration::HOUR)]), "/records/0/key"),
            (json!([record(app, "x", 0, Duration::HOUR)]), "/records/0/units"),
            (json!([record(app, "x", 1, Duration::days(9))]), "/records/0/occurred_at"),
            (json!([record(app, "x", 1, -Duration::HOUR)]), "/records/0/occurred_at"),
        ] {
            assert_eq!(report(app, &subscribed, records).await.expect(422).json()["errors"][0]["pointer"], pointer);
        }
        assert_eq!(usage(app, &subscribed, "").await["units"], 7);
        let stranger = Subscribed { sale: crate::support::ForSale { provider: app.provider().await, ..subscribed.sale.clone() }, ..subscribed.clone() };
        report(app, &stranger, json!([record(app, "z", 1, Duration::ZERO)])).await.expect(404);
        let downloads = app.metered("request", &json!({})).await;
        report(app, &downloads, json!([record(app, "z", 1, Duration::ZERO)])).await.expect(409);
    }

    async fn racing_reports_of_the_same_keys_count_once(app) {
        let subscribed = app.metered("event", &json!({})).await;
        let batch = json!((0..50).map(|n| record(app, &format!("k{n}"), 1, Duration::ZERO)).collect::<Vec<_>>());
        let answers = futures::future::join_all((0..8).map(|_| report(app, &subscribed, batch.clone()))).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        assert_eq!(answers.iter().map(|answer| answer.json()["counted"].as_u64().unwrap()).sum::<u64>(), 50);
        assert_eq!(usage(app, &subscribed, "").await["units"], 50);
        app.assert_all_agrees("racing reports").await;
    }

    async fn late_usage_counts_in_its_month_within_the_window_and_in_the_next_after(app) {
        let subscribed = app.metered("event", &json!({})).await;
        app.pass(Duration::days(30) + Duration::hours(23)).await;
        let within = report(app, &subscribed, json!([record(app, "in time", 10, Duration::days(2))])).await.expect(200).json();
        assert_eq!(within["counted_in_a_later_month"], 0);
        app.pass(Duration::hours(2)).await;
        assert_eq!(app.followed(&subscribed).await[0].total_minor, 80);
        let after = report(app, &subscribed, json!([record(app, "too late", 7, Duration::days(2))])).await.expect(200).json();
        assert_eq!(after["counted_in_a_later_month"], 1);
        app.pass(Duration::days(32)).await;
        let totals: Vec<i64> = app.followed(&subscribed).await.iter().map(|order| order.total_minor).collect();
        assert_eq!(totals, [80, 50]);
        app.assert_all_agrees("late usage").await;
    }

    async fn a_cancelled_meter_bills_its_last_month_and_ends(app) {
        let subscribed = app.metered("event", &json!({})).await;
        report(app, &subscribed, json!([record(app, "a", 12, Duration::ZERO)])).await.expect(200);
        app.ask(&subscribed, "pause").await.expect(409);
        app.ask(&subscribed, "cancel").await.expect(200);
        assert_eq!(download(app, &subscribed).await, 200);
        app.pass(Duration::days(30)).await;
        assert!(!app.has_access(&subscribed).await, "the month is over");
        app.pass(Duration::days(2)).await;
        assert_eq!(app.followed(&subscribed).await[0].total_minor, 100);
        assert_eq!(app.state_of(&subscribed).await, "cancelled");
        report(app, &subscribed, json!([record(app, "b", 1, Duration::days(5))])).await.expect(409);
        app.assert_all_agrees("cancelled meter").await;
    }

    async fn an_unpaid_month_is_dunned_and_ends_access(app) {
        let subscribed = app.subscribe(&one_off(0), OfferKind::Metered, &meter("event", &json!({})), DECLINED_LATER).await;
        report(app, &subscribed, json!([record(app, "a", 12, Duration::ZERO)])).await.expect(200);
        app.pass(Duration::days(31)).await;
        assert_eq!((app.state_of(&subscribed).await.as_str(), app.has_access(&subscribed).await), ("past_due", true));
        for _ in 0..8 { app.pass(Duration::DAY).await }
        assert_eq!((app.state_of(&subscribed).await.as_str(), app.has_access(&subscribed).await), ("ended", false));
        app.assert_all_agrees("unpaid month").await;
    }

    async fn many_downloads_at_once_stop_at_the_limit(app) {
        let subscribed = app.metered("request", &json!({})).await;
        budget(app, &subscribed, Some(30)).await.expect(200);
        let url = link(app, &subscribed).await;
        let answers = futures::future::join_all((0..40).map(|_| app.get(&url))).await;
        app.app.recorder.flush().await;
        let sent = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(sent <= 5, "{sent} of at most 5");
        assert_eq!(usage(app, &subscribed, "").await["units"], json!(sent));
        while download(app, &subscribed).await == 200 {}
        assert_eq!(usage(app, &subscribed, "").await["units"], 5, "none was lost to the race");
    }

    /// Trap: a client of Delta Sharing fetches one file in a dozen requests, and gives some of them up.
    async fn shared_tables_count_once_when_they_are_handed_out(app) {
        let subscribed = app.metered("request", &json!({})).await;
        budget(app, &subscribed, Some(30)).await.expect(200);
        for number in 2..=7 {
            app.table(subscribed.sale.listing.parse().unwrap(), number, "gauges.parquet", &gauges(10, 10)).await;
        }
        let get = async |path: &str| app.as_org(&subscribed.buyer, "GET", path).send().await;
        let share = get("/delta-sharing/shares").await.expect(200).str("/items/0/name");
        let schema = get(&format!("/delta-sharing/shares/{share}/all-tables")).await.expect(200).str("/items/0/schema");
        let path = format!("/delta-sharing/shares/{share}/schemas/{schema}/tables/gauges/query");
        let query = async |version: i32| app.as_org(&subscribed.buyer, "POST", &path).json(&json!({"version": version})).send().await;
        for version in 2..=6 {
            for _ in 0..2 {
                let answer = query(version).await.expect(200);
                let file: Value = serde_json::from_str(answer.text().lines().nth(2).unwrap()).unwrap();
                let url = file["file"]["url"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap().to_owned();
                app.request("GET", &url).header("range", "bytes=-100").send().await.expect(206);
                app.get(&url).await.expect(200);
            }
            app.app.recorder.flush().await;
            assert_eq!(usage(app, &subscribed, "").await["units"], version - 1, "once for each file");
        }
        query(7).await.expect(403);
        query(6).await.expect(200);
        let stream = async |range: Value| app.as_org(&subscribed.buyer, "POST", &path).json(&range).send().await;
        let known = stream(json!({"startingVersion": 3, "endingVersion": 6})).await.expect(200);
        stream(json!({"startingVersion": 3})).await.expect(403);
        assert_eq!(usage(app, &subscribed, "").await["units"], 5, "a stream of what was had before costs nothing more");
        // A file that went is a download like any other, and nothing is left for one.
        let gone: Value = serde_json::from_str(known.text().lines().nth(2).unwrap()).unwrap();
        let url = gone["remove"]["url"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap().to_owned();
        app.get(&url).await.expect(409);
        let rows = format!("/api/v1/listings/{}/rows", subscribed.sale.listing);
        get(&rows).await.expect(409);
        budget(app, &subscribed, Some(40)).await.expect(200);
        get(&rows).await.expect(200);
        app.app.recorder.flush().await;
        assert_eq!(usage(app, &subscribed, "").await["units"], 6, "a page of rows is one request");
    }

    async fn what_changed_in_a_shared_table_counts_once_and_all_of_a_feed_or_nothing(app) {
        let subscribed = app.metered("request", &json!({})).await;
        budget(app, &subscribed, Some(30)).await.expect(200);
        let (provider, listing) = (&subscribed.sale.provider, &subscribed.sale.listing);
        let key = format!("/api/v1/listings/{listing}/row-keys/levels.csv");
        app.as_org(provider, "PUT", &key).json(&json!({"columns": ["station"]})).send().await.expect(200);
        for body in ["station,level\nAsuwa,2.25\n", "station,level\nAsuwa,3.25\n", "station,level\nAsuwa,4.25\n", "station,level\nAsuwa,5.25\n",
            "station,level\nAsuwa,6.25\n"] {
            app.publish_data(provider, listing, "levels.csv", body).await;
            app.run_jobs().await;
        }
        let get = async |path: &str| app.as_org(&subscribed.buyer, "GET", path).send().await;
        let share = get("/delta-sharing/shares").await.expect(200).str("/items/0/name");
        let schema = get(&format!("/delta-sharing/shares/{share}/all-tables")).await.expect(200).str("/items/0/schema");
        let path = format!("/delta-sharing/shares/{share}/schemas/{schema}/tables/levels/changes");
        for (query, units) in [("2&endingVersion=3", 2), ("2&endingVersion=3", 2), ("3&endingVersion=4", 3)] {
            let answer = get(&format!("{path}?startingVersion={query}")).await.expect(200);
            for line in answer.text().lines().skip(2) {
                let file: Value = serde_json::from_str(line).unwrap();
                let url = file["cdf"]["url"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap().to_owned();
                app.request("GET", &url).header("range", "bytes=-100").send().await.expect(206);
                app.get(&url).await.expect(200);
            }
            app.app.recorder.flush().await;
            assert_eq!(usage(app, &subscribed, "").await["units"], units, "once for each file");
        }
        let all = format!("{path}?startingVersion=1");
        get(&all).await.expect(403);
        assert_eq!(usage(app, &subscribed, "").await["units"], 3, "what was refused costs nothing");
        budget(app, &subscribed, Some(40)).await.expect(200);
        get(&all).await.expect(200);
        get(&all).await.expect(200);
        assert_eq!(usage(app, &subscribed, "").await["units"], 6, "and with it the table in its first version");
    }

    async fn an_unmetered_grant_is_not_counted(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        app.bare_file(granted.listing, 1, RevisionState::Published, ("a.csv", "text/csv"), b"a,b\n").await;
        let path = format!("/api/v1/grants/{}/files", granted.grant);
        let url = app.as_org(&granted.buyer, "GET", &path).send().await.expect(200).str("/items/0/url");
        app.get(url.strip_prefix("http://127.0.0.1:8080").unwrap()).await.expect(200);
        app.app.recorder.flush().await;
        assert_eq!(usage_record::Entity::find().all(app.app.db.read()).await.unwrap(), []);
    }
}
