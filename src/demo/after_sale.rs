//! What happens after a sale: part of the money goes back, and card holders dispute what they paid.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    actors::Actor,
    build::Made,
    client::Reply,
    narrate::{fact, money, step},
    walk::{Cast, Walk, expect, text, wait_for},
};
use crate::error::{Error, Result};

/// What both the sandbox and the twin take for a dispute, won or lost, in minor units.
const DISPUTE_FEE_MINOR: i64 = 1_500;

/// A company asks for a part of its money; the provider agrees.
pub(super) async fn part_goes_back(cast: &Cast<'_>, walk: &Walk) -> Result<()> {
    step(7, "The company asks for a part of its money back, and gets it once")?;
    let (client, buyer, provider) = (cast.client, &cast.buyer.api_key, &cast.provider.api_key);
    let order = client.get(&format!("/api/v1/orders/{}", walk.order), provider).await?;
    let (share, currency) = (order.number("/provider_share/minor")?, order.text("/total/currency")?);
    let minor = order.number("/total/minor")? / 300 * 100;
    let reason = "Three gauges fell silent before the crest.";
    let (path, key) = (format!("/api/v1/orders/{}/refunds", walk.order), format!("walk-{}-refund", walk.order));
    let wish = json!({"amount_minor": minor, "reason": reason});
    let asked = client.post_once(&path, buyer, &key, &wish).await?;
    let again = client.post_once(&path, buyer, &key, &wish).await?;
    let id = asked.text("/id")?;
    expect(again.text("/id")? == id, "the same key finds the same request")?;
    fact("asked", format!("{} by {}: \"{reason}\"", money(minor, &currency), cast.buyer.name))?;
    let (path, note) = (format!("/api/v1/refunds/{id}/approve"), json!({"note": "They did. Sorry."}));
    client.post(&path, provider, &note).await?;
    fact("answered", format!("{} agrees", cast.provider.name))?;
    let twice = client.send(Method::POST, &path, provider, None, Some(&note)).await?;
    expect(twice.status == 409, "what is decided is not decided again")?;
    fact("agreed twice", format!("refused with 409: {}", twice.text("/detail")?))?;
    let shown = format!("/api/v1/refunds/{id}");
    wait_for("the money to go back", || async {
        Ok((client.get(&shown, buyer).await?.text("/state")? == "paid").then_some(()))
    })
    .await?;
    let borne = share - left_of(cast, &walk.order, &currency).await?;
    expect((1..minor).contains(&borne), "both bear a part of the refund")?;
    fact("paid back", money(minor, &currency))?;
    fact(
        "borne by",
        format!(
            "the provider with {} of its share, the operator with {}",
            money(borne, &currency),
            money(minor - borne, &currency)
        ),
    )?;
    credit_notes(cast, walk, minor).await
}

/// One goes to the buyer over the refund, one to the provider over the operator's part of it.
async fn credit_notes(cast: &Cast<'_>, walk: &Walk, minor: i64) -> Result<()> {
    let path = format!("/api/v1/documents?order={}&limit=100", walk.order);
    let notes = wait_for("the credit notes", || async {
        let mut notes = cast.client.get(&path, &cast.operator.api_key).await?.items();
        notes.retain(|document| text(document, "/kind").ends_with("credit_note"));
        Ok((notes.len() > 1).then_some(notes))
    })
    .await?;
    let to_buyer = notes.iter().find(|note| text(note, "/leg") == "sale");
    expect(
        to_buyer.is_some_and(|note| note["payable"]["minor"] == minor),
        "the buyer's credit note is over the refund",
    )?;
    for note in notes.iter().rev() {
        let payable = money(note["payable"]["minor"].as_i64().unwrap_or(0), &text(note, "/payable/currency"));
        let name = |pointer: &str| {
            let parties = [cast.buyer, cast.provider, cast.operator];
            parties.into_iter().find(|actor| actor.organization == text(note, pointer)).map_or("", |actor| &actor.name)
        };
        let (number, from, to) = (text(note, "/number"), name("/seller_id"), name("/buyer_id"));
        fact("credit note", format!("{number} of {from} to {to} over {payable}"))?;
    }
    Ok(())
}

/// Two more companies buy the same and have their banks take the money back. One had downloaded the file.
pub(super) async fn card_holders_dispute(cast: &Cast<'_>, made: &Made, walk: &Walk) -> Result<()> {
    step(8, "Two more companies buy it and dispute the charge: one dispute is won, one is lost")?;
    let [one, other] = cast.others;
    dispute(cast, made, walk, one, true).await?;
    dispute(cast, made, walk, other, false).await?;
    let path = "/api/v1/settlement/economics";
    let costs = wait_for("the bank's fees for disputes", || async {
        let reply = cast.client.get(path, &cast.operator.api_key).await?;
        let mut rows = reply.body["currencies"].as_array().into_iter().flatten();
        let costs = rows.find(|row| row["currency"] == "EUR").and_then(|row| row["dispute_costs_minor"].as_i64());
        Ok(costs.filter(|costs| *costs >= 2 * DISPUTE_FEE_MINOR))
    })
    .await?;
    fact("bank's fees", format!("{} for both, borne by the operator", money(costs, "EUR")))
}

