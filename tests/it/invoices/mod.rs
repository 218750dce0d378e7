//! Tax on orders, and the documents that follow from them, in both tax modes.

mod credit;
mod numbers;
mod periods;
mod profiles;
mod sales;

use en16931_formats::Policy;
use entity::{document, states::TaxMode};
use sea_orm::{EntityTrait as _, QueryOrder as _};
use serde_json::{Value, json};
use torv::settlement::verify::verify_all;

use crate::support::{Backend, ForSale, Home, TestApp, TestOrg};

/// A means of payment that works.
const VISA: Option<&str> = Some("pm_card_visa");

/// VAT ids with right check digits.
const OPERATOR_ID: &str = "DK13585628";
const DANISH_ID: &str = "DK88146328";
const GERMAN_ID: &str = "DE136695976";

/// Runs a test on an exchange whose operator is the deemed supplier.
async fn as_deemed_supplier(backend: Backend, test: impl AsyncFnOnce(&TestApp)) {
    let Some(home) = Home::fresh(backend).await else { return };
    let app = TestApp::start(home, |config| config.trade.tax_mode = TaxMode::DeemedSupplier).await;
    test(&app).await;
    assert_verified(&app).await;
}

/// Declares tests that run as deemed supplier on both databases.
macro_rules! on_both_deemed {
    ($(async fn $name:ident($app:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn test($app: &TestApp) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                as_deemed_supplier(Backend::Sqlite, async |app| test(app).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                as_deemed_supplier(Backend::Postgres, async |app| test(app).await).await;
            }
        }
    )+};
}
use on_both_deemed;

/// A profile in `country`; one with a VAT id is a business.
fn profile(country: &str, vat_id: Option<&str>) -> Value {
    let mut body = json!({
        "legal_name": format!("Data of {country}"), "country": country, "is_business": vat_id.is_some(),
        "address": {"street": "Torvet 1", "postal_code": "8000", "city": "Aarhus"},
        "legal_id": {"value": "13585628"}, "buyer_reference": "04011000-1234512345-35",
        "electronic_address": {"scheme": "EM", "value": format!("invoice@{}.example", country.to_lowercase())},
        "contact": {"name": "Accounts", "phone": "+45 12345678", "email": "accounts@example.org"}
    });
    if let Some(id) = vat_id {
        body["vat_id"] = json!(id);
    }
    body
}

async fn put_profile(app: &TestApp, org: &TestOrg, body: &Value) {
    let path = format!("/api/v1/organizations/{}/tax-profile", org.id);
    app.as_org(org, "PUT", &path).json(body).send().await.expect(200);
}

/// The parties of a sale, each with a VAT id and a country, or without.
struct Parties {
    operator: TestOrg,
    sale: ForSale,
    buyer: TestOrg,
}

impl Parties {
    async fn new(app: &TestApp, conditions: &Value, ids: [(&str, Option<&str>); 3]) -> Self {
        let operator = app.operator().await;
        let (sale, buyer) = app.market(conditions).await;
        let [of_operator, of_provider, of_buyer] = ids;
        for (org, (country, vat_id)) in [(&operator, of_operator), (&sale.provider, of_provider), (&buyer, of_buyer)] {
            put_profile(app, org, &profile(country, vat_id)).await;
        }
        Self { operator, sale, buyer }
    }

    /// Orders and pays; returns the order.
    async fn buy(&self, app: &TestApp, key: &str) -> Value {
        let order = app.order(&self.buyer, &self.sale, key, VISA).await.expect(201).json();
        app.run_jobs().await;
        order
    }
}

/// All documents, oldest first.
async fn documents(app: &TestApp) -> Vec<document::Model> {
    document::Entity::find().order_by_asc(document::Column::Id).all(app.app.db.read()).await.expect("readable")
}

/// Number and amounts of every document, sorted: kind, leg, net, tax, payable.
async fn amounts(app: &TestApp) -> Vec<(String, String, i64, i64, i64)> {
    let mut all: Vec<_> = documents(app)
        .await
        .into_iter()
        .map(|row| (row.kind.to_string(), row.leg.to_string(), row.net_minor, row.tax_minor, row.payable_minor))
        .collect();
    all.sort();
    all
}

fn amount(kind: &str, leg: &str, net: i64, tax: i64, payable: i64) -> (String, String, i64, i64, i64) {
    (kind.to_owned(), leg.to_owned(), net, tax, payable)
}

/// Everything the rules of EN 16931 and `XRechnung` have to say against the UBL of a document, as `org` gets it.
async fn findings(app: &TestApp, org: &TestOrg, id: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, rules) in [("en16931", &en16931::profiles::EN16931), ("xrechnung", &en16931::profiles::XRECHNUNG)] {
        let path = format!("/api/v1/documents/{id}/ubl?profile={name}");
        let answer = app.as_org(org, "GET", &path).send().await;
        if answer.status == 409 && answer.text().contains("self-billed credit note") {
            continue;
        }
        let answer = answer.expect(200);
        let again = app.as_org(org, "GET", &path).send().await.expect(200);
        assert_eq!(answer.bytes, again.bytes, "the same bytes each time");
        let policy = Policy { require: Some(rules), ..Policy::default() };
        let received = en16931_formats::receive(&answer.bytes, &policy);
        let report = received.report_required.as_ref().unwrap_or(&received.report_declared);
        let told = report.semantic.report.iter().flat_map(en16931::ValidationReport::findings);
        found.extend(told.map(|told| format!("{name} {id}: {} {} {}", told.severity, told.rule, told.message)));
        found.extend(report.entries().map(|entry| format!("{name} {id}: {entry}")));
    }
    found
}

/// Asserts that every tax document has no finding, for the operator, who sees all.
async fn assert_valid(app: &TestApp, operator: &TestOrg) {
    let mut wrong = Vec::new();
    for row in documents(app).await {
        wrong.extend(findings(app, operator, &row.id.to_string()).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Asserts that everything that can be compared agrees.
async fn assert_verified(app: &TestApp) {
    let told = violations(app).await;
    assert!(told.is_empty(), "{told:#?}");
}

async fn violations(app: &TestApp) -> Vec<String> {
    let report = verify_all(&app.app, |_, _| {}).await.expect("reads");
    report.all_violations().map(str::to_owned).collect()
}

/// The operator's VAT summary as country, output and input.
async fn vat(app: &TestApp, operator: &TestOrg) -> Vec<(String, i64, i64)> {
    let body = app.as_org(operator, "GET", "/api/v1/settlement/vat").send().await.expect(200).json();
    let minor = |line: &Value, field: &str| line[field]["minor"].as_i64().expect("minor units");
    let lines = body["lines"].as_array().expect("lines").iter();
    lines
        .map(|line| (line["country"].as_str().expect("a code").to_owned(), minor(line, "output"), minor(line, "input")))
        .collect()
}
