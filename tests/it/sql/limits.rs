//! What a query may take, and how many there are at once.

use entity::states::Coverage;
use serde_json::json;
use torv::config::Config;

use super::{granted, problem, select};
use crate::support::{
    Backend, Home, TestApp, gauges,
    process::wait_for,
    sql::{is_built, processes},
};

/// A query that takes longer than any test.
pub(super) const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 1000000000000) WHERE value % 7 = 8";

pub(super) async fn exchange(adjust: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::start(Home::fresh(Backend::Sqlite).await.unwrap(), adjust).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_takes_no_more_than_it_may() {
    if !is_built() {
        return;
    }
    let app = exchange(|config| {
        config.sql.rows_max = 50;
        config.sql.result_mib = 1;
        config.sql.time_seconds = 10;
        config.sql.memory_mib = 16;
        config.sql.spill_mib = 1;
    })
    .await;
    let granted = granted(&app).await;
    select(&app, &granted.buyer, "SELECT number FROM gauges LIMIT 50").await.expect(200);
    for (sql, kind) in [
        ("SELECT number FROM gauges", "sql-too-large"),
        ("SELECT repeat(station, 200000) FROM gauges LIMIT 10", "sql-too-large"),
        (ENDLESS, "sql-too-slow"),
        (
            "SELECT max(n) FROM (SELECT a.number * 10000 + b.number * 100 + c.number AS n, count(*) FROM gauges a, gauges b, gauges c GROUP BY 1)",
            "sql-out-of-memory",
        ),
    ] {
        let refused = select(&app, &granted.buyer, sql).await.expect(422);
        assert_eq!(problem(&refused), kind, "{sql}: {}", refused.text());
    }
    assert!(processes(app.home.path()).is_empty());
    app.check_what_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_every_place_taken_is_told_when_to_come_again() {
    if !is_built() {
        return;
    }
    let app = exchange(|config| {
        config.sql.queries_at_once = 1;
        config.sql.queries_per_organization = 1;
        config.sql.queries_waiting = 1;
        config.sql.wait_seconds = 1;
        config.sql.time_seconds = 600;
    })
    .await;
    let granted = granted(&app).await;
    let other = app.granted(Coverage::WhileActive, 1).await;
    app.table(other.listing, 1, "gauges.csv", &gauges(100, 10)).await;
    let request = app.as_org(&granted.buyer, "POST", "/api/v1/sql").json(&json!({"sql": ENDLESS}));
    let endless = tokio::spawn(request.send());
    wait_for("the first query", async || (processes(app.home.path()).len() == 1).then_some(())).await;
    let own = select(&app, &granted.buyer, "SELECT 1").await.expect(429);
    assert_eq!((problem(&own).as_str(), own.header("retry-after")), ("too-many-requests", "5"));
    let others = select(&app, &other.buyer, "SELECT 1").await.expect(503);
    assert_eq!((problem(&others).as_str(), others.header("retry-after")), ("unavailable", "5"));
    endless.abort();
    assert!(endless.await.is_err_and(|error| error.is_cancelled()));
    for org in [&granted.buyer, &other.buyer] {
        select(&app, org, "SELECT count(*) FROM gauges").await.expect(200);
    }
}
