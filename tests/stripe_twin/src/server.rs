//! How a request becomes an answer: authentication, faults, idempotency, execution, expansion.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::Engine;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    clock::{self, Clock},
    control,
    error::ApiError,
    expand::expand,
    faults::{Fault, FaultKind},
    form, hosted,
    idempotency::Answer,
    params::Params,
    routes,
    socket::ResetSwitch,
    webhooks::{self, SignatureTime, Tally},
    world::{Call, Cause, PLATFORM, RequestRecord, World},
};

/// The log of requests keeps this many, the oldest.
const REQUESTS_KEPT_MAX: usize = 200_000;

/// What all connections share.
pub struct Shared {
    world: Mutex<World>,
    clock: Clock,
    /// Seconds by which a wall clock is ahead of the machine's.
    shift_seconds: Mutex<i64>,
    /// Keys that are let in; empty lets in every test key.
    api_keys: Vec<String>,
    http: reqwest::Client,
    /// Rung when there may be something to deliver.
    pub bell: Notify,
    /// Rung when something was executed whose answer is held back.
    pub held: Notify,
    sending: tokio::sync::Mutex<()>,
}

/// A request as it came in, without its body.
#[derive(Clone, Copy)]
struct Head<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

/// One API request after its parts were read.
struct Request {
    method: Method,
    path: String,
    call: Call,
    key: Option<String>,
    request_id: String,
    fault: Option<Fault>,
}

impl Shared {
    pub fn new(world: World, clock: Clock, shift_seconds: i64, api_keys: Vec<String>, http: reqwest::Client) -> Self {
        Self {
            world: Mutex::new(world),
            clock,
            shift_seconds: Mutex::new(shift_seconds),
            api_keys,
            http,
            bell: Notify::new(),
            held: Notify::new(),
            sending: tokio::sync::Mutex::new(()),
        }
    }

    /// The same world in the same state, apart from this one from here on, found at `base_url`.
    pub fn fork(&self, base_url: String) -> Self {
        let mut world = self.world().clone();
        world.settings.base_url = base_url;
        let shift_seconds = *self.shift_seconds.lock().unwrap_or_else(PoisonError::into_inner);
        Self::new(world, self.clock, shift_seconds, self.api_keys.clone(), self.http.clone())
    }

