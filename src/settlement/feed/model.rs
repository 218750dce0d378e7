//! A row of the feed, and how it is written.

use entity::{
    Timestamp,
    ids::{EntryId, OrderId, OrgId},
    states::{AccountClass, EntryKind},
};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;

use crate::{
    base::{Currency, Money},
    error::{Error, Result},
    ledger::{SealedFilter, SealedPosting},
    settlement::currency,
};

/// One posting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "seal_number": 7, "seal_index": 3, "seq": 1, "entry_id": "ent_019352f0a1b27c3d8e4f5061728394a5", "kind": "sale",
    "source": "order:ord_019352f0a1b27c3d8e4f5061728394a5:sale", "account": "commission", "class": "income",
    "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": -2000, "amount": "-20.00", "currency": "EUR",
    "effective_at": "2026-11-21T10:00:00Z", "booked_at": "2026-11-21T10:00:01Z"
}))]
pub struct FeedRow {
    /// The seal that covers the entry; with the next two the row's place in the feed, and its key.
    pub seal_number: i64,
    /// Position of the entry in the seal, from 0.
    pub seal_index: i64,
    /// Position of the posting in the entry, from 0.
    pub seq: i32,
    /// The entry; its postings sum to zero per currency.
    pub entry_id: EntryId,
    /// What happened.
    pub kind: EntryKind,
    /// The business event, once for ever.
    pub source: String,
    /// The account's code.
    pub account: String,
    /// The side of the balance sheet the account is on.
    pub class: AccountClass,
    /// Whose account it is, where it is somebody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<OrgId>,
    /// The order, where the account is kept per order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Minor units; debits positive, credits negative.
    pub amount_minor: i64,
    /// The same in major units, as decimal text.
    pub amount: String,
    /// The currency.
    pub currency: Currency,
    /// When it happened.
    pub effective_at: Timestamp,
    /// When it was booked.
    pub booked_at: Timestamp,
    /// A note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
}

impl TryFrom<SealedPosting> for FeedRow {
    type Error = Error;

    fn try_from(row: SealedPosting) -> Result<Self> {
        let currency = currency(&row.currency)?;
        Ok(Self {
            seal_number: row.seal_number,
            seal_index: row.leaf_index,
            seq: row.seq,
            entry_id: row.entry_id,
            kind: row.kind,
            source: row.source,
            account: row.code,
            class: row.class,
            organization_id: row.organization_id,
            order_id: row.order_id,
            amount_minor: row.amount_minor,
            amount: Money::new(row.amount_minor, currency).major_text(),
            currency,
            effective_at: row.effective_at,
            booked_at: row.posted_at,
            memo: row.memo,
        })
    }
}

/// Columns of the CSV, in order: the fields of [`FeedRow`].
pub const COLUMNS: [&str; 16] = [
    "seal_number",
    "seal_index",
    "seq",
    "entry_id",
    "kind",
    "source",
    "account",
    "class",
    "organization_id",
    "order_id",
    "amount_minor",
    "amount",
    "currency",
    "effective_at",
    "booked_at",
    "memo",
];

/// The cells of a row, in the order of [`COLUMNS`].
///
/// # Errors
/// Internal, for a year beyond 9999.
pub fn cells(row: &FeedRow) -> Result<[String; COLUMNS.len()]> {
    let instant = |at: Timestamp| at.0.format(&Rfc3339).map_err(Error::internal);
    Ok([
        row.seal_number.to_string(),
        row.seal_index.to_string(),
        row.seq.to_string(),
        row.entry_id.to_string(),
        row.kind.to_string(),
        row.source.clone(),
        row.account.clone(),
        row.class.to_string(),
        row.organization_id.map(|id| id.to_string()).unwrap_or_default(),
        row.order_id.map(|id| id.to_string()).unwrap_or_default(),
        row.amount_minor.to_string(),
        row.amount.clone(),
        row.currency.to_string(),
        instant(row.effective_at)?,
        instant(row.booked_at)?,
        row.memo.clone().unwrap_or_default(),
    ])
}

/// In which format a download is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// RFC 4180, with a header.
    #[default]
    Csv,
    /// Apache Parquet, times in microseconds UTC, amounts in 64-bit minor units.
    Parquet,
}

impl FileFormat {
    /// The media type it is sent with.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// The ending of its files.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// Which rows; the first bound of a range is included, the last is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only rows on this organisation's accounts.
    pub organization: Option<OrgId>,
    /// Booked from then on.
    pub booked_from: Option<Timestamp>,
    /// What was booked by then: exactly the books as they were known at this time.
    pub as_of: Option<Timestamp>,
    /// Effective from then on.
    pub effective_from: Option<Timestamp>,
    /// Effective before then.
    pub effective_until: Option<Timestamp>,
}

impl Wanted {
    /// Refuses what can't be answered for good: a time that is not over, an empty range.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check(&self, now: Timestamp) -> Result<()> {
        if self.as_of.is_some_and(|at| at > now) {
            return Err(Error::invalid(
                "as_of",
                "What will be booked by then is not known yet: take a time in the past.",
            ));
        }
        let in_order = |from: Option<Timestamp>, until: Option<Timestamp>| {
            from.zip(until).is_none_or(|(from, until)| from <= until)
        };
        if !in_order(self.booked_from, self.as_of) {
            return Err(Error::invalid(
                "booked_from",
                "The range begins before it ends: booked_from is at most as_of.",
            ));
        }
        if !in_order(self.effective_from, self.effective_until) {
            return Err(Error::invalid("effective_from", "The range begins before it ends."));
        }
        Ok(())
    }

    /// The same for the ledger; `as_of` itself is included.
    pub fn filter(&self) -> SealedFilter {
        SealedFilter {
            organization: self.organization,
            booked_from: self.booked_from,
            booked_before: self.as_of.map(|at| Timestamp::from_micros(at.micros().saturating_add(1))),
            effective_from: self.effective_from,
            effective_before: self.effective_until,
        }
    }
}
