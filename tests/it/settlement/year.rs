//! A year of business in six currencies through the real services and the sandbox, and its books as
//! strangers read them.
//!
//! `TORV_FULL_YEAR=1` runs every day of the year with 12 orders; without it every fifth day with 3.

use std::{collections::BTreeMap, process::Command};

use serde_json::{Value, json};
use time::Duration;
use torv::{
    ledger,
    settlement::{exports::Format, verify::verify_all},
};

use super::exports::{accepted_by, export, minor_of};
use crate::support::{ForSale, TestApp, TestOrg, free, on_both, sales::money};

/// Set to 1, nothing is left out.
const FULL_VARIABLE: &str = "TORV_FULL_YEAR";
/// Days of the year.
const DAYS: i64 = 365;

/// Currency and price in minor units; of Stripe's special cases ISK has no minor digits, and TWD two.
const PRICES: [(&str, i64); 6] =
    [("EUR", 10_001), ("DKK", 74_999), ("USD", 12_345), ("JPY", 15_001), ("TWD", 333_333), ("ISK", 14_999)];

/// How much of the year is run.
struct Pace {
    days_between: i64,
    orders_a_day: usize,
}

fn pace() -> Pace {
    let full = std::env::var(FULL_VARIABLE).is_ok_and(|value| value == "1");
    if full { Pace { days_between: 1, orders_a_day: 12 } } else { Pace { days_between: 5, orders_a_day: 3 } }
}

/// One offer in each currency from two providers, and a free one. The second provider bears its fees.
async fn stalls(app: &TestApp, operator: &TestOrg) -> Vec<ForSale> {
    let providers = [app.provider().await, app.provider().await];
    let rule = json!({"operator_bps": 1_750, "organization_id": providers[1].id, "fee_bearer": "provider"});
    app.as_org(operator, "POST", "/api/v1/fee-rules")
        .header("idempotency-key", "rule")
        .json(&rule)
        .send()
        .await
        .expect(201);
    let mut stalls = Vec::new();
    for (at, (code, minor)) in PRICES.into_iter().enumerate() {
        let conditions = json!({"kind": "one_off", "price": {"minor": minor, "currency": code}});
        stalls.push(app.for_sale(&providers[at % 2], &conditions).await);
    }
    stalls.push(app.for_sale(&providers[0], &free()).await);
    stalls
}

async fn a_year(app: &TestApp) -> usize {
    let (operator, pace) = (app.operator().await, pace());
    let stalls = stalls(app, &operator).await;
    let (mut orders, mut day) = (0, 0);
    while day < DAYS {
        // Keys and tokens of a test live a year: a fresh buyer each time has one.
        let buyer = app.buyer().await;
        for _ in 0..pace.orders_a_day {
            let stall = &stalls[orders % stalls.len()];
            app.order(&buyer, stall, &orders.to_string(), Some("pm_card_visa")).await.expect(201);
            orders += 1;
        }
        app.deliver_webhooks(crate::support::Delivery::InOrder).await;
        app.advance(Duration::days(pace.days_between));
        app.run_jobs().await;
        if day % 30 < pace.days_between {
            pay_out(app, &operator, day).await;
        }
        day += pace.days_between;
    }
    orders
}

async fn pay_out(app: &TestApp, operator: &TestOrg, day: i64) {
    for (code, _) in PRICES {
        let body = json!({"currency": code, "minimum_minor": 1, "recipients": "both"});
        let request =
            app.as_org(operator, "POST", "/api/v1/payout-runs").header("idempotency-key", format!("{code}-{day}"));
        request.json(&body).send().await.expect(201);
    }
}

/// Account and currency with the balance in minor units; accounts without one are left out.
type Trial = BTreeMap<(String, String), i64>;

/// The amount with all digits of its currency: ledger's bare quantities leave zeros at the end out.
fn padded(amount: &str, code: &str) -> String {
    let digits = money(1, code).major_text().split_once('.').map_or(0, |(_, digits)| digits.len());
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    assert!(part.len() <= digits, "{amount} {code} has more digits than its currency");
    if digits == 0 { whole.to_owned() } else { format!("{whole}.{part:0<digits$}") }
}

fn entry(trial: &mut Trial, account: &str, code: &str, amount: &str) {
    let minor = minor_of(&padded(amount, code), code);
    if minor != 0 {
        trial.insert((account.trim().to_owned(), code.to_owned()), minor);
    }
}

fn by_hledger(file: &std::path::Path) -> Option<Trial> {
    let said = accepted_by("hledger", &["balance", "--flat", "-N", "--layout=bare", "-O", "csv", "-f"], file)?;
    let mut trial = Trial::new();
    for record in csv::Reader::from_reader(said.as_bytes()).deserialize::<(String, String, String)>() {
        let (account, code, amount) = record.expect("three columns");
        entry(&mut trial, &account, &code, &amount);
    }
    Some(trial)
}

