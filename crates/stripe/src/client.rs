//! How requests travel, under our own `StripeClient` (in `gateway`). The client that comes with async-stripe opens a connection per call, has no timeout, drops the
//! request id, and sends no idempotency key when it retries; for calls that move money each of these is a loss.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use secrecy::ExposeSecret;
use stripe_client_core::{CustomizedStripeRequest, RequestBuilder, RequestStrategy, StripeMethod};

use crate::error::{Failure, GatewayError, failure_of};
use crate::retry::{Attempt, RetryPolicy};
use crate::settings::Settings;

/// A longer answer is not read: a page of 100 expanded objects is about a tenth of it.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
const CONNECT_SECONDS_MAX: u64 = 10;
const POOL_IDLE_SECONDS_MAX: u64 = 60;
const USER_AGENT_TEXT: &str = concat!("torv-stripe/", env!("CARGO_PKG_VERSION"));

/// A pooled client that retries under the caller's idempotency key.
#[derive(Debug)]
pub(crate) struct HttpClient {
    http: reqwest::Client,
    /// `{base}v1`
    root: String,
    policy: RetryPolicy,
}

/// An answer that says yes.
pub(crate) struct Success {
    pub(crate) body: Bytes,
    pub(crate) request_id: Option<String>,
}

/// One answer, whatever its status.
struct Answer {
    status: u16,
    body: Bytes,
    attempt: Attempt,
    request_id: Option<String>,
}

