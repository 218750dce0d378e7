//! What a decided refund books, and what undoing one books.

use entity::{
    Timestamp,
    ids::{AccountId, OrderId, PaymentId, RefundId},
    refund,
    states::{EntryKind, ReductionKind, RefundOrigin, RefundState},
};
use serde_json::json;
use time::OffsetDateTime;

use super::{model, store};
use crate::{
    base::{Currency, Money},
    db::{
        Tx,
        outbox::{self, News},
    },
    error::{Error, Result},
    ledger::{self, Account, Line, NewEntry},
    state::AppState,
    trade::{
        orders::OrderFacts,
        reductions::{self, Taken},
    },
};

/// Opens every account that reductions of this order can post to.
pub(in crate::trade) async fn open_accounts(app: &AppState, facts: &OrderFacts) -> Result<()> {
    let currency = facts.total()?.currency;
    let mut wanted = vec![
        Account::ProcessorAvailable,
        Account::ClearingPayment,
        Account::ClearingRefund,
        Account::Commission,
        Account::DisputeHold,
        Account::DisputeLoss,
        Account::DisputeFees,
    ];
    for line in facts.lines() {
        let org = line.provider_id;
        wanted.extend([
            Account::ProviderPending(org),
            Account::ProviderPayable(org),
            Account::ProviderReceivable(org),
            Account::ProviderDisputeHeld(org),
        ]);
    }
    wanted.extend(facts.tax_account());
    let wanted: Vec<(Account, Currency)> = wanted.into_iter().map(|account| (account, currency)).collect();
    ledger::open_accounts(app, &wanted).await
}

/// Books an approved refund: each party's part leaves it, the sum waits in clearing for the processor.
/// The grants end where the order is refunded whole, or the refund says so.
///
/// The caller holds the locks on currency and order.
pub(super) async fn book(tx: &Tx, row: &refund::Model, facts: &OrderFacts, now: OffsetDateTime) -> Result<()> {
    let amount = Money::new(row.amount_minor, facts.total()?.currency);
    let (whole, earlier) = (reductions::parts_of(facts), reductions::active(tx.conn(), facts).await?);
    let parts = reductions::split_off(&whole, &earlier, amount.minor)?;
    let sums = reductions::order_account_sums(tx.conn(), facts.order.id).await?;
    let mut positions = reductions::positions(&whole, &sums, amount.currency);
    let taken = Taken::all(&parts, &mut positions, amount.currency);
    let mut lines: Vec<Line> = taken.iter().flat_map(|taken| taken.debits.clone()).collect();
    for part in &parts {
        lines.push(Line::debit(Account::Commission, Money::new(part.operator_minor, amount.currency)));
        lines.extend(
            facts.tax_account().map(|account| Line::debit(account, Money::new(part.tax_minor, amount.currency))),
        );
    }
    lines.push(Line::credit(Account::ClearingRefund, amount));
    let entry = NewEntry {
        kind: EntryKind::Refund,
        source: model::decided(facts.order.id, row.id),
        effective_at: now,
        memo: None,
        lines: lines.into_iter().map(|line| line.of(facts.order.id)).collect(),
    };
    ledger::post(tx, vec![entry], now).await?;
    reductions::insert(tx, row.id.0, ReductionKind::Refund, facts.order.id, &taken, now).await?;
    reductions::follow_money(tx, facts, now).await?;
    announce(tx, row, "refund.approved", now).await
}

