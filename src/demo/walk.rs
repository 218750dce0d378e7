//! The whole job, step by step, over HTTP; each step checks what it shows.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    actors::{Actor, Actors},
    after_sale, bank,
    build::{self, BuiltSquare, Made},
    client::{self, Client, Reply},
    market::Market,
    narrate::{self, fact, money, size, step},
    own_tools::{self, OwnTools},
    papers::{self, Papers},
    settle,
    square::{Listing, Square},
    world::World,
};
use crate::{
    error::{Error, Result},
    state::AppState,
};

/// How long the walk waits for background work.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the walk made, for the manifest.
#[derive(Debug, Clone, Default)]
pub(super) struct Walk {
    pub listing: String,
    pub offer: String,
    pub licence_hash: String,
    pub order: String,
    pub grant: String,
    pub download_url: String,
    pub sha256: String,
    pub payout: String,
    pub reconciliation: String,
    pub papers: Papers,
    pub own_tools: OwnTools,
    pub seconds: f64,
}

/// The people of the walk.
pub(super) struct Cast<'a> {
    pub world: &'a World,
    pub client: &'a Client,
    pub provider: &'a Actor,
    pub buyer: &'a Actor,
    /// Two more companies that buy the same.
    pub others: [&'a Actor; 2],
    pub operator: &'a Actor,
    /// Where files go.
    pub folder: &'a Path,
}

impl Cast<'_> {
    /// What the buyer of the walk's listing sends.
    pub(super) fn order(&self, walk: &Walk, method: &str, use_case: &str) -> Value {
        json!({"offer_id": walk.offer, "licence_hash": walk.licence_hash, "payment_method": method,
               "use_case": use_case})
    }
}

/// The job from the shelf to the closed month; its papers go into `folder`.
pub(super) async fn walk(
    (app, world, client): (&AppState, &World, &Client),
    (square, actors): (&Square, &Actors),
    built: &BuiltSquare,
    market: &Market,
    folder: &Path,
) -> Result<Walk> {
    let started = Instant::now();
    let listing = &square.listings[built.left_for_the_walk];
    let named = |key: &str| actors.get(key).ok_or_else(|| Error::internal(format!("nobody is called {key}")));
    let [buyer, one, other, ..] = square.buyers.as_slice() else {
        return Err(Error::internal("the square has fewer than three buyers"));
    };
    let cast = Cast {
        world,
        client,
        provider: named(&listing.provider)?,
        buyer: named(&buyer.key)?,
        others: [named(&one.key)?, named(&other.key)?],
        operator: named("operator")?,
        folder,
    };
    let mut walk = Walk::default();
    let made = provider_lists(&cast, square, actors, listing, &mut walk).await?;
    price_guard_holds(client, square, actors).await?;
    company_finds_and_reads(&cast, listing, &made, &mut walk).await?;
    own_tools::asked_before_paying(&cast, &made, &mut walk).await?;
    company_buys(&cast, &made, &mut walk).await?;
    company_downloads(&cast, &made, &mut walk).await?;
    money_is_split(&cast, &walk).await?;
    after_sale::part_goes_back(&cast, &walk).await?;
    after_sale::card_holders_dispute(&cast, &made, &walk).await?;
    settle::providers_are_known(&cast, actors).await?;
    settle::payouts_run(app, &cast, market, &mut walk).await?;
    settle::operator_reconciles(&cast, &mut walk).await?;
    bank::month_is_closed(&cast, market, &mut walk).await?;
    world.return_to_present().await?;
    papers::written(&cast, &mut walk).await?;
    own_tools::opened(&cast, &mut walk).await?;
    own_tools::break_is_held_back(&cast, actors, built).await?;
    own_tools::slice_is_bought(&cast, &mut walk).await?;
    settle::ledger_verifies(app).await?;
    links_are_fresh(&cast, &mut walk).await?;
    walk.seconds = started.elapsed().as_secs_f64();
    Ok(walk)
}

async fn provider_lists(
    cast: &Cast<'_>,
    square: &Square,
    actors: &Actors,
    listing: &Listing,
    walk: &mut Walk,
) -> Result<Made> {
    step(1, "A provider lists a real file and sets its price")?;
    let made = build::list(cast.client, square, actors, listing).await?;
    walk.listing.clone_from(&made.listing);
    fact("provider", &cast.provider.name)?;
    fact("listing", format!("{} ({})", listing.title.best("en"), made.listing))?;
    for file in &made.files {
        let bytes = file["size_bytes"].as_u64().unwrap_or(0);
        fact("file", format!("{}, {}, sha256 {}…", text(file, "/name"), size(bytes), &text(file, "/sha256")[..12]))?;
    }
    let id = text(&made.files[0], "/id");
    let profile = wait_for("the profile", || async {
        let reply = cast.client.get(&format!("/api/v1/files/{id}/profile"), "").await?;
        Ok((reply.text("/state")? != "pending").then_some(reply))
    })
    .await?;
    fact("profile", profile_in_words(&profile))?;
    for offer in &made.offers {
        fact("price", offer_in_words(offer))?;
    }
    Ok(made)
}

