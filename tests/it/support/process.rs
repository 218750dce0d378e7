//! The real binary: commands that run to their end, servers that are stopped or killed, and a plain client.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};

use super::Home;

/// How long a process may take to start, to stop, or to come to rest.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at a process or its database.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// The password of everybody these tests register.
const PASSWORD: &str = "a few words on a square";

/// What a command that ended has said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// The output of a command that must have succeeded.
    #[track_caller]
    pub fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// The one readable line of a command that must have failed, which tells none of `secrets`.
    #[track_caller]
    pub fn complaint(self, secrets: &[&str]) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        let line = self.err.trim_end_matches('\n').to_owned();
        assert!(line.starts_with("torv: ") && !line.contains('\n'), "not one readable line: {:?}", self.err);
        assert!(!line.contains("panicked"), "{line}");
        for secret in secrets {
            assert!(!self.err.contains(secret) && !self.out.contains(secret), "told a secret: {line}");
        }
        line
    }
}

/// The binary with nothing of the tester's own settings.
fn torv() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_torv"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TORV_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command of the binary to its end, with `input` on its standard input.
pub fn run_torv(arguments: &[&str], settings: &[(&str, &str)], input: &str) -> Said {
    let mut command = torv();
    command.args(arguments).envs(settings.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let ended = child.wait_with_output().unwrap();
    Said {
        code: ended.status.code(),
        out: String::from_utf8(ended.stdout).unwrap(),
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

impl Home {
    /// Runs a command of the binary on this home.
    pub fn torv(&self, arguments: &[&str]) -> Said {
        self.torv_with(arguments, &[], "")
    }

    /// As [`Home::torv`], with settings and an input.
    pub fn torv_with(&self, arguments: &[&str], settings: &[(&str, &str)], input: &str) -> Said {
        let dir = self.path().to_str().unwrap();
        let arguments = [arguments, &["--data-dir", dir]].concat();
        let url = self.config().database.url.expose().to_owned();
        let mut settings = settings.to_vec();
        if !url.is_empty() {
            settings.push(("TORV_DATABASE__URL", &url));
        }
        run_torv(&arguments, &settings, input)
    }
}

/// A running server.
pub struct Server {
    child: Child,
    /// `http://ADDRESS` as the server itself said it.
    pub base: String,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts a server on a free port and waits until it listens.
    pub fn start(home: &Home, settings: &[(&str, &str)]) -> Self {
        Self::spawn(home, settings).listening()
    }

    /// Starts a server without waiting for it.
    pub fn spawn(home: &Home, settings: &[(&str, &str)]) -> Starting {
        let mut command = torv();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.path());
        let url = home.config().database.url.expose().to_owned();
        if !url.is_empty() {
            command.env("TORV_DATABASE__URL", url);
        }
        command.env("TORV_LOG__FILTER", "torv=warn,torv::serve=info").envs(settings.iter().copied());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (log, (tell, told)) = (Arc::new(Mutex::new(String::new())), mpsc::channel());
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()), log.clone());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("listening on ") {
                    let _ = tell.send(rest.split(',').next().unwrap_or(rest).to_owned());
                }
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        Starting { server: Self { child, base: String::new(), log }, told }
    }

    /// Ends the process as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to stop.
    pub fn ask_to_stop(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the process to end.
    pub async fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "the server does not end:\n{}", self.log());
            pause().await;
        }
    }

    /// Everything the server logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of {}:\n{}", self.base, self.log());
        }
    }
}

/// A server that may not listen yet.
pub struct Starting {
    server: Server,
    told: mpsc::Receiver<String>,
}

impl Starting {
    /// Waits until the server listens.
    pub fn listening(mut self) -> Server {
        match self.told.recv_timeout(PATIENCE) {
            Ok(base) => self.server.base = base,
            Err(_) => panic!("the server does not start:\n{}", self.server.log()),
        }
        self.server
    }

    /// Ends the process wherever it is.
    pub fn kill(mut self) {
        self.server.kill();
    }
}

/// Lets other processes work; they have no clock that a test could move.
#[expect(clippy::disallowed_methods, reason = "a process can only be looked at again")]
pub async fn pause() {
    tokio::time::sleep(LOOK_AGAIN).await;
}

/// Looks again and again until `look` finds something.
pub async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        pause().await;
    }
}

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    pub http: reqwest::Client,
    pub base: String,
}

impl Client {
    pub fn new(base: &str) -> Self {
        Self { http: reqwest::Client::new(), base: base.to_owned() }
    }

    /// Sends a request; nothing comes back when the server went away before it answered.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
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
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Sends a request that must succeed.
    async fn send(&self, method: Method, path: &str, token: &str, key: Option<&str>, body: Option<&Value>) -> Value {
        let answer = self.try_send(method, path, token, key, body).await;
        let (status, body) = answer.unwrap_or_else(|| panic!("{path}: no answer"));
        assert!((200..300).contains(&status), "{path} answered {status}: {body}");
        body
    }

