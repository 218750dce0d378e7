//! Appending leaves: what was sealed since, and free orders.

use entity::{Timestamp, proof_leaf, proof_node, proof_progress};
use time::{Duration, OffsetDateTime};
use torv_receipt::canonical_json;

use super::{
    model::{self, Event},
    nodes::Nodes,
    store,
};
use crate::{
    auth::random_bytes,
    db::Tx,
    error::{Error, Result},
    ledger,
    state::AppState,
};

/// Free orders appended in one transaction.
const FREE_ORDERS_PER_ROUND: u64 = 500;
/// How long before the newest free order a late one may still appear: no transaction lives as long.
const LATE_MINUTES: i64 = 10;

/// Appends a leaf for everything that was sealed since the last look, and for free orders; returns how many.
///
/// Safe to run at any time in any number of processes: the row of `proof_progress` is locked, and read
/// again under the lock.
///
/// # Errors
/// Those of the database.
pub async fn append_leaves(app: &AppState) -> Result<usize> {
    let mut appended = 0;
    loop {
        let seen = store::progress(app.db.read()).await?;
        let sealed = ledger::seal_after(app.db.read(), seen.seal_number).await?.is_some();
        if !sealed && store::free_orders(app.db.read(), late(seen.free_closed_at), 1).await?.is_empty() {
            return Ok(appended);
        }
        let now = app.clock.now();
        let append = app.db.write("settlement.append_proof", move |tx| async move {
            let count = append_batch(&tx, now).await?;
            Ok((count, tx))
        });
        appended += append.await?;
    }
}

fn late(newest: Timestamp) -> Timestamp {
    Timestamp(newest.0 - Duration::minutes(LATE_MINUTES))
}

/// Appends the next seal's events, or, with no seal left, free orders.
async fn append_batch(tx: &Tx, now: OffsetDateTime) -> Result<usize> {
    let mut progress = store::lock_progress(tx).await?;
    let events = match ledger::seal_after(tx.conn(), progress.seal_number).await? {
        Some(number) => {
            progress.seal_number = number;
            model::events(&ledger::postings_of_seal(tx.conn(), number, &model::entry_kinds()).await?)?
        }
        None => {
            let free = store::free_orders(tx.conn(), late(progress.free_closed_at), FREE_ORDERS_PER_ROUND).await?;
            let newest = free.iter().filter_map(|order| order.closed_at).max();
            progress.free_closed_at = progress.free_closed_at.max(newest.unwrap_or(progress.free_closed_at));
            free.iter().map(model::free_event).collect()
        }
    };
    append_events(tx, &events, &mut progress, now).await?;
    store::save_progress(tx, progress).await?;
    Ok(events.len())
}

async fn append_events(
    tx: &Tx,
    events: &[Event],
    progress: &mut proof_progress::Model,
    now: OffsetDateTime,
) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = events.iter().map(|event| event.order).collect();
    let orders = store::orders(tx.conn(), &ids).await?;
    let mut nodes = Nodes::edge(tx.conn(), u64::try_from(progress.size).map_err(Error::internal)?).await?;
    let (mut leaves, mut fresh) = (Vec::with_capacity(events.len()), Vec::new());
    for event in events {
        let statement = model::statement(event, &orders, random_bytes)?;
        let leaf = statement.leaf()?;
        let index = u64::try_from(progress.size).map_err(Error::internal)?;
        for (node, hash) in nodes.append(index, leaf)? {
            let (level, position) = store::place(node)?;
            fresh.push(proof_node::Model { level, position, hash: hash.to_string() });
        }
        leaves.push(proof_leaf::Model {
            position: progress.size,
            kind: event.kind,
            event: event.name.clone(),
            order_id: event.order,
            day: model::day(event.booked_at),
            currency: event.currency.clone(),
            total_minor: statement.total_minor,
            providers_minor: statement.providers_minor,
            operator_minor: statement.operator_minor,
            tax_minor: statement.tax_minor,
            leaf: leaf.to_string(),
            statement: canonical_json(&statement)?,
            appended_at: Timestamp(now),
        });
        progress.size += 1;
    }
    store::insert(tx, leaves, fresh).await
}