fn profile_in_words(reply: &Reply) -> String {
    let profile = &reply.body["profile"];
    let rows = profile["row_count"].as_u64().unwrap_or(0).to_string();
    let columns: Vec<_> =
        profile["columns"].as_array().into_iter().flatten().map(|column| text(column, "/name")).collect();
    format!("{} rows of {} columns: {}", narrate::grouped(&rows), columns.len(), columns.join(", "))
}

fn offer_in_words(offer: &Value) -> String {
    let price = money(offer["price"]["minor"].as_i64().unwrap_or(0), &text(offer, "/price/currency"));
    let kind = match text(offer, "/kind").as_str() {
        "subscription" => format!("for {} months, paid in advance", offer["term_months"]),
        _ => "once".to_owned(),
    };
    format!("{price} {kind}, under \"{}\"", text(offer, "/licence/title/en"))
}

/// A public body tries to charge for data that the law keeps free.
async fn price_guard_holds(client: &Client, square: &Square, actors: &Actors) -> Result<()> {
    let public = square.providers.iter().find(|party| party.kind == Some(entity::states::ProviderKind::PublicSector));
    let Some(public) = public.and_then(|party| actors.get(&party.key)) else { return Ok(()) };
    step(2, "A city that tries to charge for open-by-law data is refused")?;
    let path = format!("/api/v1/organizations/{}/listings?limit=100", public.organization);
    let own = client.get(&path, &public.api_key).await?.items();
    let guarded = own.iter().find(|listing| text(listing, "/theme") == "transport");
    let Some(listing) = guarded else { return Ok(()) };
    let licence = client
        .post("/api/v1/licences", &public.api_key, &json!({"preset": "internal_use"}))
        .await?
        .text("/licence/id")?;
    let offer = json!({"kind": "one_off", "price": {"minor": 50_000, "currency": "EUR"}, "licence_id": licence});
    let path = format!("/api/v1/listings/{}/offers", text(listing, "/id"));
    let reply = client.send(Method::POST, &path, &public.api_key, None, Some(&offer)).await?;
    expect(reply.status == 403, "the price guard holds")?;
    fact("provider", &public.name)?;
    fact("refused with 403", reply.text("/detail")?)
}

async fn company_finds_and_reads(cast: &Cast<'_>, listing: &Listing, made: &Made, walk: &mut Walk) -> Result<()> {
    step(3, "A company finds it, reads the licence, and asks the rows themselves")?;
    let title = listing.title.best("en");
    let words: Vec<_> = title.split_whitespace().filter(|word| word.chars().all(char::is_alphabetic)).take(2).collect();
    let query = words.join("+");
    let path = format!("/api/v1/listings?q={query}&paid=true&price_currency=EUR&facets=true");
    let found = cast.client.get(&path, &cast.buyer.api_key).await?;
    let hits = found.items();
    expect(hits.iter().any(|hit| text(hit, "/id") == walk.listing), "the search finds the listing")?;
    fact("company", &cast.buyer.name)?;
    fact("search", format!("\"{}\", paid in EUR: {} found", words.join(" "), hits.len()))?;
    let offer = &made.offers[0];
    walk.offer = text(offer, "/id");
    let quote = cast.client.post("/api/v1/quotes", &cast.buyer.api_key, &json!({"offer_id": walk.offer})).await?;
    walk.licence_hash = quote.text("/licence_hash")?;
    fact("quote", money(quote.number("/total/minor")?, &quote.text("/total/currency")?))?;
    let document = cast.client.get(&format!("/api/v1/licence-documents/{}", walk.licence_hash), "").await?;
    let clauses = document.body["clauses"]["en"].as_array().cloned().unwrap_or_default();
    expect(!clauses.is_empty(), "the licence can be read")?;
    let languages = document.body["clauses"].as_object().map_or(0, serde_json::Map::len);
    fact(
        "licence",
        format!("{} clauses in {languages} languages, sha256 {}…", clauses.len(), &walk.licence_hash[..12]),
    )?;
    for clause in clauses.iter().take(3) {
        fact("", format!("{}: {}", text(clause, "/heading"), text(clause, "/text")))?;
    }
    Ok(())
}