    /// The world at the present instant, with all that is due done.
    pub fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let target = match self.clock {
            Clock::FixedAt(_) => world.now,
            Clock::Wall => clock::wall_now() + *self.shift_seconds.lock().unwrap_or_else(PoisonError::into_inner),
        };
        world.advance_to(target);
        world
    }

    /// Advances the clock (never back), running all that becomes due. Returns the new instant.
    pub fn advance(&self, seconds: i64) -> i64 {
        let seconds = seconds.max(0);
        if self.clock == Clock::Wall {
            *self.shift_seconds.lock().unwrap_or_else(PoisonError::into_inner) += seconds;
        }
        let mut world = self.world();
        if self.clock != Clock::Wall {
            let target = world.now + seconds;
            world.advance_to(target);
        }
        self.bell.notify_one();
        world.now
    }

    /// Runs a control command.
    ///
    /// # Errors
    /// As [`control::command`].
    pub fn control(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        if path == "clock" {
            let seconds = match (body["advance_seconds"].as_i64(), body["to"].as_i64()) {
                (Some(seconds), _) => seconds,
                (None, Some(to)) => to - self.world().now,
                (None, None) => 0,
            };
            return Ok(json!({ "now": self.advance(seconds) }));
        }
        let mut world = self.world();
        world.cause = Cause::default();
        let answer = control::command(&mut world, path, body);
        let now = world.now;
        world.advance_to(now);
        self.bell.notify_one();
        answer
    }

    /// Sends all webhooks that are due, one after the other.
    pub async fn deliver(&self) -> Tally {
        let _one_at_a_time = self.sending.lock().await;
        let (due, now, time) = {
            let mut world = self.world();
            let now = world.now;
            (world.outbox.take_due(now), now, world.outbox.plan.signature_time)
        };
        for delivery in due {
            let timestamp = if time == SignatureTime::Wall { clock::wall_now() } else { now };
            let signature = webhooks::signature(&delivery.endpoint.secrets, timestamp, &delivery.body);
            let request = self.http.post(&delivery.endpoint.url).body(delivery.body.clone());
            let request = request
                .header("Content-Type", "application/json; charset=utf-8")
                .header("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
                .header("Stripe-Signature", signature);
            let accepted = request.send().await.is_ok_and(|answer| answer.status().is_success());
            self.world().outbox.settle(delivery, accepted, now);
        }
        self.world().outbox.tally
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let key = match text.split_once(' ') {
            Some(("Bearer", key)) => key.to_owned(),
            Some(("Basic", encoded)) => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_default();
                let pair = String::from_utf8(bytes).unwrap_or_default();
                pair.split(':').next().unwrap_or_default().to_owned()
            }
            _ => String::new(),
        };
        let known = if self.api_keys.is_empty() {
            key.starts_with("sk_test_") || key.starts_with("rk_test_")
        } else {
            self.api_keys.contains(&key)
        };
        match (known, key.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => Err(ApiError::unauthorized(
                "You did not provide an API key. Send it as `Authorization: Bearer YOUR_SECRET_KEY`.",
            )),
            (false, false) => Err(ApiError::unauthorized("Invalid API Key provided.")),
        }
    }

    fn read(&self, head: Head<'_>, body: &str, request_id: String) -> Result<Request, ApiError> {
        let mut world = self.world();
        let Head { method, uri, headers } = head;
        let fault = world.faults.strike(method.as_str(), uri.path());
        self.authenticate(headers)?;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let account = text("stripe-account").unwrap_or_else(|| PLATFORM.to_owned());
        if !world.knows_account(&account) {
            return Err(ApiError::forbidden_account(&account));
        }
        let joined = format!("{}&{body}", uri.query().unwrap_or_default());
        let params = form::parse(joined.trim_matches('&')).map_err(|text| ApiError::invalid("", "", text))?;
        let call = Call { account, params: Params(params) };
        let key = text("idempotency-key").filter(|_| method == Method::POST);
        Ok(Request { path: uri.path().to_owned(), method: method.clone(), call, key, request_id, fault })
    }

    async fn api(self: Arc<Self>, request: Request, switch: ResetSwitch) -> Response {
        let kind = request.fault.as_ref().map(|fault| fault.kind);
        let wait = request.fault.as_ref().map_or(0, |fault| fault.milliseconds);
        match kind {
            Some(FaultKind::ResetBeforeCommit) => {
                switch.pull();
                return StatusCode::NO_CONTENT.into_response();
            }
            Some(FaultKind::BadGateway) => {
                return (StatusCode::BAD_GATEWAY, axum::response::Html("<html>502 Bad Gateway</html>")).into_response();
            }
            Some(FaultKind::Conflict) => return self.refuse(&request, &ApiError::key_in_use()),
            Some(FaultKind::RateLimit) => return self.refuse(&request, &ApiError::rate_limited()),
            _ => {}
        }
        match self.claim(&request) {
            Ok(None) => {}
            Ok(Some(answer)) => return self.replay(&request, answer, &switch).await,
            Err(error) => return self.refuse(&request, &error),
        }
        if kind == Some(FaultKind::Slow) {
            clock::hold(wait).await;
        }
        let answer = self.execute(&request);
        self.bell.notify_one();
        if kind == Some(FaultKind::TimeoutAfterCommit) {
            self.held.notify_one();
        }
        after(kind, wait, &switch).await;
        respond(&request, &answer, false)
    }

    /// Claims the idempotency key of a request, or finds its answer.
    fn claim(&self, request: &Request) -> Result<Option<Answer>, ApiError> {
        let Some(key) = &request.key else { return Ok(None) };
        let params = Value::Object(request.call.params.0.clone());
        let fingerprint = format!("{} {} {params}", request.method, request.path);
        let mut world = self.world();
        let now = world.now;
        world.keys.claim(&request.call.account, key, &fingerprint, now)
    }

    async fn replay(&self, request: &Request, answer: Answer, switch: &ResetSwitch) -> Response {
        record(&mut self.world(), request, answer.status, true);
        if let Some(fault) = &request.fault {
            if fault.kind == FaultKind::TimeoutAfterCommit {
                self.held.notify_one();
            }
            after(Some(fault.kind), fault.milliseconds, switch).await;
        }
        respond(request, &answer, true)
    }

    fn refuse(&self, request: &Request, error: &ApiError) -> Response {
        record(&mut self.world(), request, error.status, false);
        let answer = Answer { status: error.status, body: error.body(), request_id: request.request_id.clone() };
        respond(request, &answer, false)
    }

    /// Executes a request and keeps its answer for the key.
    fn execute(&self, request: &Request) -> Answer {
        let mut world = self.world();
        world.cause = Cause { request_id: Some(request.request_id.clone()), idempotency_key: request.key.clone() };
        let path = request.path.strip_prefix("/v1/").unwrap_or_default();
        let kind = request.fault.as_ref().map(|fault| fault.kind);
        let mut outcome = match kind {
            Some(FaultKind::ErrorBeforeCommit) => Err(ApiError::internal()),
            _ => routes::dispatch(&mut world, &request.method, path, &request.call),
        };
        if let Ok(body) = &mut outcome {
            // What was executed stays executed, so the answer belongs to the key even when it can't be expanded.
            let expanded = expand(&world, body, &request.call.params.texts("expand"));
            if let Err(error) = expanded {
                outcome = Err(ApiError { executed: true, ..error });
            }
        }
        if kind == Some(FaultKind::ErrorAfterCommit) {
            outcome = Err(ApiError::internal());
        }
        let executed = outcome.as_ref().map_or_else(|error| error.executed, |_| true);
        let (status, body) = match outcome {
            Ok(body) => (StatusCode::OK, body),
            Err(error) => (error.status, error.body()),
        };
        let answer = Answer { status, body, request_id: request.request_id.clone() };
        if let Some(key) = &request.key {
            if executed {
                world.keys.keep(&request.call.account, key, answer.clone());
            } else {
                world.keys.release(&request.call.account, key);
            }
        }
        record(&mut world, request, answer.status, false);
        // What was planned for this very instant, such as the decision on evidence.
        let now = world.now;
        world.advance_to(now);
        answer
    }
}

