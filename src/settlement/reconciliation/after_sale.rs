//! Refunds, reversals and disputes against the processor's lines, both ways.

use std::collections::{HashMap, HashSet};

use entity::{
    dispute,
    ids::{OrderId, PaymentId, RefundId, ReversalId},
    payment, processor_transaction, refund, reversal,
    states::{DisputeState, RefundOrigin, RefundState, ReversalState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
    sea_query::{Expr, ExprTrait as _},
};

use super::{
    model::{About, DifferenceClass, Findings, TimingClass},
    service::{PAGE_ROWS, Period},
};
use crate::{
    base::Money, error::Result, ports::payments::TransactionKind, settlement::currency, trade::payments::BANK,
};

/// Checks every document of the period for its line, and every line of the period for its document.
pub async fn check(conn: &impl ConnectionTrait, period: Period, findings: &mut Findings) -> Result<()> {
    check_refunds(conn, period, findings).await?;
    check_reversals(conn, period, findings).await?;
    check_disputes(conn, period, findings).await?;
    check_lines(conn, period, findings).await
}

/// Payments that went back by themselves because their order was closed when they came.
pub async fn given_back(
    conn: &impl ConnectionTrait,
    orders: impl Iterator<Item = OrderId>,
) -> Result<HashSet<PaymentId>> {
    Ok(refund::Entity::find()
        .select_only()
        .column(refund::Column::PaymentId)
        .filter(refund::Column::OrderId.is_in(orders))
        .filter(refund::Column::Origin.eq(RefundOrigin::ClosedOrder))
        .into_tuple::<PaymentId>()
        .all(conn)
        .await?
        .into_iter()
        .collect())
}

type Line = processor_transaction::Model;

/// Lines that were imported with one of our references, by it.
async fn lines_of(conn: &impl ConnectionTrait, references: Vec<String>) -> Result<HashMap<String, Vec<Line>>> {
    let mut of: HashMap<String, Vec<Line>> = HashMap::new();
    let query = processor_transaction::Entity::find().filter(processor_transaction::Column::OurRef.is_in(references));
    for row in query.all(conn).await? {
        of.entry(row.our_ref.clone().unwrap_or_default()).or_default().push(row);
    }
    Ok(of)
}

async fn check_refunds(conn: &impl ConnectionTrait, period: Period, findings: &mut Findings) -> Result<()> {
    let decided = [RefundState::Approved, RefundState::Submitted, RefundState::Paid];
    let mut after: Option<RefundId> = None;
    loop {
        let mut query = refund::Entity::find()
            .filter(refund::Column::DecidedAt.gte(period.from))
            .filter(refund::Column::DecidedAt.lt(period.until))
            .filter(refund::Column::State.is_in(decided))
            .filter(goes_back_at_processor())
            .order_by_asc(refund::Column::Id)
            .limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(refund::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let lines = lines_of(conn, page.iter().map(|row| row.id.to_string()).collect()).await?;
        for row in &page {
            check_refund(row, lines.get(&row.id.to_string()).map_or(&[], Vec::as_slice), findings)?;
        }
    }
}

/// The condition that a refund gives back what came by the processor; what came by bank goes back by bank.
fn goes_back_at_processor() -> Expr {
    let by_bank = payment::Entity::find()
        .select_only()
        .column(payment::Column::Id)
        .filter(payment::Column::Processor.eq(BANK))
        .filter(Expr::col((payment::Entity, payment::Column::Id)).equals((refund::Entity, refund::Column::PaymentId)))
        .into_query();
    Expr::exists(by_bank).not()
}

fn check_refund(row: &refund::Model, lines: &[Line], findings: &mut Findings) -> Result<()> {
    let due = Money::new(row.amount_minor, currency(&row.currency)?);
    let about = || About { refund_id: Some(row.id), ..About::order(row.order_id) };
    let sent: Vec<&Line> = lines.iter().filter(|line| line.kind == "refund").collect();
    let Some((first, more)) = sent.split_first() else {
        let waits = row.state == RefundState::Approved || row.decided_at.is_some_and(|at| findings.is_young(at.0));
        if waits {
            findings.late(TimingClass::RefundToLeave, about(), due);
        } else {
            let sentence = format!("The refund of {due} is {}, and no line for it was imported.", row.state);
            findings.differ(DifferenceClass::RefundWithoutLine, about(), due, sentence);
        }
        return Ok(());
    };
    if first.amount_minor != -due.minor || first.currency != row.currency {
        let left = Money::new(first.amount_minor.saturating_neg(), currency(&first.currency)?);
        let sentence = format!("The refund is of {due}, and {left} left.");
        findings.differ(DifferenceClass::RefundAmountDiffers, about(), left, sentence);
    }
    for again in more {
        let left = Money::new(again.amount_minor.saturating_neg(), currency(&again.currency)?);
        let about = About { transaction_id: Some(again.id.clone()), ..about() };
        let sentence = format!("The refund left before as {}, and {left} again.", first.id);
        findings.differ(DifferenceClass::DuplicateRefund, about, left, sentence);
    }
    Ok(())
}

async fn check_reversals(conn: &impl ConnectionTrait, period: Period, findings: &mut Findings) -> Result<()> {
    let mut after: Option<ReversalId> = None;
    loop {
        let mut query = reversal::Entity::find()
            .filter(reversal::Column::CreatedAt.gte(period.from))
            .filter(reversal::Column::CreatedAt.lt(period.until))
            .filter(reversal::Column::State.ne(ReversalState::Refused))
            .order_by_asc(reversal::Column::Id)
            .limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(reversal::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let lines = lines_of(conn, page.iter().map(|row| row.id.to_string()).collect()).await?;
        for row in &page {
            let due = Money::new(row.amount_minor, currency(&row.currency)?);
            let about = About { payout_id: Some(row.payout_id), ..About::order(row.order_id) };
            if lines.contains_key(&row.id.to_string()) {
                continue;
            }
            if row.state == ReversalState::Created || findings.is_young(row.created_at.0) {
                findings.late(TimingClass::ReversalToCome, about, due);
            } else {
                let sentence = format!("The reversal of {due} is {}, and no line for it was imported.", row.state);
                findings.differ(DifferenceClass::ReversalWithoutLine, about, due, sentence);
            }
        }
    }
}

async fn check_disputes(conn: &impl ConnectionTrait, period: Period, findings: &mut Findings) -> Result<()> {
    let rows = dispute::Entity::find()
        .filter(dispute::Column::OpenedAt.gte(period.from))
        .filter(dispute::Column::OpenedAt.lt(period.until))
        .filter(dispute::Column::State.ne(DisputeState::Warning))
        .all(conn)
        .await?;
    for chunk in rows.chunks(500) {
        let references = chunk.iter().map(|row| row.processor_ref.clone());
        let lines: HashSet<(String, String)> = processor_transaction::Entity::find()
            .select_only()
            .columns([processor_transaction::Column::SourceRef, processor_transaction::Column::Kind])
            .filter(processor_transaction::Column::SourceRef.is_in(references))
            .into_tuple::<(String, String)>()
            .all(conn)
            .await?
            .into_iter()
            .collect();
        for row in chunk {
            let has = |kind: &str| lines.contains(&(row.processor_ref.clone(), kind.to_owned()));
            check_dispute(row, has("dispute"), has("dispute_reversal"), findings)?;
        }
    }
    Ok(())
}

fn check_dispute(row: &dispute::Model, is_taken: bool, is_back: bool, findings: &mut Findings) -> Result<()> {
    let amount = Money::new(row.amount_minor, currency(&row.currency)?);
    let about = || About { dispute_id: Some(row.id), ..About::order(row.order_id) };
    if !is_taken {
        if row.held_at.is_some_and(|at| findings.is_young(at.0)) {
            findings.late(TimingClass::DisputeToSettle, about(), amount);
        } else {
            let sentence = format!("{amount} is disputed, and no line took it.");
            findings.differ(DifferenceClass::DisputeWithoutLine, about(), amount, sentence);
        }
    } else if row.state == DisputeState::Won && !is_back {
        if row.closed_at.is_some_and(|at| findings.is_young(at.0)) {
            findings.late(TimingClass::DisputeToSettle, about(), amount);
        } else {
            let sentence = format!("The dispute of {amount} was won, and no line gave it back.");
            findings.differ(DifferenceClass::DisputeNotReinstated, about(), amount, sentence);
        }
    } else if is_back && row.state != DisputeState::Won {
        let sentence = format!("{amount} came back, and the dispute is {}.", row.state);
        findings.differ(DifferenceClass::DisputeNotReinstated, about(), amount, sentence);
    }
    Ok(())
}

/// Lines of refunds, reversals and disputes that nothing of ours explains.
async fn check_lines(conn: &impl ConnectionTrait, period: Period, findings: &mut Findings) -> Result<()> {
    let kinds = ["refund", "refund_failure", "transfer_reversal", "dispute", "dispute_reversal"];
    let mut after: Option<String> = None;
    loop {
        let mut query = processor_transaction::Entity::find()
            .filter(processor_transaction::Column::CreatedAt.gte(period.from))
            .filter(processor_transaction::Column::CreatedAt.lt(period.until))
            .filter(processor_transaction::Column::Kind.is_in(kinds))
            .order_by_asc(processor_transaction::Column::Id)
            .limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(processor_transaction::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id.clone());
        let known = known(conn, &page).await?;
        for row in page.iter().filter(|row| !known.contains(&row.id)) {
            tell_stray(row, findings)?;
        }
    }
}

/// Which of these lines have a document of ours.
async fn known(conn: &impl ConnectionTrait, page: &[Line]) -> Result<HashSet<String>> {
    let references = || page.iter().filter_map(|row| row.our_ref.as_deref());
    let refunds: Vec<RefundId> = references().filter_map(|text| text.parse().ok()).collect();
    let refunds: HashSet<String> = refund::Entity::find()
        .filter(refund::Column::Id.is_in(refunds))
        .all(conn)
        .await?
        .into_iter()
        .map(|row| row.id.to_string())
        .collect();
    let reversals: Vec<ReversalId> = references().filter_map(|text| text.parse().ok()).collect();
    let reversals: HashMap<String, i64> = reversal::Entity::find()
        .filter(reversal::Column::Id.is_in(reversals))
        .all(conn)
        .await?
        .into_iter()
        .map(|row| (row.id.to_string(), row.amount_minor))
        .collect();
    let sources: Vec<String> = page.iter().map(|row| row.source_ref.clone()).collect();
    let disputes: HashSet<String> = dispute::Entity::find()
        .filter(dispute::Column::ProcessorRef.is_in(sources))
        .all(conn)
        .await?
        .into_iter()
        .map(|row| row.processor_ref)
        .collect();
    let explained = |row: &&Line| {
        let our_ref = row.our_ref.as_deref().unwrap_or_default();
        match TransactionKind::from_word(&row.kind) {
            TransactionKind::TransferReversal => reversals.get(our_ref) == Some(&row.amount_minor),
            TransactionKind::Dispute | TransactionKind::DisputeReversal => disputes.contains(&row.source_ref),
            _ => refunds.contains(our_ref),
        }
    };
    Ok(page.iter().filter(explained).map(|row| row.id.clone()).collect())
}

fn tell_stray(row: &Line, findings: &mut Findings) -> Result<()> {
    let amount = Money::new(row.amount_minor, currency(&row.currency)?);
    let about = About::transaction(&row.id);
    let (class, sentence) = match TransactionKind::from_word(&row.kind) {
        TransactionKind::TransferReversal => (
            DifferenceClass::LineWithoutReversal,
            format!("{amount} came back from a provider, and nobody asked for it."),
        ),
        TransactionKind::Dispute | TransactionKind::DisputeReversal if findings.is_young(row.created_at.0) => {
            findings.late(TimingClass::DisputeToSettle, about, amount);
            return Ok(());
        }
        TransactionKind::Dispute | TransactionKind::DisputeReversal => {
            (DifferenceClass::LineWithoutDispute, format!("A dispute moved {amount}, and nobody told of it."))
        }
        _ => {
            *findings.stray_refunds.entry(amount.currency).or_default() -= i128::from(amount.minor);
            (DifferenceClass::LineWithoutRefund, format!("A refund moved {amount}, and nobody decided it."))
        }
    };
    findings.differ(class, about, amount, sentence);
    Ok(())
}