async fn company_buys(cast: &Cast<'_>, made: &Made, walk: &mut Walk) -> Result<()> {
    step(4, "It buys; a declined card costs nothing, a repeated request buys nothing twice")?;
    let order = |method: &str| cast.order(walk, method, "Warn drivers before an underpass floods.");
    let (token, cards) = (&cast.buyer.api_key, cast.world.cards());
    let key = format!("walk-{}", made.revision);
    let declined = cast
        .client
        .send(Method::POST, "/api/v1/orders", token, Some(&format!("{key}-1")), Some(&order(cards.declined)))
        .await?;
    expect(declined.status == 402, "a declined card is refused")?;
    fact("first card", declined.text("/detail")?)?;
    let paid = cast.client.post_once("/api/v1/orders", token, &key, &order(cards.good)).await?;
    let again = cast.client.post_once("/api/v1/orders", token, &key, &order(cards.good)).await?;
    walk.order = paid.text("/id")?;
    walk.grant = paid.text("/grant_id")?;
    expect(paid.text("/state")? == "completed", "the order is completed")?;
    expect(again.text("/id")? == walk.order, "the same key finds the same order")?;
    fact("second card", format!("{} taken", money(paid.number("/total/minor")?, &paid.text("/total/currency")?)))?;
    fact("order", format!("{} {}", walk.order, paid.text("/state")?))?;
    fact("grant", &walk.grant)
}

async fn company_downloads(cast: &Cast<'_>, made: &Made, walk: &mut Walk) -> Result<()> {
    step(5, "It downloads what it bought, and compares the checksum")?;
    let files = cast.client.get(&format!("/api/v1/grants/{}/files", walk.grant), &cast.buyer.api_key).await?.items();
    expect(files.len() == made.files.len(), "the grant covers every file")?;
    for (file, uploaded) in files.iter().zip(&made.files) {
        walk.download_url = text(file, "/url");
        let (bytes, sha256) = cast.client.download(&walk.download_url).await?;
        expect(sha256 == text(file, "/sha256"), "the checksum is that of the file")?;
        expect(
            files.iter().any(|file| text(file, "/sha256") == text(uploaded, "/sha256")),
            "the file is the one uploaded",
        )?;
        fact("file", format!("{}, {}, sha256 {}… as listed", text(file, "/name"), size(bytes), &sha256[..12]))?;
        walk.sha256 = sha256;
    }
    Ok(())
}

async fn money_is_split(cast: &Cast<'_>, walk: &Walk) -> Result<()> {
    step(6, "The money is split")?;
    let order = cast.client.get(&format!("/api/v1/orders/{}", walk.order), &cast.provider.api_key).await?;
    let currency = order.text("/total/currency")?;
    let (total, provider, operator) =
        (order.number("/total/minor")?, order.number("/provider_share/minor")?, order.number("/operator_share/minor")?);
    expect(provider + operator == total, "the parts add up")?;
    fact("company paid", money(total, &currency))?;
    fact("provider's share", money(provider, &currency))?;
    let bps = order.number("/fee_bps")?;
    fact("operator's share", format!("{} ({}.{:02} %)", money(operator, &currency), bps / 100, bps % 100))
}

/// Links hold for minutes, and weeks have passed.
async fn links_are_fresh(cast: &Cast<'_>, walk: &mut Walk) -> Result<()> {
    let files = cast.client.get(&format!("/api/v1/grants/{}/files", walk.grant), &cast.buyer.api_key).await?.items();
    let file = files.iter().find(|file| text(file, "/sha256") == walk.sha256);
    let file = file.ok_or_else(|| Error::internal("the grant does not cover the file any more"))?;
    walk.download_url = text(file, "/url");
    let parquet = file["renditions"].as_array().into_iter().flatten().find(|one| one["format"] == "parquet");
    walk.own_tools.parquet_url = parquet.map(|one| text(one, "/url")).unwrap_or_default();
    Ok(())
}

pub(super) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A step that does not come out as it must ends the demo.
pub(super) fn expect(good: bool, what: &str) -> Result<()> {
    if good { Ok(()) } else { Err(Error::internal(format!("the walk stopped: it must be that {what}"))) }
}

/// Looks again and again until something is found.
pub(super) async fn wait_for<T, F, Fut>(what: &str, look: F) -> Result<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        client::pause().await;
    }
    Err(Error::internal(format!("waited {PATIENCE:?} for {what}")))
}