/// Notes how a request was answered.
fn record(world: &mut World, request: &Request, status: StatusCode, replayed: bool) {
    if world.requests.len() == REQUESTS_KEPT_MAX {
        return;
    }
    world.requests.push(RequestRecord {
        request_id: request.request_id.clone(),
        method: request.method.to_string(),
        path: request.path.clone(),
        account: request.call.account.clone(),
        params: Value::Object(request.call.params.0.clone()),
        idempotency_key: request.key.clone(),
        status: status.as_u16(),
        replayed,
        fault: request.fault.as_ref().map(|fault| fault.kind),
    });
}

/// What a fault does to an answer that is ready.
async fn after(kind: Option<FaultKind>, wait: u64, switch: &ResetSwitch) {
    match kind {
        Some(FaultKind::TimeoutAfterCommit) => clock::hold(wait).await,
        Some(FaultKind::ResetAfterCommit) => switch.pull(),
        _ => {}
    }
}

fn respond(request: &Request, answer: &Answer, replayed: bool) -> Response {
    let mut response = Response::builder()
        .status(answer.status)
        .header(header::CONTENT_TYPE, "application/json")
        .header("request-id", &request.request_id)
        .header("stripe-version", crate::API_VERSION);
    if let Some(key) = &request.key {
        response = response.header("idempotency-key", key);
    }
    if replayed {
        response = response.header("idempotent-replayed", "true").header("original-request", &answer.request_id);
    }
    let body = serde_json::to_string_pretty(&answer.body).unwrap_or_default();
    response.body(Body::from(body)).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn plain(result: Result<Value, ApiError>) -> Response {
    match result {
        Ok(value) => axum::Json(value).into_response(),
        Err(error) => (error.status, axum::Json(error.body())).into_response(),
    }
}

/// Answers every request, whatever its path.
pub async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(switch): ConnectInfo<ResetSwitch>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    if let Some(path) = uri.path().strip_prefix("/_twin/") {
        if path == "webhooks/deliver" {
            return axum::Json(shared.deliver().await).into_response();
        }
        let body = if text.trim().is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text) };
        let body = body.map_err(|error| ApiError::invalid("", "", error.to_string()));
        return plain(body.and_then(|body| shared.control(path, &body)));
    }
    if let Some(path) = uri.path().strip_prefix("/_hosted/") {
        return page(&shared, &method, path, uri.query().unwrap_or_default(), &text);
    }
    let request_id = shared.world().request_ids.id("req");
    let head = Head { method: &method, uri: &uri, headers: &headers };
    match shared.read(head, &text, request_id.clone()) {
        // A task of its own: Stripe finishes what it has begun, also when the caller hangs up.
        Ok(request) => match tokio::spawn(shared.api(request, switch)).await {
            Ok(response) => response,
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        },
        Err(error) => {
            let headers = [("request-id", request_id)];
            (error.status, headers, axum::Json(error.body())).into_response()
        }
    }
}

fn page(shared: &Shared, method: &Method, path: &str, query: &str, body: &str) -> Response {
    let parse = |text: &str| form::parse(text).map(Params).map_err(|text| ApiError::invalid("", "", text));
    let mut world = shared.world();
    world.cause = Cause::default();
    let result = match *method {
        Method::GET => parse(query).and_then(|query| hosted::open(&mut world, path, &query)),
        _ => parse(body).and_then(|form| hosted::submit(&mut world, path, &form)),
    };
    shared.bell.notify_one();
    match result {
        Ok(hosted::Page::Html(text)) => axum::response::Html(text).into_response(),
        Ok(hosted::Page::Redirect(to)) => axum::response::Redirect::to(&to).into_response(),
        Err(error) => (error.status, axum::Json(error.body())).into_response(),
    }
}
