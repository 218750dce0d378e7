//! Offers that are more than one price: quota packs, meters, trials, instalments, private offers, coupons and bundles.

mod bundles;
mod coupons;
mod crashes;
mod kinds;
mod private;

use serde_json::{Value, json};
use torv::settlement::verify::verify_all;

use crate::support::{Answer, ForSale, TestApp, TestOrg};

/// The providers of a bundle at `price` cents that everybody accepted, and what a buyer orders.
pub async fn accepted_bundle(app: &TestApp, price: i64) -> (Vec<TestOrg>, ForSale) {
    let bundle = bundles::accepted(app, price).await;
    (bundle.providers, bundle.sale)
}

/// A means of payment that works.
const VISA: Option<&str> = Some("pm_card_visa");

/// The same body with one field more, or another value in it.
fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

/// What `org` is quoted for this body.
async fn quote(app: &TestApp, org: &TestOrg, body: &Value) -> Answer {
    app.as_org(org, "POST", "/api/v1/quotes").json(body).send().await
}

/// What is wrong with a request, by place.
fn pointers(answer: &Answer) -> Vec<String> {
    let problem = answer.json();
    let errors = problem["errors"].as_array().into_iter().flatten();
    errors.filter_map(|error| error["pointer"].as_str().map(str::to_owned)).collect()
}

fn problem(answer: &Answer) -> String {
    answer.str("/type").trim_start_matches("/problems/").to_owned()
}

/// Minor units at a JSON pointer.
fn minor(value: &Value, pointer: &str) -> i64 {
    value
        .pointer(pointer)
        .and_then(|money| money["minor"].as_i64())
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

/// The sum of an amount over all lines.
fn sum(value: &Value, field: &str) -> i64 {
    let lines = value["lines"].as_array().expect("lines");
    lines.iter().map(|line| minor(line, &format!("/{field}"))).sum()
}

/// Asserts that the sums over the lines of a quote or an order are those of the whole.
fn assert_sums(whole: &Value) {
    for field in ["total", "provider_share", "operator_share"] {
        assert_eq!(sum(whole, field), minor(whole, &format!("/{field}")), "{field} of {whole}");
    }
    for line in whole["lines"].as_array().expect("lines") {
        assert_eq!(minor(line, "/provider_share") + minor(line, "/operator_share"), minor(line, "/total"), "{line}");
        if line.get("list_price").is_some() {
            let off = minor(line, "/volume_discount") + minor(line, "/coupon_discount");
            assert_eq!(minor(line, "/list_price"), off + minor(line, "/net"), "{line}");
        }
    }
}

/// Asserts that everything that can be compared agrees.
async fn assert_verified(app: &TestApp) {
    let report = verify_all(&app.app, |_, _| {}).await.expect("reads");
    assert!(report.is_clean(), "{:?}", report.all_violations().collect::<Vec<_>>());
}

/// An offer that is refused when it is published.
async fn publish(app: &TestApp, org: &TestOrg, listing: &str, body: &Value) -> Answer {
    app.as_org(org, "POST", &format!("/api/v1/listings/{listing}/offers")).json(body).send().await
}

/// A licence of `org` for internal use.
async fn licence(app: &TestApp, org: &TestOrg) -> String {
    let made = app.as_org(org, "POST", "/api/v1/licences").json(&json!({"preset": "internal_use"})).send().await;
    made.expect(201).str("/licence/id")
}

/// An order of `sale` with more in it than a plain one.
fn order_in(sale: &ForSale, method: Option<&str>, more: &Value) -> Value {
    let mut body = sale.order_in(method);
    for (field, value) in more.as_object().expect("an object") {
        body[field] = value.clone();
    }
    body
}
