//! `stripe-twin`: the twin as a program of its own.

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use stripe_twin::{Clock, DeliveryPlan, Endpoint, Options, SignatureTime, Twin};

/// A stateful local twin of the Stripe endpoints the exchange uses, for tests and demonstrations.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[arg(long, default_value = "127.0.0.1:12111")]
    listen: SocketAddr,
    /// Where events are sent.
    #[arg(long)]
    webhook_url: Option<String>,
    /// Signs what is sent; give it twice while a secret is being rotated.
    #[arg(long, env = "STRIPE_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: Vec<String>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Starts at this instant (Unix seconds) and stands still until advanced; without it the machine's clock counts.
    #[arg(long)]
    start_at: Option<i64>,
    /// Starts this many seconds behind the machine's clock.
    #[arg(long, default_value_t = 0, conflicts_with = "start_at")]
    behind_seconds: i64,
    /// Signs with the machine's clock, also when the twin's clock differs.
    #[arg(long)]
    sign_with_wall_clock: bool,
    /// Where browsers reach the hosted pages, when that is not the listening address.
    #[arg(long)]
    public_url: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let signature_time = if arguments.sign_with_wall_clock { SignatureTime::Wall } else { SignatureTime::Twin };
    let secrets = arguments.webhook_secret;
    let options = Options {
        listen: arguments.listen,
        seed: arguments.seed,
        clock: arguments.start_at.map_or(Clock::Wall, Clock::FixedAt),
        behind_seconds: arguments.behind_seconds,
        endpoints: arguments.webhook_url.into_iter().map(|url| Endpoint { url, secrets: secrets.clone() }).collect(),
        delivery: DeliveryPlan { signature_time, ..DeliveryPlan::default() },
        public_url: arguments.public_url,
        ..Options::default()
    };
    let outcome = match Twin::start(options).await {
        Ok(twin) => {
            say(&format!("stripe-twin listens on {}", twin.url()));
            tokio::signal::ctrl_c().await
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("stripe-twin can't listen: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a program without a log of its own tells the person who started it")]
fn say(line: &str) {
    eprintln!("{line}");
}
