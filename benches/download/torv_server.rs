//! Torv in a process of its own: one grant on one revision with the files to be loaded.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use entity::{
    Timestamp, file, grant,
    ids::{FileId, GrantId, ListingId, OrderId, RevisionId},
    revision,
    states::{Coverage, GrantState, ProfileState, RevisionState},
};
use sea_orm::{ActiveValue::Set, ConnectionTrait as _, EntityTrait as _};
use serde_json::{Value, json};
use torv::{base::Clock, bootstrap, config::Config, delivery::Files};

use crate::{SIZES, Side, buyer};

/// Set for the process that is the server; holds the directory with the files.
pub const VARIABLE: &str = "TORV_BENCH_DIR";
/// Set for the process that leaves the sending to nginx.
const ACCEL_VARIABLE: &str = "TORV_BENCH_ACCEL";

/// A running Torv; dropping it ends it.
pub struct Server {
    pub side: Side,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server ends when its input does.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The data directory of a server; one that leaves the sending to nginx has its own.
pub fn data_dir(dir: &Path, accel: bool) -> PathBuf {
    dir.join(if accel { "torv-accel" } else { "torv" })
}

/// Starts this program again as the server of the files in `dir`; with `accel` it leaves the sending to nginx.
pub fn start(dir: &Path, accel: bool) -> Server {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .env(VARIABLE, dir)
        .env(ACCEL_VARIABLE, if accel { "1" } else { "" })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let urls: Vec<String> = lines.take(SIZES.len()).map(|line| line.expect("an address")).collect();
    assert_eq!(urls.len(), SIZES.len(), "the server did not start");
    Server {
        side: Side { name: if accel { "torv behind nginx" } else { "torv" }, pids: vec![child.id()], urls },
        child,
    }
}

/// Serves until the standard input ends; prints one address per size first.
pub fn run() {
    let dir = std::env::var_os(VARIABLE).expect("a directory");
    tokio::runtime::Runtime::new().expect("a runtime").block_on(serve(Path::new(&dir)));
}

async fn serve(dir: &Path) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let accel = std::env::var_os(ACCEL_VARIABLE).is_some_and(|value| !value.is_empty());
    let mut config = Config::embedded(&data_dir(dir, accel));
    if accel {
        config.storage.accel_prefix = "/files/".to_owned();
    }
    config.server.listen = listener.local_addr().expect("an address").to_string();
    config.auth.download_link_seconds = 86_400;
    let base = config.public_url();
    let built = bootstrap::build(config, Clock::system()).await.expect("the exchange starts");
    let grant_id = fill(dir, &built.app.files, &built.app.config).await;
    let router = torv::router::router(built.app.clone());
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        let _ = ended.await;
    });
    let server = tokio::spawn(server.into_future());
    let files: Value = reqwest::Client::new()
        .get(format!("{base}/api/v1/grants/{grant_id}/files"))
        .bearer_auth(buyer::key())
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("a list");
    for (_, size, _) in SIZES {
        let named = |item: &&Value| item["name"] == format!("{size}.bin");
        let file = files["items"].as_array().and_then(|items| items.iter().find(named));
        let file = file.unwrap_or_else(|| panic!("no {size}.bin in {files}"));
        println!("{}", file["url"].as_str().expect("a link"));
    }
    let _ = server.await;
    built.app.recorder.flush().await;
}

/// Makes a buyer with a key, and a grant on a revision with the files.
async fn fill(dir: &Path, files: &Files, config: &Config) -> GrantId {
    let conn = torv::db::connect_lazy_migrator(&config.database_url()).await.expect("the database");
    // Only what a download reads is there: no order, no listing, no person.
    conn.execute_unprepared("PRAGMA foreign_keys = OFF").await.expect("a pragma");
    let now = Clock::system().now();
    let at = Timestamp(now);
    let (listing, revision) = (ListingId::at(now), RevisionId::at(now));
    let org = buyer::insert(&conn, at).await;
    let published = revision::ActiveModel {
        id: Set(revision),
        listing_id: Set(listing),
        number: Set(1),
        state: Set(RevisionState::Published),
        note: Set(String::new()),
        created_at: Set(at),
        published_at: Set(Some(at)),
        file_count: Set(3),
        size_bytes: Set(0),
        ..Default::default()
    };
    revision::Entity::insert(published).exec_without_returning(&conn).await.expect("a revision");
    for (_, size, _) in SIZES {
        add_file(dir, files, &conn, revision, size, at).await;
    }
    let id = GrantId::at(now);
    let grant = grant::ActiveModel {
        id: Set(id),
        order_id: Set(OrderId::at(now)),
        line_no: Set(1),
        listing_id: Set(listing),
        organization_id: Set(org),
        provider_id: Set(org),
        licence_hash: Set(String::new()),
        coverage: Set(Coverage::Snapshot),
        through_revision: Set(1),
        state: Set(GrantState::Active),
        starts_at: Set(at),
        ends_at: Set(None),
        ended_at: Set(None),
        end_reason: Set(None),
        ..Default::default()
    };
    grant::Entity::insert(grant).exec_without_returning(&conn).await.expect("a grant");
    id
}

async fn add_file(
    dir: &Path,
    files: &Files,
    conn: &sea_orm::DatabaseConnection,
    revision: RevisionId,
    size: usize,
    at: Timestamp,
) {
    let bytes = std::fs::read(dir.join(size.to_string())).expect("the file");
    let key = format!("bench/{size}");
    let body = futures::stream::iter([Ok(Bytes::from(bytes))]);
    let stored = files.put(&key, body, u64::MAX).await.expect("it is stored");
    let row = file::ActiveModel {
        id: Set(FileId::at(at.0)),
        revision_id: Set(revision),
        name: Set(format!("{size}.bin")),
        media_type: Set("application/octet-stream".to_owned()),
        format: Set("bin".to_owned()),
        size_bytes: Set(i64::try_from(size).expect("a size")),
        sha256: Set(stored.sha256),
        blob_key: Set(key),
        created_at: Set(at),
        profile_state: Set(ProfileState::Pending),
        profile: Set(None),
        profile_error: Set(None),
        sample_policy: Set(json!({})),
        time_zone: Set(None),
        crs: Set(None),
    };
    file::Entity::insert(row).exec_without_returning(conn).await.expect("a file");
}
