//! The command line.

mod bank;
mod receipt;
mod scrub;

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio_util::sync::CancellationToken;

use crate::{
    base::Clock,
    bootstrap,
    config::{self, Loaded, Secret},
    db, demo,
    error::{Error, Result},
    people::organizations,
    router, serve,
    settlement::{
        self,
        exports::{self, Format},
    },
    telemetry,
};

pub(crate) use receipt::KEYS_BESIDE;

/// An open city data exchange.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where the exchange lives; every command takes these.
#[derive(Debug, Clone, Args)]
struct Place {
    /// Directory of files and of the embedded database.
    #[arg(long, global = true, env = "TORV_DATA_DIR", default_value = "torv-data")]
    data_dir: PathBuf,
    /// Configuration file; without it `torv.toml` in the data directory, if there is one.
    #[arg(long, global = true, env = "TORV_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API until told to stop.
    Serve {
        /// Address to listen on instead of the configured one.
        #[arg(long)]
        listen: Option<String>,
    },
    /// Build a square of 157 listings from real data, walk the whole job over it, and serve on.
    Demo {
        /// Address to listen on instead of the configured one.
        #[arg(long)]
        listen: Option<String>,
        /// Write a JSON hand-over for scripts: addresses, log-ins, and the ids of each step.
        #[arg(long)]
        manifest: Option<PathBuf>,
        /// Stop after the walk.
        #[arg(long)]
        exit: bool,
        /// Folder with `square.json` and its data.
        #[arg(long)]
        square: Option<PathBuf>,
        /// Who takes the payments.
        #[arg(long, value_enum, default_value_t)]
        payments: demo::Processor,
    },
    /// Bring the database to the newest schema.
    Migrate {
        /// Undo this many migrations instead.
        #[arg(long)]
        down: Option<u32>,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Print each setting and where it came from; secrets are masked.
    Config,
    /// Re-check every promise of the books from the rows themselves; exits with 1 on a violation.
    Verify {
        /// Ask the payment processor too whether it holds what the books say.
        #[arg(long)]
        processor: bool,
    },
    /// Re-read everything that is stored and compare it with its digest; exits with 1 on damage.
    Scrub {
        /// Look for files that nothing refers to instead; changes nothing without `--remove`.
        #[arg(long)]
        orphans: bool,
        /// Remove those files.
        #[arg(long, requires = "orphans")]
        remove: bool,
        /// How fast to read, in bytes a second; 0 is as fast as it goes.
        #[arg(long, default_value_t = 0)]
        bytes_per_second: u64,
    },
    /// Write the books for other programs.
    Export {
        #[command(subcommand)]
        what: ExportWhat,
    },
    /// Check what an exchange has signed; needs no exchange of one's own.
    Receipt {
        #[command(subcommand)]
        action: receipt::ReceiptAction,
    },
    /// Bring in bank statements and payout reports, and book their lines.
    Bank {
        #[command(subcommand)]
        action: bank::BankAction,
    },
    /// Make what only the operator of the machine may make.
    Operator {
        #[command(subcommand)]
        action: OperatorAction,
    },
}

#[derive(Debug, Subcommand)]
enum OperatorAction {
    /// Found an organisation that operates the exchange, with its first owner.
    Create {
        /// Mail address to log in with.
        #[arg(long)]
        email: String,
        /// The person's name.
        #[arg(long, default_value = "Operator")]
        name: String,
        /// The organisation's name.
        #[arg(long)]
        organization: String,
        /// File that holds the password; without it, one line is read from the input.
        #[arg(long)]
        password_file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum ExportWhat {
    /// The whole ledger, to the output.
    Ledger {
        /// For which program.
        #[arg(long, value_enum)]
        format: LedgerFormat,
    },
}

/// How an exported ledger is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LedgerFormat {
    /// For hledger.
    Hledger,
    /// For beancount.
    Beancount,
    /// For ledger-cli.
    Ledger,
    /// One line per posting.
    Csv,
    /// Manual journals in the columns that Xero imports.
    Xero,
}

impl From<LedgerFormat> for Format {
    fn from(format: LedgerFormat) -> Self {
        match format {
            LedgerFormat::Hledger => Self::Hledger,
            LedgerFormat::Beancount => Self::Beancount,
            LedgerFormat::Ledger => Self::Ledger,
            LedgerFormat::Csv => Self::Csv,
            LedgerFormat::Xero => Self::Xero,
        }
    }
}

/// Runs a command; failures are told in one line on the error stream.
pub async fn run(cli: Cli) -> ExitCode {
    match dispatch(cli).await {
        Ok(code) => code,
        Err(error) => {
            let cause = error.cause.as_ref().map_or_else(|| error.detail.clone(), ToString::to_string);
            let lines: Vec<_> = cause.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            let _ = writeln!(std::io::stderr(), "torv: {}", lines.join(" "));
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Openapi => print(&openapi_text()?)?,
        Command::Config => print(&config_text(&load(&cli.place)?)?)?,
        Command::Migrate { down } => migrate(&load(&cli.place)?, down).await?,
        Command::Demo { listen, manifest, exit, square, payments } => {
            let loaded = load(&cli.place)?;
            quiet_logs(&loaded)?;
            demo::run(loaded.config, demo::Options { listen, manifest, exit, square, processor: payments }).await?;
        }
        Command::Receipt { action } => return receipt::run(action).await,
        Command::Verify { processor } => return verify(load(&cli.place)?, processor).await,
        Command::Scrub { orphans: true, remove, .. } => scrub::orphans(load(&cli.place)?, remove).await?,
        Command::Scrub { bytes_per_second, .. } => return scrub::scrub(load(&cli.place)?, bytes_per_second).await,
        Command::Export { what: ExportWhat::Ledger { format } } => export(load(&cli.place)?, format).await?,
        Command::Bank { action } => bank::run(load(&cli.place)?, action).await?,
        Command::Operator { action } => create_operator(load(&cli.place)?, action).await?,
        Command::Serve { listen } => serve_until_stopped(load(&cli.place)?, listen).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn load(place: &Place) -> Result<Loaded> {
    config::load(&place.data_dir, place.config.as_deref(), std::env::vars()).map_err(Error::internal)
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).map_err(Error::internal)
}

/// The OpenAPI document as it is committed: pretty JSON with a line feed at the end.
///
/// # Errors
/// Only if it can't be written as JSON.
pub fn openapi_text() -> Result<String> {
    Ok(format!("{}\n", router::openapi().to_pretty_json()?))
}

fn config_text(loaded: &Loaded) -> Result<String> {
    let table = toml::Table::try_from(&loaded.config).map_err(Error::internal)?;
    let value_of = |key: &str| {
        let mut parts = key.split('.');
        let first = parts.next().and_then(|part| table.get(part));
        parts
            .fold(first, |value, part| value.and_then(|value| value.get(part)))
            .map_or_else(String::new, ToString::to_string)
    };
    let lines = loaded.origins.iter().map(|(key, origin)| format!("{key:<42} = {:<34} # {origin}\n", value_of(key)));
    Ok(format!("data_dir = {}\n{}", loaded.config.data_dir.display(), lines.collect::<String>()))
}

async fn migrate(loaded: &Loaded, down: Option<u32>) -> Result<()> {
    create_dir(&loaded.config.data_dir)?;
    db::migrate(&loaded.config.database_url(), down.map_or(db::Steps::UpAll, db::Steps::Down)).await?;
    print("The schema is where you asked for it to be.\n")
}

fn create_dir(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| Error::internal(format!("{}: {error}", path.display())))
}

/// The demo tells its story on the output; its log keeps to what went wrong.
fn quiet_logs(loaded: &Loaded) -> Result<()> {
    let chosen = loaded.origins.get("log.filter").is_some_and(|origin| origin != "default");
    let filter = if chosen { loaded.config.log.filter.clone() } else { "warn".to_owned() };
    telemetry::start_logs(&config::Log { filter, ..loaded.config.log.clone() })
}

async fn verify(loaded: Loaded, processor: bool) -> Result<ExitCode> {
    let built = bootstrap::build(loaded.config, Clock::system()).await?;
    let bar = indicatif::ProgressBar::new_spinner();
    let progress = |what: &str, rows: u64| bar.set_message(format!("{rows} {what}"));
    let report = if processor {
        settlement::verify::verify_with_processor(&built.app, progress).await?
    } else {
        settlement::verify::verify_all(&built.app, progress).await?
    };
    bar.finish_and_clear();
    for violation in report.all_violations() {
        print(&format!("VIOLATION {violation}\n"))?;
    }
    print(&format!("{report}\n"))?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn export(loaded: Loaded, format: LedgerFormat) -> Result<()> {
    let built = bootstrap::build(loaded.config, Clock::system()).await?;
    let bar = indicatif::ProgressBar::new_spinner();
    let mut sink = std::io::BufWriter::new(std::io::stdout());
    exports::export_ledger(&built.app, format.into(), &mut sink, |entries| {
        bar.set_message(format!("{entries} entries"));
    })
    .await?;
    bar.finish_and_clear();
    Ok(())
}

async fn create_operator(loaded: Loaded, action: OperatorAction) -> Result<()> {
    let OperatorAction::Create { email, name, organization, password_file } = action;
    let password = read_password(password_file.as_deref())?;
    let built = bootstrap::build(loaded.config, Clock::system()).await?;
    let made = organizations::create_operator(&built.app, &email, &name, &password, &organization).await;
    let (account, organization) = made.map_err(in_words)?;
    print(&format!("{organization} operates this exchange; {account} logs in as {email}.\n"))
}

/// What is wrong with an input, once, without the pointers that only a JSON body has.
fn in_words(error: Error) -> Error {
    if error.fields.is_empty() {
        return error;
    }
    let fields: Vec<_> = error
        .fields
        .iter()
        .map(|field| format!("{}: {}", field.pointer.trim_start_matches('/').replace('_', " "), field.detail))
        .collect();
    Error::internal(fields.join(" "))
}

fn read_password(file: Option<&Path>) -> Result<Secret> {
    let mut text = String::new();
    match file {
        Some(path) => {
            text = std::fs::read_to_string(path)
                .map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
        }
        None => {
            if std::io::stdin().is_terminal() {
                let _ = write!(std::io::stderr(), "Password: ");
            }
            std::io::stdin().read_line(&mut text).map_err(Error::internal)?;
        }
    }
    Ok(Secret::from(text.trim_end_matches(['\n', '\r'])))
}

async fn serve_until_stopped(loaded: Loaded, listen: Option<String>) -> Result<()> {
    telemetry::start_logs(&loaded.config.log)?;
    let mut config = loaded.config;
    if let Some(listen) = listen {
        config.server.listen = listen;
    }
    let listener = serve::listen(&config.server.listen).await?;
    // Port 0 asks for a free one: links must name the one that was given.
    config.server.listen = listener.local_addr().map_err(Error::internal)?.to_string();
    let built = bootstrap::build(config, Clock::system()).await?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        let _ = serve::stop_signal().await;
        asked.cancel();
    });
    serve::serve(built, listener, stop).await
}
