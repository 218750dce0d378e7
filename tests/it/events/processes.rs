//! Three real processes on one database that are killed again and again: every webhook arrives, in order.

use reqwest::Method;
use serde_json::json;

use crate::support::{
    Backend, Home,
    process::{Client, Server, open_revision, open_shop, wait_for},
    receiver::{Receiver, Says},
};

/// Leases of seconds and retries at once, so that what a dead process held is soon taken over.
const QUICK: [(&str, &str); 4] = [
    ("TORV_NOTIFY__WEBHOOK_ALLOW_HTTP", "true"),
    ("TORV_NOTIFY__WEBHOOK_ALLOWED_NETWORKS", "127.0.0.1/32"),
    ("TORV_NOTIFY__WEBHOOK_RETRY_SECONDS", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"),
    ("TORV_NOTIFY__WEBHOOK_TIMEOUT_SECONDS", "1"),
];
/// Revisions that are published while processes die.
const REVISIONS: usize = 24;
/// After every so many of them a process is killed.
const KILL_EVERY: usize = 6;

pub async fn publish(client: &Client, provider: &str, listing: &str) {
    let revision = open_revision(client, provider, listing).await;
    let upload = client.http.put(format!("{}/api/v1/revisions/{revision}/files/berths.txt", client.base));
    let uploaded = upload.bearer_auth(provider).body("berth,boat\n1,Else\n").send().await.unwrap();
    assert!(uploaded.status().is_success());
    let path = format!("/api/v1/revisions/{revision}/publish");
    let (status, body) = client.try_send(Method::POST, &path, provider, None, None).await.expect("an answer");
    assert_eq!(status, 200, "{body}");
}

/// The first time that each revision came, in order.
fn firsts(receiver: &Receiver) -> Vec<i64> {
    let mut seen = Vec::new();
    for got in receiver.got() {
        let body = got.json();
        if let Some(number) = body["data"]["number"].as_i64()
            && body["type"] == "revision.published"
            && !seen.contains(&number)
        {
            seen.push(number);
        }
    }
    seen
}

async fn survive(backend: Backend, processes: usize) {
    let Some(home) = Home::empty(backend).await else { return };
    let mut servers: Vec<Server> = (0..processes).map(|_| Server::start(&home, &QUICK)).collect();
    let client = Client::new(&servers[0].base);
    let shop = open_shop(&home, &client, b"berth,boat\n1,Else\n".to_vec()).await;
    client.post_once("/api/v1/orders", &shop.buyer, "one", &shop.order).await;
    let receiver = Receiver::start().await;
    let mut calls = 0_u32;
    receiver.answer(move |_| {
        calls += 1;
        // Sometimes it is busy, and sometimes it hangs until nobody waits any more.
        match calls % 11 {
            3 => Says::status(503),
            7 => Says { hangs: true, ..Says::status(200) },
            _ => Says::status(204),
        }
    });
    let owner = client.owner("buyer").await;
    let endpoint = json!({"url": receiver.url, "kinds": ["revision.published"]});
    client.post("/api/v1/webhook-endpoints", &owner, &endpoint).await;
    for number in 0..REVISIONS {
        publish(&Client::new(&servers[0].base), &shop.provider, &shop.listing).await;
        if number % KILL_EVERY == KILL_EVERY - 1 {
            // Whatever it is doing: telling, sending, or writing down that it was sent.
            let dying = (number / KILL_EVERY) % servers.len();
            servers[dying].kill();
            servers[dying] = Server::start(&home, &QUICK);
        }
    }
    let first = firsts(&receiver).first().copied().unwrap_or(2);
    let expected: Vec<i64> = (first..).take(REVISIONS).collect();
    for count in 1..=REVISIONS {
        wait_for("the webhooks", async || (firsts(&receiver).len() >= count).then_some(())).await;
    }
    assert_eq!(firsts(&receiver), expected, "each came, and none before the one before it");
    let told = Client::new(&servers[0].base)
        .get("/api/v1/notices?after=0&kind=revision.published&limit=100", &shop.buyer)
        .await;
    let numbers: Vec<i64> =
        told["items"].as_array().expect("a list").iter().filter_map(|one| one["data"]["number"].as_i64()).collect();
    assert_eq!(numbers, expected, "{}", told["items"]);
    drop(servers);
    home.torv(&["verify"]).well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_that_are_killed_lose_no_webhook() {
    survive(Backend::Postgres, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_that_is_killed_loses_no_webhook() {
    survive(Backend::Sqlite, 1).await;
}
