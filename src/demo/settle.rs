//! Paying out, reconciling and verifying.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    actors::Actors,
    market::Market,
    narrate::{fact, line, money, step},
    walk::{Cast, Walk, expect, text, wait_for},
};
use crate::{error::Result, settlement, state::AppState};

/// Longer than the guarantee window, so that every share is due.
const WEEK_DAYS: i64 = 8;

/// Providers prove to the processor who they are; the sandbox asks for nothing.
pub(super) async fn providers_are_known(cast: &Cast<'_>, actors: &Actors) -> Result<()> {
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

pub(super) async fn payouts_run(app: &AppState, cast: &Cast<'_>, market: &Market, walk: &mut Walk) -> Result<()> {
    step(9, "A week later payouts run, one per currency")?;
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
    for currency in currencies(market) {
        payout_run(cast, currency, walk).await?;
    }
    expect(!walk.payout.is_empty(), "the runs pay the provider")
}

/// Currencies that something was sold in.
pub(super) fn currencies(market: &Market) -> Vec<&str> {
    let mut currencies: Vec<_> = market.paid.keys().map(String::as_str).collect();
    currencies.push("EUR");
    currencies.sort_unstable();
    currencies.dedup();
    currencies
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

pub(super) async fn operator_reconciles(cast: &Cast<'_>, walk: &mut Walk) -> Result<()> {
    step(10, "The operator reconciles orders, processor and payouts")?;
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

pub(super) async fn ledger_verifies(app: &AppState) -> Result<()> {
    step(16, "The books are verified from the rows themselves")?;
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
