//! Disputes: a bank takes a charge back, reads evidence, and decides.

use entity::{Timestamp, sandbox_object};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use entity::ids::PaymentId;

use super::{
    Sandbox,
    book::{amount_of, derived_id, insert_new, line, move_to, paid_with, record, refused, row, tell},
    methods,
};
use crate::{
    base::Money,
    error::{Error, Result},
    ports::payments::{Dispute, DisputeStage, Evidence, PaymentsError},
};

/// What the bank charges for a dispute, in minor units.
pub(super) const FEE_MINOR: i64 = 1_500;
/// Evidence with these words wins, any other loses, as with the test data of real processors.
const WINNING_WORDS: &str = "winning_evidence";
/// Days in which evidence is taken.
const EVIDENCE_DAYS: i64 = 14;
/// Disputes looked at in one go.
const BATCH: u64 = 100;
/// States of an open dispute.
const OPEN: [&str; 2] = ["needs_response", "under_review"];

/// What a dispute's row keeps beside its columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct DisputeBody {
    payment_id: PaymentId,
    due_unix: i64,
    wins: bool,
}

fn word(stage: DisputeStage) -> &'static str {
    match stage {
        DisputeStage::NeedsResponse => "needs_response",
        DisputeStage::UnderReview => "under_review",
        DisputeStage::Won => "won",
        DisputeStage::Lost => "lost",
        DisputeStage::Warning => "warning",
    }
}

/// The stage that a word means.
pub(super) fn stage(word: &str) -> Option<DisputeStage> {
    use DisputeStage::{Lost, NeedsResponse, UnderReview, Warning, Won};
    [NeedsResponse, UnderReview, Won, Lost, Warning].into_iter().find(|stage| self::word(*stage) == word)
}

fn to_dispute(row: &sandbox_object::Model) -> Result<Dispute, PaymentsError> {
    let unreadable = |text: String| PaymentsError::Unknown(text);
    let body: DisputeBody = serde_json::from_value(row.body.clone()).map_err(|e| unreadable(e.to_string()))?;
    Ok(Dispute {
        processor_ref: row.id.clone(),
        payment_id: Some(body.payment_id),
        charge_ref: row.parent.clone().unwrap_or_default(),
        amount: amount_of(row)?,
        reason: "product_not_received".to_owned(),
        stage: stage(&row.state).ok_or_else(|| unreadable(format!("unknown stage {}", row.state)))?,
        evidence_due_at: OffsetDateTime::from_unix_timestamp(body.due_unix).ok(),
    })
}

fn event(dispute: &Dispute) -> serde_json::Value {
    serde_json::json!({
        "type": format!("dispute.{}", word(dispute.stage)),
        "dispute": {
            "id": dispute.processor_ref, "payment_id": dispute.payment_id, "charge": dispute.charge_ref,
            "amount_minor": dispute.amount.minor, "currency": dispute.amount.currency, "reason": dispute.reason,
            "stage": word(dispute.stage), "due_unix": dispute.evidence_due_at.map(OffsetDateTime::unix_timestamp),
        },
    })
}

/// A dispute's balance line: the amount goes with a fee, or comes back without it.
fn money_line(dispute: &Dispute, is_back: bool, now: OffsetDateTime) -> Result<sandbox_object::ActiveModel> {
    let (kind, amount, fee) = if is_back {
        ("dispute_reversal", dispute.amount, 0)
    } else {
        ("dispute", dispute.amount.checked_neg()?, FEE_MINOR)
    };
    let our_ref = dispute.payment_id.map(|id| id.to_string()).unwrap_or_default();
    let id = derived_id("txn", &format!("{}:{kind}", dispute.processor_ref));
    Ok(sandbox_object::ActiveModel {
        id: Set(id),
        ..line(kind, &dispute.processor_ref, amount, fee, now, &our_ref, now)?
    })
}

