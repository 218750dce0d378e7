//! A receiver of webhooks on this machine, that answers as it is told and remembers what it got.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, header::HeaderName},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tokio::net::TcpListener;

use super::tls::{Secured, Shows, acceptor};

/// A message as it came.
#[derive(Debug, Clone)]
pub struct Got {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Got {
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// How many of its signatures hold with this secret, judged by the words of the standard alone.
    ///
    /// Source: Standard Webhooks 1.0, "Verifying signatures".
    pub fn signatures_by(&self, secret: &str) -> usize {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let mut signed = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp")).into_bytes();
        signed.extend_from_slice(&self.body);
        let all = self.header("webhook-signature");
        let tags = all.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
        tags.filter(|tag| hmac::verify(&key, &signed, tag).is_ok()).count()
    }
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct Says {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// Never answers.
    pub hangs: bool,
}

impl Says {
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }
}

type Answering = Box<dyn FnMut(&Got) -> Says + Send>;

struct Inner {
    got: Vec<Got>,
    answering: Answering,
}

/// A receiver; it goes on as long as the test's runtime does.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    inner: Arc<Mutex<Inner>>,
}

impl Receiver {
    /// A receiver that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let it = Self::at(format!("http://{}/hook", listener.local_addr().expect("an address")));
        let router = it.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        it
    }

    /// As [`Receiver::start`], over TLS.
    pub async fn start_secured(shows: Shows) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let it = Self::at(format!("https://{}/hook", listener.local_addr().expect("an address")));
        let (router, secured) = (it.router(), Secured { listener, acceptor: acceptor(shows) });
        tokio::spawn(async move { axum::serve(secured, router).await });
        it
    }

    fn at(url: String) -> Self {
        let inner = Inner { got: Vec::new(), answering: Box::new(|_| Says::status(204)) };
        Self { url, inner: Arc::new(Mutex::new(inner)) }
    }

    fn router(&self) -> Router {
        let taking = self.clone();
        let take = move |headers: HeaderMap, body: Bytes| {
            let taking = taking.clone();
            async move { taking.take(Got { headers, body: body.to_vec() }).await }
        };
        Router::new().fallback(take)
    }

    /// From now on answers so.
    pub fn answer(&self, answering: impl FnMut(&Got) -> Says + Send + 'static) {
        self.inner.lock().expect("no panic").answering = Box::new(answering);
    }

    /// Everything that came, the refused too.
    pub fn got(&self) -> Vec<Got> {
        self.inner.lock().expect("no panic").got.clone()
    }

    /// What the messages' data say under this key.
    pub fn data(&self, key: &str) -> Vec<Value> {
        self.got().iter().map(|got| got.json()["data"][key].clone()).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "a receiver that hangs does so in real time")]
    async fn take(&self, got: Got) -> Response {
        let says = {
            let mut inner = self.inner.lock().expect("no panic");
            let says = (inner.answering)(&got);
            inner.got.push(got);
            says
        };
        if says.hangs {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
        }
        let mut response = (StatusCode::from_u16(says.status).expect("a status"), says.body).into_response();
        for (name, value) in says.headers {
            response.headers_mut().insert(HeaderName::from_static(name), value.parse().expect("a value"));
        }
        response
    }
}
