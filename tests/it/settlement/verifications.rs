//! Verification by night and on request: once, kept, and told to the operator.

use entity::{grant, ids::OrderId};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use time::Duration;
use torv::db::Tx;

use crate::support::{Backend, Home, TestApp, TestOrg, one_off};

/// The night is a setting, so these tests start their own exchange; it is 10 o'clock.
async fn by_night(backend: Backend, test: impl AsyncFnOnce(&TestApp)) {
    let Some(home) = Home::fresh(backend).await else { return };
    let app = TestApp::start(home, |config| config.reconciliation.verify_hour_utc = Some(12)).await;
    test(&app).await;
}

async fn listed(app: &TestApp, operator: &TestOrg) -> Vec<Value> {
    let page = app.as_org(operator, "GET", "/api/v1/verifications").send().await.expect(200).json();
    page["items"].as_array().expect("items").clone()
}

async fn shown(app: &TestApp, operator: &TestOrg, row: &Value) -> Value {
    let path = format!("/api/v1/verifications/{}", row["id"].as_str().expect("an id"));
    app.as_org(operator, "GET", &path).send().await.expect(200).json()
}

async fn each_day_is_verified_once_from_its_hour_on(app: &TestApp) {
    let operator = app.operator().await;
    let (sale, buyer) = app.market(&one_off(10_001)).await;
    app.order(&buyer, &sale, "k", Some("pm_card_visa")).await.expect(201);
    app.deliver_webhooks(crate::support::Delivery::InOrder).await;
    app.run_jobs().await;
    assert_eq!(listed(app, &operator).await, Vec::<Value>::new(), "it is 10 o'clock");
    app.advance(Duration::hours(2));
    let other = app.sibling().await;
    app.run_jobs().await;
    other.run_jobs().await;
    app.advance(Duration::hours(3));
    app.run_jobs().await;
    let rows = listed(app, &operator).await;
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["day"], &rows[0]["violation_count"]), (&json!("2026-11-21"), &json!(0)));
    let found = shown(app, &operator, &rows[0]).await;
    assert_eq!(found["findings"]["violations"], json!([]));
    let counts = found["findings"]["counts"].as_array().expect("counts");
    assert!(counts.contains(&json!({"name": "paid", "rows": 1})), "{counts:?}");
    app.advance(Duration::days(1));
    app.run_jobs().await;
    let days: Vec<_> = listed(app, &operator).await.iter().map(|row| row["day"].clone()).collect();
    assert_eq!(days, ["2026-11-22", "2026-11-21"]);
}

async fn what_is_wrong_is_kept_with_its_sentence(app: &TestApp) {
    let operator = app.operator().await;
    let (sale, buyer) = app.market(&one_off(10_001)).await;
    let order = app.order(&buyer, &sale, "k", Some("pm_card_visa")).await.expect(201).str("/id");
    app.deliver_webhooks(crate::support::Delivery::InOrder).await;
    let id: OrderId = order.parse().expect("an id");
    app.write(async move |tx: &Tx| {
        grant::Entity::delete_many().filter(grant::Column::OrderId.eq(id)).exec(tx.conn()).await.expect("deletes");
    })
    .await;
    let asked = app.as_org(&operator, "POST", "/api/v1/verifications").send().await.expect(202).json();
    assert_eq!(asked.get("violation_count"), None, "not run yet");
    let again = app.as_org(&operator, "POST", "/api/v1/verifications").send().await.expect(409);
    assert!(again.text().contains(asked["id"].as_str().expect("an id")), "{}", again.text());
    app.run_jobs().await;
    let found = shown(app, &operator, &asked).await;
    let text = found["findings"]["violations"].to_string();
    assert!(text.contains(&format!("line 1 of {order} is completed without a grant")), "{text}");
    assert_eq!(found["violation_count"], json!(found["findings"]["violations"].as_array().map(Vec::len)));
    app.as_org(&operator, "POST", "/api/v1/verifications").send().await.expect(202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_day_is_verified_once_from_its_hour_on_sqlite() {
    by_night(Backend::Sqlite, each_day_is_verified_once_from_its_hour_on).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_day_is_verified_once_from_its_hour_on_postgres() {
    by_night(Backend::Postgres, each_day_is_verified_once_from_its_hour_on).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_kept_with_its_sentence_sqlite() {
    by_night(Backend::Sqlite, what_is_wrong_is_kept_with_its_sentence).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_kept_with_its_sentence_postgres() {
    by_night(Backend::Postgres, what_is_wrong_is_kept_with_its_sentence).await;
}
