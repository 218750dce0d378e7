//! Torv in a process of its own: one grant on one revision with the tables.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use entity::{
    Timestamp, file, grant,
    ids::{FileId, GrantId, ListingId, OrderId, OrgId, RenditionId, RevisionId},
    listing, rendition, revision,
    states::{
        Audience, Coverage, GrantState, ListingKind, ListingState, PersonalData, ProfileState, RenditionFormat,
        RenditionState, RevisionState, Theme, UpdateFrequency,
    },
};
use sea_orm::{ActiveValue::Set, ConnectionTrait as _, DatabaseConnection, EntityTrait as _};
use serde_json::json;
use torv::{base::Clock, bootstrap, config::Config, delivery::Files};

use crate::{THREADS, buyer};

/// Set for the process that is the server: the directory with the tables, and the program for queries.
const DIR: &str = "TORV_BENCH_DIR";
const WORKER: &str = "TORV_BENCH_WORKER";

/// A running Torv; dropping it ends it.
pub struct Server {
    url: String,
    http: reqwest::Client,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server ends when its input does.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts this program again as the server of the tables in `dir`.
    pub fn start(dir: &Path, worker: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(DIR, dir)
            .env(WORKER, worker)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut url).expect("an address");
        Self { url: url.trim().to_owned(), http: reqwest::Client::new(), child }
    }

    /// Asks as a buyer does, and reads the whole answer; returns its rows.
    pub async fn ask(&self, sql: &str) -> u64 {
        let request = self.http.post(&self.url).bearer_auth(buyer::key());
        let request = request.json(&json!({"sql": sql, "format": "csv"}));
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.expect("all of it");
        assert!(status.is_success(), "{status}: {text}");
        headers["torv-row-count"].to_str().expect("a text").parse().expect("a number")
    }
}

/// Runs as the server, if this process is one.
pub fn run_if_told() -> bool {
    let (Some(dir), Some(worker)) = (std::env::var_os(DIR), std::env::var_os(WORKER)) else { return false };
    tokio::runtime::Runtime::new().expect("a runtime").block_on(serve(Path::new(&dir), Path::new(&worker)));
    true
}

async fn serve(dir: &Path, worker: &Path) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut config = Config::embedded(&dir.join("torv"));
    config.server.listen = listener.local_addr().expect("an address").to_string();
    config.sql.worker = worker.to_owned();
    config.sql.threads = THREADS;
    config.sql.time_seconds = 600;
    let url = format!("{}/api/v1/sql", config.public_url());
    let built = bootstrap::build(config, Clock::system()).await.expect("the exchange starts");
    let conn = torv::db::connect_lazy_migrator(&built.app.config.database_url()).await.expect("the database");
    fill(&dir.join("tables"), &built.app.files, &conn).await;
    let server = axum::serve(listener, torv::router::router(built.app.clone()));
    tokio::spawn(server.into_future());
    println!("{url}");
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
}

/// Makes a buyer with a key, and a grant on a revision with the tables. Only what a query reads is there.
async fn fill(tables: &Path, files: &Files, conn: &DatabaseConnection) {
    conn.execute_unprepared("PRAGMA foreign_keys = OFF").await.expect("a pragma");
    let now = Clock::system().now();
    let at = Timestamp(now);
    let (listing_id, revision_id) = (ListingId::at(now), RevisionId::at(now));
    let org = buyer::insert(conn, at).await;
    listing::Entity::insert(bare_listing(listing_id, org, at)).exec_without_returning(conn).await.expect("a listing");
    let published = revision::ActiveModel {
        id: Set(revision_id),
        listing_id: Set(listing_id),
        number: Set(1),
        state: Set(RevisionState::Published),
        note: Set(String::new()),
        created_at: Set(at),
        published_at: Set(Some(at)),
        file_count: Set(2),
        size_bytes: Set(0),
        ..Default::default()
    };
    revision::Entity::insert(published).exec_without_returning(conn).await.expect("a revision");
    for name in ["readings", "stations"] {
        add_table(&tables.join(format!("{name}.parquet")), name, files, conn, revision_id, at).await;
    }
    let grant = grant::ActiveModel {
        id: Set(GrantId::at(now)),
        order_id: Set(OrderId::at(now)),
        line_no: Set(1),
        listing_id: Set(listing_id),
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
    grant::Entity::insert(grant).exec_without_returning(conn).await.expect("a grant");
}

fn bare_listing(id: ListingId, org: OrgId, at: Timestamp) -> listing::ActiveModel {
    listing::ActiveModel {
        id: Set(id),
        organization_id: Set(org),
        kind: Set(ListingKind::Dataset),
        state: Set(ListingState::Published),
        version: Set(1),
        title: Set(json!({"en": "Readings"})),
        summary: Set(json!({"en": "Readings"})),
        theme: Set(Theme::Environment),
        tags: Set(json!([])),
        update_frequency: Set(UpdateFrequency::Daily),
        contact: Set(json!({})),
        use_cases: Set(json!([])),
        personal_data: Set(PersonalData::None),
        audience: Set(Audience::Public),
        search_text: Set(String::new()),
        has_free_offer: Set(true),
        has_paid_offer: Set(false),
        created_at: Set(at),
        updated_at: Set(at),
        published_at: Set(Some(at)),
        ..Default::default()
    }
}

async fn add_table(
    path: &Path,
    name: &str,
    files: &Files,
    conn: &DatabaseConnection,
    revision: RevisionId,
    at: Timestamp,
) {
    let key = format!("bench/{name}");
    let stored = files.put_file(&key, path).await.expect("it is stored");
    let (id, size_bytes) = (FileId::at(at.0), i64::try_from(stored.size_bytes).expect("a size"));
    let row = file::ActiveModel {
        id: Set(id),
        revision_id: Set(revision),
        name: Set(format!("{name}.parquet")),
        media_type: Set("application/vnd.apache.parquet".to_owned()),
        format: Set("parquet".to_owned()),
        size_bytes: Set(size_bytes),
        sha256: Set(stored.sha256.clone()),
        blob_key: Set(key.clone()),
        created_at: Set(at),
        profile_state: Set(ProfileState::Pending),
        profile: Set(None),
        profile_error: Set(None),
        sample_policy: Set(json!({})),
        time_zone: Set(None),
        crs: Set(None),
    };
    file::Entity::insert(row).exec_without_returning(conn).await.expect("a file");
    let made = rendition::ActiveModel {
        id: Set(RenditionId::at(at.0)),
        file_id: Set(id),
        format: Set(RenditionFormat::Parquet),
        state: Set(RenditionState::Made),
        attempts: Set(1),
        run_at: Set(at),
        progress_permille: Set(1_000),
        blob_key: Set(Some(key)),
        size_bytes: Set(Some(size_bytes)),
        sha256: Set(Some(stored.sha256)),
        created_at: Set(at),
        made_at: Set(Some(at)),
        ..Default::default()
    };
    rendition::Entity::insert(made).exec_without_returning(conn).await.expect("a rendition");
}