    pub async fn get(&self, path: &str, token: &str) -> Value {
        self.send(Method::GET, path, token, None, None).await
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Value {
        self.send(Method::POST, path, token, None, Some(body)).await
    }

    pub async fn post_once(&self, path: &str, token: &str, key: &str, body: &Value) -> Value {
        self.send(Method::POST, path, token, Some(key), Some(body)).await
    }

    async fn act(&self, path: &str, token: &str) {
        self.send(Method::POST, path, token, None, None).await;
    }

    /// Logs in and takes an API key.
    async fn api_key(&self, email: &str, organization: &str, scopes: &[&str]) -> String {
        let session = json!({"email": email, "password": PASSWORD});
        let token = text(&self.post("/api/v1/sessions", "", &session).await, "/access_token");
        let body = json!({"name": "Test", "scopes": scopes, "expires_in_days": 1});
        text(&self.post(&format!("/api/v1/organizations/{organization}/api-keys"), &token, &body).await, "/secret")
    }

    /// An access token of whoever founded the organisation of this name.
    pub async fn owner(&self, name: &str) -> String {
        let session = json!({"email": format!("{name}@example.org"), "password": PASSWORD});
        text(&self.post("/api/v1/sessions", "", &session).await, "/access_token")
    }

    /// Founds an organisation; returns its API key.
    pub async fn found(&self, name: &str, provides: bool) -> String {
        let email = format!("{name}@example.org");
        let account = json!({"email": email, "password": PASSWORD, "display_name": name, "locale": "en"});
        self.post("/api/v1/accounts", "", &account).await;
        let session = json!({"email": email, "password": PASSWORD});
        let token = text(&self.post("/api/v1/sessions", "", &session).await, "/access_token");
        let organization = json!({
            "name": name, "country": "DK", "may_provide": provides, "may_buy": !provides,
            "provider_kind": provides.then_some("company"),
        });
        let founded = self.post("/api/v1/organizations", &token, &organization).await;
        let scopes: &[&str] = if provides { &["read", "catalogue", "finance"] } else { &["read", "buy"] };
        self.api_key(&email, &text(&founded, "/id"), scopes).await
    }
}

/// A text of a body, by JSON pointer.
#[track_caller]
pub fn text(body: &Value, pointer: &str) -> String {
    let found = body.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer}: {body}")).to_owned()
}

/// A listing with an offer to order, and who takes part.
#[derive(Debug, Clone)]
pub struct Shop {
    pub provider: String,
    pub buyer: String,
    pub operator: String,
    pub listing: String,
    /// The body of an order that pays at once.
    pub order: Value,
}

/// Sets a square up over HTTP: an operator made by the command line, a provider with a listing of one
/// file of `content` at 100.01 EUR, and a buyer.
pub async fn open_shop(home: &Home, client: &Client, content: Vec<u8>) -> Shop {
    let operator = operator(home, client).await;
    let (provider, buyer) = (client.found("provider", true).await, client.found("buyer", false).await);
    let listing = json!({
        "kind": "dataset", "title": {"en": "Berths"}, "summary": {"en": "Who may moor where."}, "theme": "economy",
        "tags": [], "update_frequency": "never", "contact": {"name": "Harbour office"}, "use_cases": ["Plan a mooring"],
        "personal_data": "none", "audience": "public",
    });
    let listing = text(&client.post("/api/v1/listings", &provider, &listing).await, "/id");
    let revision = open_revision(client, &provider, &listing).await;
    let upload = client.http.put(format!("{}/api/v1/revisions/{revision}/files/berths.txt", client.base));
    let uploaded = upload.bearer_auth(&provider).body(content).send().await.unwrap();
    assert!(uploaded.status().is_success(), "{}", uploaded.text().await.unwrap());
    client.act(&format!("/api/v1/revisions/{revision}/publish"), &provider).await;
    let licence = client.post("/api/v1/licences", &provider, &json!({"preset": "internal_use"})).await;
    let offer = json!({
        "kind": "one_off", "price": {"minor": 10_001, "currency": "EUR"}, "licence_id": text(&licence, "/licence/id"),
    });
    let offer = client.post(&format!("/api/v1/listings/{listing}/offers"), &provider, &offer).await;
    client.act(&format!("/api/v1/listings/{listing}/publish"), &provider).await;
    let offer = text(&offer, "/id");
    let quote = client.post("/api/v1/quotes", &buyer, &json!({"offer_id": offer})).await;
    let order = json!({
        "offer_id": offer, "licence_hash": text(&quote, "/licence_hash"), "payment_method": "pm_card_visa",
        "use_case": "Plan a mooring",
    });
    Shop { provider, buyer, operator, listing, order }
}

/// Opens another revision of a listing.
pub async fn open_revision(client: &Client, provider: &str, listing: &str) -> String {
    let note = json!({"note": "What is new."});
    text(&client.post(&format!("/api/v1/listings/{listing}/revisions"), provider, &note).await, "/id")
}

/// Makes the operator by the command line; returns their API key.
async fn operator(home: &Home, client: &Client) -> String {
    let create = ["operator", "create", "--email", "operator@example.org", "--organization", "The square"];
    let said = home.torv_with(&create, &[], &format!("{PASSWORD}\n")).well();
    let organization = said.split_whitespace().next().unwrap().to_owned();
    client.api_key("operator@example.org", &organization, &["read", "finance"]).await
}
