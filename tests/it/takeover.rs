//! Real processes that are killed while they convert and cut files: another one makes each once, and nothing half.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use reqwest::Method;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use serde_json::{Value, json};
use torv::base::digest::sha256_hex;

use crate::support::{
    Backend, Home,
    process::{Client, Server, Shop, open_revision, open_shop, pause, text, wait_for},
};

/// So many that converting takes long enough to be killed in the middle.
const ROWS: usize = 40_000;
/// What is in the scratch directory when a text format is being written, in bytes.
const WELL_BEGUN_BYTES: u64 = 64 * 1024;
/// Looks at a process that must not do something.
const LOOKS: usize = 40;

fn table() -> String {
    let mut text = String::from("berth,lat,lon,at,boat\n");
    for row in 0..ROWS {
        let (minute, hour, day) = (row % 60, row / 60 % 24, 1 + row / 1_440 % 28);
        let (lat, lon) = (55 + row % 3, 10 + row % 5);
        writeln!(text, "{row},{lat}.5,{lon}.25,2026-01-{day:02}T{hour:02}:{minute:02}:00Z,boat {row}")
            .expect("a string");
    }
    text
}

async fn number(conn: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(conn.get_database_backend(), format!("SELECT {sql}"));
    let row = conn.query_one_raw(statement).await.expect("readable").expect("a row");
    row.try_get_by_index::<i64>(0).expect("a number")
}

fn files_below(dir: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { BTreeSet::from([path]) }).collect()
}

fn scratch(home: &Home) -> BTreeSet<PathBuf> {
    files_below(&home.path().join("scratch"))
}

fn largest(files: &BTreeSet<PathBuf>) -> u64 {
    files.iter().filter_map(|path| path.metadata().ok()).map(|meta| meta.len()).max().unwrap_or(0)
}

/// Publishes the table once more; returns the revision.
async fn publish(client: &Client, shop: &Shop, table: &str) -> String {
    let revision = open_revision(client, &shop.provider, &shop.listing).await;
    let upload = client.http.put(format!("{}/api/v1/revisions/{revision}/files/berths.csv", client.base));
    let sent = upload.bearer_auth(&shop.provider).body(table.to_owned()).send().await.expect("an answer");
    assert!(sent.status().is_success());
    client.post(&format!("/api/v1/revisions/{revision}/publish"), &shop.provider, &json!({})).await;
    revision
}

/// The rows of a table of tasks that nobody has settled.
async fn unsettled(conn: &DatabaseConnection, tasks: &str) -> i64 {
    number(conn, &format!("COUNT(*) FROM {tasks} WHERE state IN ('pending', 'making')")).await
}

/// Starts another process, which leaves what the dead one held until its lease is over, and then finishes it.
async fn take_over(home: &Home, conn: &DatabaseConnection, tasks: &str) -> Server {
    let held = number(conn, &format!("COUNT(*) FROM {tasks} WHERE state = 'making'")).await;
    let second_tries = format!("COUNT(*) FROM {tasks} WHERE attempts = 2 AND state = 'made'");
    let before = number(conn, &second_tries).await;
    assert!(held > 0, "the process died before it had begun, or too late");
    let second = Server::start(home, &[]);
    for _ in 0..LOOKS {
        pause().await;
    }
    let again = number(conn, &format!("COUNT(*) FROM {tasks} WHERE attempts > 1 AND state <> 'made'")).await;
    assert_eq!(again, 0, "the lease holds");
    // Two minutes pass; processes have no clock that a test could move.
    let expire = format!("UPDATE {tasks} SET lease_until = 0 WHERE state = 'making' AND attempts = 1");
    conn.execute_unprepared(&expire).await.expect("it is changed");
    wait_for("the work of the dead process", async || (unsettled(conn, tasks).await == 0).then_some(())).await;
    assert_eq!(number(conn, &second_tries).await, before + held, "each that was begun was made at the second try");
    // What the second try was writing is gone a moment after its end.
    wait_for("nothing of either try to be left", async || scratch(home).is_empty().then_some(())).await;
    second
}

