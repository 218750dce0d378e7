//! The command line, by the real binary: what it prints, what it refuses, and what it never tells.

use std::path::{Path, PathBuf};

use sea_orm::ConnectionTrait as _;

use crate::support::{
    Backend, Home,
    process::{Client, Server, open_shop, run_torv, wait_for},
};

const MASTER_SECRET: &str = "a-master-secret-of-thirty-two-letters";
const DATABASE_PASSWORD: &str = "hunter2hunter2";

async fn sqlite() -> Home {
    Home::empty(Backend::Sqlite).await.unwrap()
}

fn write_file(dir: &Path, name: &str, content: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[tokio::test]
async fn config_shows_values_and_origins_and_masks_secrets() {
    let home = sqlite().await;
    write_file(home.path(), "torv.toml", "[trade]\nhold_days = 3\noperator_bps = 1500\n");
    let secret = write_file(home.path(), "master", &format!("{MASTER_SECRET}\n"));
    let url = format!("postgres://torv:{DATABASE_PASSWORD}@db.example/torv");
    let settings = [
        ("TORV_TRADE__HOLD_DAYS", "9"),
        ("TORV_DATABASE__URL", url.as_str()),
        ("TORV_AUTH__MASTER_SECRET_FILE", secret.to_str().unwrap()),
    ];
    let text = home.torv_with(&["config"], &settings, "").well();
    let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key}: {text}"));
    assert!(line("trade.hold_days").contains("= 9 "), "{text}");
    assert!(line("trade.hold_days").ends_with("# environment TORV_TRADE__HOLD_DAYS"), "{text}");
    assert!(line("trade.operator_bps").contains("= 1500") && line("trade.operator_bps").contains("# file "), "{text}");
    assert!(line("server.listen").ends_with("# default"), "{text}");
    assert!(line("auth.master_secret").contains("TORV_AUTH__MASTER_SECRET_FILE"), "{text}");
    assert!(!text.contains(MASTER_SECRET) && !text.contains(DATABASE_PASSWORD), "{text}");
    assert!(text.contains("********"), "{text}");
}

#[tokio::test]
async fn what_is_unknown_or_malformed_is_named_and_never_quoted() {
    let home = sqlite().await;
    let broken = format!("[auth]\nmaster_secret = \"{MASTER_SECRET}\n");
    for (content, words) in [
        ("[trade]\nhold_dayz = 3\n", "trade.hold_dayz: unknown key"),
        ("[auth]\nmaster_secret = 987654321987654321\n", "auth.master_secret: expected a string"),
        (broken.as_str(), "line 2"),
        ("[database]\nurl = \"mysql://u:hunter2hunter2@db/x\"\n", "database.url"),
    ] {
        let file = write_file(home.path(), "other.toml", content);
        for command in [&["config"][..], &["serve"], &["verify"], &["migrate"]] {
            let said = home.torv(&[command, &["--config", file.to_str().unwrap()]].concat());
            let line = said.complaint(&[MASTER_SECRET, DATABASE_PASSWORD, "987654321987654321"]);
            assert!(line.contains(words), "{line}");
        }
    }
    for (name, value, words) in [
        ("TORV_TRADE__HOLD_DAYZ", "3", "trade.hold_dayz"),
        ("TORV_TRADE__HOLD_DAYS", "soon", "trade.hold_days"),
        ("TORV_TRADE__HOLD_DAYS", "4000", "trade.hold_days: at most 365"),
        ("TORV_AUTH__MASTER_SECRET", "short-secret", "auth.master_secret: at least 32"),
        ("TORV_AUTH__MASTER_SECRET_FILE", "/nowhere/secret", "/nowhere/secret"),
    ] {
        let line = home.torv_with(&["config"], &[(name, value)], "").complaint(&["short-secret"]);
        assert!(line.contains(words), "{line}");
    }
    let missing = home.torv(&["config", "--config", "/nowhere/torv.toml"]).complaint(&[]);
    assert!(missing.contains("/nowhere/torv.toml"), "{missing}");
}

