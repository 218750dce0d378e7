//! Counting files that are handed out to be fetched later, by tools that fetch one file in many requests.

use std::collections::HashSet;

use entity::{
    ids::{FileId, MeterId},
    states::UsageUnit,
};
use sea_orm::ConnectionTrait;
use time::OffsetDateTime;

use super::{
    record::{NewUsage, count},
    store,
};
use crate::{
    error::{Error, Result},
    state::AppState,
};

/// What is handed out to be fetched.
#[derive(Debug, Clone)]
pub struct HandedOut {
    key: String,
    bytes: u64,
}

impl HandedOut {
    /// A file of `bytes`.
    pub fn file(id: FileId, bytes: u64) -> Self {
        Self { key: format!("handed-out:{id}"), bytes }
    }

    /// What changed in a file, of `bytes`; `sha256` tells what was made of it under one key from the same under another.
    pub fn changes(id: FileId, sha256: &str, bytes: u64) -> Self {
        Self { key: format!("handed-out:{id}:changes:{}", sha256.get(..32).unwrap_or(sha256)), bytes }
    }
}

/// Counts files on a meter, each once however often it is handed out under it; all of them, or none.
///
/// # Errors
/// `Conflict` when some were not handed out before, and the budget or the units are used up.
pub async fn hand_out(app: &AppState, id: MeterId, files: Vec<HandedOut>, now: OffsetDateTime) -> Result<()> {
    let fresh = not_counted(app.db.read(), id, files).await?;
    if fresh.is_empty() {
        return Ok(());
    }
    let bytes = fresh.iter().fold(0_u64, |sum, file| sum.saturating_add(file.bytes));
    // Held until the units are counted, so that downloads that are let through meanwhile see them.
    let _reserved = app.meters.admit_all(&app.db, id, (fresh.len(), bytes), now).await?;
    app.db
        .write("usage.hand_out", move |tx| {
            let fresh = fresh.clone();
            async move {
                let mut meter = store::lock(&tx, id).await?;
                // Another request may have counted some while this one waited for the lock.
                let mut items = Vec::with_capacity(fresh.len());
                for file in not_counted(tx.conn(), id, fresh).await? {
                    let units = match meter.unit {
                        UsageUnit::Request => 1,
                        UsageUnit::Byte => i64::try_from(file.bytes).map_err(Error::internal)?,
                        // What only providers report.
                        UsageUnit::Row | UsageUnit::Event => return Ok(((), tx)),
                    };
                    items.push(NewUsage { source_key: file.key, units, occurred_at: now });
                }
                if !items.is_empty() {
                    count(&tx, &mut meter, items, now).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}

/// Those of some files that were not handed out before.
async fn not_counted(conn: &impl ConnectionTrait, id: MeterId, files: Vec<HandedOut>) -> Result<Vec<HandedOut>> {
    let keys: Vec<&str> = files.iter().map(|file| file.key.as_str()).collect();
    let counted = store::records_of(conn, id, &keys).await?;
    let counted: HashSet<String> = counted.into_iter().map(|record| record.source_key).collect();
    Ok(files.into_iter().filter(|file| !counted.contains(&file.key)).collect())
}
