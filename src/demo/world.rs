//! What lies outside of the exchange in a demo: the payment processor, and time.
//!
//! With `--payments stripe` the processor is `stripe-twin`, a program of its own that speaks Stripe's API on this
//! machine. The demo starts it, moves its clock together with the exchange's, and does there what people would do:
//! a provider who fills in Stripe's forms, a bank.

use std::{path::PathBuf, process::Stdio, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::client::{Client, Reply};
use crate::{
    base::{Clock, Money},
    config::Config,
    error::{Error, Result},
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
/// How long the twin may take to start.
const TWIN_START: Duration = Duration::from_secs(20);

/// The outside.
pub(super) struct World {
    clock: Clock,
    twin: Option<Twin>,
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
    /// Starts what the demo needs outside, and tells the configuration where it is.
    pub(super) async fn start(processor: Processor, config: &mut Config, clock: Clock) -> Result<Self> {
        if processor == Processor::Sandbox {
            config.payments.adapter = "sandbox".to_owned();
            return Ok(Self { clock, twin: None });
        }
        let (twin, base) = Twin::start(&config.server.public_url).await?;
        config.payments.adapter = "stripe".to_owned();
        config.payments.stripe.secret_key = "sk_test_demo_of_the_square".into();
        config.payments.stripe.api_base = format!("{base}/");
        config.payments.webhook_secrets = TWIN_WEBHOOK_SECRET.into();
        let problems = config.problems();
        if let Some(problem) = problems.first() {
            return Err(Error::internal(problem.clone()));
        }
        Ok(Self { clock, twin: Some(twin) })
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
        self.clock.advance(time::Duration::days(days));
        if self.twin.is_some() {
            self.tell("clock", &json!({"advance_seconds": days * 86_400})).await?;
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

    async fn tell(&self, command: &str, body: &Value) -> Result<Reply> {
        let twin = self.twin.as_ref().ok_or_else(|| Error::internal("there is no twin to tell"))?;
        let path = format!("/_twin/{command}");
        let reply = twin.control.send(Method::POST, &path, "", None, Some(body)).await?;
        if reply.status == 200 { Ok(reply) } else { Err(Error::internal(format!("{path}: {}", reply.body))) }
    }
}

impl Twin {
    async fn start(public_url: &str) -> Result<(Self, String)> {
        let program = program()?;
        let mut process = Command::new(&program)
            .args(["--listen", "127.0.0.1:0"])
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

/// The twin's program, beside our own or where programs are looked for.
fn program() -> Result<PathBuf> {
    let name = format!("stripe-twin{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(&name)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = beside.into_iter().chain(std::env::split_paths(&path).map(|dir| dir.join(&name)));
    let missing = "stripe-twin is not here: build it with `cargo build -p stripe-twin`, then run the demo again";
    candidates.into_iter().find(|file| file.is_file()).ok_or_else(|| Error::internal(missing))
}
