//! A square of many listings, served by Torv and, for comparison, by a handler that knows the answer.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
};

use axum::{Router, extract::Path, http::header, routing::get};
use entity::{ids::ListingId, listing, listing_facet, listing_price};
use sea_orm::{ActiveValue::Set, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _};
use serde::{Deserialize, Serialize};
use torv::{AppState, base::Clock, bootstrap, config::Config};

use crate::world;

/// Set for the process that is the server; holds the number of listings.
const VARIABLE: &str = "TORV_BENCH_LISTINGS";
/// Listings copied in one transaction.
const BATCH: usize = 200;

/// What the server says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    /// Host and port of Torv.
    pub torv: String,
    /// Host and port of the bare handler, in the same process.
    pub bare: String,
    pub pid: u32,
    /// A listing to read.
    pub listing: String,
}

/// A running server; dropping it ends it.
pub struct Square {
    pub told: Told,
    child: Child,
}

impl Drop for Square {
    fn drop(&mut self) {
        // The server ends when its input does.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Square {
    pub fn start(listings: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(VARIABLE, listings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        Self { told: serde_json::from_str(&line).expect("what it says"), child }
    }
}

/// Runs as the server, if this process is one.
pub fn run_if_told() -> bool {
    let Ok(listings) = std::env::var(VARIABLE) else { return false };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(serve(dir.path(), listings.parse().expect("a number")));
    true
}

async fn serve(dir: &std::path::Path, listings: usize) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let torv = listener.local_addr().expect("an address").to_string();
    let built = bootstrap::build(Config::embedded(dir), Clock::system()).await.expect("the exchange starts");
    tokio::spawn(axum::serve(listener, torv::router::router(built.app.clone())).into_future());
    let world = world::fill(&built.app, torv.clone()).await;
    grow(&built.app, listings).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let bare = listener.local_addr().expect("an address").to_string();
    tokio::spawn(axum::serve(listener, Router::new().route("/{length}", get(known))).into_future());
    let told = Told { torv, bare, pid: std::process::id(), listing: world.offers[0].listing_id.to_string() };
    println!("{}", serde_json::to_string(&told).expect("JSON"));
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
}

/// Answers with a body of that many bytes.
async fn known(Path(length): Path<usize>) -> ([(header::HeaderName, &'static str); 1], Vec<u8>) {
    ([(header::CONTENT_TYPE, "application/json")], vec![b' '; length])
}

/// Copies the listings that are there, with their facets and prices, until there are `wanted`.
async fn grow(app: &AppState, wanted: usize) {
    let conn = app.db.read();
    let originals = listing::Entity::find().all(conn).await.expect("listings");
    let facets = listing_facet::Entity::find().all(conn).await.expect("facets");
    let missing = wanted.saturating_sub(originals.len());
    let copies: Vec<listing::Model> = originals.iter().cycle().take(missing).cloned().collect();
    for batch in copies.chunks(BATCH) {
        let (batch, facets) = (batch.to_vec(), facets.clone());
        let written = app.db.write("bench.copy", move |tx| {
            let (mut rows, mut values) = (Vec::new(), Vec::new());
            for original in &batch {
                let id = ListingId::at(original.created_at.0);
                let of = facets.iter().filter(|facet| facet.listing_id == original.id).cloned();
                values.extend(of.map(|facet| listing_facet::Model { listing_id: id, ..facet }.into_active_model()));
                rows.push(listing::ActiveModel { id: Set(id), ..original.clone().into_active_model() });
            }
            async move {
                listing::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
                listing_facet::Entity::insert_many(values).exec_without_returning(tx.conn()).await?;
                Ok(((), tx))
            }
        });
        written.await.expect("copies");
    }
    let prices = listing_price::Entity::find().count(conn).await.expect("a count");
    assert!(prices > 0, "the originals have prices");
}
