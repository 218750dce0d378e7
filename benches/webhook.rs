//! How long a processor waits for the answer to its webhook, at a fixed rate.
//!
//! Torv runs in a process of its own. Orders are placed with a card that is still being processed; then the events that
//! say their money was taken come in at 500 a second, whatever the answers take. Each is verified, stored, handled (the
//! order completed, booked and granted) and answered; its time counts from the moment it was due, so a stall counts in
//! all that wait behind it. Run it with `cargo bench --bench webhook [-- --quick]`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench tells its figures, and stops when it can't run")]

#[expect(dead_code, reason = "limits are measured by the purchase bench")]
#[path = "purchase/database.rs"]
mod database;
#[expect(dead_code, reason = "events come at a rate, not as fast as they are answered")]
#[path = "purchase/measure.rs"]
mod measure;
#[path = "purchase/prefill.rs"]
mod prefill;
#[path = "purchase/server.rs"]
#[expect(dead_code, reason = "it is told to verify and to nothing else")]
mod server;
#[path = "purchase/wire.rs"]
mod wire;
#[path = "purchase/world.rs"]
mod world;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::hmac;
use database::Database;
use serde_json::{Value, json};
use server::{Order, Server};
use torv::base::Clock;
use wire::Wire;
use world::{Goods, World};

/// Events that become due in a second.
const EVENTS_PER_SECOND: u32 = 500;
/// Connections the processor keeps.
const CONNECTIONS: usize = 64;
/// Of a hundred events, this many are repetitions of the one before: processors send twice.
const REPEATED_PERCENT: usize = 10;
/// The limit, in milliseconds.
const P99_MS_MAX: f64 = 50.0;

fn main() {
    if server::run_if_told() {
        return;
    }
    let quick = std::env::args().any(|word| word == "--quick");
    let seconds = if quick { 2 } else { 10 };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!("{EVENTS_PER_SECOND} events a second for {seconds} s, {REPEATED_PERCENT} % of them repeated\n");
    println!("database   |  p50 ms |  p99 ms |  worst ms | late end s | p99 limit {P99_MS_MAX} ms");
    runtime.block_on(async {
        let dir = tempfile::tempdir().expect("a directory");
        measure_on("SQLite", Database::sqlite(dir.path()), seconds).await;
        match Database::postgres().await {
            Some(database) => measure_on("PostgreSQL", database, seconds).await,
            None => println!("PostgreSQL | no server"),
        }
    });
}

async fn measure_on(name: &str, database: Database, seconds: u32) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = Server::start(dir.path(), &database.url());
    let events = Arc::new(events(&server.world, usize::try_from(EVENTS_PER_SECOND * seconds).expect("few")).await);
    let (taken_ms, late) = send(&server.world.address, events).await;
    let of = |part: usize| taken_ms[(taken_ms.len() * part / 1_000).min(taken_ms.len() - 1)];
    let verdict = if of(990) < P99_MS_MAX { "met" } else { "missed" };
    println!("{name:<10} | {:>7.1} | {:>7.1} | {:>9.1} | {late:>10.2} | {verdict}", of(500), of(990), of(1_000));
    let verified: String = server.tell(&Order::Verify);
    println!("           | {verified}");
    drop(server);
    database.drop().await;
}

/// The bodies of the events, after an order was placed for each.
async fn events(world: &Arc<World>, count: usize) -> Vec<String> {
    let fresh = count * (100 - REPEATED_PERCENT) / 100;
    let tasks = (0..CONNECTIONS).map(|at| {
        let world = world.clone();
        tokio::spawn(async move {
            let (mut wire, mut goods) = (Wire::connect(&world.address).await, Goods::new(at, false));
            let mut bodies = Vec::new();
            for _ in (at..fresh).step_by(CONNECTIONS) {
                bodies.push(place(&mut wire, &world, &mut goods, at).await);
            }
            bodies
        })
    });
    let placed: Vec<String> =
        futures::future::join_all(tasks).await.into_iter().flat_map(|task| task.expect("placed")).collect();
    (0..count).map(|at| placed[at * (100 - REPEATED_PERCENT) / 100].clone()).collect()
}

/// Places an order and gives the event that says its money was taken.
async fn place(wire: &mut Wire, world: &World, goods: &mut Goods, buyer: usize) -> String {
    let (offer, key) = (goods.next(world), &world.buyers[buyer % world.buyers.len()].key);
    let body = json!({
        "offer_id": offer.id, "licence_hash": offer.licence_hash, "use_case": "Warn drivers.",
        "payment_method": "pm_card_delayed"
    })
    .to_string();
    let request = format!(
        "POST /api/v1/orders HTTP/1.1\r\nhost: torv\r\nauthorization: Bearer {key}\r\nidempotency-key: {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        world::fresh_key(),
        body.len()
    );
    let answer = wire.ask(&request).await;
    assert!(answer.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(answer));
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let order: Value = serde_json::from_slice(&answer[head..]).expect("JSON");
    let payment = order["payments"][0]["id"].as_str().expect("a payment");
    let charge = format!("ch_{}", payment.trim_start_matches("pay_"));
    json!({
        "id": format!("evt_{}", world::fresh_key()), "type": "charge.captured",
        "charge": {"id": charge, "payment_id": payment, "state": "captured",
                   "amount_minor": order["total"]["minor"], "currency": order["total"]["currency"]}
    })
    .to_string()
}

/// Sends each event when it is due; how long each answer took, sorted, and by how much the last came after its time.
async fn send(address: &str, events: Arc<Vec<String>>) -> (Vec<f64>, f64) {
    let (next, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now() + Duration::from_millis(200));
    let gap = Duration::from_secs(1) / EVENTS_PER_SECOND;
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (events, next, address) = (events.clone(), next.clone(), address.to_owned());
            tokio::spawn(async move {
                let mut wire = Wire::connect(&address).await;
                let mut taken_ms = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(body) = events.get(at) else { return taken_ms };
                    let due = begun + gap * u32::try_from(at).expect("few");
                    wait_until(due).await;
                    let answer = wire.ask(&signed(body)).await;
                    assert!(answer.starts_with(b"HTTP/1.1 204"), "{}", String::from_utf8_lossy(answer));
                    taken_ms.push(due.elapsed().as_secs_f64() * 1e3);
                }
            })
        })
        .collect();
    let all = futures::future::join_all(tasks).await;
    let planned = gap * u32::try_from(events.len()).expect("few");
    let late = begun.elapsed().as_secs_f64() - planned.as_secs_f64();
    let mut taken_ms: Vec<f64> = all.into_iter().flat_map(|task| task.expect("nothing failed")).collect();
    taken_ms.sort_by(f64::total_cmp);
    (taken_ms, late)
}

async fn wait_until(due: Instant) {
    tokio::time::sleep_until(due.into()).await;
}

fn signed(body: &str) -> String {
    let unix = Clock::system().now().unix_timestamp();
    let key = hmac::Key::new(hmac::HMAC_SHA256, world::WEBHOOK_SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("{unix}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "POST /api/v1/webhooks/sandbox HTTP/1.1\r\nhost: torv\r\ntorv-sandbox-signature: t={unix},v1={hex}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
