//! The process of a query: what it is given, and how it ends.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    granted,
    limits::{ENDLESS, exchange},
    problem, select,
};
use crate::support::{
    TestApp,
    process::wait_for,
    sql::{folders, is_built, processes},
};

/// An exchange whose program is a script of the shell.
async fn with_script(script: &str) -> (TestApp, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("torv-sql");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (exchange(|config| (config.sql.worker, config.sql.time_seconds) = (path, 1)).await, dir)
}

async fn all_gone(home: &Path) {
    wait_for("the end of the process", async || processes(home).is_empty().then_some(())).await;
    wait_for("the end of its folder", async || folders(home).is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_ends_with_its_request() {
    if !is_built() {
        return;
    }
    let app = exchange(|config| config.sql.time_seconds = 600).await;
    let granted = granted(&app).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/api/v1/sql", listener.local_addr().unwrap());
    let router = app.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let request = reqwest::Client::new().post(address).bearer_auth(&granted.buyer.key).json(&json!({"sql": ENDLESS}));
    let client = tokio::spawn(request.send());
    let process = wait_for("the process", async || processes(app.home.path()).first().copied()).await;
    let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap();
    assert!(environment.is_empty(), "{}", String::from_utf8_lossy(&environment));
    // The connection is closed in the middle of the request.
    client.abort();
    assert!(client.await.is_err_and(|error| error.is_cancelled()));
    all_gone(app.home.path()).await;
    assert!(!Path::new(&format!("/proc/{process}")).exists());
    select(&app, &granted.buyer, "SELECT count(*) FROM gauges").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_program_no_sql_is_offered_and_it_says_so() {
    let app = exchange(|config| config.sql.worker = "/nowhere/torv-sql".into()).await;
    let granted = granted(&app).await;
    let refused = select(&app, &granted.buyer, "SELECT count(*) FROM gauges").await.expect(501);
    assert_eq!(problem(&refused), "not-offered");
    let listed = app.as_org(&granted.buyer, "GET", "/api/v1/sql/tables").send().await.expect(200).json();
    assert_eq!((&listed["is_offered"], &listed["items"][0]["name"]), (&json!(false), &json!("\"gauges\"")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_gets_its_tables_and_nothing_else() {
    let (app, _dir) = with_script(
        "read request\nfind . -type f -o -type l | sort\ncat /proc/self/environ\n\
         echo '{\"outcome\":\"done\",\"rows\":1,\"bytes\":1,\"tables\":[0]}' >&2",
    )
    .await;
    let granted = granted(&app).await;
    let told = select(&app, &granted.buyer, "SELECT count(*) FROM gauges").await.expect(200).text();
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines.len() >= 2 && lines[0] == "./result" && lines[1].starts_with("./tables/fil_"), "{told}");
    assert!(!told.contains("TORV_") && !told.contains("HOME=") && !told.contains("PATH=/"), "{told}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("./")).count(), 2, "{told}");
    all_gone(app.home.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_is_a_clear_problem() {
    for (script, status, kind) in [
        ("kill -SEGV $$", 422, "sql-stopped"),
        ("kill -KILL $$", 422, "sql-stopped"),
        ("kill -ABRT $$", 422, "sql-stopped"),
        ("kill -XCPU $$", 422, "sql-too-slow"),
        ("kill -XFSZ $$", 422, "sql-out-of-memory"),
        ("while :; do :; done", 422, "sql-too-slow"),
        ("exit 0", 500, "internal-error"),
        ("echo nonsense >&2; exit 3", 500, "internal-error"),
        ("echo '{\"outcome\":\"refused\",\"class\":\"internal\",\"message\":\"m\"}' >&2", 500, "internal-error"),
        ("echo '{\"outcome\":\"done\",\"rows\":1,\"bytes\":1,\"tables\":[]}' >&2; kill -KILL $$", 422, "sql-stopped"),
    ] {
        let (app, _dir) = with_script(script).await;
        let granted = granted(&app).await;
        let refused = select(&app, &granted.buyer, "SELECT 1").await.expect(status);
        assert_eq!(problem(&refused), kind, "{script}");
        assert!(!refused.text().contains("torv-sql ended"), "what went wrong inside is for the log alone");
        all_gone(app.home.path()).await;
    }
}
