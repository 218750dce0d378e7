//! Exceptions, notes and resolutions as they are shown.

use entity::{
    Timestamp, exception_note, exception_resolution,
    ids::{AccountId, BankLineId, ExceptionId, OrderId, PayoutId},
    reconciliation_exception as exception,
    states::{ExceptionClass, ExceptionState, ResolutionAccount, ResolutionKind, ResolutionState},
};
use serde::Serialize;
use time::OffsetDateTime;

use super::model::{Severity, severity_of};
use crate::{base::Currency, error::Result, settlement::currency};

/// Something that a person has to settle.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "exc_019352f0a1b27c3d8e4f5061728394a5", "class": "late_payout", "severity": "medium",
    "amount_minor": 168000, "currency": "EUR", "payout_id": "pyt_019352f0a1b27c3d8e4f5061728394a5",
    "transaction_id": "txn_1", "sentence": "1680.00 EUR of po_1 should have arrived by 2026-11-27.", "state": "open",
    "occurred_at": "2026-11-20T10:00:00Z", "opened_at": "2026-11-28T10:00:00Z", "age_days": 2
}))]
pub struct ExceptionView {
    /// The exception.
    pub id: ExceptionId,
    /// What kind.
    pub class: ExceptionClass,
    /// How grave.
    pub severity: Severity,
    /// How much is unexplained, in minor units; negative where too little is there.
    pub amount_minor: i64,
    /// The currency.
    pub currency: Currency,
    /// The order it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The payout it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payout_id: Option<PayoutId>,
    /// The bank line it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_id: Option<BankLineId>,
    /// The processor's line it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// The bank account it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What is wrong, for people.
    pub sentence: String,
    /// Where it stands.
    pub state: ExceptionState,
    /// Who looks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountId>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was found.
    pub opened_at: Timestamp,
    /// Whole days from then until it was resolved, or until now.
    pub age_days: i64,
    /// When it was resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// How it was resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<ResolutionKind>,
}

/// An exception as it is shown.
///
/// # Errors
/// Internal, for a currency that is not in the table.
pub fn view(row: exception::Model, now: OffsetDateTime) -> Result<ExceptionView> {
    let until = row.resolved_at.map_or(now, |at| at.0);
    Ok(ExceptionView {
        id: row.id,
        class: row.class,
        severity: severity_of(row.class),
        amount_minor: row.amount_minor,
        currency: currency(&row.currency)?,
        order_id: row.order_id,
        payout_id: row.payout_id,
        line_id: row.line_id,
        transaction_id: row.transaction_id,
        account: row.account,
        sentence: row.sentence,
        state: row.state,
        owner: row.owner,
        occurred_at: row.occurred_at,
        opened_at: row.opened_at,
        age_days: (until - row.opened_at.0).whole_days(),
        resolved_at: row.resolved_at,
        resolution: row.resolution,
    })
}

/// A note.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"seq": 1, "created_at": "2026-11-28T10:00:00Z", "text": "The bank looks for it."}))]
pub struct ExceptionNoteView {
    /// Its number, from 1.
    pub seq: i32,
    /// Who wrote it, if a person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<AccountId>,
    /// When.
    pub created_at: Timestamp,
    /// What it says.
    pub text: String,
}

impl From<exception_note::Model> for ExceptionNoteView {
    fn from(row: exception_note::Model) -> Self {
        Self { seq: row.seq, author: row.author, created_at: row.created_at, text: row.text }
    }
}

/// A resolution, done or asked for.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "seq": 1, "kind": "post", "state": "asked", "reason": "The bank's fee.", "debit": "bank_charges",
    "credit": "suspense_bank", "amount_minor": 1500, "asked_at": "2026-11-28T10:00:00Z"
}))]
pub struct ResolutionView {
    /// Its number, from 1.
    pub seq: i32,
    /// How it settles the exception.
    pub kind: ResolutionKind,
    /// `asked` waits for a second person.
    pub state: ResolutionState,
    /// Why.
    pub reason: String,
    /// The account debited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debit: Option<ResolutionAccount>,
    /// The account credited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit: Option<ResolutionAccount>,
    /// How much is booked between the two, in minor units.
    pub amount_minor: i64,
    /// What explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<AccountId>,
    /// When.
    pub asked_at: Timestamp,
    /// The second person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<AccountId>,
}

impl From<exception_resolution::Model> for ResolutionView {
    fn from(row: exception_resolution::Model) -> Self {
        Self {
            seq: row.seq,
            kind: row.kind,
            state: row.state,
            reason: row.reason,
            debit: row.debit,
            credit: row.credit,
            amount_minor: row.amount_minor,
            link: row.link,
            asked_by: row.asked_by,
            asked_at: row.asked_at,
            decided_by: row.decided_by,
        }
    }
}

/// An exception with its notes and resolutions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "exc_019352f0a1b27c3d8e4f5061728394a5", "class": "unexplained_bank_line", "severity": "medium",
    "amount_minor": 1500, "currency": "EUR", "line_id": "bln_019352f0a1b27c3d8e4f5061728394a5", "account": "main_eur",
    "sentence": "main_eur shows 15.00 EUR on 2026-11-20.", "state": "assigned",
    "owner": "acc_019352f0a1b27c3d8e4f5061728394a5", "occurred_at": "2026-11-20T00:00:00Z",
    "opened_at": "2026-11-21T10:00:00Z", "age_days": 2,
    "notes": [{"seq": 1, "created_at": "2026-11-28T10:00:00Z", "text": "The bank looks for it."}], "resolutions": []
}))]
pub struct ExceptionDetailView {
    /// The exception.
    #[serde(flatten)]
    pub exception: ExceptionView,
    /// Its notes, the oldest first.
    pub notes: Vec<ExceptionNoteView>,
    /// Its resolutions, the oldest first.
    pub resolutions: Vec<ResolutionView>,
}
