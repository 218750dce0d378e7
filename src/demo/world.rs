//! What lies outside of the exchange in a demo: the payment processor, and time.
//!
//! With `--payments stripe` the processor is `stripe-twin`, a program of its own that speaks Stripe's API on this
//! machine. The demo starts it, moves its clock together with the exchange's, and does there what people would do:
//! a provider who fills in Stripe's forms, a bank.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use time::{Date, OffsetDateTime, Time};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::client::{Client, Reply};
use crate::{
    base::{Clock, Currency, Money},
    bootstrap::SandboxHandle,
    config::Config,
    error::{Error, Result},
    ports::payments::{Payments as _, TransactionKind},
    settlement::bank::days::add_bank_days,
};

/// Which processor the demo pays with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Processor {
    /// The one that is built in.
    #[default]
    Sandbox,
    /// Stripe's API, answered by `stripe-twin` on this machine. Needs a build with `--features stripe`.
    Stripe,
}

/// Signs what the twin sends; it protects nothing, for both ends are the demo's.
const TWIN_WEBHOOK_SECRET: &str = "whsec_demo_of_the_square";
/// What the card holders of the walk say.
const DISPUTE_REASON: &str = "product_not_received";
/// How long the twin may take to start.
const TWIN_START: Duration = Duration::from_secs(60);

/// The walk begins on this day of the month before: early enough that all of it happens within that month.
const FIRST_DAY: u8 = 2;
/// A month that ended this many days ago is over for banks, too.
const DAYS_AFTER_MONTH: i64 = 3;
const SECONDS_PER_DAY: i64 = 86_400;
/// Lines of the sandbox that are read in one go.
const LINES_MAX: u32 = 5_000;

/// The outside.
pub(super) struct World {
    clock: Clock,
    /// Seconds by which the demo's clock is behind the machine's.
    behind_seconds: AtomicI64,
    sandbox: Option<SandboxHandle>,
    twin: Option<Twin>,
}

/// What the processor says that it sent to the operator's bank.
#[derive(Debug, Clone)]
pub(super) struct SentToBank {
    pub amount: Money,
    /// What the bank shows with it.
    pub reference: String,
    /// The day on which the bank has it.
    pub arrives_on: Date,
}

/// A running twin; it ends with the demo.
struct Twin {
    control: Client,
    _process: Child,
}

/// The cards of the walk, as the processor at hand names them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cards {
    pub good: &'static str,
    pub declined: &'static str,
}

impl World {
    /// Starts what the demo needs outside, and tells the configuration where it is. The clock goes back to the
    /// beginning of the month before, so that the demo can let weeks pass and end in the present.
    pub(super) async fn start(processor: Processor, config: &mut Config, clock: Clock) -> Result<Self> {
        let behind = (clock.now() - beginning(clock.now())?).whole_seconds();
        clock.advance(time::Duration::seconds(-behind));
        if processor == Processor::Sandbox {
            config.payments.adapter = "sandbox".to_owned();
            return Ok(Self { clock, behind_seconds: behind.into(), sandbox: None, twin: None });
        }
        let (twin, base) = Twin::start(&config.server.public_url, behind).await?;
        config.payments.adapter = "stripe".to_owned();
        config.payments.stripe.secret_key = "sk_test_demo_of_the_square".into();
        config.payments.stripe.api_base = format!("{base}/");
        config.payments.webhook_secrets = TWIN_WEBHOOK_SECRET.into();
        let problems = config.problems();
        if let Some(problem) = problems.first() {
            return Err(Error::internal(problem.clone()));
        }
        Ok(Self { clock, behind_seconds: behind.into(), sandbox: None, twin: Some(twin) })
    }

    /// Gets to know the sandbox, where that is the processor.
    pub(super) fn meet(&mut self, sandbox: Option<SandboxHandle>) {
        self.sandbox = sandbox;
    }

    /// The present day of the demo.
    pub(super) fn today(&self) -> Date {
        self.clock.now().date()
    }

    /// True when Stripe's twin is the processor.
    pub(super) fn is_stripe(&self) -> bool {
        self.twin.is_some()
    }

    pub(super) fn cards(&self) -> Cards {
        if self.is_stripe() {
            let declined = "pm_card_visa_chargeDeclined";
            return Cards { good: "pm_card_visa", declined };
        }
        Cards { good: "pm_card_visa", declined: "pm_card_declined" }
    }

    /// Lets days pass, here and at the processor.
    pub(super) async fn pass_days(&self, days: i64) -> Result<()> {
        self.pass(days * SECONDS_PER_DAY).await
    }