/// A bank disputes a charge, or warns that it might.
pub(super) async fn open(
    box_: &Sandbox,
    charge_ref: &str,
    amount: Money,
    is_warning: bool,
    now: OffsetDateTime,
) -> Result<String> {
    let internal = |error: PaymentsError| Error::internal(error.to_string());
    let charge = row(box_, charge_ref).await.map_err(internal)?.ok_or_else(|| Error::not_found("charge"))?;
    let (payment_id, _) = paid_with(&charge).map_err(internal)?;
    let due = now + Duration::days(EVIDENCE_DAYS);
    let id = derived_id("dp", &format!("{charge_ref}:{amount}:{now}"));
    let stage = if is_warning { DisputeStage::Warning } else { DisputeStage::NeedsResponse };
    let body = serde_json::to_value(DisputeBody { payment_id, due_unix: due.unix_timestamp(), wins: false })?;
    let dispute = Dispute {
        processor_ref: id.clone(),
        payment_id: Some(payment_id),
        charge_ref: charge_ref.to_owned(),
        amount,
        reason: "product_not_received".to_owned(),
        stage,
        evidence_due_at: Some(due),
    };
    let mut rows = vec![record(&id, "dispute", charge_ref, word(stage), amount, body, now)];
    if !is_warning {
        rows.push(money_line(&dispute, false, now)?);
    }
    let (handle, told, key) = (box_.handle(), event(&dispute), format!("{id}:{}", word(stage)));
    box_.db
        .write("sandbox.dispute", move |tx| {
            let (handle, rows, told, key) = (handle.handle(), rows.clone(), told.clone(), key.clone());
            async move {
                insert_new(&tx, rows).await?;
                tell(&handle, &tx, &key, told, now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    Ok(id)
}

/// Brings a dispute to another stage, with the money and the event that go with it; one that is decided
/// stays as it is.
pub(super) async fn advance(box_: &Sandbox, id: &str, to: DisputeStage, now: OffsetDateTime) -> Result<Dispute> {
    let internal = |error: PaymentsError| Error::internal(error.to_string());
    let before = row(box_, id).await.map_err(internal)?.ok_or_else(|| Error::not_found("dispute"))?;
    let after = Dispute { stage: to, ..to_dispute(&before).map_err(internal)? };
    let line = match (before.state.as_str(), to) {
        ("warning", DisputeStage::NeedsResponse) => Some(money_line(&after, false, now)?),
        (_, DisputeStage::Won) => Some(money_line(&after, true, now)?),
        _ => None,
    };
    let from: &'static [&'static str] = match to {
        DisputeStage::NeedsResponse => &["warning"],
        DisputeStage::UnderReview => &["needs_response"],
        _ => &OPEN,
    };
    let (handle, told, id) = (box_.handle(), event(&after), id.to_owned());
    let moved = box_
        .db
        .write("sandbox.advance_dispute", move |tx| {
            let (handle, told, id, line) = (handle.handle(), told.clone(), id.clone(), line.clone());
            async move {
                let moved = move_to(&tx, &id, from, word(to)).await?;
                if moved {
                    insert_new(&tx, line.into_iter().collect()).await?;
                    tell(&handle, &tx, &format!("{id}:{}", word(to)), told, now).await?;
                }
                Ok((moved, tx))
            }
        })
        .await?;
    if moved {
        return Ok(after);
    }
    let present = row(box_, &after.processor_ref).await.map_err(internal)?;
    present.map_or(Ok(after), |row| to_dispute(&row).map_err(internal))
}

/// Disputes opened since; a real processor's list is no finer.
pub(super) async fn since(box_: &Sandbox, since: OffsetDateTime) -> Result<Vec<Dispute>, PaymentsError> {
    let rows = sandbox_object::Entity::find()
        .filter(sandbox_object::Column::Kind.eq("dispute"))
        .filter(sandbox_object::Column::CreatedAt.gte(Timestamp(since)))
        .order_by_asc(sandbox_object::Column::CreatedAt)
        .all(box_.db.read())
        .await?;
    rows.iter().map(to_dispute).collect()
}

/// Takes evidence, once.
pub(super) async fn submit(
    box_: &Sandbox,
    id: &str,
    evidence: &Evidence,
    now: OffsetDateTime,
) -> Result<Dispute, PaymentsError> {
    let missing = || refused("no_such_dispute", "There is no such dispute.");
    let present = row(box_, id).await?.filter(|row| row.kind == "dispute").ok_or_else(missing)?;
    let dispute = to_dispute(&present)?;
    if dispute.stage == DisputeStage::UnderReview {
        return Ok(dispute);
    }
    if dispute.stage != DisputeStage::NeedsResponse || dispute.evidence_due_at.is_some_and(|due| due < now) {
        return Err(refused("too_late", "Evidence is not taken any more."));
    }
    let payment_id = dispute.payment_id.ok_or_else(missing)?;
    let due_unix = dispute.evidence_due_at.map_or(0, OffsetDateTime::unix_timestamp);
    let body = DisputeBody { payment_id, due_unix, wins: evidence.statement.contains(WINNING_WORDS) };
    let (body, of) = (serde_json::to_value(body).map_err(Error::from)?, id.to_owned());
    box_.db
        .write("sandbox.take_evidence", move |tx| {
            let (body, of) = (body.clone(), of.clone());
            async move {
                sandbox_object::Entity::update_many()
                    .col_expr(sandbox_object::Column::Body, Expr::value(body))
                    .col_expr(sandbox_object::Column::AvailableAt, Expr::value(Timestamp(now)))
                    .filter(sandbox_object::Column::Id.eq(of))
                    .exec(tx.conn())
                    .await?;
                Ok(((), tx))
            }
        })
        .await?;
    Ok(advance(box_, id, DisputeStage::UnderReview, now).await?)
}

/// Gives a dispute up.
pub(super) async fn accept(box_: &Sandbox, id: &str, now: OffsetDateTime) -> Result<Dispute, PaymentsError> {
    let present = row(box_, id).await?.filter(|row| row.kind == "dispute");
    present.ok_or_else(|| refused("no_such_dispute", "There is no such dispute."))?;
    Ok(advance(box_, id, DisputeStage::Lost, now).await?)
}

/// Lets the bank decide where evidence was taken a while ago.
pub(super) async fn decide_due(box_: &Sandbox, now: OffsetDateTime) -> Result<usize> {
    let taken_before = Timestamp(now - Duration::seconds(methods::DELAY_SECONDS));
    let due = sandbox_object::Entity::find()
        .filter(sandbox_object::Column::Kind.eq("dispute"))
        .filter(sandbox_object::Column::State.eq("under_review"))
        .filter(sandbox_object::Column::AvailableAt.lte(taken_before))
        .limit(BATCH)
        .all(box_.db.read())
        .await?;
    let decided = due.len();
    for row in due {
        let body: DisputeBody = serde_json::from_value(row.body.clone())?;
        let stage = if body.wins { DisputeStage::Won } else { DisputeStage::Lost };
        advance(box_, &row.id, stage, now).await?;
    }
    Ok(decided)
}
