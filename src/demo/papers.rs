//! Papers and proof that are kept as files: invoice, statement, receipt, books.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::Value;
use torv_receipt::{TrustedKeys, verify};

use super::{
    after_sale::owed,
    narrate::{fact, money, size, step},
    walk::{Cast, Walk, expect, text, wait_for},
};
use crate::error::{Error, Result};

/// The folder in the demo's own.
const FOLDER: &str = "papers";
/// The ledger's formats, and what the file is called.
const BOOKS: [(&str, &str); 4] =
    [("hledger", "books.journal"), ("beancount", "books.beancount"), ("ledger", "books.ledger"), ("csv", "books.csv")];

/// The files of the walk, as the manifest hands them over.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Papers {
    /// The receipt of the walk's order.
    pub receipt: PathBuf,
    /// The newest signed head of the public tree.
    pub tree_head: PathBuf,
    /// The exchange's public keys: beside the receipt, where `torv receipt verify` looks for them.
    pub proof_keys: PathBuf,
    /// The buyer's invoice for people.
    pub invoice_pdf: PathBuf,
    /// The buyer's invoice for programs.
    pub invoice_ubl: PathBuf,
    /// The provider's statement for programs.
    pub statement: PathBuf,
    /// The provider's statement for people.
    pub statement_pdf: PathBuf,
    /// The bank's statement that was brought in.
    pub bank_statement: PathBuf,
    /// The whole ledger, by format.
    pub books: BTreeMap<&'static str, PathBuf>,
}

/// Makes the folder for files.
pub(super) fn folder(data_dir: &Path) -> Result<PathBuf> {
    let folder = data_dir.join(FOLDER);
    let named = |error: std::io::Error| Error::internal(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(&folder).map_err(named)?;
    folder.canonicalize().map_err(named)
}

/// Stores a file.
pub(super) fn store(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
    Ok(path)
}

/// Fetches every paper of the walk, and checks the receipt as somebody would who trusts nobody.
pub(super) async fn written(cast: &Cast<'_>, walk: &mut Walk) -> Result<()> {
    step(12, "What is kept: invoice, statement, receipt and books")?;
    invoice(cast, walk).await?;
    statement(cast, walk).await?;
    receipt(cast, walk).await?;
    for (format, name) in BOOKS {
        let path = format!("/api/v1/settlement/ledger-export?format={format}");
        let bytes = cast.client.get_bytes(&path, &cast.operator.api_key).await?;
        walk.papers.books.insert(format, store(cast.folder, name, &bytes)?);
    }
    fact("books", format!("the whole ledger for {}", BOOKS.map(|(format, _)| format).join(", ")))?;
    fact("folder", cast.folder.display())
}

async fn invoice(cast: &Cast<'_>, walk: &mut Walk) -> Result<()> {
    let (client, buyer) = (cast.client, &cast.buyer.api_key);
    let documents = client.get(&format!("/api/v1/documents?order={}&kind=invoice", walk.order), buyer).await?.items();
    let invoice = documents.first().ok_or_else(|| Error::internal("the buyer has no invoice"))?;
    let id = text(invoice, "/id");
    let pdf = client.get_bytes(&format!("/api/v1/documents/{id}/pdf"), buyer).await?;
    let ubl = client.get_bytes(&format!("/api/v1/documents/{id}/ubl"), buyer).await?;
    walk.papers.invoice_pdf = store(cast.folder, "invoice.pdf", &pdf)?;
    walk.papers.invoice_ubl = store(cast.folder, "invoice.ubl.xml", &ubl)?;
    let payable = money(invoice["payable"]["minor"].as_i64().unwrap_or(0), &text(invoice, "/payable/currency"));
    let pdf = size(u64::try_from(pdf.len()).unwrap_or(u64::MAX));
    fact("invoice", format!("{} over {payable}: PDF of {pdf}, and UBL for programs", text(invoice, "/number")))
}

async fn statement(cast: &Cast<'_>, walk: &mut Walk) -> Result<()> {
    let path = "/api/v1/settlement/statements";
    let bytes = cast.client.get_bytes(path, &cast.provider.api_key).await?;
    walk.papers.statement = store(cast.folder, "statement.json", &bytes)?;
    let letter = cast.client.get_bytes(&format!("{path}?format=pdf&currency=EUR"), &cast.provider.api_key).await?;
    walk.papers.statement_pdf = store(cast.folder, "statement.pdf", &letter)?;
    let statement: Value = serde_json::from_slice(&bytes)?;
    for one in statement["currencies"].as_array().into_iter().flatten() {
        let changes: i64 = one["lines"].as_array().into_iter().flatten().map(|line| owed(&line["change"])).sum();
        let closing = owed(&one["closing"]);
        expect(owed(&one["opening"]) + changes == closing, "the statement adds up again")?;
        let code = text(one, "/currency");
        let sum = |name: &str| money(one[name].as_i64().unwrap_or(0), &code);
        let (earned, paid, closing) = (sum("provider_minor"), sum("payouts_minor"), money(closing, &code));
        fact("statement", format!("{}: sold for {earned}, paid out {paid}, still owed {closing}", cast.provider.name))?;
    }
    Ok(())
}

/// Fetches receipt, head and keys, and checks the receipt as `torv receipt verify` does.
async fn receipt(cast: &Cast<'_>, walk: &mut Walk) -> Result<()> {
    let path = format!("/api/v1/orders/{}/proof", walk.order);
    let receipt = wait_for("a signed tree head over the sale", || async {
        Ok(cast.client.get_bytes(&path, &cast.buyer.api_key).await.ok())
    })
    .await?;
    let head = cast.client.get_bytes("/api/v1/transparency/tree-heads/latest", "").await?;
    let keys = cast.client.get_bytes("/api/v1/transparency/keys", "").await?;
    walk.papers.receipt = store(cast.folder, "receipt.json", &receipt)?;
    walk.papers.tree_head = store(cast.folder, "tree-head.json", &head)?;
    walk.papers.proof_keys = store(cast.folder, crate::cli::KEYS_BESIDE, &keys)?;
    let keys = TrustedKeys::from_json(&keys).map_err(Error::internal)?;
    let verified = verify(&receipt, &keys).map_err(Error::internal)?;
    let (split, head) = (&verified.statement, &verified.tree_head);
    let sum = |minor| money(minor, &split.currency);
    fact(
        "receipt",
        format!(
            "{} = {} + {}, leaf {} of {} under the head signed on {}: it holds, checked without the exchange",
            sum(split.total_minor),
            sum(split.providers_minor),
            sum(split.operator_minor),
            verified.index,
            head.size,
            head.day
        ),
    )?;
    let mut forged = receipt;
    let middle = forged.len() / 2;
    if let Some(byte) = forged.get_mut(middle) {
        *byte ^= 1;
    }
    let refused = verify(&forged, &keys).is_err();
    expect(refused, "a receipt with a changed byte does not hold")?;
    fact("", "with one bit of it changed, it does not hold")
}
