//! Time as a dependency: production reads the system clock, tests move their own.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use time::{Duration, OffsetDateTime};
pub use torv_money::months::add_months;

/// Where the time comes from. Cloning shares the source.
///
/// Values are UTC with microseconds, the resolution both databases keep.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Shifted(Arc<AtomicI64>),
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's own clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// The machine's own clock, which [`Clock::advance`] moves ahead: for a demo in which weeks pass.
    pub fn shifted() -> Self {
        Self(Source::Shifted(Arc::default()))
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    pub fn manual(start: OffsetDateTime) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(unix_micros(start)))))
    }

    /// The present instant.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    pub fn now(&self) -> OffsetDateTime {
        match &self.0 {
            Source::System => from_unix_micros(unix_micros(OffsetDateTime::now_utc())),
            Source::Shifted(ahead) => {
                from_unix_micros(unix_micros(OffsetDateTime::now_utc()) + ahead.load(Ordering::SeqCst))
            }
            Source::Manual(micros) => from_unix_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual or shifted clock forward; a system clock stays what it is.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(micros) | Source::Shifted(micros) = &self.0 {
            let by = i64::try_from(by.whole_microseconds()).unwrap_or(0);
            micros.fetch_add(by, Ordering::SeqCst);
        }
    }
}

/// Whole microseconds since 1970-01-01T00:00:00Z.
pub fn unix_micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// The instant `micros` after 1970; years beyond 9999 are cut to the epoch.
pub fn from_unix_micros(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
