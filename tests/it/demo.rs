//! The main job: `torv demo` on a fresh machine, twice, and its hand-over for scripts.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use en16931_formats::Policy;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use serde_json::{Value, json};
use torv::settlement::proof::TreeHeadView;
use torv_receipt::TrustedKeys;

use crate::{
    settlement::exports::accepted_by,
    support::{
        Backend, Home,
        process::{run_torv, text},
    },
};

/// What the walk may take by its own clock, on a machine that runs other tests beside it.
const WALK_SECONDS_MAX: f64 = 480.0;

fn run_demo(home: &Home, further: &[&str]) -> (String, Value) {
    let manifest = home.path().join("manifest.json");
    let _ = std::fs::remove_file(&manifest);
    let arguments = ["demo", "--exit", "--listen", "127.0.0.1:0", "--manifest", manifest.to_str().unwrap()];
    let told = home.torv(&[&arguments[..], further].concat()).well();
    let seconds = told.lines().find_map(|line| line.strip_prefix("The walk took ")?.split(' ').next()?.parse().ok());
    assert!(seconds.is_some_and(|seconds: f64| seconds < WALK_SECONDS_MAX), "{seconds:?}\n{told}");
    (told, serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap())
}

async fn open(home: &Home) -> DatabaseConnection {
    let url = match home.backend {
        Backend::Sqlite => format!("sqlite://{}", home.path().join("demo/torv.sqlite").display()).into(),
        Backend::Postgres => home.config().database_url(),
    };
    torv::db::connect_lazy_migrator(&url).await.unwrap()
}

async fn count(conn: &DatabaseConnection, what: &str) -> i64 {
    let statement = Statement::from_string(conn.get_database_backend(), format!("SELECT COUNT(*) AS n FROM {what}"));
    conn.query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap()
}

fn check_manifest(manifest: &Value) {
    let base = text(manifest, "/base_url");
    assert!(base.starts_with("http://127.0.0.1:") && !base.ends_with(":0"), "{base}");
    for key in ["listing", "order", "grant", "payout", "reconciliation"] {
        assert!(text(manifest, &format!("/{key}")).contains('_'), "{key}: {manifest}");
    }
    assert!(text(manifest, "/download_url").starts_with(&format!("{base}/")), "{manifest}");
    assert_eq!(
        (&manifest["delta_sharing"]["rows"], &manifest["delta_sharing"]["table"]),
        (&json!(102), &json!("crests"))
    );
    assert!(text(manifest, "/ogc_features/collection").ends_with(":crests"), "{manifest}");
    for key in ["/rows_api", "/parquet_url", "/ogc_features/landing"] {
        assert!(text(manifest, key).starts_with(&format!("{base}/")), "{key}: {manifest}");
    }
    for key in ["/delta_sharing/profile", "/trial_report"] {
        assert!(Path::new(&text(manifest, key)).is_file(), "{key}: {manifest}");
    }
    assert_eq!(manifest["slice_quote"]["slice"]["rows"], 35, "{manifest}");
    assert_eq!(text(manifest, "/sha256").len(), 64);
    let actors = manifest["actors"].as_array().unwrap();
    for actor in actors {
        for key in ["role", "email", "password", "api_key"] {
            assert!(!text(actor, &format!("/{key}")).is_empty(), "{key}: {actor}");
        }
    }
    for role in ["operator", "provider", "buyer"] {
        assert!(actors.iter().any(|actor| actor["role"] == role), "no {role}: {manifest}");
    }
}

/// A file that the manifest names.
fn file(manifest: &Value, pointer: &str) -> (PathBuf, Vec<u8>) {
    let path = PathBuf::from(text(manifest, pointer));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{pointer}: {}: {error}", path.display()));
    (path, bytes)
}

