//! Settling charges that were taken at once, several in one transaction: the common case of [`super::settle`].

use std::sync::Arc;

use time::OffsetDateTime;

use super::{
    settlement::{complete, settle_in},
    store,
};
use crate::{
    db::Db,
    error::{Error, Result},
    ports::payments::Charge,
    trade::orders::{OrderFacts, store as orders},
};

/// A charge that was taken, and the order that it pays.
#[derive(Debug, Clone)]
pub(in crate::trade) struct Taken {
    pub charge: Charge,
    pub facts: OrderFacts,
}

/// Marks the payments, completes the orders, books, grants and announces them, in one transaction.
///
/// # Errors
/// Those of the database; for several also a conflict when one was settled before or its order is
/// closed, and then each has to be settled alone.
pub(in crate::trade) async fn settle(db: &Db, taken: Vec<Taken>, now: OffsetDateTime) -> Result<Vec<()>> {
    let taken = Arc::new(taken);
    db.write("trade.settle", move |tx| {
        let taken = taken.clone();
        async move {
            if let [one] = taken.as_slice() {
                settle_in(&tx, &one.charge, &one.facts, now).await?;
                return Ok((vec![()], tx));
            }
            let charges: Vec<&Charge> = taken.iter().map(|one| &one.charge).collect();
            let facts: Vec<&OrderFacts> = taken.iter().map(|one| &one.facts).collect();
            let all = store::follow_taken(&tx, &charges, now).await? && orders::complete_all(&tx, &facts, now).await?;
            if !all {
                return Err(Error::conflict("One of these payments was settled before."));
            }
            complete(&tx, &facts, now).await?;
            Ok((vec![(); taken.len()], tx))
        }
    })
    .await
}