/// Every blob in a folder of the store is named by the database, and by nothing twice.
fn assert_stored(home: &Home, folder: &str, keys: &[String]) {
    let named: BTreeSet<PathBuf> = keys.iter().map(|key| home.path().join("files").join(key)).collect();
    assert_eq!(files_below(&home.path().join("files").join(folder)), named);
}

async fn strings(conn: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(conn.get_database_backend(), sql.to_owned());
    let rows = conn.query_all_raw(statement).await.expect("readable");
    rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
}

/// Downloads a link, and compares it with its digest.
async fn download(client: &Client, link: &Value) -> String {
    let answer = client.http.get(text(link, "/url")).send().await.expect("an answer");
    let bytes = answer.bytes().await.expect("a body");
    assert_eq!(sha256_hex(&bytes), text(link, "/sha256"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The table in the revision of this number, bought now.
async fn bought(client: &Client, shop: &Shop, revision: usize) -> Value {
    let order = client.post_once("/api/v1/orders", &shop.buyer, &format!("of-{revision}"), &shop.order).await;
    let path = format!("/api/v1/grants/{}/files?revision={revision}", text(&order, "/grant_id"));
    client.get(&path, &shop.buyer).await["items"][0].clone()
}

async fn renditions_survive(backend: Backend) {
    let Some(home) = Home::empty(backend).await else { return };
    let mut server = Server::start(&home, &[]);
    let shop = open_shop(&home, &Client::new(&server.base), b"berth,boat\n1,Else\n".to_vec()).await;
    let (conn, table) = (home.connect().await, table());
    wait_for("the first renditions", async || (unsettled(&conn, "rendition").await == 0).then_some(())).await;
    // Killed when it has begun to read, and in the middle of a text that is written from the Parquet file.
    for (round, well_begun) in [false, true].into_iter().enumerate() {
        let parquet_is_made = "COUNT(*) FROM rendition WHERE state = 'made' AND format = 'parquet'";
        let before = number(&conn, parquet_is_made).await;
        let revision = publish(&Client::new(&server.base), &shop, &table).await;
        wait_for("a conversion to be in the middle", async || {
            let making = number(&conn, "COUNT(*) FROM rendition WHERE state = 'making'").await > 0;
            let is_text = number(&conn, parquet_is_made).await > before;
            let open = scratch(&home);
            let there = if well_begun { is_text && largest(&open) > WELL_BEGUN_BYTES } else { !open.is_empty() };
            (making && there).then_some(())
        })
        .await;
        server.kill();
        server = take_over(&home, &conn, "rendition").await;
        let client = Client::new(&server.base);
        let shown = client.get(&format!("/api/v1/revisions/{revision}"), &shop.buyer).await;
        let states = shown["files"][0]["renditions"].as_array().expect("a list").iter().map(|one| one["state"].clone());
        assert_eq!(states.collect::<Vec<_>>(), ["made"; 5], "{shown}");
        let item = bought(&client, &shop, round + 2).await;
        for link in item["renditions"].as_array().expect("a list") {
            let content = download(&client, link).await;
            match link["format"].as_str() {
                Some("csv") => assert_eq!(content, table),
                Some("jsonl") => assert_eq!(content.lines().count(), ROWS),
                _ => assert_eq!(link["rows"], ROWS),
            }
        }
        let keys = strings(&conn, "SELECT DISTINCT blob_key FROM rendition WHERE blob_key LIKE 'renditions/%'").await;
        assert_stored(&home, "renditions", &keys);
    }
    drop(server);
    home.torv(&["verify"]).well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renditions_survive_the_death_of_their_process_on_postgres() {
    renditions_survive(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renditions_survive_the_death_of_their_process_on_sqlite() {
    renditions_survive(Backend::Sqlite).await;
}

/// An offer of slices beside the one that is there; the body of an order of one.
async fn offer_slices(client: &Client, shop: &Shop) -> Value {
    let licence = client.post("/api/v1/licences", &shop.provider, &json!({"preset": "internal_use"})).await;
    let rule = json!({"per": "row", "price_minor": 1, "per_units": 1_000, "floor_minor": 100, "by_area": true, "by_columns": true});
    let offer = json!({
        "kind": "one_off", "price": {"minor": 10_001, "currency": "EUR"}, "licence_id": text(&licence, "/licence/id"),
        "plan": {"slice": rule},
    });
    let offer = client.post(&format!("/api/v1/listings/{}/offers", shop.listing), &shop.provider, &offer).await;
    let slice = json!({"area": [9.0, 54.0, 13.0, 58.0], "columns": ["berth", "at", "boat"]});
    let ask = json!({"offer_id": text(&offer, "/id"), "slice": slice});
    let quote = wait_for("the rows to be counted", async || {
        let answer = client.try_send(Method::POST, "/api/v1/quotes", &shop.buyer, None, Some(&ask)).await;
        answer.filter(|(status, _)| *status == 200).map(|(_, body)| body)
    });
    let quote = quote.await;
    json!({
        "offer_id": ask["offer_id"], "slice": ask["slice"], "licence_hash": text(&quote, "/licence_hash"),
        "payment_method": "pm_card_visa", "use_case": "Plan a mooring", "expected_total": quote["total"],
    })
}

async fn slices_survive(backend: Backend) {
    let Some(home) = Home::empty(backend).await else { return };
    let mut first = Server::start(&home, &[]);
    let client = Client::new(&first.base);
    let shop = open_shop(&home, &client, b"berth,boat\n1,Else\n".to_vec()).await;
    let (conn, table) = (home.connect().await, table());
    publish(&client, &shop, &table).await;
    wait_for("the renditions", async || (unsettled(&conn, "rendition").await == 0).then_some(())).await;
    let order = offer_slices(&client, &shop).await;
    let order = client.post_once("/api/v1/orders", &shop.buyer, "slice", &order).await;
    let grant = text(&order, "/grant_id");
    wait_for("the cutting to be in the middle", async || {
        let making =
            number(&conn, "COUNT(*) FROM slice_task WHERE state = 'making' AND grant_id IS NOT NULL").await > 0;
        (making && largest(&scratch(&home)) > WELL_BEGUN_BYTES).then_some(())
    })
    .await;
    first.kill();
    let second = take_over(&home, &conn, "slice_task").await;
    let client = Client::new(&second.base);
    let listed = client.get(&format!("/api/v1/grants/{grant}/files"), &shop.buyer).await;
    let item = &listed["items"][0];
    let parquet = download(&client, item).await;
    assert!(parquet.starts_with("PAR1") && parquet.ends_with("PAR1"));
    let expected = (0..ROWS).filter(|row| 10 + row % 5 < 13).count();
    for link in item["renditions"].as_array().expect("a list") {
        let content = download(&client, link).await;
        match link["format"].as_str() {
            Some("csv") => assert_eq!(content.lines().count(), expected + 1),
            Some("jsonl") => assert_eq!(content.lines().count(), expected),
            _ => assert_eq!(content.matches("\"Feature\"").count(), expected),
        }
    }
    let kept = strings(&conn, "SELECT CAST(files AS TEXT) FROM slice_task").await;
    let kept = kept.iter().flat_map(|files| serde_json::from_str::<Vec<Value>>(files).expect("a list"));
    assert_stored(&home, "slices", &kept.map(|file| text(&file, "/blob_key")).collect::<Vec<_>>());
    let told = wait_for("the notice", async || {
        let page = client.get("/api/v1/notices?after=0&kind=slice.ready", &shop.buyer).await;
        page["items"].as_array().filter(|items| !items.is_empty()).cloned()
    });
    assert_eq!(told.await.len(), 1, "it is told once");
    drop(second);
    home.torv(&["verify"]).well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slice_survives_the_death_of_its_process_on_postgres() {
    slices_survive(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slice_survives_the_death_of_its_process_on_sqlite() {
    slices_survive(Backend::Sqlite).await;
}