fn check_papers(told: &str, manifest: &Value) {
    assert!(told.contains(", unexplained: 0.00 DKK, 0.00 EUR, 0 JPY, 0.00 TWD, 0.00 USD\n"), "{told}");
    assert!(told.contains("violations        0\n"), "{told}");
    for pdf in ["/invoice_pdf", "/statement_pdf"] {
        assert!(file(manifest, pdf).1.starts_with(b"%PDF"), "{pdf}");
    }
    let policy = Policy { require: Some(&en16931::profiles::EN16931), ..Policy::default() };
    let received = en16931_formats::receive(&file(manifest, "/invoice_ubl").1, &policy);
    let report = received.report_required.as_ref().unwrap_or(&received.report_declared);
    let findings = report.semantic.report.iter().flat_map(en16931::ValidationReport::findings);
    let findings: Vec<_> = findings.map(|told| format!("{} {}", told.rule, told.message)).collect();
    assert!(findings.is_empty() && report.entries().count() == 0, "{findings:#?}");
    assert!(file(manifest, "/bank_statement").1.starts_with(b"<?xml"));
    check_statement(&serde_json::from_slice(&file(manifest, "/statement").1).unwrap());
    check_receipt(manifest);
    check_books(manifest);
}

/// What was owed at the beginning and all that changed it is what is owed at the end.
fn check_statement(statement: &Value) {
    let owed = |parts: &Value| {
        ["pending_minor", "payable_minor", "held_minor", "debt_minor"].map(|name| parts[name].as_i64().unwrap())
    };
    let currencies = statement["currencies"].as_array().unwrap();
    assert!(currencies.iter().any(|one| one["currency"] == "EUR"), "{statement}");
    for one in currencies {
        let mut sum = owed(&one["opening"]);
        for line in one["lines"].as_array().unwrap() {
            sum.iter_mut().zip(owed(&line["change"])).for_each(|(sum, change)| *sum += change);
        }
        assert_eq!(sum, owed(&one["closing"]), "{one}");
        assert_eq!(sum, [0; 4], "everything was paid out: {one}");
    }
}

/// The receipt holds by the program alone, one changed byte and it does not, and the head is signed.
fn check_receipt(manifest: &Value) {
    let (path, bytes) = file(manifest, "/receipt");
    let said = run_torv(&["receipt", "verify", path.to_str().unwrap()], &[], "").well();
    assert!(said.starts_with("The receipt holds.") && said.contains(&text(manifest, "/order")), "{said}");
    let (keys, trusted) = file(manifest, "/proof_keys");
    let forged = path.with_file_name("forged.json");
    for at in (0..bytes.len()).step_by(bytes.len() / 7) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        std::fs::write(&forged, changed).unwrap();
        let arguments = ["receipt", "verify", forged.to_str().unwrap(), "--keys", keys.to_str().unwrap()];
        let said = run_torv(&arguments, &[], "");
        assert_eq!(said.code, Some(1), "byte {at}: {}{}", said.out, said.err);
        assert!(said.out.starts_with("The receipt does NOT hold"), "byte {at}: {}", said.out);
    }
    std::fs::remove_file(forged).unwrap();
    let head: TreeHeadView = serde_json::from_slice(&file(manifest, "/tree_head").1).unwrap();
    let (head, signature) = head.parse().unwrap();
    assert!(head.size >= 3 && TrustedKeys::from_json(&trusted).unwrap().have_signed(&head, &signature), "{head:?}");
}

/// Programs of others read the books, and the table sums to nothing.
fn check_books(manifest: &Value) {
    accepted_by("hledger", &["check", "--strict", "ordereddates", "-f"], &file(manifest, "/books/hledger").0);
    accepted_by("bean-check", &[], &file(manifest, "/books/beancount").0);
    accepted_by("ledger", &["--strict", "--pedantic", "balance", "-f"], &file(manifest, "/books/ledger").0);
    let table = file(manifest, "/books/csv").1;
    let mut sums = BTreeMap::<String, i64>::new();
    for record in csv::Reader::from_reader(table.as_slice()).deserialize::<BTreeMap<String, String>>() {
        let record = record.unwrap();
        *sums.entry(record["currency"].clone()).or_default() += record["amount_minor"].parse::<i64>().unwrap();
    }
    let codes: Vec<_> = sums.keys().map(String::as_str).collect();
    assert_eq!(codes, ["DKK", "EUR", "JPY", "TWD", "USD"]);
    assert!(sums.values().all(|sum| *sum == 0), "{sums:?}");
}

