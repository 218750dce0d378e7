//! nginx in front, with the configuration that is shipped: it asks about each download and sends the file itself.

use std::{
    io::Read as _,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use entity::{
    delivery, grant,
    states::{Coverage, GrantState, RevisionState},
};
use reqwest::{Client, RequestBuilder, StatusCode};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
use torv::{base::digest::sha256_hex, db::Tx};

use crate::support::{Backend, Home, TestApp, blob_key};

const SHIPPED: &str = include_str!("../../deploy/nginx.conf");
const SIZE: usize = 300_000;

/// A running nginx; dropping it ends it.
struct Nginx {
    child: Child,
    _dir: tempfile::TempDir,
    base: String,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Asked to quit, the master takes its workers with it.
        let _ = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// Whether nginx is there; without it a test is skipped, which is loud at home and an error in CI.
fn is_installed() -> bool {
    let is_installed = Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_ok();
    if !is_installed {
        assert!(std::env::var("CI").is_err(), "CI needs nginx");
        eprintln!("\n!!! SKIPPED: nginx is not installed (nginx-light).\n");
    }
    is_installed
}

/// Starts nginx as shipped but for addresses and paths.
async fn in_front_of(torv: &str, files: &Path) -> Nginx {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let at = dir.path().display();
    let mut config = format!("daemon off;\nuser root;\npid {at}/pid;\nerror_log stderr crit;\n{SHIPPED}");
    for (shipped, here) in [
        ("127.0.0.1:8080".to_owned(), torv.to_owned()),
        ("listen 80;".to_owned(), format!("listen 127.0.0.1:{port};")),
        ("/var/lib/torv/files/".to_owned(), format!("{}/", files.display())),
    ] {
        assert!(config.contains(&shipped), "{shipped} is in the shipped file");
        config = config.replace(&shipped, &here);
    }
    let path = dir.path().join("nginx.conf");
    std::fs::write(&path, config).expect("the configuration is written");
    let mut child = Command::new("nginx")
        .args(["-c", &path.to_string_lossy(), "-p", &dir.path().to_string_lossy(), "-e", "stderr"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("nginx starts");
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return Nginx { child, _dir: dir, base: format!("http://127.0.0.1:{port}") };
        }
        if child.try_wait().expect("its state").is_some() {
            break;
        }
        tokio::task::yield_now().await;
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let _ = child.kill();
    let mut said = String::new();
    let _ = child.stderr.take().expect("its words").read_to_string(&mut said);
    panic!("nginx did not start: {said}");
}

async fn sent(request: RequestBuilder) -> (StatusCode, reqwest::header::HeaderMap, Vec<u8>) {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, response.bytes().await.expect("a body").to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_sends_what_the_exchange_allows() {
    if !is_installed() {
        return;
    }
    let home = Home::fresh(Backend::Sqlite).await.expect("SQLite is always there");
    let app = TestApp::start(home, |config| config.storage.accel_prefix = "/files/".to_owned()).await;
    let granted = app.granted(Coverage::Snapshot, 1).await;
    let bytes: Vec<u8> = (0..SIZE).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let name = ("bridges.csv", "text/csv");
    let file = app.bare_file(granted.listing, 1, RevisionState::Published, name, &bytes).await;
    let listed = app.as_org(&granted.buyer, "GET", &format!("/api/v1/grants/{}/files", granted.grant)).send().await;
    let link = listed.expect(200).str("/items/0/url").strip_prefix("http://127.0.0.1:8080").unwrap().to_owned();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let torv = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(axum::serve(listener, app.router.clone()).into_future());
    let key = blob_key(file);
    let stored = app.app.files.local_path(&key);
    let files = stored.to_str().unwrap().strip_suffix(&format!("/{key}")).unwrap().to_owned();
    let nginx = in_front_of(&torv, Path::new(&files)).await;
    let (client, url) = (Client::new(), format!("{}{link}", nginx.base));

    let (status, headers, body) = sent(client.get(&url)).await;
    assert_eq!((status, body == bytes), (StatusCode::OK, true));
    let etag = format!("\"{}\"", sha256_hex(&bytes));
    assert_eq!(headers["etag"], etag.as_str());
    assert_eq!(
        (&headers["content-type"], headers["accept-ranges"].as_bytes()),
        (&"text/csv".parse().unwrap(), &b"bytes"[..])
    );
    assert!(headers["content-disposition"].to_str().unwrap().contains("bridges.csv"));
    assert!(headers["repr-digest"].to_str().unwrap().starts_with("sha-256=:"));
    assert_eq!(headers["content-security-policy"], "default-src 'none'; sandbox");
    assert!(!headers.contains_key("x-accel-redirect"), "where files lie is nobody's business");

    let (status, headers, body) = sent(client.get(&url).header("range", "bytes=-10")).await;
    assert_eq!((status, body.as_slice()), (StatusCode::PARTIAL_CONTENT, &bytes[SIZE - 10..]));
    assert_eq!(headers["content-range"], format!("bytes {}-{}/{SIZE}", SIZE - 10, SIZE - 1).as_str());
    let (status, _, body) = sent(client.get(&url).header("range", "bytes=0-9").header("if-range", &etag)).await;
    assert_eq!((status, body.as_slice()), (StatusCode::PARTIAL_CONTENT, &bytes[..10]));
    let (status, _, body) = sent(client.get(&url).header("if-match", &etag)).await;
    assert_eq!((status, body == bytes), (StatusCode::OK, true));
    let (status, ..) = sent(client.get(&url).header("if-match", "\"other\"")).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    let (status, _, body) = sent(client.get(&url).header("if-none-match", &etag)).await;
    assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
    let (status, headers, _) = sent(client.head(&url)).await;
    assert_eq!((status, headers["content-length"].to_str().unwrap()), (StatusCode::OK, "300000"));

    let (status, ..) = sent(client.get(format!("{}/files/{key}", nginx.base))).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "the folder is for answers of the exchange alone");
    let (status, _, body) = sent(client.get(format!("http://{torv}{link}"))).await;
    assert_eq!((status, body.len()), (StatusCode::OK, 0), "the exchange itself sends nothing");

    app.app.recorder.flush().await;
    let rows =
        delivery::Entity::find().filter(delivery::Column::GrantId.eq(granted.grant)).all(app.app.db.read()).await;
    let mut sizes: Vec<i64> = rows.unwrap().into_iter().map(|row| row.bytes_sent).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [10, 10, 300_000, 300_000, 300_000]);

    app.write(async move |tx: &Tx| {
        let update = grant::Entity::update_many().col_expr(grant::Column::State, Expr::value(GrantState::Revoked));
        update.filter(grant::Column::Id.eq(granted.grant)).exec(tx.conn()).await.expect("updates");
    })
    .await;
    let (status, ..) = sent(client.get(&url)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "nginx asks each time");
    server.abort();
}
