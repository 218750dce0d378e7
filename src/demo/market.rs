//! A day at the market: buyers order what stands on the square, so that the books hold more than one
//! sale, in more than one currency.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use super::{
    actors::Actors,
    build::BuiltSquare,
    client::Client,
    narrate::{self, money},
    square::Square,
};
use crate::error::{Error, Result};

/// Orders placed at the same time.
const AT_ONCE: usize = 6;
/// Of the free listings, every so many-th is ordered.
const FREE_STEP: usize = 9;
/// What buyers say they need the data for.
const USE_CASES: [&str; 4] = [
    "Route trucks around flooded roads.",
    "Compare neighbourhoods for a housing study.",
    "Train a forecast of travel times.",
    "Show visitors the nearest bicycles.",
];

/// What was traded.
#[derive(Debug, Default)]
pub(super) struct Market {
    pub free: usize,
    pub approved: usize,
    /// Currency to number and sum of the paid orders.
    pub paid: BTreeMap<String, (usize, i64)>,
}

/// One order that came to its end.
struct Sold {
    currency: String,
    minor: i64,
    approved: bool,
}

pub(super) async fn open(client: &Client, square: &Square, actors: &Actors, built: &BuiltSquare) -> Result<Market> {
    let wanted = wanted(built);
    let bar = narrate::bar("orders", wanted.len());
    let sold: Vec<Sold> = stream::iter(wanted.into_iter().enumerate().map(|(number, (provider, offer))| {
        let bar = bar.clone();
        async move {
            let buyer = &square.buyers[number % square.buyers.len()].key;
            let sold = order(client, actors, buyer, provider, offer, USE_CASES[number % USE_CASES.len()]).await;
            bar.inc(1);
            sold
        }
    }))
    .buffer_unordered(AT_ONCE)
    .try_collect()
    .await?;
    bar.finish_and_clear();
    let mut market = Market::default();
    for one in sold {
        market.approved += usize::from(one.approved);
        if one.minor == 0 {
            market.free += 1;
        } else {
            let sum = market.paid.entry(one.currency).or_default();
            *sum = (sum.0 + 1, sum.1 + one.minor);
        }
    }
    Ok(market)
}

/// The first offer of every paid listing, and of some free ones, with its provider's key.
fn wanted(built: &BuiltSquare) -> Vec<(&str, &Value)> {
    let first = built.made.iter().filter_map(|made| Some((made.provider.as_str(), made.offers.first()?)));
    let (free, mut wanted): (Vec<_>, Vec<_>) = first.partition(|(_, offer)| offer["kind"] == "free");
    wanted.extend(free.into_iter().step_by(FREE_STEP));
    wanted
}

async fn order(
    client: &Client,
    actors: &Actors,
    buyer: &str,
    provider: &str,
    offer: &Value,
    use_case: &str,
) -> Result<Sold> {
    let named = |key: &str| actors.get(key).ok_or_else(|| Error::internal(format!("nobody is called {key}")));
    let (buyer, provider) = (named(buyer)?, named(provider)?);
    let text = |pointer: &str| offer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let paid = offer["kind"] != "free";
    let mut body = json!({"offer_id": text("/id"), "licence_hash": text("/licence/hash"), "use_case": use_case});
    if paid {
        body["payment_method"] = json!("pm_card_visa");
    }
    let key = format!("market-{}", text("/id"));
    let mut placed = client.post_once("/api/v1/orders", &buyer.api_key, &key, &body).await?;
    let approved = placed.text("/state")? == "awaiting_approval";
    if approved {
        let path = format!("/api/v1/orders/{}/approve", placed.text("/id")?);
        placed = client.post(&path, &provider.api_key, &json!({"note": "Welcome."})).await?;
    }
    let state = placed.text("/state")?;
    if state != "completed" {
        return Err(Error::internal(format!("an order of the market day is {state}: {}", placed.body)));
    }
    Ok(Sold { currency: placed.text("/total/currency")?, minor: placed.number("/total/minor")?, approved })
}

impl Market {
    /// The day in one sentence.
    pub(super) fn in_words(&self) -> String {
        let paid: usize = self.paid.values().map(|(count, _)| count).sum();
        let sums: Vec<_> =
            self.paid.iter().map(|(code, (count, minor))| format!("{} in {count}", money(*minor, code))).collect();
        format!(
            "A day at the market: {} free and {paid} paid orders, {} of them approved by the provider first; {}.",
            self.free,
            self.approved,
            sums.join(", ")
        )
    }
}
