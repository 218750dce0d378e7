//! The whole job, step by step, over HTTP; each step checks what it shows.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    actors::{Actor, Actors},
    build::{self, BuiltSquare, Made},
    client::{self, Client, Reply},
    market::Market,
    narrate::{self, fact, line, money, size, step},
    square::{Listing, Square},
    world::World,
};
use crate::{
    error::{Error, Result},
    settlement,
    state::AppState,
};

/// Longer than the guarantee window, so that every share is due.
const WEEK_DAYS: i64 = 8;
/// How long the walk waits for background work.
const PATIENCE: Duration = Duration::from_secs(20);

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
    pub seconds: f64,
}

/// The people of the walk.
struct Cast<'a> {
    world: &'a World,
    client: &'a Client,
    provider: &'a Actor,
    buyer: &'a Actor,
    operator: &'a Actor,
}

pub(super) async fn walk(
    app: &AppState,
    world: &World,
    client: &Client,
    square: &Square,
    actors: &Actors,
    built: &BuiltSquare,
    market: &Market,
) -> Result<Walk> {
    let started = Instant::now();
    let listing = &square.listings[built.left_for_the_walk];
    let named = |key: &str| actors.get(key).ok_or_else(|| Error::internal(format!("nobody is called {key}")));
    let buyer = square.buyers.first().ok_or_else(|| Error::internal("the square has no buyers"))?;
    let cast = Cast {
        world,
        client,
        provider: named(&listing.provider)?,
        buyer: named(&buyer.key)?,
        operator: named("operator")?,
    };
    let mut walk = Walk::default();
    let made = provider_lists(&cast, square, actors, listing, &mut walk).await?;
    price_guard_holds(client, square, actors).await?;
    company_finds_and_reads(&cast, listing, &made, &mut walk).await?;
    company_buys(&cast, &made, &mut walk).await?;
    company_downloads(&cast, &made, &mut walk).await?;
    money_is_split(&cast, &walk).await?;
    providers_are_known(&cast, actors).await?;
    payouts_run(app, &cast, market, &mut walk).await?;
    operator_reconciles(&cast, &mut walk).await?;
    ledger_verifies(app).await?;
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
    step(3, "A company finds it and reads the licence")?;
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
    let order = |method: &str| {
        json!({"offer_id": walk.offer, "licence_hash": walk.licence_hash, "payment_method": method,
               "use_case": "Warn drivers before an underpass floods."})
    };
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

/// Providers prove to the processor who they are; the sandbox asks for nothing.
async fn providers_are_known(cast: &Cast<'_>, actors: &Actors) -> Result<()> {
    if !cast.world.is_stripe() {
        return Ok(());
    }
    let body = json!({"return_url": "https://square.example/back"});
    let account = "/api/v1/settlement/payout-account";
    for provider in actors.values().filter(|actor| actor.role == "provider") {
        cast.client.post(&format!("{account}/onboarding"), &provider.api_key, &body).await?;
        let shown = cast.client.get(account, &provider.api_key).await?;
        cast.world.finish_onboarding(&shown.text("/account_ref")?).await?;
        wait_for("the provider to be known", || async {
            let shown = cast.client.get(account, &provider.api_key).await?;
            Ok((shown.text("/state")? == "active").then_some(()))
        })
        .await?;
    }
    Ok(())
}

async fn payouts_run(app: &AppState, cast: &Cast<'_>, market: &Market, walk: &mut Walk) -> Result<()> {
    step(7, "A week later payouts run, one per currency")?;
    let owed = settlement::payouts::owed_to_others(app).await?;
    wait_for("the processor to keep the shares back", || async {
        Ok(cast.world.keeps_back(&owed).await?.then_some(()))
    })
    .await?;
    cast.world.pass_days(WEEK_DAYS).await?;
    let payable = wait_for("the shares to become payable", || async {
        let reply = cast.client.get("/api/v1/settlement/balance", &cast.provider.api_key).await?;
        let rows = reply.body["balances"].as_array().cloned().unwrap_or_default();
        let ready = !rows.is_empty() && rows.iter().all(|row| row["pending_minor"] == 0);
        Ok(ready.then_some(rows))
    })
    .await?;
    for row in payable {
        let sum = money(row["payable_minor"].as_i64().unwrap_or(0), &text(&row, "/currency"));
        fact("payable", format!("{sum} to {}", cast.provider.name))?;
    }
    let mut currencies: Vec<_> = market.paid.keys().map(String::as_str).collect();
    currencies.push("EUR");
    currencies.sort_unstable();
    currencies.dedup();
    for currency in currencies {
        payout_run(cast, currency, walk).await?;
    }
    expect(!walk.payout.is_empty(), "the runs pay the provider")
}

async fn payout_run(cast: &Cast<'_>, currency: &str, walk: &mut Walk) -> Result<()> {
    // Stripe sends the operator's balance to its bank by itself.
    let recipients = if cast.world.is_stripe() { "providers" } else { "both" };
    let run = json!({"currency": currency, "minimum_minor": 1, "recipients": recipients});
    let key = format!("walk-{}-{currency}", walk.order);
    let made = cast.client.post_once("/api/v1/payout-runs", &cast.operator.api_key, &key, &run).await?;
    // With Stripe each share moves out of its own charge: a provider gets several payouts.
    let (mut providers, mut provider_minor, mut operator_minor) = (BTreeSet::new(), 0, 0);
    for payout in made.body["payouts"].as_array().into_iter().flatten() {
        let id = text(payout, "/id");
        let paid = wait_for("the payout to arrive", || async {
            let reply = cast.client.get(&format!("/api/v1/payouts/{id}"), &cast.operator.api_key).await?;
            Ok((reply.text("/state")? == "paid").then_some(reply))
        })
        .await?;
        let minor = paid.number("/amount_minor")?;
        if paid.text("/recipient")? == "operator" {
            operator_minor += minor;
        } else {
            providers.insert(text(payout, "/organization_id"));
            provider_minor += minor;
        }
        if currency == "EUR" && text(payout, "/organization_id") == cast.provider.organization {
            walk.payout = id;
        }
    }
    let who = if providers.len() == 1 { "1 provider".to_owned() } else { format!("{} providers", providers.len()) };
    let operator = if cast.world.is_stripe() {
        "the rest leaves for the operator's bank by itself".to_owned()
    } else {
        format!("{} to the operator", money(operator_minor, currency))
    };
    fact("paid", format!("{} to {who}, {operator}", money(provider_minor, currency)))
}

async fn operator_reconciles(cast: &Cast<'_>, walk: &mut Walk) -> Result<()> {
    step(8, "The operator reconciles orders, processor and payouts")?;
    let made = cast.client.post("/api/v1/reconciliations", &cast.operator.api_key, &json!({})).await?;
    walk.reconciliation = made.text("/id")?;
    let columns = ["orders", "charged", "paid out", "books", "processor", "unexplained"];
    let cells = |cells: [String; 6]| cells.iter().map(|cell| format!("{cell:>18}")).collect::<String>();
    line(format!("  {}", cells(columns.map(ToOwned::to_owned))))?;
    for total in made.body["report"]["totals"].as_array().into_iter().flatten() {
        let code = text(total, "/currency");
        let sum = |name: &str| money(total[name].as_i64().unwrap_or(i64::MAX), &code);
        let names = ["orders_minor", "charges_minor", "transfers_minor", "ledger_balance_minor"];
        let [orders, charged, out, books] = names.map(sum);
        line(format!(
            "  {}",
            cells([orders, charged, out, books, sum("processor_balance_minor"), sum("unexplained_minor")])
        ))?;
        expect(total["unexplained_minor"].as_i64() == Some(0), "everything is explained")?;
    }
    let differences = made.number("/difference_count")?;
    fact("differences", differences)?;
    expect(differences == 0, "there are no differences")
}

async fn ledger_verifies(app: &AppState) -> Result<()> {
    step(9, "The books are verified from the rows themselves")?;
    let report = settlement::verify::verify_all(app, |_, _| {}).await?;
    for violation in report.all_violations() {
        line(format!("   {violation}"))?;
    }
    let (ledger, untold) = (&report.ledger, report.untold());
    fact("read", format!("{} entries, {} postings, {} seals", ledger.entries, ledger.postings, ledger.seals))?;
    fact("compared", format!("{} orders, {} grants, {} accounts", report.orders, report.grants, report.accounts))?;
    fact("violations", report.all_violations().count() + untold)?;
    expect(report.is_clean(), "nothing is violated")
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A step that does not come out as it must ends the demo.
fn expect(good: bool, what: &str) -> Result<()> {
    if good { Ok(()) } else { Err(Error::internal(format!("the walk stopped: it must be that {what}"))) }
}

async fn wait_for<T, F, Fut>(what: &str, look: F) -> Result<T>
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
