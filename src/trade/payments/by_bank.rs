//! Orders whose money came to a bank account of the operator, past the processor.
//!
//! The transfer is an attempt of its own, of the processor [`BANK`], and succeeds in the transaction that books the bank's
//! line; what else happens is what happens to every paid order.

use entity::{
    Timestamp,
    ids::{OrderId, OrgId, PaymentId},
    payment,
    states::{OrderState, PaymentState},
};
use time::OffsetDateTime;

use super::{
    heal::stop_waiting,
    service::attempt,
    settlement::{complete, open_accounts},
    store,
};
use crate::{
    base::Money,
    db::Tx,
    error::{Problem, Result},
    state::AppState,
    trade::orders::{OrderFacts, store as orders},
};

/// What payments that came by bank bear instead of a processor's name.
pub const BANK: &str = "bank";

/// An order as far as a transfer for it has to know.
#[derive(Debug, Clone)]
pub struct ForTransfer {
    facts: OrderFacts,
}

impl ForTransfer {
    /// The order.
    pub fn id(&self) -> OrderId {
        self.facts.order.id
    }

    /// Who pays.
    pub fn buyer(&self) -> OrgId {
        self.facts.order.buyer_id
    }

    /// What is to be paid.
    ///
    /// # Errors
    /// Internal, for a currency that is supported no more.
    pub fn total(&self) -> Result<Money> {
        self.facts.total()
    }

    /// Where it stands.
    pub fn state(&self) -> OrderState {
        self.facts.order.state
    }

    /// Marks it paid by the bank line called `line`, completes it, books the sale, grants access and announces it; false,
    /// and nothing done, when it does not wait for its payment. The caller books the money against `clearing.payment`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn pay(&self, tx: &Tx, line: &str, now: OffsetDateTime) -> Result<bool> {
        let id = self.id();
        if !orders::advance(tx, id, OrderState::AwaitingPayment, OrderState::Completed, now).await? {
            return Ok(false);
        }
        let earlier = store::of_orders(tx.conn(), &[id]).await?;
        let number = earlier.first().map_or(1, |last| last.attempt + 1);
        let paid = payment::Model {
            id: PaymentId::derived_at(&format!("{BANK}:{line}"), now),
            state: PaymentState::Succeeded,
            processor_ref: Some(line.to_owned()),
            settled_at: Some(Timestamp(now)),
            ..attempt(&self.facts, number, BANK, now)
        };
        store::insert(tx, paid).await?;
        complete(tx, &[&self.facts], now).await?;
        Ok(true)
    }
}

/// Reads an order that a transfer names, and opens the accounts that paying it needs; nothing when there is none.
///
/// # Errors
/// Those of the database.
pub async fn for_transfer(app: &AppState, order: OrderId) -> Result<Option<ForTransfer>> {
    match orders::load(app.db.read(), order).await {
        Ok(facts) => {
            open_accounts(app, &facts).await?;
            Ok(Some(ForTransfer { facts }))
        }
        Err(error) if error.problem == Problem::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same order, held until the transaction ends.
///
/// # Errors
/// Those of the database.
pub async fn lock_for_transfer(tx: &Tx, order: OrderId) -> Result<ForTransfer> {
    Ok(ForTransfer { facts: orders::lock(tx, order).await? })
}

/// Gives up what the processor still waits for of an order that was paid otherwise; what it takes all the same goes back.
pub async fn stop_at_processor(app: &AppState, order: OrderId) {
    if let Err(error) = stop_waiting(app, order).await {
        let text = error.cause.as_ref().map_or_else(|| error.to_string(), ToString::to_string);
        tracing::warn!(order.id = %order, "an attempt at the processor is given up later: {text}");
    }
}

/// The processor's name of the charge that paid an order, if it was paid there.
///
/// # Errors
/// Those of the database.
pub async fn charge_that_paid(tx: &Tx, order: OrderId) -> Result<Option<String>> {
    let paid = store::that_paid(tx.conn(), order).await?;
    Ok(paid.filter(|payment| payment.processor != BANK).and_then(|payment| payment.processor_ref))
}