async fn check_square(home: &Home, manifest: &Value) {
    let conn = open(home).await;
    let published = "listing WHERE state = 'published'";
    assert_eq!(count(&conn, published).await, 157);
    assert_eq!(count(&conn, &format!("{published} AND has_free_offer AND NOT has_paid_offer")).await, 134);
    assert_eq!(count(&conn, &format!("{published} AND has_paid_offer AND NOT has_free_offer")).await, 23);
    let people = |role: &str| {
        manifest["actors"].as_array().unwrap().iter().filter(|actor| actor["role"] == role).count().try_into().unwrap()
    };
    let (providers, buyers): (i64, i64) = (people("provider"), people("buyer"));
    assert!(providers >= 3 && buyers >= 2, "{providers} providers, {buyers} buyers");
    assert_eq!(count(&conn, "organization WHERE may_provide AND NOT may_operate").await, providers);
    assert_eq!(count(&conn, "organization WHERE may_buy AND NOT may_operate").await, buyers);
    assert_eq!(count(&conn, "organization WHERE may_operate").await, 1);
    conn.close().await.unwrap();
}

/// Twice, and each time the same square and nothing of the time before.
async fn run_twice(home: &Home) {
    let mut orders = Vec::new();
    for _ in 0..2 {
        let (told, manifest) = run_demo(home, &[]);
        assert!(told.contains("Every sum adds up"), "{told}");
        check_manifest(&manifest);
        check_papers(&told, &manifest);
        check_square(home, &manifest).await;
        orders.push(text(&manifest, "/order"));
    }
    assert_ne!(orders[0], orders[1]);
}

#[tokio::test]
async fn the_demo_walks_the_whole_job_and_starts_clean_again_on_sqlite() {
    let home = Home::empty(Backend::Sqlite).await.unwrap();
    std::fs::write(home.path().join("mine.txt"), "not the demo's").unwrap();
    run_twice(&home).await;
    assert!(home.path().join("mine.txt").exists(), "only the demo's own folder is emptied");
    let demo = home.path().join("demo");
    run_torv(&["verify", "--data-dir", demo.to_str().unwrap()], &[], "").well();
}

#[tokio::test]
async fn the_demo_walks_the_whole_job_and_starts_clean_again_on_postgres() {
    let Some(home) = Home::empty(Backend::Postgres).await else { return };
    run_twice(&home).await;
}

#[tokio::test]
async fn the_demo_leaves_an_exchange_alone_that_is_no_demo() {
    let Some(home) = Home::empty(Backend::Postgres).await else { return };
    let create = ["operator", "create", "--email", "operator@example.org", "--organization", "The square"];
    home.torv_with(&create, &[], "a few words on a square\n").well();
    let line = home.torv(&["demo", "--exit", "--listen", "127.0.0.1:0"]).complaint(&[]);
    assert!(line.contains("no demo"), "{line}");
    let conn = open(&home).await;
    assert_eq!(count(&conn, "organization").await, 1);
}

/// `cargo test --workspace` builds the twin's program beside ours; without it the test is skipped loudly at home and
/// fails in CI.
#[cfg(feature = "stripe")]
#[tokio::test]
async fn the_demo_walks_the_whole_job_with_stripes_twin() {
    let twin = Path::new(env!("CARGO_BIN_EXE_torv")).with_file_name("stripe-twin");
    if !twin.is_file() {
        assert!(std::env::var_os("CI").is_none(), "CI needs {}", twin.display());
        eprintln!("\n!!! SKIPPED: build the twin with `cargo build -p stripe-twin`; the demo with it did NOT run.\n");
        return;
    }
    let home = Home::empty(Backend::Sqlite).await.unwrap();
    let (told, manifest) = run_demo(&home, &["--payments", "stripe"]);
    assert!(told.contains("Every sum adds up"), "{told}");
    check_manifest(&manifest);
    check_papers(&told, &manifest);
    check_square(&home, &manifest).await;
    let conn = open(&home).await;
    assert_eq!(count(&conn, "bank_match WHERE rule = 'trace_id'").await, 5, "Stripe's references explain the bank");
    assert_eq!(count(&conn, "bank_match").await, 5);
    conn.close().await.unwrap();
    let demo = home.path().join("demo");
    run_torv(&["verify", "--data-dir", demo.to_str().unwrap()], &[], "").well();
}
