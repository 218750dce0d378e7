//! Writes down what was delivered, many rows at a time, behind the downloads' backs.

use std::{sync::Arc, time::Duration};

use entity::{
    Timestamp, delivery,
    ids::{DeliveryId, FileId, GrantId, OrgId},
    states::RenditionFormat,
};
use sea_orm::{ActiveValue::Set, EntityTrait as _};
use time::OffsetDateTime;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use crate::{
    db::Db,
    error::{Error, Result},
    limits,
    trade::usage::{self, Reservation},
};

/// Rows of one transaction.
const BATCH_ROWS: usize = 1_024;
/// Rows of one statement: few sizes, so that the database prepares few statements.
const STATEMENT_ROWS: [usize; 3] = [256, 16, 1];
/// How often a batch is tried before it is given up.
const ATTEMPTS_MAX: u32 = 3;

/// One answer that carried bytes of a file, or began to.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The grant it was sent under.
    pub grant_id: GrantId,
    /// The file.
    pub file_id: FileId,
    /// The format it was sent in; the original, where there is none.
    pub format: Option<RenditionFormat>,
    /// The organisation that holds the grant.
    pub organization_id: OrgId,
    /// When it was asked for.
    pub at: OffsetDateTime,
    /// 200 for the whole file, 206 for a part, 307 for an address at the store.
    pub status: u16,
    /// Bytes handed to the connection, less than asked for when the client went away; with 307 those asked for.
    pub bytes_sent: u64,
    /// The part, as `bytes=FIRST-LAST`.
    pub range: Option<String>,
    /// The request.
    pub request_id: String,
    /// Units set aside for it, where its grant is metered; they are given back once it is counted.
    pub metered: Option<Arc<Reservation>>,
}

enum Note {
    Delivered(Delivered),
    Flush(oneshot::Sender<()>),
}

/// Takes notes of deliveries without ever making a download wait. Cloning shares the queue.
///
/// Notes wait at most [`limits::DELIVERY_RECORD_WAIT_MS`] for others to share a transaction with.
/// What can't be written is counted in `delivery_records_dropped_total`.
#[derive(Debug, Clone)]
pub struct Recorder(mpsc::Sender<Note>);

impl Recorder {
    /// Starts the task that writes to `db`; it ends when the last recorder is gone.
    pub fn start(db: Db) -> Self {
        let (queue, notes) = mpsc::channel(limits::DELIVERY_RECORDS_WAITING_MAX);
        tokio::spawn(serve(db, notes));
        Self(queue)
    }

    /// Notes a delivery; returns at once, whatever the database does.
    pub fn record(&self, delivered: Delivered) {
        if self.0.try_send(Note::Delivered(delivered)).is_err() {
            dropped(1);
        }
    }

    /// Waits until everything noted so far is written. Call it once no request is in flight, before
    /// the process ends.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.0.send(Note::Flush(done)).await.is_ok() {
            // The task can only be gone together with its runtime; then nothing is left to wait for.
            let _ = written.await;
        }
    }
}

fn dropped(count: usize) {
    metrics::counter!("delivery_records_dropped_total").increment(count.try_into().unwrap_or(u64::MAX));
}

async fn serve(db: Db, mut notes: mpsc::Receiver<Note>) {
    let mut taken = Vec::with_capacity(BATCH_ROWS);
    while notes.recv_many(&mut taken, BATCH_ROWS).await > 0 {
        let deadline = Instant::now() + Duration::from_millis(limits::DELIVERY_RECORD_WAIT_MS);
        while taken.len() < BATCH_ROWS && !taken.iter().any(|note| matches!(note, Note::Flush(_))) {
            let room = BATCH_ROWS - taken.len();
            match timeout_at(deadline, notes.recv_many(&mut taken, room)).await {
                Ok(count) if count > 0 => {}
                Ok(_) | Err(_) => break,
            }
        }
        settle(&db, taken.drain(..)).await;
    }
}

async fn settle(db: &Db, notes: impl Iterator<Item = Note>) {
    let (mut rows, mut waiting) = (Vec::new(), Vec::new());
    for note in notes {
        match note {
            // The id is chosen before the first try, so that a repeated try can't write it twice.
            Note::Delivered(delivered) => rows.push((DeliveryId::at(delivered.at), delivered)),
            Note::Flush(done) => waiting.push(done),
        }
    }
    let count = rows.len();
    if let Err(error) = write(db, Arc::new(rows)).await {
        dropped(count);
        tracing::error!(error = %error, records = count, "{count} deliveries were not recorded: {error}");
    }
    for done in waiting {
        let _ = done.send(());
    }
}

fn row((id, delivered): &(DeliveryId, Delivered)) -> delivery::ActiveModel {
    delivery::ActiveModel {
        id: Set(*id),
        grant_id: Set(delivered.grant_id),
        file_id: Set(delivered.file_id),
        organization_id: Set(delivered.organization_id),
        at: Set(Timestamp(delivered.at)),
        status: Set(delivered.status.into()),
        bytes_sent: Set(i64::try_from(delivered.bytes_sent).unwrap_or(i64::MAX)),
        range: Set(delivered.range.clone()),
        request_id: Set(Some(delivered.request_id.clone())),
        format: Set(delivered.format),
    }
}

async fn write(db: &Db, rows: Arc<Vec<(DeliveryId, Delivered)>>) -> Result<()> {
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS_MAX {
        if rows.is_empty() {
            break;
        }
        outcome = write_once(db, rows.clone()).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn write_once(db: &Db, rows: Arc<Vec<(DeliveryId, Delivered)>>) -> Result<(), Error> {
    db.write("delivery.record", move |tx| {
        let rows = rows.clone();
        async move {
            usage::count_deliveries(&tx, &rows).await?;
            let mut left = rows.as_slice();
            for size in STATEMENT_ROWS {
                while let Some((now, later)) = left.split_at_checked(size) {
                    delivery::Entity::insert_many(now.iter().map(row)).exec_without_returning(tx.conn()).await?;
                    left = later;
                }
            }
            Ok(((), tx))
        }
    })
    .await
}
