//! Working on exceptions: owners, notes, resolutions, and the second person's word.

use entity::{
    Timestamp, exception_resolution,
    ids::{AccountId, ExceptionId},
    processor_transaction, reconciliation_exception as exception,
    states::{ExceptionState, ResolutionAccount, ResolutionState},
};
use sea_orm::ConnectionTrait;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    account_of,
    resolve::{self, Case, ResolutionIn},
    store,
};
use crate::{
    auth::Actor,
    db::Tx,
    error::{Check, Error, Result},
    ledger, limits,
    people::audit,
    settlement::{bank::matching, currency},
    state::AppState,
};

async fn still_open(tx: &Tx, id: ExceptionId) -> Result<exception::Model> {
    let row = store::lock(tx, id).await?;
    if row.state == ExceptionState::Resolved {
        return Err(Error::conflict("The exception is resolved."));
    }
    Ok(row)
}

/// Gives an exception to a member of the operator, or back to nobody.
///
/// # Errors
/// `NotFound`; `Conflict` when it is resolved; `Invalid` for somebody who is no member.
pub async fn assign(app: &AppState, actor: &Actor, id: ExceptionId, owner: Option<AccountId>) -> Result<()> {
    if let Some(owner) = owner
        && !store::is_member(app.db.read(), actor.org_id(), owner).await?
    {
        return Err(Error::invalid("/owner", "Name a member of your organisation."));
    }
    let (actor, now) = (actor.clone(), app.clock.now());
    app.db
        .write("settlement.assign_exception", move |tx| {
            let actor = actor.clone();
            async move {
                still_open(&tx, id).await?;
                store::assign(&tx, id, owner).await?;
                audit::record(&tx, &actor, "exception.assign", id, json!({"owner": owner}), now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Appends a note; also to a resolved exception.
///
/// # Errors
/// `NotFound`; `Invalid` for a bad text; `Conflict` when there are too many notes.
pub async fn note(app: &AppState, actor: &Actor, id: ExceptionId, text: String) -> Result<()> {
    let mut check = Check::new();
    check.text(&text, limits::NOTE_CHARS_MAX, "/text");
    check.done()?;
    let (actor, now) = (actor.clone(), app.clock.now());
    app.db
        .write("settlement.note_exception", move |tx| {
            let (actor, text) = (actor.clone(), text.clone());
            async move {
                store::lock(&tx, id).await?;
                let count = store::notes(tx.conn(), id).await?.len();
                if count >= limits::EXCEPTION_NOTES_MAX {
                    return Err(Error::conflict(format!("There are {count} notes already.")));
                }
                let seq = i32::try_from(count).unwrap_or(i32::MAX).saturating_add(1);
                store::add_note(&tx, id, seq, actor.account_id, &text, now).await?;
                audit::record(&tx, &actor, "exception.note", id, json!({"seq": seq}), now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Settles an exception; above the limit, asks for a second person's word.
///
/// # Errors
/// `NotFound`; `Conflict` when it is resolved or waits for a second person; `Invalid`, saying what to change.
pub async fn resolve(app: &AppState, actor: &Actor, id: ExceptionId, input: ResolutionIn) -> Result<()> {
    input.check()?;
    let by = actor.person()?;
    open_accounts(app, id).await?;
    let (actor, now) = (actor.clone(), app.clock.now());
    let limit = app.config.reconciliation.approval_minor;
    app.db
        .write("settlement.resolve_exception", move |tx| {
            let (actor, input) = (actor.clone(), input.clone());
            async move {
                let case = case_of(&tx, still_open(&tx, id).await?, input.link.as_deref()).await?;
                let earlier = store::resolutions(tx.conn(), id).await?;
                if earlier.iter().any(|row| row.state == ResolutionState::Asked) {
                    return Err(Error::conflict("A resolution of it waits for a second person."));
                }
                let row = resolution(&case, &input, earlier.len(), by, limit, now)?;
                let asks = row.state == ResolutionState::Asked;
                store::insert_resolution(&tx, row.clone()).await?;
                if !asks {
                    finish(&tx, &case, &row, by, now).await?;
                }
                let detail = json!({"kind": row.kind, "debit": row.debit, "credit": row.credit,
                    "amount_minor": row.amount_minor, "link": row.link, "reason": row.reason});
                let action = if asks { "exception.ask" } else { "exception.resolve" };
                audit::record(&tx, &actor, action, id, detail, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

fn resolution(
    case: &Case,
    input: &ResolutionIn,
    earlier: usize,
    by: AccountId,
    limit_minor: i64,
    now: OffsetDateTime,
) -> Result<exception_resolution::Model> {
    let posting = resolve::posting(case, input)?;
    let amount_minor = posting.map_or(0, |(_, _, minor)| minor);
    let asks = amount_minor > limit_minor;
    Ok(exception_resolution::Model {
        exception_id: case.exception.id,
        seq: i32::try_from(earlier).unwrap_or(i32::MAX).saturating_add(1),
        kind: input.kind,
        state: if asks { ResolutionState::Asked } else { ResolutionState::Done },
        reason: input.reason.clone(),
        debit: posting.map(|(debit, ..)| debit),
        credit: posting.map(|(_, credit, _)| credit),
        amount_minor,
        currency: case.exception.currency.clone(),
        link: input.link.clone(),
        asked_by: Some(by),
        asked_at: Timestamp(now),
        decided_by: None,
        decided_at: None,
    })
}

async fn finish(
    tx: &Tx,
    case: &Case,
    row: &exception_resolution::Model,
    by: AccountId,
    now: OffsetDateTime,
) -> Result<()> {
    resolve::carry_out(tx, case, row, now).await?;
    store::close(tx, case.exception.id, row.kind, by, now).await
}

/// Agrees to what somebody else asked for, or refuses it.
///
/// # Errors
/// `NotFound`; `Conflict` when nothing waits; `Forbidden` for the one who asked.
pub async fn decide(app: &AppState, actor: &Actor, id: ExceptionId, agree: bool) -> Result<()> {
    let by = actor.person()?;
    open_accounts(app, id).await?;
    let (actor, now) = (actor.clone(), app.clock.now());
    app.db
        .write("settlement.decide_resolution", move |tx| {
            let actor = actor.clone();
            async move {
                let exception = still_open(&tx, id).await?;
                let rows = store::resolutions(tx.conn(), id).await?;
                let asked = rows.into_iter().find(|row| row.state == ResolutionState::Asked);
                let row = asked.ok_or_else(|| Error::conflict("No resolution of it waits for a second person."))?;
                if row.asked_by == Some(by) {
                    return Err(Error::forbidden("Somebody else than the one who asked has to decide."));
                }
                let state = if agree { ResolutionState::Done } else { ResolutionState::Refused };
                store::decide_resolution(&tx, id, row.seq, state, by, now).await?;
                if agree {
                    let case = case_of(&tx, exception, row.link.as_deref()).await?;
                    finish(&tx, &case, &row, by, now).await?;
                }
                let action = if agree { "exception.approve" } else { "exception.refuse" };
                audit::record(&tx, &actor, action, id, json!({"seq": row.seq}), now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Every account that a resolution may book to, in the exception's currency.
async fn open_accounts(app: &AppState, id: ExceptionId) -> Result<()> {
    let row = store::find(app.db.read(), id).await?.ok_or_else(|| Error::not_found("exception"))?;
    let currency = currency(&row.currency)?;
    let transaction = transaction_of(app.db.read(), &row).await?;
    let word = transaction.as_ref().map(|line| line.kind.as_str());
    let accounts: Vec<_> =
        ResolutionAccount::ALL.iter().map(|account| (account_of(*account, word), currency)).collect();
    ledger::open_accounts(app, &accounts).await
}

/// The processor's line that an exception is about.
async fn transaction_of(
    conn: &impl ConnectionTrait,
    row: &exception::Model,
) -> Result<Option<processor_transaction::Model>> {
    match &row.transaction_id {
        Some(id) => store::find_transaction(conn, id).await,
        None => Ok(None),
    }
}

/// The exception with its line and payout; a payout that is named as the explanation goes before its own.
async fn case_of(tx: &Tx, exception: exception::Model, link: Option<&str>) -> Result<Case> {
    let line = match exception.line_id {
        Some(id) => matching::find_line(tx.conn(), id).await?,
        None => None,
    };
    let linked = match link {
        Some(word) => matching::find_payout(tx.conn(), word).await?,
        None => None,
    };
    let payout = match (linked, exception.bank_payout_id.as_deref()) {
        (Some(payout), _) => Some(payout),
        (None, Some(id)) => matching::find_payout(tx.conn(), id).await?,
        (None, None) => None,
    };
    let payout = payout.filter(|payout| payout.currency == exception.currency);
    let transaction = transaction_of(tx.conn(), &exception).await?;
    Ok(Case { exception, line, transaction, payout })
}
