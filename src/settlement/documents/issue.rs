//! Issuing documents: number, document, tax entry and mark in one transaction.

use entity::{
    Timestamp, document,
    ids::{DocumentId, OrderId},
    states::{DocumentKind, DocumentLeg, EntryKind},
};
use time::OffsetDateTime;
use torv_documents::model::Document;
use uuid::Uuid;

use super::{draft::Planned, store};
use crate::{
    base::{Money, digest},
    db::Tx,
    error::{Error, Result},
    ledger::{self, Account, Line, NewEntry},
    settlement::currency,
    state::AppState,
};

/// What documents are issued for; it is marked in the same transaction, so they are issued once.
#[derive(Debug, Clone, Copy)]
pub enum Claim {
    /// A paid order.
    Order(OrderId),
    /// A refund that was paid or a dispute that was lost.
    Reduction {
        source: Uuid,
        order: OrderId,
        /// Documents of the order that the credit notes build on; with others in between they are planned again.
        seen: usize,
    },
    /// A refund that was undone after its credit notes were issued.
    Correction {
        source: Uuid,
        order: OrderId,
        /// As for a reduction.
        seen: usize,
    },
    /// An order that waits to be paid.
    ProForma(OrderId),
}

impl Claim {
    async fn take(self, tx: &Tx, now: OffsetDateTime) -> Result<bool> {
        match self {
            Self::Order(id) => store::claim_order(tx, id, now).await,
            Self::Reduction { source, order, seen } => store::claim_reduction(tx, source, order, seen, now).await,
            Self::Correction { source, order, seen } => store::claim_correction(tx, source, order, seen, now).await,
            Self::ProForma(id) => store::claim_pro_forma(tx, id).await,
        }
    }
}

/// Issues these documents unless somebody has; returns how many.
///
/// Numbers are taken in one order of series, so that two processes wait for each other and never both.
///
/// # Errors
/// Those of the database; internal for a draft that is no document. Then nothing is written, and no number is used.
pub async fn issue(app: &AppState, claim: Claim, mut planned: Vec<Planned>, order: OrderId) -> Result<usize> {
    planned.sort_by_key(|one| (one.seller, one.kind, one.buyer));
    for one in &planned {
        open_tax_accounts(app, one).await?;
    }
    let now = app.clock.now();
    app.db
        .write("settlement.issue_documents", move |tx| {
            let planned = planned.clone();
            async move {
                if !claim.take(&tx, now).await? {
                    return Ok((0, tx));
                }
                let mut entries = Vec::new();
                let count = planned.len();
                for one in planned {
                    let row = numbered(&tx, one, order, now).await?;
                    entries.extend(tax_entry(&row)?);
                    store::insert(&tx, row).await?;
                }
                ledger::post(&tx, entries, now).await?;
                Ok((count, tx))
            }
        })
        .await
}

async fn numbered(tx: &Tx, planned: Planned, order_id: OrderId, now: OffsetDateTime) -> Result<document::Model> {
    let Planned { kind, leg, seller, buyer, provider, source, tax_country, language, mut draft } = planned;
    let year = draft.issue_date.year();
    let series_number = store::take_number(tx, seller, kind, year).await?;
    draft.number = format!("{}-{year}-{series_number:06}", prefix(kind));
    let document = Document::new(draft).map_err(Error::internal)?;
    let body = digest::canonical_json(&document)?;
    let totals = document.totals();
    let payable_minor = totals.gross_minor.checked_add(totals.rounding_minor);
    Ok(document::Model {
        id: DocumentId::at(now),
        kind,
        leg,
        issuer_id: seller,
        year,
        series_number,
        number: document.draft().number.clone(),
        seller_id: seller,
        buyer_id: buyer,
        provider_id: provider,
        order_id,
        source_id: source,
        currency: document.draft().currency.code().to_owned(),
        net_minor: totals.net_minor,
        tax_minor: totals.tax_minor,
        tax_country,
        payable_minor: payable_minor.ok_or_else(|| Error::internal("a sum that does not fit"))?,
        language: language.to_owned(),
        issued_at: Timestamp(now),
        sha256: digest::sha256_hex(body.as_bytes()),
        body,
    })
}

const fn prefix(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Invoice => "INV",
        DocumentKind::CreditNote => "CN",
        DocumentKind::SelfBilledInvoice => "SB",
        DocumentKind::SelfBilledCreditNote => "SBCN",
        DocumentKind::ProForma => "PF",
    }
}

/// The account for the tax inside a share: owed by the operator on its commission, or owed back to it on what a
/// provider charges it. Nothing for the tax of a sale, which the sale itself books.
fn tax_account(kind: DocumentKind, leg: DocumentLeg, country: Option<&str>) -> Option<Account> {
    let country = country.filter(|_| leg == DocumentLeg::Share)?.to_owned();
    match kind {
        DocumentKind::Invoice | DocumentKind::CreditNote => Some(Account::Vat(country)),
        DocumentKind::SelfBilledInvoice | DocumentKind::SelfBilledCreditNote => Some(Account::VatInput(country)),
        DocumentKind::ProForma => None,
    }
}

async fn open_tax_accounts(app: &AppState, planned: &Planned) -> Result<()> {
    let Some(account) = tax_account(planned.kind, planned.leg, planned.tax_country.as_deref()) else { return Ok(()) };
    let currency = currency(planned.draft.currency.code())?;
    ledger::open_accounts(app, &[(account, currency), (Account::CommissionTax, currency)]).await
}

/// What a document books: the tax inside a share, against the commission it was taken from.
///
/// # Errors
/// Internal, for a currency that is not supported any more.
pub fn tax_entry(row: &document::Model) -> Result<Option<NewEntry>> {
    let Some(account) = tax_account(row.kind, row.leg, row.tax_country.as_deref()) else { return Ok(None) };
    if row.tax_minor == 0 {
        return Ok(None);
    }
    let tax = Money::new(row.tax_minor, currency(&row.currency)?);
    // The operator owes more by a commission's invoice and by the credit note of a provider's, else less.
    let owes_more = matches!(row.kind, DocumentKind::Invoice | DocumentKind::SelfBilledCreditNote);
    let lines = if owes_more {
        vec![Line::debit(Account::CommissionTax, tax), Line::credit(account, tax)]
    } else {
        vec![Line::debit(account, tax), Line::credit(Account::CommissionTax, tax)]
    };
    Ok(Some(NewEntry {
        kind: EntryKind::ShareTax,
        source: format!("document:{}:tax", row.id),
        effective_at: row.issued_at.0,
        memo: Some(row.number.clone()),
        lines: lines.into_iter().map(|line| line.of(row.order_id)).collect(),
    }))
}