impl HttpClient {
    /// # Errors
    /// `Invalid` for a base address or key that cannot be used.
    pub(crate) fn new(settings: &Settings) -> Result<Self, GatewayError> {
        let invalid = |what: &str| GatewayError::Invalid(what.to_owned());
        let base: reqwest::Url = settings
            .api_base
            .parse()
            .map_err(|_| invalid("Stripe's address is no URL: give one like https://api.stripe.com/"))?;
        if !matches!(base.scheme(), "http" | "https") || !base.path().ends_with('/') {
            return Err(invalid(
                "Stripe's address has to begin with https:// (or http:// in tests) and end with a slash",
            ));
        }
        let is_live = settings.secret_key.expose_secret().contains("_live_");
        if is_live && base.scheme() == "http" {
            return Err(invalid("a live Stripe key is not sent over http: use an address that begins with https://"));
        }
        if settings.attempts_max == 0 || settings.timeout_seconds == 0 {
            return Err(invalid("Stripe needs at least one attempt and one second of time"));
        }
        let mut key =
            HeaderValue::from_str(&format!("Bearer {}", settings.secret_key.expose_secret())).map_err(|_| {
                invalid("the Stripe key has characters that no key has: copy it again, without line breaks")
            })?;
        key.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, key),
            (USER_AGENT, HeaderValue::from_static(USER_AGENT_TEXT)),
            // Pinned to the version the request builders were generated from, whatever the account's default is.
            (
                reqwest::header::HeaderName::from_static("stripe-version"),
                HeaderValue::from_str(stripe_client_core::VERSION.as_str())
                    .map_err(|_| invalid("the API version of async-stripe cannot be sent as a header"))?,
            ),
        ]);
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(settings.timeout())
            .connect_timeout(settings.timeout().min(Duration::from_secs(CONNECT_SECONDS_MAX)))
            .pool_idle_timeout(Duration::from_secs(POOL_IDLE_SECONDS_MAX))
            // A redirect would carry the key to an address nobody configured.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| GatewayError::Invalid(format!("no HTTPS client: {error}")))?;
        let policy = RetryPolicy {
            attempts_max: settings.attempts_max,
            total_max: Duration::from_secs(settings.total_seconds_max),
            backoff_base: Duration::from_millis(settings.backoff_base_milliseconds),
        };
        Ok(Self { http, root: format!("{base}v1"), policy })
    }

    async fn attempt(
        &self,
        request: &RequestBuilder,
        body: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Answer, reqwest::Error> {
        let mut url = format!("{}{}", self.root, request.path);
        if let Some(query) = request.query.as_deref().filter(|query| !query.is_empty()) {
            url.push('?');
            url.push_str(query);
        }
        let method = match request.method {
            StripeMethod::Get => reqwest::Method::GET,
            StripeMethod::Post => reqwest::Method::POST,
            StripeMethod::Delete => reqwest::Method::DELETE,
        };
        let mut builder = self.http.request(method, url).headers(headers.clone());
        if let Some(body) = body {
            builder = builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.to_owned());
        }
        let mut response = builder.send().await?;
        let status = response.status().as_u16();
        let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let attempt = Attempt {
            status: Some(status),
            should_retry: text("stripe-should-retry").and_then(|word| word.parse().ok()),
            retry_after_seconds: text(RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok()),
            replayed: text("idempotent-replayed") == Some("true"),
        };
        let request_id = text("request-id").map(str::to_owned);
        let mut bytes = BytesMut::new();
        while let Some(chunk) = response.chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > BODY_BYTES_MAX {
                break; // read_to_end would let the other side choose how much memory we use; `finish` refuses it
            }
        }
        Ok(Answer { status, body: bytes.freeze(), attempt, request_id })
    }

    /// Sends a request, and again under the same key while that can help.
    pub(crate) async fn run(&self, request: CustomizedStripeRequest) -> Result<Success, Failure> {
        let (mut request, config) = request.into_pieces();
        let headers = headers_of(&request, &config)?;
        let body = request.body.take().map(|body| sorted(&body));
        let started = Instant::now();
        let mut unknown_before = false;
        let mut attempts_made = 0;
        loop {
            let outcome = self.attempt(&request, body.as_deref(), &headers).await;
            attempts_made += 1;
            let attempt = outcome.as_ref().map_or_else(|_| Attempt::default(), |answer| answer.attempt);
            log(&request, attempts_made, &outcome);
            let wait = self.policy.wait_before_next(attempt, attempts_made, started.elapsed(), fastrand::f64());
            let Some(wait) = wait else { return finish(outcome, unknown_before) };
            unknown_before |= attempt.effect_is_unknown();
            pause(wait).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a retry has to wait; tests set the backoff to nothing")]
async fn pause(wait: Duration) {
    tokio::time::sleep(wait).await;
}

/// # Errors
/// `Invalid` for a POST without an idempotency key: what moves money is never sent without one.
fn headers_of(
    request: &RequestBuilder,
    config: &stripe_client_core::ConfigOverride,
) -> Result<HeaderMap, GatewayError> {
    let mut headers = HeaderMap::new();
    let value = |text: &str, what: &str| {
        HeaderValue::from_str(text).map_err(|_| GatewayError::Invalid(format!("the {what} cannot be sent as a header")))
    };
    let key = config.request_strategy.as_ref().and_then(RequestStrategy::get_key);
    match (request.method, key) {
        (StripeMethod::Get, _) => {}
        (_, Some(key)) => {
            headers.insert("idempotency-key", value(key.as_str(), "idempotency key")?);
        }
        (_, None) => {
            return Err(GatewayError::Invalid("a call that changes something needs an idempotency key".into()));
        }
    }
    if let Some(account) = &config.account_id {
        headers.insert("stripe-account", value(account.as_str(), "account id")?);
    }
    Ok(headers)
}

/// Puts the form's fields in order. The builders keep metadata in hash maps, so the same request would otherwise have
/// other bytes each time, also when a restarted process repeats it under its key.
fn sorted(form: &str) -> String {
    let mut fields: Vec<&str> = form.split('&').collect();
    fields.sort_unstable();
    fields.join("&")
}

fn finish(outcome: Result<Answer, reqwest::Error>, unknown_before: bool) -> Result<Success, Failure> {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(error) => {
            let what = if error.is_timeout() { "no answer in time" } else { "the connection failed" };
            let text = format!("{what}: {}", error.without_url());
            return Err(GatewayError::Unknown { text, status: None, replayed: false, request_id: None }.into());
        }
    };
    let request_id = answer.request_id;
    if (200..300).contains(&answer.status) {
        if answer.body.len() > BODY_BYTES_MAX {
            let text = format!("it is longer than {BODY_BYTES_MAX} bytes: ask for a smaller page");
            return Err(GatewayError::Unreadable { text, request_id }.into());
        }
        return Ok(Success { body: answer.body, request_id });
    }
    let failure = failure_of(answer.status, &answer.body, answer.attempt.replayed, request_id);
    // "Slow down" and "wrong key" speak of the last attempt only; an earlier one may have been executed.
    if let (true, GatewayError::Busy { text, request_id } | GatewayError::Unauthorized { text, request_id }) =
        (unknown_before, failure.error.as_ref())
    {
        let text = format!("an earlier attempt had no clear answer; the last said: {text}");
        return Err(GatewayError::Unknown {
            text,
            status: Some(answer.status),
            replayed: false,
            request_id: request_id.clone(),
        }
        .into());
    }
    Err(failure)
}

/// Ids and numbers only: paths hold Stripe's ids, bodies and queries are never logged.
fn log(request: &RequestBuilder, attempt: u32, outcome: &Result<Answer, reqwest::Error>) {
    let (path, method) = (request.path.as_str(), format!("{:?}", request.method));
    match outcome {
        Ok(answer) if answer.status < 400 => {
            let request_id = answer.request_id.as_deref();
            tracing::debug!(
                method,
                path,
                attempt,
                status = answer.status,
                request_id,
                replayed = answer.attempt.replayed,
                "Stripe answered"
            );
        }
        Ok(answer) => {
            let request_id = answer.request_id.as_deref();
            tracing::info!(
                method,
                path,
                attempt,
                status = answer.status,
                request_id,
                replayed = answer.attempt.replayed,
                "Stripe answered with an error"
            );
        }
        Err(error) => {
            let (timeout, connect) = (error.is_timeout(), error.is_connect());
            tracing::warn!(method, path, attempt, timeout, connect, "Stripe gave no answer");
        }
    }
}
