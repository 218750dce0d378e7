//! Charges of many buyers, written together.

use std::sync::Arc;

use entity::{sandbox_event, sandbox_object};
use sea_orm::EntityTrait as _;

use super::book::insert_new;
use crate::{
    db::{Db, Gather, together_or_alone},
    error::{Error, Result},
};

/// A charge with all that is written for it.
#[derive(Debug, Clone)]
pub(super) struct NewCharge {
    pub rows: Vec<sandbox_object::ActiveModel>,
    pub event: sandbox_event::ActiveModel,
}

/// Where charges queue; several are written in one transaction. False is told of one that was there.
pub(super) fn start(db: &Db) -> Gather<NewCharge, bool> {
    let db = db.clone();
    Gather::start(move |charges| {
        let db = db.clone();
        async move { together_or_alone(charges, |charges| write_charges(&db, charges)).await }
    })
}

async fn write_charges(db: &Db, charges: Vec<NewCharge>) -> Result<Vec<bool>> {
    let charges = Arc::new(charges);
    db.write("sandbox.charge", move |tx| {
        let charges = charges.clone();
        async move {
            let rows: Vec<_> = charges.iter().flat_map(|charge| charge.rows.clone()).collect();
            let wanted = rows.len();
            let fresh = usize::try_from(insert_new(&tx, rows).await?).is_ok_and(|inserted| inserted == wanted);
            if fresh {
                let events: Vec<_> = charges.iter().map(|charge| charge.event.clone()).collect();
                sandbox_event::Entity::insert_many(events).exec_without_returning(tx.conn()).await?;
            } else if charges.len() > 1 {
                return Err(Error::conflict("One of these charges was made before."));
            }
            Ok((vec![fresh; charges.len()], tx))
        }
    })
    .await
}
