//! A server that answers from a script and keeps what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use torv_stripe::{Gateway, Settings};

/// What the server was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST /v1/transfers`, with the query.
    pub line: String,
    pub headers: HeaderMap,
    /// Differs between connections.
    pub peer_port: u16,
    /// The form's fields, decoded, in the order of the wire.
    pub form: Vec<String>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ascii"))
    }
}

/// What the server answers next.
#[derive(Debug, Clone)]
pub enum Reply {
    Json(u16, Value),
    Headers(u16, Value, Vec<(&'static str, &'static str)>),
    Text(u16, &'static str),
    /// Takes the request and never answers.
    Silence,
}

#[derive(Debug, Clone, Default)]
pub struct Script {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Script {
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("lock").clone()
    }

    /// The one request there was.
    pub fn only(&self) -> Asked {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked[0].clone()
    }

    pub fn then(&self, reply: Reply) {
        self.replies.lock().expect("lock").push_back(reply);
    }
}

async fn answer(
    State(script): State<Script>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let form = std::str::from_utf8(&body).expect("a form");
    let form = form.split('&').filter(|field| !field.is_empty()).map(decoded).collect();
    let line = decoded(&format!("{} {}", parts.method, parts.uri));
    script.asked.lock().expect("lock").push(Asked { line, headers: parts.headers, peer_port: peer.port(), form });
    let reply = script.replies.lock().expect("lock").pop_front().expect("the script has no further reply");
    match reply {
        Reply::Json(status, body) => (StatusCode::from_u16(status).expect("status"), body.to_string()).into_response(),
        Reply::Headers(status, body, headers) => {
            let mut response = (StatusCode::from_u16(status).expect("status"), body.to_string()).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().expect("a header"));
            }
            response
        }
        Reply::Text(status, body) => (StatusCode::from_u16(status).expect("status"), body).into_response(),
        Reply::Silence => std::future::pending().await,
    }
}

/// Undoes the form encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().expect("digit"), rest.next().expect("digit")];
                u8::from_str_radix(std::str::from_utf8(&digits).expect("ascii"), 16).expect("hex")
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).expect("utf-8")
}

pub fn settings(base: &str) -> Settings {
    Settings {
        api_base: base.to_owned(),
        timeout_seconds: 1,
        backoff_base_milliseconds: 0,
        ..Settings::new(SecretString::from("sk_test_key"))
    }
}

/// A gateway to a server that gives these replies in order.
pub async fn scripted(replies: impl IntoIterator<Item = Reply>) -> (Gateway, Script) {
    let script = Script::default();
    for reply in replies {
        script.then(reply);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}/", listener.local_addr().expect("an address"));
    let app = axum::Router::new().fallback(answer).with_state(script.clone());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (Gateway::new(&settings(&base)).expect("a gateway"), script)
}

/// A server that reads each request and closes the connection without a word; gives its address.
pub async fn resetting() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}/", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let read = tokio::time::timeout(Duration::from_secs(1), socket.read(&mut bytes)).await;
            if let Ok(Ok(count @ 1..)) = read {
                kept.lock().expect("lock").push(String::from_utf8_lossy(&bytes[..count]).into_owned());
            }
        }
    });
    (base, asked)
}

/// A server whose answer never ends; gives its address.
pub async fn endless() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = vec![b'x'; 1 << 20];
            let _request = socket.read(&mut bytes[..4096]).await;
            let mut sent = socket.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
            while sent.is_ok() {
                sent = socket.write_all(&bytes).await;
            }
        }
    });
    base
}
