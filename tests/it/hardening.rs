//! What every request passes, whatever it asks for: limits of time and number, HEAD, Allow, the log.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::{Body, Bytes};
use futures::{StreamExt as _, stream};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use torv::config::Config;
use tracing::instrument::WithSubscriber as _;

use crate::support::{Answer, Backend, Home, PASSWORD, TestApp, on_both};

async fn configured(adjust: impl FnOnce(&mut Config)) -> TestApp {
    let home = Home::fresh(Backend::Sqlite).await.expect("SQLite is always there");
    TestApp::start(home, adjust).await
}

/// A body that begins and never ends; tells when it is first read.
fn endless() -> (Body, oneshot::Receiver<()>) {
    let (reading, read) = oneshot::channel();
    let begin = stream::once(async move {
        let _ = reading.send(());
        Ok::<_, std::io::Error>(Bytes::from_static(b"{"))
    });
    (Body::from_stream(begin.chain(stream::pending())), read)
}

/// A body that takes `seconds` of real time.
#[expect(clippy::disallowed_methods, reason = "the time limit of requests is real time")]
fn slow(seconds: f64) -> Body {
    Body::from_stream(stream::once(async move {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        Ok::<_, std::io::Error>(Bytes::from_static(b"a,b\n1,2\n"))
    }))
}

fn log_in(app: &TestApp, body: Body) -> impl Future<Output = Answer> + use<> {
    app.request("POST", "/api/v1/sessions").header("content-type", "application/json").body(body).send()
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up_with_503() {
    let app = configured(|config| config.server.request_timeout_seconds = 1).await;
    let answer = log_in(&app, endless().0).await.expect(503);
    assert_eq!(answer.str("/type"), "/problems/unavailable");
    assert_eq!((answer.header("content-type"), answer.header("retry-after")), ("application/problem+json", "5"));
}

#[tokio::test]
async fn an_upload_may_take_longer_than_other_requests() {
    let app = configured(|config| config.server.request_timeout_seconds = 1).await;
    let org = app.provider().await;
    let draft = app.draft(&org, &json!({})).await;
    let revision = app.open_revision(&org, &draft).await;
    app.upload(&org, &revision, "levels.csv", slow(1.3)).await.expect(201);
}

#[tokio::test]
async fn more_requests_at_once_than_the_limit_are_asked_to_come_back() {
    let app = configured(|config| config.server.concurrent_requests_max = 2).await;
    let held: Vec<_> =
        [endless(), endless()].into_iter().map(|(body, reading)| (tokio::spawn(log_in(&app, body)), reading)).collect();
    let mut requests = Vec::new();
    for (request, reading) in held {
        reading.await.expect("it is being worked on");
        requests.push(request);
    }
    let refused = app.get("/problems").await.expect(503);
    assert_eq!(refused.str("/type"), "/problems/unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    app.get("/health/live").await.expect(200);
    for request in requests {
        request.abort();
        assert!(request.await.is_err());
    }
    app.get("/problems").await.expect(200);
}

#[tokio::test]
async fn no_credential_and_no_secret_address_gets_into_the_log() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let app = configured(|_| {}).await;
    let (log, org) = (Log::default(), app.provider().await);
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // While there is only one subscriber, a line that is first reached by a test without it is taken for
    // unwanted everywhere; a second one has all of them asked.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let requests = async {
        tracing::callsite::rebuild_interest_cache();
        app.as_org(&org, "GET", "/api/v1/orders").header("cookie", "biscuit=1").send().await.expect(200);
        app.get("/d/SECRETTOKEN/levels.csv").await.expect(404);
        app.get("/api/v1/listings?q=SECRETWORD").await.expect(200);
        let body = json!({"email": "somebody@example.org", "password": PASSWORD});
        app.request("POST", "/api/v1/sessions").json(&body).send().await.expect(401);
    };
    requests.with_subscriber(subscriber).await;
    let text = String::from_utf8(log.0.lock().expect("nobody panicked").clone()).expect("UTF-8");
    // Statements are logged by the database driver at a level the default filter leaves out.
    let ours: String = text.lines().filter(|line| line.contains("torv::")).collect();
    assert!(ours.contains("/api/v1/orders answered 200"), "{ours}");
    for secret in [org.key.as_str(), "biscuit", "SECRETTOKEN", "SECRETWORD", PASSWORD, "somebody@example.org"] {
        assert!(!ours.contains(secret), "{secret} is in {ours}");
    }
}

#[tokio::test]
async fn headers_beyond_measure_are_refused_before_they_are_kept() {
    let app = configured(|_| {}).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(axum::serve(listener, app.router.clone()).into_future());
    let many = "x-header: 1\r\n".repeat(200);
    let long = format!("x-header: {}\r\n", "x".repeat(1_000_000));
    for headers in [many, long] {
        let mut connection = TcpStream::connect(address).await.expect("a connection");
        let request = format!("GET /health/live HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        // The server may hang up before it has read everything.
        let _ = connection.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    server.abort();
}

on_both! {
    async fn head_answers_what_get_would_without_the_body(app) {
        for path in ["/health/ready", "/problems", "/openapi.json", "/api/v1/listings", "/nowhere", "/api/v1/orders"] {
            let (get, head) = (app.get(path).await, app.request("HEAD", path).send().await);
            assert_eq!(get.status, head.status, "{path}");
            assert_eq!(get.header("content-type"), head.header("content-type"), "{path}");
            assert!(!get.bytes.is_empty() && head.bytes.is_empty(), "{path}: {}", head.text());
        }
    }

    async fn a_wrong_method_is_told_every_right_one(app) {
        for (path, methods) in [
            ("/api/v1/listings", ["GET", "HEAD", "POST"].as_slice()),
            ("/api/v1/sessions/current", &["DELETE"]),
            ("/api/v1/revisions/x/files/y", &["PUT", "DELETE"]),
            ("/d/x/y", &["GET", "HEAD"]),
        ] {
            let answer = app.request("PATCH", path).send().await.expect(405);
            let mut allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
            let mut expected = methods.to_vec();
            allowed.sort_unstable();
            expected.sort_unstable();
            assert_eq!(allowed, expected, "{path}");
            assert_eq!(answer.str("/type"), "/problems/method-not-allowed");
        }
    }
}
