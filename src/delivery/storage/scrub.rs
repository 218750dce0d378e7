//! Re-reads everything that is stored, slowly, and compares it with its digest.

use std::{pin::pin, time::Duration as StdDuration};

use entity::{ids::FileId, states::StorageFindingKind};
use futures::StreamExt as _;
use time::Duration;
use tokio::time::Instant;

use super::store::{self, Blob};
use crate::{base::digest::Sha256, error::Result, limits, state::AppState};

/// What a re-reading saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Blobs that were read.
    pub blobs: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Blobs that are not what was stored.
    pub damaged: u64,
    /// Blobs that are not there.
    pub missing: u64,
}

/// Re-reads the next file and its renditions, if a pass is due and no other process is at it; returns how many files.
///
/// # Errors
/// Those of the database. What can't be read is noted as missing.
pub async fn scrub_next(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let until = now + Duration::seconds(limits::SCRUB_LEASE_SECONDS);
    let leased = app
        .db
        .write("delivery.lease_scrub", move |tx| async move { Ok((store::lease_scrub(&tx, now, until).await?, tx)) });
    if !leased.await? {
        return Ok(0);
    }
    let position = store::find_scrub(app.db.read()).await?.and_then(|row| row.position);
    let blobs = store::next_blobs(app.db.read(), position).await?;
    let mut report = ScrubReport::default();
    let bytes_per_second = app.config.storage.scrub_bytes_per_second;
    for blob in &blobs {
        check(app, blob, bytes_per_second, &mut report, &|_| {}).await?;
    }
    let (position, next) = match blobs.first() {
        Some(blob) => (Some(blob.file_id), None),
        None => (None, Some(now + Duration::days(limits::SCRUB_PASS_DAYS))),
    };
    app.db
        .write("delivery.advance_scrub", move |tx| async move {
            store::advance_scrub(&tx, position, next).await?;
            Ok(((), tx))
        })
        .await?;
    Ok(usize::from(position.is_some()))
}

/// Re-reads everything now, at up to `bytes_per_second` (0 is as fast as it goes); tells `progress` bytes done and all.
///
/// # Errors
/// Those of the database.
pub async fn scrub_all(app: &AppState, bytes_per_second: u64, progress: impl Fn(u64, u64)) -> Result<ScrubReport> {
    let all = store::totals(app.db.read()).await?;
    let (mut report, mut position): (ScrubReport, Option<FileId>) = Default::default();
    loop {
        let blobs = store::next_blobs(app.db.read(), position).await?;
        let Some(first) = blobs.first() else { return Ok(report) };
        position = Some(first.file_id);
        for blob in &blobs {
            let before = report.bytes;
            check(app, blob, bytes_per_second, &mut report, &|bytes| progress(before + bytes, all)).await?;
        }
    }
}

/// Writes down what downloads found to be damaged; returns how many files.
///
/// # Errors
/// Those of the database.
pub async fn note_damaged_reads(app: &AppState) -> Result<usize> {
    let keys = app.files.take_damaged();
    let mut noted = 0;
    for key in keys {
        if let Some(blob) = store::find_blob(app.db.read(), &key).await? {
            note(app, &blob, StorageFindingKind::Damaged).await?;
            noted += 1;
        }
    }
    Ok(noted)
}

/// Reads a blob, and notes what is wrong with it; or that nothing is any more.
async fn check(
    app: &AppState,
    blob: &Blob,
    bytes_per_second: u64,
    report: &mut ScrubReport,
    progress: &impl Fn(u64),
) -> Result<()> {
    let outcome = read(app, blob, bytes_per_second, progress).await?;
    report.blobs += 1;
    match outcome {
        Ok(sha256) if sha256 == blob.sha256 => {
            report.bytes += blob.size_bytes;
            let (key, now) = (blob.key.clone(), app.clock.now());
            app.db
                .write("delivery.resolve_finding", move |tx| {
                    let key = key.clone();
                    async move {
                        store::resolve_finding(&tx, &key, now).await?;
                        Ok(((), tx))
                    }
                })
                .await
        }
        Ok(_) => {
            report.damaged += 1;
            note(app, blob, StorageFindingKind::Damaged).await
        }
        // Deleted with its open revision since it was listed: nothing is missing.
        Err(_) if store::find_blob(app.db.read(), &blob.key).await?.is_none() => Ok(()),
        Err(kind) => {
            match kind {
                StorageFindingKind::Damaged => report.damaged += 1,
                StorageFindingKind::Missing => report.missing += 1,
            }
            note(app, blob, kind).await
        }
    }
}

/// The digest of a blob as it is now, or what is wrong with it.
async fn read(
    app: &AppState,
    blob: &Blob,
    bytes_per_second: u64,
    progress: &impl Fn(u64),
) -> Result<Result<String, StorageFindingKind>> {
    let pieces = match app.files.reread(&blob.key).await? {
        Some((size_bytes, pieces)) if size_bytes == blob.size_bytes => pieces,
        Some(_) => return Ok(Err(StorageFindingKind::Damaged)),
        None => return Ok(Err(StorageFindingKind::Missing)),
    };
    let (mut pieces, mut hash, mut done, started) = (pin!(pieces), Sha256::new(), 0_u64, Instant::now());
    let mut renewed = started;
    while let Some(piece) = pieces.next().await {
        let Ok(piece) = piece else { return Ok(Err(StorageFindingKind::Damaged)) };
        hash.update(&piece);
        done += piece.len() as u64;
        progress(done);
        if renewed.elapsed() > StdDuration::from_secs(limits::SCRUB_RENEW_SECONDS) {
            renewed = Instant::now();
            let until = app.clock.now() + Duration::seconds(limits::SCRUB_LEASE_SECONDS);
            app.db
                .write("delivery.renew_scrub", move |tx| async move {
                    store::renew_scrub(&tx, until).await?;
                    Ok(((), tx))
                })
                .await?;
        }
        keep_pace(started, done, bytes_per_second).await;
    }
    Ok(Ok(hash.finish_hex()))
}

/// Waits until so many bytes may have been read.
#[expect(clippy::disallowed_methods, reason = "slowness is what is asked for")]
async fn keep_pace(started: Instant, done: u64, bytes_per_second: u64) {
    if bytes_per_second > 0 {
        let micros = u128::from(done) * 1_000_000 / u128::from(bytes_per_second);
        let due = StdDuration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        let ahead = due.saturating_sub(started.elapsed());
        if !ahead.is_zero() {
            tokio::time::sleep(ahead).await;
        }
    }
}

async fn note(app: &AppState, blob: &Blob, kind: StorageFindingKind) -> Result<()> {
    tracing::error!(key = blob.key, file = %blob.file_id, "the stored file {} is {kind}", blob.key);
    metrics::counter!("storage_findings_total", "kind" => kind.as_str()).increment(1);
    let (blob, now) = (blob.clone(), app.clock.now());
    app.db
        .write("delivery.note_finding", move |tx| {
            let blob = blob.clone();
            async move {
                store::note_finding(&tx, &blob, kind, now).await?;
                Ok(((), tx))
            }
        })
        .await
}
