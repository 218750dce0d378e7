//! The processor's fee for a lost dispute, where providers bear it.

use entity::{
    dispute,
    states::{DisputeCostKind, EntryKind},
};
use time::OffsetDateTime;

use super::{booking, model, store};
use crate::{
    base::Money,
    db::Tx,
    error::Result,
    ledger::{self, Account, Line},
    state::AppState,
    trade::{
        orders::{OrderFacts, store as orders},
        refunds,
    },
};

/// Disputes looked at in one go.
const BATCH: u64 = 100;

/// Takes fees for lost disputes from the providers that bear them, for disputes whose line is known by now; returns
/// how many. A fee in another currency than the order's can't be taken from its shares: the operator bears it.
///
/// Safe to run at any time in any number of processes: a fee is booked by whoever claimed it.
///
/// # Errors
/// Those of the database.
pub async fn book_fees(app: &AppState) -> Result<usize> {
    let (mut booked, mut after) = (0, None);
    loop {
        let due = store::fees_due(app.db.read(), after, BATCH).await?;
        let Some(last) = due.last() else { return Ok(booked) };
        after = Some(last.id);
        for row in due {
            if let Some(line) = store::line_of(app.db.read(), &row).await? {
                let minor = if line.currency == row.currency { line.fee_minor.max(0) } else { 0 };
                booked += usize::from(book(app, row, minor).await?);
            }
        }
    }
}

async fn book(app: &AppState, row: dispute::Model, fee_minor: i64) -> Result<bool> {
    let facts = orders::load(app.db.read(), row.order_id).await?;
    refunds::open_accounts(app, &facts).await?;
    let (now, currency) = (app.clock.now(), facts.total()?.currency);
    app.db
        .write("trade.book_dispute_fee", move |tx| {
            let row = row.clone();
            async move {
                ledger::lock_currency(&tx, currency).await?;
                let facts = orders::lock(&tx, row.order_id).await?;
                let claimed = store::claim_fee(&tx, row.id).await?;
                if claimed {
                    book_in(&tx, &row, &facts, fee_minor, now).await?;
                }
                Ok((claimed, tx))
            }
        })
        .await
}

async fn book_in(tx: &Tx, row: &dispute::Model, facts: &OrderFacts, fee_minor: i64, now: OffsetDateTime) -> Result<()> {
    let mut borne = model::spread(&booking::sold(facts), fee_minor)?;
    borne.retain(|_, minor| *minor != 0);
    let sum: i64 = borne.values().sum();
    let mut lines = booking::charge(tx, row, facts, DisputeCostKind::Fee, &borne, now).await?;
    lines.push(Line::credit(Account::DisputeFees, Money::new(sum, facts.total()?.currency)));
    booking::post(tx, row, facts, EntryKind::DisputeFee, "fee", lines, now).await
}
