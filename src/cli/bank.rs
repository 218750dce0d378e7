//! `torv bank`: statements and payout reports of any size, from files on this machine.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::{in_words, print};
use crate::{
    base::{Clock, digest},
    bootstrap,
    config::Loaded,
    error::{Error, Result},
    settlement::bank::{
        accounts::CsvLayout,
        imports::{self, FormatName, Progress, Request},
        matching,
    },
};

/// Bytes hashed in one go.
const HASH_BYTES: usize = 1 << 18;

/// What to do with bank files.
#[derive(Debug, Subcommand)]
pub(super) enum BankAction {
    /// Bring in a file, whole or not at all; bringing it in again changes nothing.
    Import {
        /// The statement or report.
        file: PathBuf,
        /// Short name of the account of a table; other formats name it themselves.
        #[arg(long)]
        account: Option<String>,
        /// A built-in layout of tables, instead of the account's own.
        #[arg(long, value_enum)]
        profile: Option<CsvLayout>,
        /// How it is written; without it, its first bytes tell.
        #[arg(long, value_enum)]
        format: Option<FormatName>,
    },
    /// Book lines that were brought in; a running server does it by itself.
    Book,
}

pub(super) async fn run(loaded: Loaded, action: BankAction) -> Result<()> {
    let built = bootstrap::build(loaded.config, Clock::system()).await?;
    match action {
        BankAction::Import { file, account, profile, format } => {
            let (size_bytes, sha256) = hashed(&file)?;
            let request = Request { path: file, size_bytes, sha256, format, account, layout: profile };
            let bar = ProgressBar::new(size_bytes);
            let tell = progress(&bar);
            let row = imports::import_file(&built.app, None, request, tell).await.map_err(in_words)?;
            bar.finish_and_clear();
            let (read, new, known) = (row.lines_read, row.lines_new, row.lines_known);
            let pending = row.lines_pending;
            print(&format!(
                "{}: {read} lines read, {new} new, {known} known, {pending} announced only and left out.\n",
                row.id
            ))
        }
        BankAction::Book => {
            let bar = ProgressBar::new_spinner();
            let mut lines = 0;
            loop {
                let done = matching::book_lines(&built.app).await?;
                if done == 0 {
                    break;
                }
                lines += done;
                bar.set_message(format!("{lines} lines looked at"));
            }
            bar.finish_and_clear();
            print(&format!("{lines} lines looked at.\n"))
        }
    }
}

/// Size and SHA-256 of a file.
fn hashed(path: &Path) -> Result<(u64, String)> {
    let named = |error: std::io::Error| Error::internal(format!("{}: {error}", path.display()));
    let mut file = std::fs::File::open(path).map_err(named)?;
    let (mut hash, mut size_bytes) = (digest::Sha256::new(), 0_u64);
    let mut buffer = vec![0; HASH_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(named)?;
        if read == 0 {
            return Ok((size_bytes, hash.finish_hex()));
        }
        hash.update(&buffer[..read]);
        size_bytes += read as u64;
    }
}

fn progress(bar: &ProgressBar) -> imports::Tell {
    let bar = bar.clone();
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent} % {elapsed} ({eta} left)") {
        bar.set_style(style);
    }
    Arc::new(move |step| match step {
        Progress::Checking(bytes) => {
            bar.set_message("checking");
            bar.set_position(bytes);
        }
        Progress::Writing(rows, of) => {
            bar.set_message("writing");
            bar.set_length(of);
            bar.set_position(rows);
        }
    })
}