    /// Lets the rest of the month pass, and the first days of the next one.
    pub(super) async fn pass_month_end(&self) -> Result<()> {
        let today = self.today();
        let left = today.month().length(today.year()).saturating_sub(today.day());
        self.pass_days(i64::from(left) + DAYS_AFTER_MONTH).await
    }

    /// Lets the time pass that is left until the present.
    pub(super) async fn return_to_present(&self) -> Result<()> {
        self.pass(self.behind_seconds.load(Ordering::SeqCst)).await
    }

    async fn pass(&self, seconds: i64) -> Result<()> {
        self.clock.advance(time::Duration::seconds(seconds));
        self.behind_seconds.fetch_sub(seconds, Ordering::SeqCst);
        if self.twin.is_some() {
            self.tell("clock", &json!({"advance_seconds": seconds})).await?;
        }
        Ok(())
    }

    /// True when the processor keeps back what is owed to others: before that no night may pass, for it would send
    /// everything to the operator's bank. The sandbox sends nothing by itself.
    pub(super) async fn keeps_back(&self, owed: &[Money]) -> Result<bool> {
        if self.twin.is_none() {
            return Ok(true);
        }
        let dump = self.tell("dump", &json!({})).await?;
        let minimum = &dump.body["balance_settings"]["payments"]["payouts"]["minimum_balance_by_currency"];
        let kept = |owed: &Money| minimum[owed.currency.code().to_lowercase()].as_i64();
        Ok(owed.iter().all(|owed| kept(owed).is_some_and(|minor| minor >= owed.minor)))
    }

    /// Fills in Stripe's forms for a provider; the sandbox asks for nothing.
    pub(super) async fn finish_onboarding(&self, account: &str) -> Result<()> {
        if self.twin.is_some() {
            self.tell(&format!("accounts/{account}/standing"), &json!({"standing": "complete"})).await?;
        }
        Ok(())
    }

    /// Lets the card holder of an order's charge dispute it; returns the processor's name for the dispute.
    pub(super) async fn dispute(&self, order: &Value) -> Result<String> {
        let word = |pointer: &str| order.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(sandbox) = &self.sandbox else {
            let charge = self.twins_charge(&word("/id")).await?;
            let opened = self.tell(&format!("charges/{charge}/dispute"), &json!({"reason": DISPUTE_REASON})).await?;
            return opened.text("/id");
        };
        let payments = order["payments"].as_array().into_iter().flatten();
        let paid =
            payments.filter(|payment| payment["state"] == "succeeded").filter_map(|one| one["id"].as_str()).next_back();
        let lines = sandbox.transactions(OffsetDateTime::UNIX_EPOCH, None, LINES_MAX).await.map_err(Error::internal)?;
        let mut charges = lines.transactions.into_iter().filter(|line| line.kind == TransactionKind::Charge);
        let charge = charges.find(|line| line.our_ref.is_some() && line.our_ref.as_deref() == paid);
        let charge = charge.ok_or_else(|| Error::internal(format!("no charge of {}", word("/id"))))?;
        sandbox.dispute(&charge.source_ref, charge.amount, false).await
    }

    /// The twin's charge of an order.
    async fn twins_charge(&self, order: &str) -> Result<String> {
        let dump = self.tell("dump", &json!({})).await?;
        let charges = dump.body["objects"]["charge"].as_array().cloned().unwrap_or_default();
        let charge = charges.iter().find(|one| one["transfer_group"] == order && one["captured"] == true);
        let id = charge.and_then(|charge| charge["id"].as_str()).map(ToOwned::to_owned);
        id.ok_or_else(|| Error::internal(format!("no charge of {order}")))
    }

    /// Lets the card holder's bank decide a dispute.
    pub(super) async fn decide(&self, dispute: &str, is_won: bool) -> Result<()> {
        if let Some(sandbox) = &self.sandbox {
            return sandbox.decide_dispute(dispute, is_won).await;
        }
        self.tell(&format!("disputes/{dispute}/resolve"), &json!({"won": is_won})).await.map(|_| ())
    }

    /// Everything the processor sent to the operator's bank, in its own words: what a bank would know.
    pub(super) async fn sent_to_bank(&self) -> Result<Vec<SentToBank>> {
        if let Some(sandbox) = &self.sandbox {
            let since = OffsetDateTime::UNIX_EPOCH;
            let lines = sandbox.transactions(since, None, LINES_MAX).await.map_err(Error::internal)?.transactions;
            let sent = lines.into_iter().filter(|line| line.kind == TransactionKind::Payout).map(|line| {
                let arrives_on = add_bank_days(line.created_at.date(), 1);
                Ok(SentToBank { amount: line.amount.checked_neg()?, reference: line.source_ref, arrives_on })
            });
            return sent.collect();
        }
        let dump = self.tell("dump", &json!({})).await?;
        let payouts = dump.body["objects"]["payout"].as_array().cloned().unwrap_or_default();
        payouts.iter().filter(|one| one["status"] == "paid").map(arrived).collect()
    }

