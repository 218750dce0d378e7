//! What a resolution does to lines, payouts and the books.

use entity::{
    bank_line, bank_payout, exception_resolution, processor_transaction, reconciliation_exception as exception,
    states::{BankLineState, EntryKind, ExceptionClass, ResolutionAccount, ResolutionKind},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::model::account_of;
use crate::{
    base::Money,
    db::Tx,
    error::{Check, Error, Result},
    ledger::{self, Line, NewEntry},
    limits,
    settlement::{bank::matching, currency},
};

/// How a person settles an exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "kind": "post", "reason": "The bank's fee for a returned payout, see its letter of 20 November.",
    "debit": "bank_charges", "credit": "suspense_bank", "amount_minor": 1500
}))]
pub struct ResolutionIn {
    /// `explain`, `post` or `ignore`.
    pub kind: ResolutionKind,
    /// Why.
    #[schema(max_length = 2000)]
    pub reason: String,
    /// For `explain`: the id of the order, payout or line that explains it. A bank line in suspense needs a payout.
    #[schema(max_length = 120)]
    pub link: Option<String>,
    /// For `explain` with a payout of another amount: where the difference goes.
    pub difference: Option<ResolutionAccount>,
    /// For `post`: the account debited.
    pub debit: Option<ResolutionAccount>,
    /// For `post`: the account credited.
    pub credit: Option<ResolutionAccount>,
    /// For `post`: how much, in minor units of the exception's currency.
    #[schema(minimum = 1)]
    pub amount_minor: Option<i64>,
}

impl ResolutionIn {
    /// Checks what belongs together.
    ///
    /// # Errors
    /// `Invalid`, naming each value to change.
    pub fn check(&self) -> Result<()> {
        let mut check = Check::new();
        check.text(&self.reason, limits::NOTE_CHARS_MAX, "/reason");
        check.at_most(self.link.as_deref().unwrap_or_default(), 120, "/link");
        let posts = self.kind == ResolutionKind::Post;
        check.require(self.kind != ResolutionKind::Vanished, "/kind", "Choose explain, post or ignore.");
        check.require(
            self.kind != ResolutionKind::Explain || self.link.is_some(),
            "/link",
            "Name the order, payout or line that explains it.",
        );
        check.require(posts == self.debit.is_some(), "/debit", "Name the account for a posting, and only then.");
        check.require(posts == self.credit.is_some(), "/credit", "Name the account for a posting, and only then.");
        check.require(!posts || self.debit != self.credit, "/credit", "Choose two accounts.");
        let good = self.amount_minor.is_some_and(|minor| minor > 0);
        check.require(
            posts == self.amount_minor.is_some() && (good || !posts),
            "/amount_minor",
            "Write an amount above zero for a posting, and only then.",
        );
        check.done()
    }
}

/// What a resolution is about, read in its transaction.
#[derive(Debug, Clone)]
pub struct Case {
    /// The exception.
    pub exception: exception::Model,
    /// The bank line, if it is about one.
    pub line: Option<bank_line::Model>,
    /// The processor's line, if it is about one.
    pub transaction: Option<processor_transaction::Model>,
    /// The payout that it names, or that explains it.
    pub payout: Option<bank_payout::Model>,
}

impl Case {
    /// The line's amount, while it is in suspense.
    pub fn in_suspense(&self) -> Option<i64> {
        self.line.as_ref().filter(|line| line.state == BankLineState::Suspense).map(|line| line.amount_minor)
    }

    /// What waits in the suspense account of the processor's line, and its kind.
    pub fn in_processor_suspense(&self) -> Option<(i64, &str)> {
        let waits =
            matches!(self.exception.class, ExceptionClass::UnknownBalanceLine | ExceptionClass::UnreadableBalanceLine);
        let line = self.transaction.as_ref().filter(|line| waits && line.amount_minor != 0)?;
        Some((line.amount_minor, &line.kind))
    }

    /// What of the line in suspense the payout explains.
    fn explained_minor(&self) -> i64 {
        self.in_suspense().map_or(0, |minor| minor.min(self.open_minor()))
    }

    fn open_minor(&self) -> i64 {
        let open = |payout: &bank_payout::Model| payout.amount_minor - payout.settled_minor;
        self.payout.as_ref().filter(|payout| payout.returned_at.is_none()).map_or(0, open)
    }
}

/// Debit, credit and amount of the posting that a resolution needs; nothing when it moves no money of its own.
///
/// # Errors
/// `Invalid`, saying what to change.
pub fn posting(case: &Case, input: &ResolutionIn) -> Result<Option<(ResolutionAccount, ResolutionAccount, i64)>> {
    if let Some((waiting, _)) = case.in_processor_suspense() {
        return posting_of_processor_line(waiting, input).map(Some);
    }
    match input.kind {
        ResolutionKind::Post => posting_of_post(case, input).map(Some),
        ResolutionKind::Explain => difference(case, input),
        ResolutionKind::Ignore | ResolutionKind::Vanished => {
            let advice = "The line's money is in suspense. Explain the line, or book it to where it belongs.";
            if case.in_suspense().is_some() { Err(Error::invalid("/kind", advice)) } else { Ok(None) }
        }
    }
}

