//! `torv receipt verify`: checks a receipt, or a trial report, without an account, and with a pinned file of keys without a network.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde_json::Value;
use torv_receipt::{
    Hash, TreeHead, TrialReport, TrustedKeys, Verified, Why, is_trial_report, merkle, verify, verify_trial_report,
};

use super::print;
use crate::{
    base::{Currency, Money},
    error::{Error, Result},
    settlement::proof::{ConsistencyView, TreeHeadView},
};

/// Where keys are looked for when none are named: beside the receipt.
pub(crate) const KEYS_BESIDE: &str = "torv-keys.json";
/// Largest file or answer that is read.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest wait for an exchange's answer.
const ANSWER_SECONDS_MAX: u64 = 30;
/// The receipt does not hold.
const REFUSED: u8 = 1;
/// It could not be found out whether it holds.
const UNDECIDED: u8 = 2;

/// What to do with a receipt.
#[derive(Debug, Subcommand)]
pub(super) enum ReceiptAction {
    /// Check a receipt; exits with 0 when it holds, 1 when it does not, 2 when that could not be found out.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The file that `GET /api/v1/orders/ID/proof` or `GET /api/v1/trial-reports/ID` answered.
    file: PathBuf,
    /// File of the keys to trust, as `GET /api/v1/transparency/keys` answered: nothing else is asked. Without it and
    /// without `--url`, `torv-keys.json` beside the receipt: keep one there that you fetched yourself.
    #[arg(long, conflicts_with = "url")]
    keys: Option<PathBuf>,
    /// Take the keys of the exchange at this address, and check that its newest tree begins with the receipt's.
    #[arg(long)]
    url: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// Only when the output can't be written; all else is an exit code.
pub(super) async fn run(action: ReceiptAction) -> Result<ExitCode> {
    let ReceiptAction::Verify(args) = action;
    Ok(match check(&args).await {
        Ok(Ok(text)) => {
            print(&text)?;
            ExitCode::SUCCESS
        }
        Ok(Err(why)) => {
            print(&format!("{why}.\n"))?;
            ExitCode::from(REFUSED)
        }
        Err(error) => {
            let cause = error.cause.as_ref().map_or_else(|| error.detail.clone(), ToString::to_string);
            let _ = writeln!(std::io::stderr(), "torv: the receipt was not checked: {cause}");
            ExitCode::from(UNDECIDED)
        }
    })
}

/// What is to be told; the inner error is the verdict, the outer one means that there is none.
async fn check(args: &VerifyArgs) -> Result<std::result::Result<String, String>> {
    let receipt = read_file(&args.file)?;
    let beside = args.file.with_file_name(KEYS_BESIDE);
    let (keys, trusted) = match (&args.keys, &args.url) {
        (Some(file), _) => (read_file(file)?, file.display().to_string()),
        (None, Some(url)) => (fetch(url, "/transparency/keys").await?, url.clone()),
        (None, None) if beside.is_file() => (read_file(&beside)?, beside.display().to_string()),
        (None, None) => {
            return Err(Error::internal(format!(
                "name the keys to trust, --keys FILE or --url URL, or keep them as {KEYS_BESIDE} beside the receipt"
            )));
        }
    };
    let keys = TrustedKeys::from_json(&keys).map_err(Error::internal)?;
    let refused = |why: Why| match why {
        Why::UnknownKey(_) if args.url.is_none() => {
            format!("{why} by the file of keys; if the exchange has a new key, fetch the file again")
        }
        Why::BadSignature if is_trial_report(&receipt) => "the signature does not hold for this report".to_owned(),
        _ => why.to_string(),
    };
    if is_trial_report(&receipt) {
        let verified = verify_trial_report(&receipt, &keys).map_err(refused);
        let text = verified.map(|file| format!("{}keys       as in {trusted}\n", describe_trial(&file)));
        return Ok(text.map_err(|why| format!("The report does NOT hold: {why}")));
    }
    let no = |why: String| Ok(Err(format!("The receipt does NOT hold: {why}")));
    let verified = match verify(&receipt, &keys) {
        Ok(verified) => verified,
        Err(why) => return no(refused(why)),
    };
    let mut text = describe(&verified)?;
    let _ = writeln!(text, "keys       as in {trusted}");
    if let Some(url) = &args.url {
        match still_there(url, &verified, &keys).await? {
            Ok(head) => {
                let _ = writeln!(text, "newest     the tree of {} leaves at {url} begins with it", head.size);
            }
            Err(why) => return no(why),
        }
    }
    Ok(Ok(text))
}

/// Checks that the newest published tree begins with the one the receipt is in.
async fn still_there(
    url: &str,
    verified: &Verified,
    keys: &TrustedKeys,
) -> Result<std::result::Result<TreeHead, String>> {
    let newest: TreeHeadView = fetch_json(url, "/transparency/tree-heads/latest").await?;
    let (head, signature) = newest.parse()?;
    if !keys.have_signed(&head, &signature) {
        return Ok(Err("the newest tree head is not signed with a published key".to_owned()));
    }
    let (from, to) = (verified.tree_head.size, head.size);
    if to < from {
        return Ok(Err("the newest tree is smaller than the one of the receipt: leaves were dropped".to_owned()));
    }
    let answer: ConsistencyView = fetch_json(url, &format!("/transparency/consistency?from={from}&to={to}")).await?;
    let proof = answer.proof.iter().map(|text| text.parse()).collect::<std::result::Result<Vec<Hash>, _>>();
    let proof = proof.map_err(Error::internal)?;
    if merkle::verify_consistency(from, to, verified.tree_head.root, head.root, &proof) {
        return Ok(Ok(head));
    }
    Ok(Err("the newest tree does not begin with the one of the receipt: history was changed".to_owned()))
}

/// What a trial report says, one line for each question.
fn describe_trial(file: &TrialReport) -> String {
    let said = &file.report;
    let of = |pointer: &str| match said.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let mut text = String::from("The report holds.\n");
    let table = format!("{} of {}, revision {}", of("/file"), of("/listing"), of("/revision"));
    let asked = format!("{} by {}", of("/asked_at"), of("/asked_by"));
    let privacy = format!(
        "epsilon {}/1000 a question, {}/1000 a buyer's budget of {} days; groups of {} rows or more",
        of("/protection/epsilon_milli"),
        of("/protection/buyer_epsilon_milli"),
        of("/protection/window_days"),
        of("/protection/min_group_size"),
    );
    for (name, value) in [("report", of("/id")), ("table", table), ("asked", asked), ("privacy", privacy)] {
        let _ = writeln!(text, "{name:<10} {value}");
    }
    for one in said.get("questions").and_then(Value::as_array).into_iter().flatten() {
        let _ = writeln!(text, "question   {}", one["question"]);
        let _ = writeln!(text, "answer     {}", one["answer"]);
    }
    let _ = writeln!(text, "signed     with the key {}", file.key_id);
    text
}

fn describe(verified: &Verified) -> Result<String> {
    let said = &verified.statement;
    let currency: Currency = said.currency.parse().map_err(Error::internal)?;
    let money = |minor| Money::new(minor, currency).to_string();
    let head = &verified.tree_head;
    let rows = [
        ("event", format!("{} at {}", said.kind.as_str(), said.closed_at)),
        ("order", said.order.clone()),
        ("buyer", said.buyer.clone()),
        ("total", money(said.total_minor)),
        ("providers", money(said.providers_minor)),
        ("operator", money(said.operator_minor)),
        ("tax", money(said.tax_minor)),
    ];
    let mut text = String::from("The receipt holds.\n");
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<10} {value}");
    }
    for line in said.open_lines() {
        let _ = writeln!(text, "line       {} of {} under licence {}", line.listing, line.provider, line.licence_hash);
    }
    let hidden = said.lines.len() - said.open_lines().count();
    if hidden > 0 {
        let _ = writeln!(text, "hidden     {hidden} of the lines: they are other providers'");
    }
    let _ = writeln!(text, "leaf       {} of the tree of {} leaves", verified.index, head.size);
    let _ = writeln!(text, "signed     {} with the key {}", head.signed_at, head.key_id);
    Ok(text)
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |error: std::io::Error| Error::internal(format!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > BYTES_MAX {
        return Err(Error::internal(format!("{}: more than {BYTES_MAX} bytes", path.display())));
    }
    Ok(bytes)
}

async fn fetch_json<T: DeserializeOwned>(url: &str, path: &str) -> Result<T> {
    let bytes = fetch(url, path).await?;
    serde_json::from_slice(&bytes).map_err(|error| Error::internal(format!("{url}{path}: {error}")))
}

async fn fetch(url: &str, path: &str) -> Result<Vec<u8>> {
    let address = format!("{}/api/v1{path}", url.trim_end_matches('/'));
    let failed = |error: reqwest::Error| Error::internal(format!("{address}: {error}"));
    let client = reqwest::Client::builder().timeout(Duration::from_secs(ANSWER_SECONDS_MAX)).build().map_err(failed)?;
    let mut answer = client.get(&address).send().await.map_err(failed)?.error_for_status().map_err(failed)?;
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > BYTES_MAX {
            return Err(Error::internal(format!("{address}: more than {BYTES_MAX} bytes")));
        }
    }
    Ok(bytes)
}
