//! The `torv` command.

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    torv::cli::run(torv::cli::Cli::parse()).await
}
