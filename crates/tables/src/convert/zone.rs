//! Time zones by their names in the IANA database: which instant a clock showed, and what it shows at an instant.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset as _, TimeZone as _};
use chrono_tz::{TZ_VARIANTS, Tz};
use time::{Date, Duration, PrimitiveDateTime, Time, macros::date};

const EPOCH: Date = date!(1970 - 01 - 01);
/// Longer than clocks were ever put forward at once: Samoa left out a day.
const LONGEST_GAP_SECONDS: i64 = 26 * 3_600;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// The zone with this name, `Europe/Copenhagen`.
    pub fn of_name(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// The zone that somebody may have meant who wrote `europe/copenhagen`, `Europe/New York` or `Copenhagen`.
    pub fn meant_by(text: &str) -> Option<Self> {
        let plain = text.trim().replace(' ', "_");
        let city = |zone: &Tz| zone.name().rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&plain));
        let whole = |zone: &Tz| zone.name().eq_ignore_ascii_case(&plain);
        let found = TZ_VARIANTS.iter().find(|zone| whole(zone)).or_else(|| TZ_VARIANTS.iter().find(|zone| city(zone)));
        found.copied().map(Self)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The instant at which a clock there showed `local`: the first one, where it showed it twice. A time that the clock
    /// left out counts as if it had not been put forward yet.
    ///
    /// Source: RFC 5545, section 3.3.5, form 3.
    pub(super) fn utc(self, local: PrimitiveDateTime) -> PrimitiveDateTime {
        local.saturating_sub(Duration::seconds(self.offset_at(seconds(local)).0))
    }

    /// As [`Zone::utc`], of microseconds since 1970 on that clock.
    pub(super) fn utc_micros(self, local: i64) -> i64 {
        local.saturating_sub(self.offset_at(local.div_euclid(1_000_000)).0.saturating_mul(1_000_000))
    }

    /// False for a time that clocks there left out.
    pub(super) fn shows(self, local: PrimitiveDateTime) -> bool {
        self.offset_at(seconds(local)).1
    }

    /// As [`Zone::shows`], of microseconds since 1970 on that clock.
    pub(super) fn shows_micros(self, local: i64) -> bool {
        self.offset_at(local.div_euclid(1_000_000)).1
    }

    /// What a clock there shows at an instant.
    pub(super) fn local(self, utc: PrimitiveDateTime) -> PrimitiveDateTime {
        let offset = naive(seconds(utc)).map_or(0, |utc| self.ahead_at(utc));
        utc.saturating_add(Duration::seconds(offset))
    }

    /// How many seconds the clock that showed `local` was ahead of UTC, and whether it ever did.
    fn offset_at(self, local: i64) -> (i64, bool) {
        let Some(clock) = naive(local) else { return (0, true) };
        match self.0.offset_from_local_datetime(&clock) {
            MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => {
                (offset.fix().local_minus_utc().into(), true)
            }
            MappedLocalTime::None => {
                (naive(local - LONGEST_GAP_SECONDS).map_or(0, |before| self.ahead_at(before)), false)
            }
        }
    }

    /// How many seconds its clock is ahead at an instant in UTC.
    fn ahead_at(self, utc: NaiveDateTime) -> i64 {
        self.0.offset_from_utc_datetime(&utc).fix().local_minus_utc().into()
    }
}

fn seconds(at: PrimitiveDateTime) -> i64 {
    (at - PrimitiveDateTime::new(EPOCH, Time::MIDNIGHT)).whole_seconds()
}

fn naive(seconds: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(seconds, 0).map(|at| at.naive_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::of_name(name).expect("a zone")
    }

    /// Expected values by Python's `zoneinfo` (tzdata 2025), `fold=0`.
    #[test]
    fn clocks_of_the_world_are_read() {
        for (name, local, utc) in [
            ("Europe/Copenhagen", datetime!(2021-01-15 12:00), datetime!(2021-01-15 11:00)),
            ("Europe/Copenhagen", datetime!(2021-07-15 12:00), datetime!(2021-07-15 10:00)),
            ("Asia/Taipei", datetime!(2021-08-14 08:40), datetime!(2021-08-14 00:40)),
            ("Asia/Tokyo", datetime!(2021-08-14 08:40), datetime!(2021-08-13 23:40)),
            ("America/St_Johns", datetime!(2021-08-14 08:40), datetime!(2021-08-14 11:10)),
            // The last hour of summer time, and the first after it, have one name.
            ("Europe/Copenhagen", datetime!(2021-10-31 02:30), datetime!(2021-10-31 00:30)),
            ("Europe/Copenhagen", datetime!(2021-10-31 03:00), datetime!(2021-10-31 02:00)),
            // An hour that no clock showed.
            ("Europe/Copenhagen", datetime!(2021-03-28 02:30), datetime!(2021-03-28 01:30)),
            ("Pacific/Apia", datetime!(2011-12-30 12:00), datetime!(2011-12-30 22:00)),
            ("UTC", datetime!(2021-10-31 02:30), datetime!(2021-10-31 02:30)),
        ] {
            assert_eq!(zone(name).utc(local), utc, "{name} {local}");
        }
        assert!(!zone("Europe/Copenhagen").shows(datetime!(2021-03-28 02:30)));
        assert!(zone("Europe/Copenhagen").shows(datetime!(2021-10-31 02:30)));
        assert!(!zone("Pacific/Apia").shows(datetime!(2011-12-30 12:00)));
    }

    #[test]
    fn names_are_exact_and_slips_are_understood() {
        for slip in ["europe/copenhagen", "Copenhagen", " EUROPE/COPENHAGEN "] {
            assert_eq!(Zone::of_name(slip), None, "{slip}");
            assert_eq!(Zone::meant_by(slip).map(Zone::name), Some("Europe/Copenhagen"));
        }
        assert_eq!(Zone::meant_by("america/new york").map(Zone::name), Some("America/New_York"));
        for nonsense in ["", "Danish time", "+01:00", "Europe/"] {
            assert_eq!((Zone::of_name(nonsense), Zone::meant_by(nonsense)), (None, None), "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn what_a_clock_shows_comes_back(minutes in -60_000_000_i64..60_000_000, place in 0..TZ_VARIANTS.len()) {
            let zone = Zone(TZ_VARIANTS[place]);
            let local = PrimitiveDateTime::new(EPOCH, Time::MIDNIGHT) + Duration::minutes(minutes);
            let shown = zone.local(zone.utc(local));
            prop_assert_eq!(shown == local, zone.shows(local), "{} {} {}", zone.name(), local, shown);
            prop_assert_eq!(zone.utc_micros(minutes * 60_000_000), (zone.utc(local) - PrimitiveDateTime::new(EPOCH, Time::MIDNIGHT)).whole_seconds() * 1_000_000);
        }
    }
}
