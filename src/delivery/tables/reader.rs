//! Where tables are read: few at a time, with the footers kept.

use std::{sync::Arc, time::Duration};

use entity::{
    ids::{FileId, GrantId},
    states::RenditionFormat,
};
use quick_cache::{Weighter, sync::Cache};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    footer::{self, Footer},
    scan::{self, Fold, Rows, Scan},
    store::TableFile,
};
use crate::{
    delivery::{Delivered, Files, downloads::model::GrantTerms},
    error::{Error, Result},
    limits,
    state::AppState,
};

/// Reads tables, few at a time; keeps the footers of their files, which never change.
#[derive(Debug)]
pub struct Tables {
    footers: Cache<FileId, Arc<Footer>, ByBytes>,
    places: Semaphore,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<FileId, Arc<Footer>> for ByBytes {
    fn weight(&self, _: &FileId, footer: &Arc<Footer>) -> u64 {
        // Parsed, a footer takes some times its bytes.
        footer.bytes.saturating_mul(8).max(1)
    }
}

impl Default for Tables {
    fn default() -> Self {
        let footers = Cache::with_weighter(limits::FOOTERS_EXPECTED, limits::FOOTERS_BYTES_MAX, ByBytes);
        Self { footers, places: Semaphore::new(limits::SCANS_AT_ONCE) }
    }
}

impl Tables {
    /// What a file says of itself.
    ///
    /// # Errors
    /// Internal ones when the file is missing or damaged.
    pub(in crate::delivery) async fn footer(&self, files: &Files, file: &TableFile) -> Result<Arc<Footer>> {
        self.footers.get_or_insert_async(&file.id, footer::read(files, file)).await
    }

    /// Reads rows, once there is a place to.
    ///
    /// # Errors
    /// `Unavailable` when too many tables are being read; `Invalid` when these rows take too much.
    pub(in crate::delivery) async fn scan(
        &self,
        files: &Files,
        file: &TableFile,
        footer: &Arc<Footer>,
        wanted: Scan,
    ) -> Result<Rows> {
        let busy = || Error::unavailable("Too many tables are being read. Try again shortly.", 1);
        let wait = Duration::from_secs(limits::SCAN_WAIT_SECONDS_MAX);
        let _place = timeout(wait, self.places.acquire()).await.map_err(|_| busy())?.map_err(|_| busy())?;
        scan::scan(files, file, footer, wanted).await
    }

    /// Hands every row of these columns to `fold`, once there is a place to.
    ///
    /// # Errors
    /// As [`Tables::scan`].
    pub(in crate::delivery) async fn fold<F: Fold>(
        &self,
        files: &Files,
        file: &TableFile,
        footer: &Arc<Footer>,
        (columns, fold): (&[usize], F),
    ) -> Result<F> {
        let busy = || Error::unavailable("Too many tables are being read. Try again shortly.", 1);
        let wait = Duration::from_secs(limits::SCAN_WAIT_SECONDS_MAX);
        let _place = timeout(wait, self.places.acquire()).await.map_err(|_| busy())?.map_err(|_| busy())?;
        scan::fold(files, file, footer, columns, fold).await
    }
}

/// Counts an answer of some rows where its grant is metered, and notes it as a delivery.
///
/// # Errors
/// `Conflict` when the budget or the units are used up.
pub(in crate::delivery) async fn deliver(
    app: &AppState,
    grant: &GrantTerms,
    file: &TableFile,
    (rows, bytes): (usize, usize),
    request_id: String,
) -> Result<()> {
    let (at, bytes_sent) = (app.clock.now(), u64::try_from(bytes).unwrap_or(u64::MAX));
    let metered = match grant.meter_id {
        Some(meter) => Some(app.meters.admit(&app.db, meter, bytes_sent, at).await?),
        None => None,
    };
    let grant_id: GrantId = grant.id;
    app.recorder.record(Delivered {
        grant_id,
        file_id: file.id,
        format: Some(RenditionFormat::Parquet),
        organization_id: grant.organization_id,
        at,
        status: 200,
        bytes_sent,
        range: Some(format!("rows={rows}")),
        request_id,
        metered,
    });
    Ok(())
}
