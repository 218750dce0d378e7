//! What is kept of a verification, and when the next one is due.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use crate::settlement::verify::VerifyReport;

/// Hours after which a verification that has not ended is given up: its process died.
pub const GIVEN_UP_HOURS: i64 = 6;

/// What was read, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Findings {
    /// How many rows of which kind were read.
    pub counts: Vec<Count>,
    /// What is wrong, as sentences with the ids in them.
    pub violations: Vec<String>,
    /// Violations beyond the ones told.
    pub untold: u64,
}

/// Rows of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// Of what.
    pub name: String,
    /// How many.
    pub rows: u64,
}

impl Findings {
    /// What a report says.
    pub fn of(report: &VerifyReport) -> Self {
        let count = |(name, rows): (&str, u64)| Count { name: name.trim().to_owned(), rows };
        Self {
            counts: report.counts().into_iter().map(count).collect(),
            violations: report.all_violations().map(str::to_owned).collect(),
            untold: report.untold() as u64,
        }
    }

    /// How many violations there are, told or not.
    pub fn violation_count(&self) -> i32 {
        i32::try_from(self.violations.len() as u64 + self.untold).unwrap_or(i32::MAX)
    }
}

/// The day whose verification is due: today, from `hour_utc` on.
pub fn due_day(now: OffsetDateTime, hour_utc: u8) -> Option<String> {
    let now = now.to_offset(time::UtcOffset::UTC);
    (now.hour() >= hour_utc).then(|| now.date().to_string())
}

/// Before which a start counts as given up.
pub fn given_up_before(now: OffsetDateTime) -> OffsetDateTime {
    now - Duration::hours(GIVEN_UP_HOURS)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn untold_violations_count_as_well() {
        let found = Findings { counts: Vec::new(), violations: vec!["I2: b".to_owned()], untold: 1 };
        assert_eq!(found.violation_count(), 2);
    }

    #[test]
    fn a_night_is_due_from_its_hour_on() {
        assert_eq!(due_day(datetime!(2026-11-21 02:59 UTC), 3), None);
        assert_eq!(due_day(datetime!(2026-11-21 03:00 UTC), 3), Some("2026-11-21".to_owned()));
        assert_eq!(due_day(datetime!(2026-11-22 00:30 +01:00), 23), Some("2026-11-21".to_owned()), "days are of UTC");
    }
}
