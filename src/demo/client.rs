//! A plain HTTP client of the API, as any company could write it.

use std::{path::Path, time::Duration};

use reqwest::Method;
use serde_json::Value;

use crate::error::{Error, Result};

/// Speaks to one exchange.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
}

/// How long a client waits before it looks again.
const PAUSE: Duration = Duration::from_millis(100);

/// How often, and after how long, a client repeats what a busy exchange put off.
const BUSY_TRIES_MAX: usize = 10;
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Waits before another look.
pub(super) async fn pause() {
    wait(PAUSE).await;
}

#[expect(clippy::disallowed_methods, reason = "a client can only look again")]
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

/// An answer: status and JSON body.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Reply {
    /// A text of the body, by JSON pointer.
    pub(super) fn text(&self, pointer: &str) -> Result<String> {
        let found = self.body.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
        found.ok_or_else(|| Error::internal(format!("the answer has no text at {pointer}: {}", short(&self.body))))
    }

    /// A whole number of the body, by JSON pointer.
    pub(super) fn number(&self, pointer: &str) -> Result<i64> {
        let found = self.body.pointer(pointer).and_then(Value::as_i64);
        found.ok_or_else(|| Error::internal(format!("the answer has no number at {pointer}: {}", short(&self.body))))
    }

    /// The items of a page, or of a plain list.
    pub(super) fn items(&self) -> Vec<Value> {
        let list = self.body.get("items").unwrap_or(&self.body);
        list.as_array().cloned().unwrap_or_default()
    }
}

impl Client {
    pub(super) fn new(base: &str) -> Result<Self> {
        let http = reqwest::Client::builder().build().map_err(Error::internal)?;
        Ok(Self { http, base: base.to_owned() })
    }

    /// Where the exchange is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request and reads the answer, whatever its status; repeats it while the exchange is busy.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Reply> {
        for _ in 1..BUSY_TRIES_MAX {
            let reply = self.send_once(method.clone(), path, token, key, body).await?;
            if reply.status != 503 {
                return Ok(reply);
            }
            wait(BUSY_PAUSE).await;
        }
        self.send_once(method, path, token, key, body).await
    }

    async fn send_once(
        &self,
        method: Method,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Reply> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Self::read(request).await
    }

    async fn read(request: reqwest::RequestBuilder) -> Result<Reply> {
        let response = request.send().await.map_err(Error::internal)?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.map_err(Error::internal)?;
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or(Value::Null) };
        Ok(Reply { status, body })
    }

    /// A GET that must succeed.
    pub(super) async fn get(&self, path: &str, token: &str) -> Result<Reply> {
        self.send(Method::GET, path, token, None, None).await.and_then(|reply| succeeded(reply, path))
    }

    /// A POST that must succeed.
    pub(super) async fn post(&self, path: &str, token: &str, body: &Value) -> Result<Reply> {
        self.send(Method::POST, path, token, None, Some(body)).await.and_then(|reply| succeeded(reply, path))
    }

    /// A POST without a body that must succeed.
    pub(super) async fn act(&self, path: &str, token: &str) -> Result<Reply> {
        self.send(Method::POST, path, token, None, None).await.and_then(|reply| succeeded(reply, path))
    }

    /// A POST with an idempotency key that must succeed.
    pub(super) async fn post_once(&self, path: &str, token: &str, key: &str, body: &Value) -> Result<Reply> {
        self.send(Method::POST, path, token, Some(key), Some(body)).await.and_then(|reply| succeeded(reply, path))
    }

    /// Uploads a file by streaming it.
    pub(super) async fn put_file(&self, path: &str, token: &str, file: &Path) -> Result<Reply> {
        let opened = tokio::fs::File::open(file).await;
        let opened = opened.map_err(|error| Error::internal(format!("{}: {error}", file.display())))?;
        let body = reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::new(opened));
        let request = self.http.put(format!("{}{path}", self.base)).bearer_auth(token).body(body);
        Self::read(request).await.and_then(|reply| succeeded(reply, path))
    }

    /// Uploads a file that is at hand.
    pub(super) async fn put_bytes(&self, path: &str, token: &str, bytes: Vec<u8>) -> Result<Reply> {
        let request = self.http.put(format!("{}{path}", self.base)).bearer_auth(token).body(bytes);
        Self::read(request).await.and_then(|reply| succeeded(reply, path))
    }

    /// A POST that must succeed, and is answered by lines of JSON.
    pub(super) async fn post_for_lines(&self, path: &str, token: &str, body: &Value) -> Result<Vec<Value>> {
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(token).json(body);
        let response = request.send().await.map_err(Error::internal)?;
        let (status, bytes) = (response.status().as_u16(), response.bytes().await.map_err(Error::internal)?);
        let lines = serde_json::Deserializer::from_slice(&bytes).into_iter().collect::<Result<Vec<Value>, _>>()?;
        let first = lines.first().cloned().unwrap_or(Value::Null);
        succeeded(Reply { status, body: first }, path).map(|_| lines)
    }

    /// What a link leads to.
    pub(super) async fn get_link(&self, url: &str) -> Result<Vec<u8>> {
        self.get_bytes(url.strip_prefix(&self.base).unwrap_or(url), "").await
    }

    /// A GET of a file that must succeed.
    pub(super) async fn get_bytes(&self, path: &str, token: &str) -> Result<Vec<u8>> {
        let mut request = self.http.get(format!("{}{path}", self.base));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(Error::internal)?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.map_err(Error::internal)?;
        let body = if status == 200 { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or(Value::Null) };
        succeeded(Reply { status, body }, path).map(|_| bytes.to_vec())
    }

    /// A POST of a file that must succeed.
    pub(super) async fn post_bytes(&self, path: &str, token: &str, bytes: Vec<u8>) -> Result<Reply> {
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(token).body(bytes);
        Self::read(request).await.and_then(|reply| succeeded(reply, path))
    }

    /// Downloads a link in pieces; returns size and SHA-256 of what came.
    pub(super) async fn download(&self, url: &str) -> Result<(u64, String)> {
        let url = if url.starts_with("http") { url.to_owned() } else { format!("{}{url}", self.base) };
        let mut response = self.http.get(&url).send().await.map_err(Error::internal)?;
        if !response.status().is_success() {
            return Err(Error::internal(format!("the download answered {}", response.status())));
        }
        let (mut size, mut hash) = (0, crate::base::digest::Sha256::new());
        while let Some(piece) = response.chunk().await.map_err(Error::internal)? {
            size += u64::try_from(piece.len()).unwrap_or(0);
            hash.update(&piece);
        }
        Ok((size, hash.finish_hex()))
    }
}

/// The beginning of a body, for an error text.
fn short(body: &Value) -> String {
    body.to_string().chars().take(600).collect()
}

/// The answer, where it says that it went well.
pub(super) fn succeeded(reply: Reply, path: &str) -> Result<Reply> {
    if (200..300).contains(&reply.status) {
        return Ok(reply);
    }
    Err(Error::internal(format!("{path} answered {}: {}", reply.status, short(&reply.body))))
}
