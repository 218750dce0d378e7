//! Rows and entries by their keys, for comparing.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use entity::{
    ids::{EntryId, LedgerAccountId, OrderId},
    ledger_entry, order, payment, posting,
    states::PaymentState,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait, QueryFilter as _, QuerySelect as _, QueryTrait as _, TryGetable,
    Value,
    sea_query::{Expr, ExprTrait as _},
};

use crate::{error::Result, trade::payments::BANK};

/// The condition that an order was not paid past the processor, by a transfer to the operator's own bank account: only
/// then does the processor have a charge for it.
pub fn is_paid_at_processor() -> Expr {
    let by_bank = payment::Entity::find()
        .select_only()
        .column(payment::Column::OrderId)
        .filter(payment::Column::Processor.eq(BANK))
        .filter(payment::Column::State.eq(PaymentState::Succeeded))
        .filter(Expr::col((payment::Entity, payment::Column::OrderId)).equals((order::Entity, order::Column::Id)))
        .into_query();
    Expr::exists(by_bank).not()
}

/// Keys asked for in one statement; both databases limit its parameters.
const KEYS_MAX: usize = 1_000;

/// Which of these keys exist.
pub async fn present<E, K>(
    conn: &impl ConnectionTrait,
    column: E::Column,
    keys: impl IntoIterator<Item = K>,
) -> Result<HashSet<K>>
where
    E: EntityTrait,
    K: Into<Value> + TryGetable + Hash + Eq + Clone,
{
    let keys: Vec<K> = keys.into_iter().collect::<HashSet<_>>().into_iter().collect();
    let mut found = HashSet::new();
    for chunk in keys.chunks(KEYS_MAX) {
        let query = E::find().select_only().column(column).filter(column.is_in(chunk.iter().cloned()));
        found.extend(query.into_tuple::<K>().all(conn).await?);
    }
    Ok(found)
}

/// One posting of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// The account.
    pub account: LedgerAccountId,
    /// The order it belongs to.
    pub order: Option<OrderId>,
    /// Debits positive.
    pub minor: i64,
}

/// The postings of these business events; one that is not booked is missing.
pub async fn booked(conn: &impl ConnectionTrait, sources: &[String]) -> Result<HashMap<String, Vec<Leg>>> {
    let mut of: HashMap<String, Vec<Leg>> = HashMap::new();
    for chunk in sources.chunks(KEYS_MAX) {
        let heads: Vec<(EntryId, String)> = ledger_entry::Entity::find()
            .select_only()
            .columns([ledger_entry::Column::Id, ledger_entry::Column::Source])
            .filter(ledger_entry::Column::Source.is_in(chunk))
            .into_tuple()
            .all(conn)
            .await?;
        let sources: HashMap<EntryId, String> = heads.into_iter().collect();
        let rows =
            posting::Entity::find().filter(posting::Column::EntryId.is_in(sources.keys().copied())).all(conn).await?;
        for source in sources.values() {
            of.insert(source.clone(), Vec::new());
        }
        for row in rows {
            let Some(legs) = sources.get(&row.entry_id).and_then(|source| of.get_mut(source)) else { continue };
            legs.push(Leg { account: row.account_id, order: row.order_id, minor: row.amount_minor });
        }
    }
    Ok(of)
}
