//! Long work off the async threads, under a lease that is renewed while it goes on.

use std::{sync::Arc, time::Duration as StdDuration};

use time::{Duration, OffsetDateTime};
use torv_tables::convert::Watch;

use crate::{
    error::{Error, Result},
    limits,
    state::AppState,
};

/// Does `work` on a thread of its own. While it goes on, `renew` is given its progress in thousandths and the new end of the
/// lease; where it answers false, another process has taken over, and the work is stopped, as it is when nobody waits for it
/// any more.
///
/// # Errors
/// When the work panics.
pub async fn work_under_lease<T, F>(
    app: &AppState,
    work: impl FnOnce(&Arc<Watch>) -> T + Send + 'static,
    renew: impl Fn(u16, OffsetDateTime) -> F,
) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<bool>>,
{
    let watch = Arc::new(Watch::default());
    let _stop = StopOnDrop(Arc::clone(&watch));
    let mut running = tokio::task::spawn_blocking({
        let watch = Arc::clone(&watch);
        move || work(&watch)
    });
    let mut beat = tokio::time::interval(StdDuration::from_secs(limits::RENDITION_PROGRESS_SECONDS));
    beat.tick().await;
    loop {
        tokio::select! {
            done = &mut running => return done.map_err(Error::internal),
            _ = beat.tick() => {
                let until = app.clock.now() + Duration::seconds(limits::RENDITION_LEASE_SECONDS);
                // A database that does not answer now may do so before the lease runs out.
                if matches!(renew(watch.permille(), until).await, Ok(false)) {
                    watch.stop();
                }
            }
        }
    }
}

/// Stops the work when the future that waits for it is dropped.
struct StopOnDrop(Arc<Watch>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
