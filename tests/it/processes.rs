//! Real processes under load: killed without warning, stopped with a warning, two on one database.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::Method;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    Backend, Home,
    process::{Client, Server, Shop, open_revision, open_shop, pause, text, wait_for},
};

/// Buyers' programs at work at the same time.
const CLIENTS: usize = 8;
/// Orders of each.
const ORDERS_EACH: usize = 30;
/// Every so manieth order is sent to two processes at once under one key.
const TWIN_EVERY: usize = 3;
const ORDERS: usize = CLIENTS * ORDERS_EACH;

/// A sale can be paid out at once, so that everything that settles runs during the load.
const QUICK: [(&str, &str); 2] = [("TORV_TRADE__HOLD_DAYS", "0"), ("TORV_PAYMENTS__SANDBOX__SETTLE_SECONDS", "0")];

/// The orders of a test, and which servers take them.
struct Load {
    shop: Shop,
    http: reqwest::Client,
    servers: Mutex<Vec<String>>,
    /// Idempotency key to the orders that were answered for it.
    answers: Mutex<BTreeMap<String, BTreeSet<String>>>,
    placed: AtomicUsize,
}

impl Load {
    fn client(&self, choice: usize) -> Client {
        let servers = self.servers.lock().unwrap();
        Client { http: self.http.clone(), base: servers[choice % servers.len()].clone() }
    }

    /// Sends one order until it is answered; whatever is not an answer is repeated with the same key.
    async fn place(&self, key: &str, choice: usize) {
        let answer = wait_for("an order to be answered", async || {
            let client = self.client(choice);
            let sent =
                client.try_send(Method::POST, "/api/v1/orders", &self.shop.buyer, Some(key), Some(&self.shop.order));
            let (status, body) = sent.await?;
            assert!(matches!(status, 200 | 201 | 503), "{key} was answered {status}: {body}");
            (status != 503).then_some(body)
        });
        let order = text(&answer.await, "/id");
        self.answers.lock().unwrap().entry(key.to_owned()).or_default().insert(order);
    }

