//! Builds the square: every listing but the one that the walk will make.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use super::{
    actors::Actors,
    client::{self, Client},
    narrate,
    square::{Listing, Offer, Square},
};
use crate::error::{Error, Result};

/// Listings made at the same time.
const AT_ONCE: usize = 6;

/// What was built.
#[derive(Debug)]
pub(super) struct BuiltSquare {
    pub free: usize,
    pub paid: usize,
    pub files: usize,
    pub bytes: u64,
    pub seconds: f64,
    /// Position in the description of the listing that is left for the walk.
    pub left_for_the_walk: usize,
    /// What was made.
    pub made: Vec<Made>,
}

/// A listing made over the API.
#[derive(Debug, Clone)]
pub(super) struct Made {
    /// Key of the provider.
    pub provider: String,
    pub listing: String,
    pub revision: String,
    pub files: Vec<Value>,
    pub offers: Vec<Value>,
}

#[derive(Default)]
struct Counts {
    free: AtomicUsize,
    paid: AtomicUsize,
    files: AtomicUsize,
    bytes: AtomicU64,
}

pub(super) async fn build(client: &Client, square: &Square, actors: &Actors) -> Result<BuiltSquare> {
    let started = std::time::Instant::now();
    let left = left_for_the_walk(square)?;
    let bar = narrate::bar("listings", square.listings.len() - 1);
    let counts = Arc::new(Counts::default());
    let listings = square.listings.iter().enumerate().filter(|(at, _)| *at != left).map(|(_, listing)| listing);
    let made = stream::iter(listings.map(|listing| {
        let (counts, bar) = (counts.clone(), bar.clone());
        async move {
            let made = list(client, square, actors, listing).await?;
            let paid = !matches!(listing.offers.first(), Some(Offer::Free) | None);
            (if paid { &counts.paid } else { &counts.free }).fetch_add(1, Ordering::Relaxed);
            counts.files.fetch_add(made.files.len(), Ordering::Relaxed);
            let bytes = made.files.iter().filter_map(|file| file["size_bytes"].as_u64()).sum();
            counts.bytes.fetch_add(bytes, Ordering::Relaxed);
            bar.inc(1);
            Ok::<_, Error>(made)
        }
    }))
    .buffer_unordered(AT_ONCE)
    .try_collect::<Vec<_>>()
    .await?;
    bar.finish_and_clear();
    wait_for_profiles(client, &made).await?;
    Ok(BuiltSquare {
        free: counts.free.load(Ordering::Relaxed),
        paid: counts.paid.load(Ordering::Relaxed),
        files: counts.files.load(Ordering::Relaxed),
        bytes: counts.bytes.load(Ordering::Relaxed),
        seconds: started.elapsed().as_secs_f64(),
        left_for_the_walk: left,
        made,
    })
}

/// Every file is read through by a background job; the walk starts when all are.
async fn wait_for_profiles(client: &Client, made: &[Made]) -> Result<()> {
    let files: Vec<_> = made.iter().flat_map(|made| &made.files).filter_map(|file| file["id"].as_str()).collect();
    let bar = narrate::bar("profiles", files.len());
    for file in files {
        while client.get(&format!("/api/v1/files/{file}/profile"), "").await?.text("/state")? == "pending" {
            client::pause().await;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// The walk lists the first one with a one-off price in euro and no approval.
fn left_for_the_walk(square: &Square) -> Result<usize> {
    let fits = |listing: &Listing| {
        let first = listing.offers.first();
        matches!(first, Some(Offer::OneOff { currency, approval_required: false, .. }) if currency.code() == "EUR")
    };
    let found = square.listings.iter().position(fits);
    found.ok_or_else(|| Error::internal("the square has no listing with a one-off price in EUR for the walk"))
}

/// Makes one listing: describe, upload, publish the revision, offer, publish.
pub(super) async fn list(client: &Client, square: &Square, actors: &Actors, listing: &Listing) -> Result<Made> {
    let provider = actors.get(&listing.provider);
    let provider = provider.ok_or_else(|| Error::internal(format!("no provider {}", listing.provider)))?;
    let key = &provider.api_key;
    let id = client.post("/api/v1/listings", key, &description(listing, &provider.name)).await?.text("/id")?;
    let opened =
        client.post(&format!("/api/v1/listings/{id}/revisions"), key, &json!({"note": "First revision."})).await?;
    let revision = opened.text("/id")?;
    let mut files = Vec::new();
    for file in &listing.files {
        let name = percent_encoding::utf8_percent_encode(&file.name, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("/api/v1/revisions/{revision}/files/{name}");
        files.push(client.put_file(&path, key, &square.file(file)).await?.body);
    }
    client.act(&format!("/api/v1/revisions/{revision}/publish"), key).await?;
    let mut offers = Vec::new();
    for offer in &listing.offers {
        offers.push(make_offer(client, key, &id, listing, offer).await?);
    }
    client.act(&format!("/api/v1/listings/{id}/publish"), key).await?;
    Ok(Made { provider: listing.provider.clone(), listing: id, revision, files, offers })
}

fn description(listing: &Listing, contact: &str) -> Value {
    let day = |day: &str, time: &str| format!("{day}T{time}Z");
    json!({
        "kind": "dataset", "title": listing.title, "summary": listing.summary, "theme": listing.theme,
        "tags": listing.tags, "place": listing.place, "bbox": listing.bbox,
        "covers_from": listing.temporal.as_ref().map(|span| day(&span.from, "00:00:00")),
        "covers_until": listing.temporal.as_ref().map(|span| day(&span.to, "23:59:59")),
        "update_frequency": listing.update_frequency, "contact": {"name": contact},
        "use_cases": listing.use_cases, "personal_data": listing.personal_data, "audience": "public",
    })
}

/// Makes an offer; a commercial one gets its licence first.
async fn make_offer(client: &Client, key: &str, id: &str, listing: &Listing, offer: &Offer) -> Result<Value> {
    let path = format!("/api/v1/listings/{id}/offers");
    let body = match offer {
        Offer::Free => json!({"kind": "free", "licence": listing.licence}),
        Offer::OneOff { price_minor, currency, licence, approval_required } => json!({
            "kind": "one_off", "price": {"minor": price_minor, "currency": currency},
            "licence_id": commercial(client, key, &licence.commercial).await?, "approval_required": approval_required,
        }),
        Offer::Subscription { price_minor, currency, term_months, licence, approval_required } => json!({
            "kind": "subscription", "price": {"minor": price_minor, "currency": currency}, "term_months": term_months,
            "licence_id": commercial(client, key, &licence.commercial).await?, "approval_required": approval_required,
        }),
    };
    Ok(client.post(&path, key, &body).await?.body)
}

async fn commercial(client: &Client, key: &str, preset: &str) -> Result<String> {
    client.post("/api/v1/licences", key, &json!({"preset": preset})).await?.text("/licence/id")
}
