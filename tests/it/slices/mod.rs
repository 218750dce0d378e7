//! Slices: quoted by exact counts, ordered as anything else, cut out by a job, and nothing else delivered.

mod bucket;
mod closed;
mod jobs;
mod notices;
mod quotes;
mod sale;

use std::fmt::Write as _;

use entity::{ids::GrantId, slice_task};
use sea_orm::{ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};
use serde_json::{Value, json};

use crate::support::{Answer, ForSale, TestApp, TestOrg, one_off};

/// A means of payment that works.
const VISA: Option<&str> = Some("pm_card_visa");
/// Rows of the table that is sold.
const ROWS: i64 = 240;

/// One row of it: places a tenth of a degree apart, hours apart, some without a place or a time.
#[derive(Debug, Clone)]
struct Row {
    name: String,
    place: Option<(f64, f64)>,
    hour: Option<i64>,
    level: i64,
}

fn rows() -> Vec<Row> {
    let row = |n: i64| {
        let tenths = |n: i64| f64::from(i32::try_from(n).expect("small")) / 10.0;
        Row {
            name: format!("gauge {n:03}"),
            place: (n % 17 != 3).then(|| (12.0 + tenths(n * 7 % 31), 55.0 + tenths(n * 5 % 23))),
            hour: (n % 13 != 5).then_some(n * 11 % 700),
            level: n * 3 % 101,
        }
    };
    (0..ROWS).map(row).collect()
}

fn instant(hour: i64) -> String {
    format!("2026-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24)
}

fn csv() -> String {
    let mut text = String::from("name,lat,lon,at,level\n");
    for row in rows() {
        let (lat, lon) = row.place.map_or_else(Default::default, |(x, y)| (format!("{y:.1}"), format!("{x:.1}")));
        let at = row.hour.map(instant).unwrap_or_default();
        writeln!(text, "{},{lat},{lon},{at},{}", row.name, row.level).expect("into a string");
    }
    text
}

/// What a plain look at each row says of a box and a period in hours.
fn expected(area: Option<[f64; 4]>, hours: Option<(i64, i64)>) -> Vec<String> {
    let takes = |row: &Row| {
        let there = area.is_none_or(|[w, s, e, n]| {
            row.place.is_some_and(|(x, y)| x > w - 1e-8 && x < e + 1e-8 && y > s - 1e-8 && y < n + 1e-8)
        });
        there && hours.is_none_or(|(from, to)| row.hour.is_some_and(|hour| from <= hour && hour < to))
    };
    rows().into_iter().filter(takes).map(|row| row.name).collect()
}

/// Half a cent for each row, at least a euro, at most 2.50.
fn by_row() -> Value {
    json!({"per": "row", "price_minor": 3, "per_units": 2, "floor_minor": 100, "by_area": true, "time_column": "at",
        "by_columns": true, "key_columns": ["name"]})
}

/// A listing with the table, whose slices are sold by `rule`, its index made; and a buyer.
async fn market(app: &TestApp, rule: Value) -> (ForSale, TestOrg) {
    let (provider, buyer) = (app.provider().await, app.buyer().await);
    let listing = app.draft(&provider, &json!({})).await;
    app.publish_data(&provider, &listing, "levels.csv", Box::leak(csv().into_boxed_str())).await;
    app.post(&provider, &format!("/api/v1/listings/{listing}/publish")).await.expect(200);
    let mut conditions = one_off(250);
    conditions["plan"] = json!({ "slice": rule });
    let sale = app.also_for_sale(&provider, &listing, &conditions).await;
    app.run_jobs().await;
    (sale, buyer)
}

async fn quote(app: &TestApp, sale: &ForSale, slice: &Value) -> Answer {
    let body = json!({"offer_id": sale.offer, "slice": slice});
    app.request("POST", "/api/v1/quotes").json(&body).send().await
}

fn order_in(sale: &ForSale, slice: &Value) -> Value {
    let mut body = sale.order_in(VISA);
    body["slice"] = slice.clone();
    body
}

/// Buys a slice; the order and its grant.
async fn buy(app: &TestApp, sale: &ForSale, buyer: &TestOrg, slice: &Value, key: &str) -> (Value, GrantId) {
    let order = app.order_with(buyer, key, &order_in(sale, slice)).await.expect(201).json();
    let grant = order["grant_id"].as_str().expect("granted").parse().expect("an id");
    (order, grant)
}

async fn files(app: &TestApp, buyer: &TestOrg, grant: GrantId) -> Answer {
    app.as_org(buyer, "GET", &format!("/api/v1/grants/{grant}/files")).send().await
}

async fn seen(app: &TestApp, org: &TestOrg, grant: GrantId) -> Value {
    app.as_org(org, "GET", &format!("/api/v1/grants/{grant}")).send().await.expect(200).json()
}

fn path(link: &Value) -> String {
    link["url"].as_str().expect("a link").strip_prefix("http://127.0.0.1:8080").expect("our own host").to_owned()
}

/// The lines of the CSV of a slice, without the header.
async fn lines(app: &TestApp, files: &Value) -> Vec<String> {
    let renditions = files["items"][0]["renditions"].as_array().expect("renditions");
    let csv = renditions.iter().find(|one| one["format"] == "csv").expect("CSV");
    let text = app.get(&path(csv)).await.expect(200).text();
    text.lines().skip(1).map(str::to_owned).collect()
}

async fn tasks(app: &TestApp) -> Vec<slice_task::Model> {
    slice_task::Entity::find().all(app.app.db.read()).await.unwrap()
}

/// Has the slice of a grant look as if so many rows had been counted.
async fn miscount(app: &TestApp, grant: GrantId, rows: i64) {
    let waiting = tasks(app).await.into_iter().find(|task| task.grant_id == Some(grant)).expect("it is planned");
    let mut slice = waiting.slice.clone().expect("it is of a slice");
    slice["rows"] = json!(rows);
    let mut row = waiting.into_active_model();
    row.slice = Set(Some(slice));
    app.write(async move |tx: &torv::db::Tx| {
        slice_task::Entity::update(row).exec(tx.conn()).await.unwrap();
    })
    .await;
}

fn pointers(answer: &Answer) -> Vec<String> {
    let problem = answer.json();
    let errors = problem["errors"].as_array().into_iter().flatten();
    errors.filter_map(|error| error["pointer"].as_str().map(str::to_owned)).collect()
}
