//! Takes the outbox to the bus: at least once, in the order in which it was written.

use entity::{Timestamp, outbox};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};

use crate::{error::Result, ports::bus::Event, state::AppState};

/// Events taken in one go.
const BATCH: u64 = 200;

/// Sends what was not sent; returns how many. Stops at the first that is not taken, to keep the order.
///
/// # Errors
/// Those of the database and of the bus.
pub(super) async fn relay_outbox(app: &AppState) -> Result<usize> {
    let waiting = outbox::Entity::find()
        .filter(outbox::Column::SentAt.is_null())
        .order_by_asc(outbox::Column::Seq)
        .limit(BATCH)
        .all(app.db.read())
        .await?;
    let (mut sent, mut failure) = (Vec::new(), None);
    for row in waiting {
        let seq = row.seq;
        let event = Event {
            seq,
            id: row.id,
            topic: row.topic,
            kind: row.kind,
            payload: row.payload,
            created_at: row.created_at,
        };
        if let Err(error) = app.bus.publish(&event).await {
            failure = Some(error);
            break;
        }
        sent.push(seq);
    }
    let count = sent.len();
    if count > 0 {
        mark_sent(app, sent).await?;
    }
    failure.map_or(Ok(count), Err)
}

async fn mark_sent(app: &AppState, sent: Vec<i64>) -> Result<()> {
    let now = app.clock.now();
    app.db
        .write("jobs.mark_sent", move |tx| {
            let sent = sent.clone();
            async move {
                outbox::Entity::update_many()
                    .col_expr(outbox::Column::SentAt, Expr::value(Some(Timestamp(now))))
                    .filter(outbox::Column::Seq.is_in(sent))
                    .exec(tx.conn())
                    .await?;
                Ok(((), tx))
            }
        })
        .await
}