    async fn tell(&self, command: &str, body: &Value) -> Result<Reply> {
        let twin = self.twin.as_ref().ok_or_else(|| Error::internal("there is no twin to tell"))?;
        let path = format!("/_twin/{command}");
        let reply = twin.control.send(Method::POST, &path, "", None, Some(body)).await?;
        if reply.status == 200 { Ok(reply) } else { Err(Error::internal(format!("{path}: {}", reply.body))) }
    }
}

impl Twin {
    async fn start(public_url: &str, behind_seconds: i64) -> Result<(Self, String)> {
        let program = program()?;
        let mut process = Command::new(&program)
            .args(["--listen", "127.0.0.1:0"])
            .args(["--behind-seconds", &behind_seconds.to_string()])
            .args(["--webhook-url", &format!("{public_url}/api/v1/webhooks/stripe")])
            .env("STRIPE_WEBHOOK_SECRET", TWIN_WEBHOOK_SECRET)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Error::internal(format!("{}: {error}", program.display())))?;
        let silent = || Error::internal("stripe-twin did not start");
        let mut lines = BufReader::new(process.stderr.take().ok_or_else(silent)?).lines();
        let said = tokio::time::timeout(TWIN_START, lines.next_line()).await.map_err(|_| silent())?;
        let said = said.map_err(Error::internal)?.ok_or_else(silent)?;
        let base = said.rsplit(' ').next().filter(|word| word.starts_with("http://")).ok_or_else(silent)?.to_owned();
        Ok((Self { control: Client::new(&base)?, _process: process }, base))
    }
}

/// A payout of the twin's as the bank has it.
fn arrived(payout: &Value) -> Result<SentToBank> {
    let unreadable = || Error::internal(format!("the twin's payout can't be read: {payout}"));
    let code = payout["currency"].as_str().ok_or_else(unreadable)?.to_uppercase();
    let currency: Currency = code.parse().map_err(|_| unreadable())?;
    let minor = payout["amount"].as_i64().ok_or_else(unreadable)?;
    let reference = payout["trace_id"]["value"].as_str().ok_or_else(unreadable)?.to_owned();
    let arrives = payout["arrival_date"].as_i64().ok_or_else(unreadable)?;
    let arrives_on = OffsetDateTime::from_unix_timestamp(arrives).map_err(Error::internal)?.date();
    Ok(SentToBank { amount: Money::new(minor, currency), reference, arrives_on })
}

/// The morning on which the walk begins: in the month before, or before that one in the first days of a month.
fn beginning(now: OffsetDateTime) -> Result<OffsetDateTime> {
    let in_last_month =
        (now - time::Duration::days(DAYS_AFTER_MONTH)).date().replace_day(1).map_err(Error::internal)?;
    let month_before = in_last_month.previous_day().ok_or_else(|| Error::internal("there was no month before"))?;
    let day = month_before.replace_day(FIRST_DAY).map_err(Error::internal)?;
    let morning = Time::from_hms(9, 0, 0).map_err(Error::internal)?;
    Ok(day.with_time(morning).assume_utc())
}

/// The twin's program, beside our own or where programs are looked for.
fn program() -> Result<PathBuf> {
    let name = format!("stripe-twin{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(&name)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = beside.into_iter().chain(std::env::split_paths(&path).map(|dir| dir.join(&name)));
    let missing = "stripe-twin is not here: build it with `cargo build -p stripe-twin`, then run the demo again";
    candidates.into_iter().find(|file| file.is_file()).ok_or_else(|| Error::internal(missing))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_walk_begins_in_a_month_that_is_over_for_banks() {
        for (now, ought) in [
            (datetime!(2026-11-21 17:00 UTC), datetime!(2026-10-02 9:00 UTC)),
            (datetime!(2026-11-04 0:00 UTC), datetime!(2026-10-02 9:00 UTC)),
            (datetime!(2026-11-03 23:59 UTC), datetime!(2026-09-02 9:00 UTC)),
            (datetime!(2027-01-31 12:00 UTC), datetime!(2026-12-02 9:00 UTC)),
        ] {
            assert_eq!(beginning(now).expect("a day"), ought, "{now}");
        }
    }
}