fn by_ledger(file: &std::path::Path) -> Option<Trial> {
    let mut trial = Trial::new();
    for (code, _) in PRICES {
        let only = format!("commodity == '{code}'");
        let format = "%(account)|%(quantity(scrub(display_total)))\n";
        let arguments = ["balance", "--flat", "--no-total", "--limit", &only, "--balance-format", format, "-f"];
        for line in accepted_by("ledger", &arguments, file)?.lines() {
            let (account, amount) = line.split_once('|').expect("two columns");
            entry(&mut trial, account, code, amount);
        }
    }
    Some(trial)
}

/// beancount has no command for it, but the interpreter that runs `bean-check` has its library.
fn by_beancount(file: &std::path::Path) -> Option<Trial> {
    const SCRIPT: &str = "
import sys, collections
from beancount import loader
from beancount.core.data import Transaction
entries, errors, _ = loader.load_file(sys.argv[1])
assert not errors, errors
sums = collections.Counter()
for entry in entries:
    if isinstance(entry, Transaction):
        for posting in entry.postings:
            sums[posting.account, posting.units.currency] += posting.units.number
for (account, currency), number in sums.items():
    print(account, currency, number, sep='|')
";
    let found = Command::new("sh").args(["-c", "command -v bean-check"]).output().expect("a shell");
    let path = String::from_utf8(found.stdout).expect("a path");
    let script = std::fs::read_to_string(path.trim()).ok()?;
    let python = script.lines().next()?.trim_start_matches("#!").trim().to_owned();
    let mut trial = Trial::new();
    for line in accepted_by(&python, &["-c", SCRIPT], file)?.lines() {
        let [account, code, amount] = line.split('|').collect::<Vec<_>>().try_into().expect("three columns");
        entry(&mut trial, account, code, amount);
    }
    Some(trial)
}

/// Our own balances, by currency, without names: the tools' names are made from the codes.
async fn by_us(app: &TestApp) -> Vec<(String, i64)> {
    let rows = ledger::balances(app.app.db.read(), None).await.expect("sums");
    let mut all: Vec<_> = rows.iter().map(|row| (row.balance.currency.to_string(), row.balance.minor)).collect();
    all.retain(|(_, minor)| *minor != 0);
    all.sort();
    all
}

fn nameless(trial: &Trial) -> Vec<(String, i64)> {
    let mut all: Vec<_> = trial.iter().map(|((_, code), minor)| (code.clone(), *minor)).collect();
    all.sort();
    all
}

on_both! {
    async fn strangers_find_the_same_trial_balance_in_a_year_of_six_currencies(app) {
        let orders = a_year(app).await;
        let report = verify_all(&app.app, |_, _| {}).await.expect("reads");
        assert_eq!(report.all_violations().collect::<Vec<_>>(), Vec::<&str>::new());
        assert!(report.fee_shares > 0 && usize::try_from(report.proof_leaves).is_ok_and(|leaves| leaves == orders), "{report}");
        let mut trials: Vec<(&str, Trial)> = Vec::new();
        for (format, name, read) in [
            (Format::Hledger, "year.journal", by_hledger as fn(&std::path::Path) -> Option<Trial>),
            (Format::Ledger, "year.ledger", by_ledger),
            (Format::Beancount, "year.beancount", by_beancount),
        ] {
            let file = app.home.path().join(name);
            std::fs::write(&file, export(app, format).await).expect("writes");
            trials.extend(read(&file).map(|trial| (name, trial)));
        }
        accepted_by("hledger", &["check", "--strict", "ordereddates", "-f"], &app.home.path().join("year.journal"));
        accepted_by("ledger", &["--strict", "--pedantic", "balance", "-f"], &app.home.path().join("year.ledger"));
        accepted_by("bean-check", &[], &app.home.path().join("year.beancount"));
        let ours = by_us(app).await;
        for (name, trial) in &trials {
            assert_eq!(trial, &trials[0].1, "{name} against {}", trials[0].0);
            assert_eq!(nameless(trial), ours, "{name}");
        }
        eprintln!("{orders} orders, {} entries, {} tools agree on {} balances", report.ledger.entries, trials.len(), ours.len());
    }
}

#[test]
fn every_currency_of_the_year_is_in_the_table() {
    for (code, minor) in PRICES {
        let text = money(minor, code).major_text();
        assert_eq!(minor_of(&text, code), minor);
        assert!(serde_json::to_value(text).is_ok_and(|value: Value| value.is_string()));
    }
}