/// All of what waits has to leave the suspense account of the processor's line.
fn posting_of_processor_line(
    waiting: i64,
    input: &ResolutionIn,
) -> Result<(ResolutionAccount, ResolutionAccount, i64)> {
    let (side, other) = if waiting > 0 { ("debit", "credit") } else { ("credit", "debit") };
    let whole = waiting.saturating_abs();
    let advice = format!(
        "The line's {whole} (minor units) are in suspense: book all of it with `post`, {side} suspense_processor, and {other} \
         where it belongs."
    );
    let refused = || Error::invalid("/kind", advice.clone());
    let (Some(debit), Some(credit), Some(minor)) = (input.debit, input.credit, input.amount_minor) else {
        return Err(refused());
    };
    let (out, into) = if waiting > 0 { (debit, credit) } else { (credit, debit) };
    let goes_nowhere = matches!(into, ResolutionAccount::SuspenseBank | ResolutionAccount::SuspenseProcessor);
    if out != ResolutionAccount::SuspenseProcessor || goes_nowhere || minor != whole {
        return Err(refused());
    }
    Ok((debit, credit, minor))
}

fn posting_of_post(case: &Case, input: &ResolutionIn) -> Result<(ResolutionAccount, ResolutionAccount, i64)> {
    let missing = || Error::invalid("/debit", "Name both accounts and the amount.");
    let (debit, credit) = (input.debit.ok_or_else(missing)?, input.credit.ok_or_else(missing)?);
    let minor = input.amount_minor.ok_or_else(missing)?;
    if let Some(waiting) = case.in_suspense() {
        let out = if waiting > 0 { debit } else { credit };
        if out != ResolutionAccount::SuspenseBank || minor != waiting.saturating_abs() {
            let side = if waiting > 0 { "debit" } else { "credit" };
            let advice = format!(
                "The line's {} (minor units) are in suspense: {side} suspense_bank with all of it.",
                waiting.saturating_abs()
            );
            return Err(Error::invalid("/amount_minor", advice));
        }
    } else if [debit, credit].iter().any(|account| is_suspense(*account)) {
        return Err(Error::invalid("/debit", "Nothing of this exception is in suspense. Choose other accounts."));
    }
    if credit == ResolutionAccount::ProcessorInTransit && minor > case.open_minor() {
        let advice = format!("{} (minor units) of the payout are still to arrive.", case.open_minor());
        return Err(Error::invalid("/amount_minor", advice));
    }
    Ok((debit, credit, minor))
}

fn is_suspense(account: ResolutionAccount) -> bool {
    matches!(account, ResolutionAccount::SuspenseBank | ResolutionAccount::SuspenseProcessor)
}

/// What is left when a payout of another amount explains a line.
fn difference(case: &Case, input: &ResolutionIn) -> Result<Option<(ResolutionAccount, ResolutionAccount, i64)>> {
    let Some(waiting) = case.in_suspense() else { return Ok(None) };
    let open = case.open_minor();
    if case.payout.is_none() || open <= 0 || waiting <= 0 {
        let advice = "Name a payout that is still to arrive, by its id or reference, or book the line with `post`.";
        return Err(Error::invalid("/link", advice));
    }
    if waiting == open {
        return Ok(None);
    }
    let advice = "The payout is of another amount. Name the account that the difference goes to.";
    let account = input.difference.ok_or_else(|| Error::invalid("/difference", advice))?;
    if is_suspense(account) || account == ResolutionAccount::ProcessorInTransit {
        return Err(Error::invalid("/difference", "Choose an account of cost or exchange."));
    }
    Ok(Some(if waiting < open {
        (account, ResolutionAccount::ProcessorInTransit, open - waiting)
    } else {
        (ResolutionAccount::SuspenseBank, account, waiting - open)
    }))
}

/// Carries a resolution out, in the transaction that closes the exception.
///
/// # Errors
/// `Conflict` when line or payout moved on meanwhile.
pub async fn carry_out(tx: &Tx, case: &Case, row: &exception_resolution::Model, now: OffsetDateTime) -> Result<()> {
    let currency = currency(&row.currency)?;
    let mut lines = Vec::new();
    if row.kind == ResolutionKind::Explain
        && let (Some(line), Some(_), Some(payout)) = (&case.line, case.in_suspense(), &case.payout)
    {
        let settled = case.explained_minor();
        let money = Money::new(settled, currency);
        lines.push(Line::debit(account_of(ResolutionAccount::SuspenseBank, None), money));
        lines.push(Line::credit(account_of(ResolutionAccount::ProcessorInTransit, None), money));
        matching::explain_by_hand(tx, line.id, &payout.id, settled, now).await?;
    }
    let mut settles = 0;
    if let (Some(debit), Some(credit)) = (row.debit, row.credit) {
        let money = Money::new(row.amount_minor, currency);
        let word = case.in_processor_suspense().map(|(_, word)| word);
        lines.push(Line::debit(account_of(debit, word), money));
        lines.push(Line::credit(account_of(credit, word), money));
        settles = if credit == ResolutionAccount::ProcessorInTransit { row.amount_minor } else { 0 };
    }
    if let Some(payout) = &case.payout {
        let explained = if row.kind == ResolutionKind::Explain { case.explained_minor() } else { 0 };
        let by = explained.saturating_add(settles);
        if by != 0 {
            matching::settle_payout(tx, &payout.id, payout.settled_minor, by, now).await?;
        }
    }
    if let Some(line) = case.line.as_ref().filter(|_| case.in_suspense().is_some()) {
        matching::close_line(tx, line.id).await?;
    }
    if lines.is_empty() {
        return Ok(());
    }
    let source = format!("exception:{}:{}", row.exception_id, row.seq);
    let entry =
        NewEntry { kind: EntryKind::Correction, source, effective_at: now, memo: Some(row.kind.to_string()), lines };
    ledger::post(tx, vec![entry], now).await
}