async fn dispute(cast: &Cast<'_>, made: &Made, walk: &Walk, buyer: &Actor, is_won: bool) -> Result<()> {
    let (client, provider) = (cast.client, &cast.provider.api_key);
    let wish = cast.order(walk, cast.world.cards().good, "Price the risk of a flood.");
    let key = format!("walk-{}-{}", made.revision, buyer.organization);
    let bought = client.post_once("/api/v1/orders", &buyer.api_key, &key, &wish).await?;
    expect(bought.text("/state")? == "completed", "the order is completed")?;
    let (order, grant) = (bought.text("/id")?, bought.text("/grant_id")?);
    if is_won {
        let files = client.get(&format!("/api/v1/grants/{grant}/files"), &buyer.api_key).await?.items();
        for file in &files {
            client.download(&text(file, "/url")).await?;
        }
    }
    let at_bank = cast.world.dispute(&bought.body).await?;
    let opened = wait_for("the dispute", || find_dispute(cast, &order, "needs_response")).await?;
    let (total, currency) = (opened.number("/amount/minor")?, opened.text("/amount/currency")?);
    let held = held(cast, &currency).await?;
    fact(
        "disputed",
        format!(
            "{} by {}, \"{}\": {} of the provider's share are held",
            money(total, &currency),
            buyer.name,
            opened.text("/reason")?.replace('_', " "),
            money(held, &currency)
        ),
    )?;
    let id = opened.text("/id")?;
    let words = if is_won { "They downloaded it the same hour." } else { "We have no trace of a download." };
    client.post(&format!("/api/v1/disputes/{id}/evidence"), provider, &json!({"statement": words})).await?;
    let handed_in = client.act(&format!("/api/v1/disputes/{id}/submit"), &cast.operator.api_key).await?;
    expect(handed_in.text("/state")? == "under_review", "the evidence is handed in")?;
    fact("evidence", format!("licence and deliveries from our records, and the provider's words: \"{words}\""))?;
    cast.world.decide(&at_bank, is_won).await?;
    let outcome = if is_won { "won" } else { "lost" };
    wait_for("the bank's decision", || find_dispute(cast, &order, outcome)).await?;
    let seen = client.get(&format!("/api/v1/orders/{order}"), provider).await?;
    let (share, left) = (seen.number("/provider_share/minor")?, left_of(cast, &order, &currency).await?);
    let access = client.get(&format!("/api/v1/grants/{grant}"), &buyer.api_key).await?.text("/state")?;
    if is_won {
        expect(left == share && access == "active", "what was won is the provider's again")?;
        return fact("won", format!("{} are the provider's again", money(left, &currency)));
    }
    expect(left == 0 && access != "active", "what was lost is gone, and the access with it")?;
    let (of_provider, of_operator) = (money(share, &currency), money(total - share, &currency));
    fact(
        "lost",
        format!("the provider bears {of_provider}, the operator {of_operator}; the company's access has {access}"),
    )
}

async fn find_dispute(cast: &Cast<'_>, order: &str, state: &str) -> Result<Option<Reply>> {
    let reply = cast.client.get("/api/v1/disputes?limit=100", &cast.provider.api_key).await?;
    let found = reply.items().into_iter().find(|one| text(one, "/order_id") == order && text(one, "/state") == state);
    Ok(found.map(|body| Reply { status: reply.status, body }))
}

/// What of the provider's shares a dispute holds.
async fn held(cast: &Cast<'_>, currency: &str) -> Result<i64> {
    let reply = cast.client.get("/api/v1/settlement/balance", &cast.provider.api_key).await?;
    let mut rows = reply.body["balances"].as_array().into_iter().flatten();
    let row = rows.find(|row| row["currency"] == currency);
    row.and_then(|row| row["held_minor"].as_i64()).ok_or_else(|| Error::internal("the provider has no balance"))
}

/// What the provider has of an order after all that happened, by its own statement.
async fn left_of(cast: &Cast<'_>, order: &str, currency: &str) -> Result<i64> {
    let statement = cast.client.get("/api/v1/settlement/statements", &cast.provider.api_key).await?;
    let currencies = statement.body["currencies"].as_array().into_iter().flatten();
    let lines =
        currencies.filter(|one| one["currency"] == currency).filter_map(|one| one["lines"].as_array()).flatten();
    Ok(lines.filter(|line| line["order_id"] == order).map(|line| owed(&line["change"])).sum())
}

/// All that is owed, less what the provider owes.
pub(super) fn owed(parts: &Value) -> i64 {
    let part = |name: &str| parts[name].as_i64().unwrap_or(0);
    part("pending_minor") + part("payable_minor") + part("held_minor") - part("debt_minor")
}