#[tokio::test]
async fn every_command_fails_in_one_line_and_keeps_the_database_password() {
    let home = sqlite().await;
    let dir = home.path().to_str().unwrap();
    let operator: &[&str] = &["operator", "create", "--email", "o@example.org", "--organization", "O"];
    let commands: [&[&str]; 6] = [
        &["serve", "--listen", "127.0.0.1:0"],
        &["demo", "--exit", "--listen", "127.0.0.1:0"],
        &["migrate"],
        &["verify"],
        &["export", "ledger", "--format", "csv"],
        operator,
    ];
    // Nothing listens on the port of the first; the second is no address at all.
    // Each waits for the database as long as it may, so they wait together.
    std::thread::scope(|threads| {
        for (host, command) in ["127.0.0.1:1", "[::bad"].iter().flat_map(|host| commands.map(|command| (host, command)))
        {
            threads.spawn(move || {
                let url = format!("postgres://torv:{DATABASE_PASSWORD}@{host}/torv");
                let settings = [("TORV_DATABASE__URL", url.as_str()), ("TORV_AUTH__MASTER_SECRET", MASTER_SECRET)];
                let said = run_torv(&[command, &["--data-dir", dir]].concat(), &settings, "a few words on a square\n");
                let line = said.complaint(&[DATABASE_PASSWORD, MASTER_SECRET]);
                assert!(line.contains("database"), "{command:?}: {line}");
            });
        }
    });
    let file = write_file(home.path(), "file", "");
    for command in commands {
        let said = run_torv(&[command, &["--data-dir", file.join("x").to_str().unwrap()]].concat(), &[], "\n");
        assert!(said.complaint(&[]).contains("Not a directory"));
    }
}

#[tokio::test]
async fn an_address_that_is_taken_or_malformed_is_named() {
    let home = sqlite().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let holder = std::net::TcpListener::bind(taken).unwrap();
    for address in [taken.to_string().as_str(), "here"] {
        for command in ["serve", "demo"] {
            let line = home.torv(&[command, "--listen", address]).complaint(&[]);
            assert!(line.contains(address), "{line}");
        }
    }
    drop(holder);
}

#[tokio::test]
async fn openapi_prints_what_is_served() {
    let home = sqlite().await;
    let printed: serde_json::Value = serde_json::from_str(&home.torv(&["openapi"]).well()).unwrap();
    let server = Server::start(&home, &[]);
    assert_eq!(Client::new(&server.base).get("/openapi.json", "").await, printed);
}

#[tokio::test]
async fn serve_refuses_a_schema_that_is_not_the_newest_when_it_may_not_migrate() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(home) = Home::empty(backend).await else { continue };
        let settings = [("TORV_DATABASE__MIGRATE_ON_START", "false")];
        let line = home.torv_with(&["serve", "--listen", "127.0.0.1:0"], &settings, "").complaint(&[]);
        assert!(line.contains("migrations are pending") && line.contains("torv migrate"), "{line}");
        home.torv(&["migrate"]).well();
        drop(Server::start(&home, &settings));
    }
}

#[tokio::test]
async fn an_operator_is_made_with_a_password_from_a_file_or_the_input() {
    let home = sqlite().await;
    let password = "a few words on a square";
    let file = write_file(home.path(), "password", &format!("{password}\n"));
    let create = |email| ["operator", "create", "--email", email, "--organization", "The square"];
    let from_file = [&create("one@example.org")[..], &["--password-file", file.to_str().unwrap()]].concat();
    assert!(home.torv(&from_file).well().starts_with("org_"));
    assert!(home.torv_with(&create("two@example.org"), &[], &format!("{password}\r\n")).well().starts_with("org_"));
    let server = Server::start(&home, &[]);
    let client = Client::new(&server.base);
    for email in ["one@example.org", "two@example.org"] {
        client.post("/api/v1/sessions", "", &serde_json::json!({"email": email, "password": password})).await;
    }
    let line = home.torv_with(&create("three@example.org"), &[], "short\n").complaint(&["short\n"]);
    assert!(line.contains("password") && line.contains("at least 12"), "{line}");
    let line = home.torv_with(&create("no address"), &[], &format!("{password}\n")).complaint(&[password]);
    assert!(line.contains("email"), "{line}");
    let line = home.torv_with(&create("one@example.org"), &[], &format!("{password}\n")).complaint(&[password]);
    assert!(line.contains("one@example.org") || line.contains("address"), "{line}");
    let missing = [&create("four@example.org")[..], &["--password-file", "/nowhere/password"]].concat();
    assert!(home.torv(&missing).complaint(&[]).contains("/nowhere/password"));
}

