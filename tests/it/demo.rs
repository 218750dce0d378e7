//! The main job: `torv demo` on a fresh machine, twice, and its hand-over for scripts.

use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use serde_json::Value;

use crate::support::{
    Backend, Home,
    process::{run_torv, text},
};

/// What the walk may take by its own clock, on a machine that runs other tests beside it.
const WALK_SECONDS_MAX: f64 = 30.0;

fn run_demo(home: &Home) -> (String, Value) {
    let manifest = home.path().join("manifest.json");
    let _ = std::fs::remove_file(&manifest);
    let arguments = ["demo", "--exit", "--listen", "127.0.0.1:0", "--manifest", manifest.to_str().unwrap()];
    let told = home.torv(&arguments).well();
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
        let (told, manifest) = run_demo(home);
        assert!(told.contains("Every sum adds up"), "{told}");
        check_manifest(&manifest);
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
