//! Lets metered downloads through as long as there are units left.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use entity::{
    ids::MeterId,
    states::{MeterKind, UsageUnit},
    usage_meter,
};
use time::OffsetDateTime;

use super::{
    model::{Asked, is_within, used_at},
    store,
};
use crate::{
    db::Db,
    error::{Error, Result},
};

/// What is being sent and not yet counted, by meter.
type BeingSent = Arc<Mutex<HashMap<MeterId, Asked>>>;

/// The gate of metered downloads.
///
/// A download reserves its units before it looks at what was counted, and gives them back once they are counted. So
/// within a process used + being sent never exceeds the limit, however many race; at worst a download is refused that
/// would have fit a moment later. Of several processes none sees what the others are sending: together they can exceed
/// the limit by at most what the others have in flight, each at most `server.concurrent_requests_max` downloads.
#[derive(Clone, Default)]
pub struct Meters(BeingSent);

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meters")
    }
}

/// Units set aside for one download, until it was counted.
pub struct Reservation {
    meter: MeterId,
    asked: Asked,
    being_sent: BeingSent,
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reservation({}, {:?})", self.meter, self.asked)
    }
}

impl Reservation {
    /// The meter it is counted on.
    pub fn meter(&self) -> MeterId {
        self.meter
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut all = locked(&self.being_sent);
        if let Some(sent) = all.get_mut(&self.meter) {
            sent.requests -= self.asked.requests;
            sent.bytes -= self.asked.bytes;
            if *sent == Asked::default() {
                all.remove(&self.meter);
            }
        }
    }
}

/// Numbers stay right whoever panicked over them.
fn locked(being_sent: &BeingSent) -> MutexGuard<'_, HashMap<MeterId, Asked>> {
    being_sent.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Meters {
    fn reserve(&self, meter: MeterId, asked: Asked) -> (Reservation, Asked) {
        let mut all = locked(&self.0);
        let sent = all.entry(meter).or_default();
        sent.requests = sent.requests.saturating_add(asked.requests);
        sent.bytes = sent.bytes.saturating_add(asked.bytes);
        let being_sent = *sent;
        drop(all);
        (Reservation { meter, asked, being_sent: self.0.clone() }, being_sent)
    }

    /// Lets one download of `bytes` through.
    ///
    /// # Errors
    /// `Conflict` when the budget or the units are used up, with what to do about it.
    pub async fn admit(&self, db: &Db, meter: MeterId, bytes: u64, now: OffsetDateTime) -> Result<Arc<Reservation>> {
        self.admit_all(db, meter, (1, bytes), now).await
    }

    /// Lets so many downloads of so many bytes together through, or none of them.
    ///
    /// # Errors
    /// As [`Meters::admit`].
    pub async fn admit_all(
        &self,
        db: &Db,
        meter: MeterId,
        (requests, bytes): (usize, u64),
        now: OffsetDateTime,
    ) -> Result<Arc<Reservation>> {
        let fits = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let asked = Asked { requests: fits(requests as u64), bytes: fits(bytes) };
        // Reserved first and read then: what was counted in between is seen twice, never missed.
        let (reservation, being_sent) = self.reserve(meter, asked);
        let row = store::find(db.read(), meter).await?.ok_or_else(|| Error::internal(format!("{meter} is gone")))?;
        if is_within(row.unit, row.limit_units, used_at(&row, now), being_sent) {
            return Ok(Arc::new(reservation));
        }
        Err(used_up(&row))
    }
}

fn used_up(row: &usage_meter::Model) -> Error {
    let what = match row.unit {
        UsageUnit::Byte => "For this many bytes",
        UsageUnit::Request | UsageUnit::Row | UsageUnit::Event => "For another one",
    };
    Error::conflict(match row.kind {
        MeterKind::Metered => format!(
            "{what} this month's budget is not enough. Raise it at PUT /api/v1/subscriptions/{{id}}/budget, or wait \
             for the next month."
        ),
        MeterKind::Quota => format!("{what} the units you bought are not enough. Order another pack."),
    })
}