    async fn buy(&self, client: usize) {
        for number in 0..ORDERS_EACH {
            let key = format!("client-{client}-{number}");
            if number % TWIN_EVERY == 0 {
                tokio::join!(self.place(&key, number), self.place(&key, number + 1));
            } else {
                self.place(&key, client + number).await;
            }
            self.placed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All buyers at once.
    async fn buy_everything(&self) {
        futures::future::join_all((0..CLIENTS).map(|client| self.buy(client))).await;
    }

    async fn until_placed(&self, count: usize) {
        wait_for("the load", async || (self.placed.load(Ordering::Relaxed) >= count).then_some(())).await;
    }

    fn serve_only(&self, servers: &[&Server]) {
        *self.servers.lock().unwrap() = servers.iter().map(|server| server.base.clone()).collect();
    }
}

async fn prepare(home: &Home, servers: &[&Server]) -> Load {
    let shop = open_shop(home, &Client::new(&servers[0].base), b"berth,boat\n1,Else\n".to_vec()).await;
    let load = Load {
        shop,
        http: reqwest::Client::new(),
        servers: Mutex::default(),
        answers: Mutex::default(),
        placed: AtomicUsize::new(0),
    };
    load.serve_only(servers);
    load
}

async fn count(conn: &DatabaseConnection, what: &str) -> i64 {
    let statement = Statement::from_string(conn.get_database_backend(), format!("SELECT COUNT(*) AS n FROM {what}"));
    conn.query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap()
}

/// What a process that lives on must have finished.
const WAITING: [&str; 7] = [
    "outbox WHERE sent_at IS NULL",
    "inbox WHERE state = 'received'",
    "sandbox_event WHERE delivered_at IS NULL",
    "job WHERE state = 'queued' AND leased_until IS NULL",
    "payment WHERE state IN ('created', 'processing')",
    "orders WHERE state = 'completed' AND hold_ended_at IS NULL",
    "ledger_entry WHERE id NOT IN (SELECT entry_id FROM sealed_entry)",
];

async fn drained(conn: &DatabaseConnection) {
    wait_for("background work to drain", async || {
        for what in WAITING {
            if count(conn, what).await > 0 {
                return None;
            }
        }
        Some(())
    })
    .await;
}

/// Every key one order, every order one charge, one sale, one grant; then payouts, reconciliation and `verify`.
async fn check(home: &Home, load: &Load) {
    let conn = home.connect().await;
    let answers = load.answers.lock().unwrap().clone();
    assert_eq!(answers.len(), ORDERS);
    let orders: BTreeSet<_> = answers.values().flatten().collect();
    assert_eq!(orders.len(), ORDERS, "a key was answered with two orders");
    drained(&conn).await;
    let expected = i64::try_from(ORDERS).unwrap();
    for what in [
        "orders",
        "orders WHERE state = 'completed'",
        "payment WHERE state = 'succeeded'",
        "sandbox_object WHERE kind = 'charge' AND state = 'captured'",
        "ledger_entry WHERE kind = 'sale'",
        "grants",
    ] {
        assert_eq!(count(&conn, what).await, expected, "{what}");
    }
    let client = load.client(0);
    let run = json!({"currency": "EUR", "minimum_minor": 1, "recipients": "both"});
    let run = client.post_once("/api/v1/payout-runs", &load.shop.operator, "run", &run).await;
    assert_eq!(run["payouts"].as_array().map(Vec::len), Some(2), "{run}");
    wait_for("the payouts to arrive", async || (count(&conn, "payout WHERE state = 'paid'").await == 2).then_some(()))
        .await;
    drained(&conn).await;
    let made = client.post("/api/v1/reconciliations", &load.shop.operator, &json!({})).await;
    assert_eq!(made["difference_count"], 0, "{made}");
    let report = home.torv(&["verify"]).well();
    let told = report.lines().find_map(|line| line.trim().strip_prefix("paid")).map(str::trim);
    assert_eq!(told, Some(expected.to_string().as_str()), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_postgres_lose_and_double_nothing_when_they_are_killed() {
    let Some(home) = Home::empty(Backend::Postgres).await else { return };
    // Both find an empty database at the same moment: one brings it up to date, the other waits.
    let (one, two) = (Server::spawn(&home, &QUICK), Server::spawn(&home, &QUICK));
    let (mut one, mut two) = (one.listening(), two.listening());
    let load = prepare(&home, &[&one, &two]).await;
    let script = async {
        load.until_placed(ORDERS / 4).await;
        one.kill();
        load.serve_only(&[&two]);
        load.until_placed(ORDERS / 2).await;
        let three = Server::start(&home, &QUICK);
        load.serve_only(&[&two, &three]);
        load.until_placed(ORDERS * 3 / 4).await;
        two.kill();
        load.serve_only(&[&three]);
        three
    };
    let (three, ()) = tokio::join!(script, load.buy_everything());
    check(&home, &load).await;
    for server in [&one, &two, &three] {
        assert!(!server.log().contains("ERROR"), "{}", server.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_on_sqlite_loses_and_doubles_nothing_when_it_is_killed() {
    let home = Home::empty(Backend::Sqlite).await.unwrap();
    let mut server = Server::start(&home, &QUICK);
    let load = prepare(&home, &[&server]).await;
    let script = async {
        for part in 1..=3 {
            load.until_placed(ORDERS * part / 4).await;
            server.kill();
            server = Server::start(&home, &QUICK);
            load.serve_only(&[&server]);
        }
    };
    tokio::join!(script, load.buy_everything());
    check(&home, &load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_was_killed_leaves_a_database_that_starts() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(home) = Home::empty(backend).await else { continue };
        // Killed ever later, so that somewhere a migration is cut in the middle.
        for looks in 0..8 {
            let starting = Server::spawn(&home, &QUICK);
            for _ in 0..looks {
                pause().await;
            }
            starting.kill();
        }
        let server = Server::start(&home, &QUICK);
        assert!(Client::new(&server.base).get("/openapi.json", "").await.is_object());
    }
}

/// Larger than what the sockets of both sides hold, so that a reader who waits keeps the server sending.
const LARGE_FILE_BYTES: usize = 48 * 1024 * 1024;

/// A connection with a request that the server has begun to work on and can't finish yet.
async fn begin(server: &Server, head: String, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

fn head(method: &str, path: &str, token: &str, more: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: torv\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n{more}\r\n"
    )
}

async fn rest_of(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    String::from_utf8(rest).unwrap()
}

/// A shop whose one file is large, bought; with the path of its link.
async fn sell_large_file(home: &Home, server: &Server) -> (Client, Shop, String) {
    let client = Client::new(&server.base);
    let shop = open_shop(home, &client, vec![b'.'; LARGE_FILE_BYTES]).await;
    let order = client.post_once("/api/v1/orders", &shop.buyer, "first", &shop.order).await;
    let path = format!("/api/v1/grants/{}/files", text(&order, "/grant_id"));
    let link = text(&client.get(&path, &shop.buyer).await, "/items/0/url");
    let path = link.strip_prefix(&server.base).unwrap_or_else(|| panic!("{link} does not lead to {}", server.base));
    (client, shop, path.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_requests_in_flight_finish_and_refuses_new_ones() {
    let home = Home::empty(Backend::Sqlite).await.unwrap();
    let mut server = Server::start(&home, &[("TORV_SERVER__SHUTDOWN_GRACE_SECONDS", "20")]);
    let (client, shop, link) = sell_large_file(&home, &server).await;
    let mut download = begin(&server, head("GET", &link, "", ""), b"").await;
    let mut first = [0; 4096];
    download.read_exact(&mut first).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200"));
    let revision = open_revision(&client, &shop.provider, &shop.listing).await;
    let path = format!("/api/v1/revisions/{revision}/files/more.txt");
    let mut upload = begin(&server, head("PUT", &path, &shop.provider, "Content-Length: 10\r\n"), b"first").await;
    let order = shop.order.to_string();
    let (begun, end) = order.as_bytes().split_at(order.len() / 2);
    let more =
        format!("Content-Type: application/json\r\nIdempotency-Key: late\r\nContent-Length: {}\r\n", order.len());
    let mut ordering = begin(&server, head("POST", "/api/v1/orders", &shop.buyer, &more), begun).await;
    // What was begun is with the server once it has answered something that came after.
    client.get("/openapi.json", "").await;

    server.ask_to_stop();
    let address = server.base.trim_start_matches("http://").to_owned();
    wait_for("new connections to be refused", async || TcpStream::connect(&address).await.err()).await;
    upload.write_all(b" half").await.unwrap();
    ordering.write_all(end).await.unwrap();
    let (uploaded, ordered, downloaded) = tokio::join!(rest_of(upload), rest_of(ordering), rest_of(download));
    assert!(uploaded.starts_with("HTTP/1.1 201"), "{uploaded}");
    assert!(ordered.starts_with("HTTP/1.1 201") && ordered.contains("\"completed\""), "{ordered}");
    assert!(downloaded.len() > LARGE_FILE_BYTES - first.len());
    assert!(server.ended().await.success(), "{}", server.log());

    let conn = home.connect().await;
    let whole = format!("delivery WHERE status = 200 AND bytes_sent = {LARGE_FILE_BYTES}");
    assert_eq!(count(&conn, &whole).await, 1, "the delivery was written down before the process ended");
    home.torv(&["verify"]).well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_ever_for_a_client_that_reads_nothing() {
    let home = Home::empty(Backend::Sqlite).await.unwrap();
    let mut server = Server::start(&home, &[("TORV_SERVER__SHUTDOWN_GRACE_SECONDS", "1")]);
    let (_, _, link) = sell_large_file(&home, &server).await;
    let mut download = begin(&server, head("GET", &link, "", ""), b"").await;
    let mut first = [0; 4096];
    download.read_exact(&mut first).await.unwrap();
    server.ask_to_stop();
    assert!(server.ended().await.success(), "{}", server.log());
    assert!(server.log().contains("did not end within 1s"), "{}", server.log());
    home.torv(&["verify"]).well();
}