/// Takes back what a refund booked whose money came back: the parties have their parts again, and the
/// buyer the access that the refund ended. Nothing for one that was undone before.
pub(super) async fn undo(tx: &Tx, row: &refund::Model, facts: &OrderFacts, now: OffsetDateTime) -> Result<()> {
    let amount = Money::new(row.amount_minor, facts.total()?.currency);
    let mut lines = vec![Line::debit(Account::ClearingRefund, amount)];
    if row.origin == RefundOrigin::ClosedOrder {
        lines.push(Line::credit(Account::ClearingPayment, amount));
    } else {
        let undone = reductions::undo(tx, row.id.0, now).await?;
        if undone.is_empty() {
            return Ok(());
        }
        lines.extend(reductions::returned(&undone, facts.order.hold_ended_at.is_none(), amount.currency));
        for part in &undone {
            lines.push(Line::credit(Account::Commission, Money::new(part.operator_minor, amount.currency)));
            lines.extend(
                facts.tax_account().map(|account| Line::credit(account, Money::new(part.tax_minor, amount.currency))),
            );
        }
        reductions::follow_money(tx, facts, now).await?;
    }
    let entry = NewEntry {
        kind: EntryKind::RefundFailure,
        source: model::undone(facts.order.id, row.id),
        effective_at: now,
        memo: None,
        lines: lines.into_iter().map(|line| line.of(facts.order.id)).collect(),
    };
    ledger::post(tx, vec![entry], now).await?;
    announce(tx, row, "refund.failed", now).await
}

/// Tells of a refund, with everybody whose sale it is about.
pub(super) async fn announce(tx: &Tx, row: &refund::Model, kind: &'static str, now: OffsetDateTime) -> Result<()> {
    let payload = json!({
        "refund_id": row.id, "order_id": row.order_id, "buyer_id": row.buyer_id, "amount_minor": row.amount_minor,
        "currency": row.currency, "provider_ids": store::providers_of(tx.conn(), row.order_id).await?,
    });
    outbox::append(tx, vec![News { topic: row.order_id.to_string(), kind, payload }], now).await
}

/// A refund that is not asked for yet.
pub(super) fn new_refund(
    facts: &OrderFacts,
    payment: PaymentId,
    amount_minor: i64,
    now: OffsetDateTime,
) -> refund::Model {
    refund::Model {
        id: RefundId::at(now),
        order_id: facts.order.id,
        payment_id: payment,
        buyer_id: facts.order.buyer_id,
        origin: RefundOrigin::Buyer,
        state: RefundState::Requested,
        currency: facts.order.currency.clone(),
        amount_minor,
        reason: String::new(),
        ends_access: false,
        created_by: None,
        created_at: Timestamp(now),
        answer_due_at: None,
        answered_at: None,
        answer_note: None,
        appealed_at: None,
        appeal_note: None,
        decided_at: None,
        decided_by: None,
        decision_note: None,
        attempt: 1,
        next_try_at: None,
        processor_ref: None,
        failure_text: None,
        paid_at: None,
        withdrawn_at: None,
    }
}

/// A refund as it is once decided: to be handed to the processor at once.
pub(super) fn approved(row: refund::Model, by: Option<AccountId>, now: OffsetDateTime) -> refund::Model {
    refund::Model {
        state: RefundState::Approved,
        decided_at: Some(Timestamp(now)),
        decided_by: by,
        next_try_at: Some(Timestamp(now)),
        ..row
    }
}

/// Decides, in the transaction that took the money of a closed order, that it goes back.
///
/// # Errors
/// Those of the database.
pub(in crate::trade) async fn refund_closed_order(
    tx: &Tx,
    facts: &OrderFacts,
    payment: PaymentId,
    now: OffsetDateTime,
) -> Result<()> {
    let amount = facts.total()?;
    let row = refund::Model {
        origin: RefundOrigin::ClosedOrder,
        reason: "The order was closed when its payment came.".to_owned(),
        ..approved(new_refund(facts, payment, amount.minor, now), None, now)
    };
    let order: OrderId = facts.order.id;
    let lines = vec![
        Line::debit(Account::ClearingPayment, amount).of(order),
        Line::credit(Account::ClearingRefund, amount).of(order),
    ];
    let source = model::decided(order, row.id);
    let entry = NewEntry { kind: EntryKind::Refund, source, effective_at: now, memo: None, lines };
    ledger::post(tx, vec![entry], now).await?;
    store::insert(tx, row.clone()).await?;
    announce(tx, &row, "refund.approved", now).await
}

/// The order behind a refund; it is there as long as the refund is.
pub(super) async fn order_of(app: &AppState, row: &refund::Model) -> Result<OrderFacts> {
    crate::trade::orders::store::load(app.db.read(), row.order_id)
        .await
        .map_err(|error| Error::internal(format!("{}: {error}", row.id)))
}