/// A SQLite exchange with three sales, all sealed, and no server on it any more.
async fn with_three_sales() -> Home {
    let home = sqlite().await;
    let mut server = Server::start(&home, &[("TORV_TRADE__HOLD_DAYS", "0")]);
    let client = Client::new(&server.base);
    let shop = open_shop(&home, &client, b"berth\n".to_vec()).await;
    for key in ["one", "two", "three"] {
        client.post_once("/api/v1/orders", &shop.buyer, key, &shop.order).await;
    }
    let conn = home.connect().await;
    wait_for("the entries to be sealed", async || {
        let unsealed = "SELECT 1 FROM ledger_entry WHERE id NOT IN (SELECT entry_id FROM sealed_entry)";
        let entries =
            conn.query_all_raw(statement("SELECT 1 FROM ledger_entry WHERE kind = 'hold_end'")).await.unwrap();
        (entries.len() == 3 && conn.query_one_raw(statement(unsealed)).await.unwrap().is_none()).then_some(())
    })
    .await;
    conn.close().await.unwrap();
    server.ask_to_stop();
    assert!(server.ended().await.success(), "{}", server.log());
    home
}

fn statement(sql: &str) -> sea_orm::Statement {
    sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, sql)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_tells_what_was_done_behind_the_databases_back() {
    let home = with_three_sales().await;
    assert!(home.torv(&["verify"]).well().contains("violations                  0"));
    let file = home.path().join("torv.sqlite");
    let clean = home.path().join("clean.sqlite");
    std::fs::copy(&file, &clean).unwrap();
    let first = "(SELECT id FROM ledger_entry WHERE kind = 'sale' LIMIT 1)";
    for (sql, words) in [
        (
            format!("UPDATE posting SET amount_minor = amount_minor + 1 WHERE entry_id = {first} AND amount_minor > 0"),
            &["was changed after it was sealed", "is off by 1 minor units of EUR"][..],
        ),
        (format!("DELETE FROM ledger_entry WHERE id = {first}"), &["entries were sealed, but only", "postings are stored"]),
        (
            "INSERT INTO grants (id, order_id, line_no, listing_id, organization_id, provider_id, licence_hash, \
             coverage, through_revision, state, starts_at) SELECT randomblob(16), order_id, 2, listing_id, \
             organization_id, provider_id, licence_hash, coverage, through_revision, state, starts_at FROM grants LIMIT 1"
                .to_owned(),
            &["the number of grants of ord_"],
        ),
    ] {
        for left in ["torv.sqlite-wal", "torv.sqlite-shm"] {
            let _ = std::fs::remove_file(home.path().join(left));
        }
        std::fs::copy(&clean, &file).unwrap();
        tamper(&home, &sql).await;
        let said = home.torv(&["verify"]);
        assert_eq!((said.code, said.err.as_str()), (Some(1), ""), "{sql}");
        for words in words {
            let told = said.out.lines().any(|line| line.starts_with("VIOLATION ") && line.contains(words));
            assert!(told, "{words:?} is not told after {sql}:\n{}", said.out);
        }
    }
}

/// Does to the rows what the triggers would refuse.
async fn tamper(home: &Home, sql: &str) {
    let conn = home.connect().await;
    conn.execute_unprepared("PRAGMA foreign_keys = OFF").await.unwrap();
    let triggers =
        conn.query_all_raw(statement("SELECT name FROM sqlite_master WHERE type = 'trigger'")).await.unwrap();
    assert!(!triggers.is_empty());
    for row in triggers {
        let name: String = row.try_get("", "name").unwrap();
        conn.execute_unprepared(&format!("DROP TRIGGER {name}")).await.unwrap();
    }
    assert!(conn.execute_unprepared(sql).await.unwrap().rows_affected() > 0, "{sql}");
    conn.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_ledger_writes_every_entry_in_three_formats() {
    let home = with_three_sales().await;
    let export = |format| home.torv(&["export", "ledger", "--format", format]).well();
    let csv = export("csv");
    let sales = csv.lines().filter(|line| line.contains(":sale")).count();
    assert_eq!(sales, 9, "three postings of three sales: {csv}");
    let (hledger, beancount) = (export("hledger"), export("beancount"));
    assert!(hledger.contains("100.01 EUR") && hledger.contains("80.01 EUR"), "{hledger}");
    assert!(beancount.contains(" open ") && beancount.contains("100.01 EUR"), "{beancount}");
    let unknown = home.torv(&["export", "ledger", "--format", "xls"]);
    assert!(unknown.code == Some(2) && unknown.err.contains("hledger"), "{unknown:?}");
}
