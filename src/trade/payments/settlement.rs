//! What a charge's outcome does: the heart of the exchange, in one transaction.

use entity::{
    grant,
    states::{EntryKind, OrderState},
};
use serde_json::json;
use time::OffsetDateTime;

use super::{captured::Taken, store};
use crate::{
    base::Money,
    db::{
        Tx, inbox,
        outbox::{self, News},
    },
    error::{Error, Result},
    ledger::{self, Account, Line, NewEntry},
    ports::payments::{Charge, ChargeState},
    state::AppState,
    trade::{
        grants,
        orders::{OrderFacts, Step, store as orders},
        refunds, subscriptions,
    },
};

/// A received message that the outcome came by: source and event id.
pub type Inbox = Option<(String, String)>;

/// Brings payment and order to where the charge stands.
///
/// When the money is taken, one transaction marks the payment, completes the order, books the split
/// sale, grants access and appends the news; it claims the inbox message, if one brought the news. A
/// repetition finds the payment settled and changes nothing. `known` saves reading the order again.
///
/// # Errors
/// Internal when the charge's sum or currency is not the payment's; those of the database.
pub async fn settle(app: &AppState, charge: &Charge, known: Option<OrderFacts>, via: Inbox) -> Result<()> {
    let (charge, now) = (charge.clone(), app.clock.now());
    let facts = match known {
        Some(facts) => facts,
        None => order_of(app, &charge).await?,
    };
    if charge.amount != facts.total()? {
        let text =
            format!("{} is over {}, {} over {}", charge.processor_ref, charge.amount, facts.order.id, facts.total()?);
        return Err(Error::internal(text));
    }
    if charge.state == ChargeState::Captured {
        open_accounts(app, &facts).await?;
        if via.is_none() {
            return app.counter.payments.ask(Taken { charge, facts }).await;
        }
    }
    app.db
        .write("trade.settle", move |tx| {
            let (charge, facts, via) = (charge.clone(), facts.clone(), via.clone());
            async move {
                if let Some((source, event)) = &via
                    && !inbox::finish(&tx, source, event, now).await?
                {
                    return Ok(((), tx));
                }
                settle_in(&tx, &charge, &facts, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

async fn order_of(app: &AppState, charge: &Charge) -> Result<OrderFacts> {
    let payment = store::find(app.db.read(), charge.payment_id).await?;
    let payment = payment
        .ok_or_else(|| Error::internal(format!("no payment {} for {}", charge.payment_id, charge.processor_ref)))?;
    orders::load(app.db.read(), payment.order_id).await
}

pub(super) async fn open_accounts(app: &AppState, facts: &OrderFacts) -> Result<()> {
    let currency = facts.total()?.currency;
    let mut wanted = [Account::ClearingPayment, Account::ClearingRefund, Account::Commission]
        .map(|account| (account, currency))
        .to_vec();
    wanted.extend(facts.lines().map(|line| (Account::ProviderPending(line.provider_id), currency)));
    wanted.extend(facts.tax_account().map(|account| (account, currency)));
    ledger::open_accounts(app, &wanted).await
}

pub(super) async fn settle_in(tx: &Tx, charge: &Charge, facts: &OrderFacts, now: OffsetDateTime) -> Result<()> {
    if !store::follow(tx, charge.payment_id, charge, now).await? || charge.state != ChargeState::Captured {
        return Ok(());
    }
    let paid = orders::advance(tx, facts.order.id, OrderState::AwaitingPayment, OrderState::Completed, now).await?;
    if paid {
        return complete(tx, &[facts], now).await;
    }
    // The money is here, but the order is closed: nothing is granted or booked as a sale, and it goes back.
    refunds::refund_closed_order(tx, facts, charge.payment_id, now).await?;
    let payload = json!({"order_id": facts.order.id, "payment_id": charge.payment_id});
    let news = News { topic: facts.order.id.to_string(), kind: "payment.without_order", payload };
    tracing::error!(order.id = %facts.order.id, payment.id = %charge.payment_id, "a payment was taken for an order that is closed");
    outbox::append(tx, vec![news], now).await
}

/// Books, grants and announces completed orders, in one statement per table; a free one has nothing to book.
pub(in crate::trade) async fn complete(tx: &Tx, all: &[&OrderFacts], now: OffsetDateTime) -> Result<()> {
    debug_assert!(Step::Pay.from(OrderState::AwaitingPayment).is_ok());
    if all.is_empty() {
        return Ok(());
    }
    let paid = all.iter().filter(|facts| !facts.is_free());
    ledger::post(tx, paid.map(|facts| sale(facts, now)).collect::<Result<_>>()?, now).await?;
    let (mut new_grants, mut news) = (Vec::new(), Vec::new());
    for facts in all {
        let grants = grants::from_order(facts, now);
        news.push(announcement(facts, &grants));
        new_grants.extend(grants);
    }
    subscriptions::on_completed(tx, all, &mut new_grants, now).await?;
    grants::insert_all(tx, new_grants).await?;
    outbox::append(tx, news, now).await
}

fn announcement(facts: &OrderFacts, grants: &[grant::Model]) -> News {
    let order = &facts.order;
    let payload = json!({
        "order_id": order.id, "grant_ids": grants.iter().map(|grant| grant.id).collect::<Vec<_>>(),
        "grant_id": grants.first().map(|grant| grant.id), "buyer_id": order.buyer_id,
        "provider_id": facts.line.provider_id, "provider_ids": facts.providers(), "total_minor": order.total_minor, "currency": order.currency,
    });
    News { topic: facts.line.listing_id.to_string(), kind: "order.completed", payload }
}

/// The sale: what the buyer paid is owed to the providers, less the operator's share and, where the
/// operator is the seller, less the tax it owes.
fn sale(facts: &OrderFacts, now: OffsetDateTime) -> Result<NewEntry> {
    let total = facts.total()?;
    let order = facts.order.id;
    let part = |minor| Money::new(minor, total.currency);
    let mut lines = vec![Line::debit(Account::ClearingPayment, total).of(order)];
    for line in facts.lines() {
        lines.push(Line::credit(Account::ProviderPending(line.provider_id), part(line.provider_minor)).of(order));
        lines.push(Line::credit(Account::Commission, part(line.operator_minor)).of(order));
    }
    if let Some(account) = facts.tax_account() {
        lines.push(Line::credit(account, part(facts.order.tax_minor)).of(order));
    }
    let source = format!("order:{order}:sale");
    Ok(NewEntry { kind: EntryKind::Sale, source, effective_at: now, memo: None, lines })
}
