//! What a revision promises, how far the next one departs from it, and whom it reaches when.
//!
//! Source: Semantic Versioning 2.0.0, for what major, minor and patch mean; the thing versioned here is the schema.

use std::{cmp::Ordering, fmt, str::FromStr};

use entity::{Timestamp, revision};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How far a revision departs from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = VersionStep)]
pub enum Step {
    /// Only content.
    Patch,
    /// Something more is there.
    Minor,
    /// Something that was promised is gone, or is another thing.
    Major,
}

/// The version of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Counts what breaks a reader.
    pub major: i32,
    /// Counts what was added since the major.
    pub minor: i32,
    /// Counts changes of content since the minor.
    pub patch: i32,
}

impl Version {
    /// Of the first revision of a listing.
    pub const FIRST: Self = Self { major: 1, minor: 0, patch: 0 };

    /// The version one `step` further.
    pub fn after(self, step: Step) -> Self {
        match step {
            Step::Major => Self { major: self.major.saturating_add(1), minor: 0, patch: 0 },
            Step::Minor => Self { minor: self.minor.saturating_add(1), patch: 0, ..self },
            Step::Patch => Self { patch: self.patch.saturating_add(1), ..self },
        }
    }

    /// How far this version departs from an earlier one.
    pub fn step_from(self, earlier: Self) -> Step {
        match (self.major.cmp(&earlier.major), self.minor.cmp(&earlier.minor)) {
            (Ordering::Equal, Ordering::Equal) => Step::Patch,
            (Ordering::Equal, _) => Step::Minor,
            _ => Step::Major,
        }
    }

    /// Of a revision, once it is known.
    pub fn of(row: &revision::Model) -> Option<Self> {
        Some(Self { major: row.major?, minor: row.minor?, patch: row.patch? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The text is not a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version is three whole numbers with points between, such as 1.2.0")]
pub struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let mut parts = text.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let plain = part == "0" || !part.starts_with('0');
            if digits && plain { part.parse::<i32>().map_err(|_| NotAVersion) } else { Err(NotAVersion) }
        });
        let mut next = || parts.next().unwrap_or(Err(NotAVersion));
        let version = Self { major: next()?, minor: next()?, patch: next()? };
        if parts.next().is_none() { Ok(version) } else { Err(NotAVersion) }
    }
}

/// What a grant holds, as far as breaking changes are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The newest revision when it was made.
    pub through_revision: i32,
    /// The major of that revision, or a later one that its holder accepted.
    pub major: Option<i32>,
}

/// A published revision, as far as it may have to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// Counted from 1 within the listing.
    pub number: i32,
    /// Of its version, once it is known.
    pub major: Option<i32>,
    /// From when on grants made on an older major get it.
    pub reaches_older_at: Option<OffsetDateTime>,
    /// False for what was published before breaking changes were announced.
    pub gives_notice: bool,
}

/// True when a grant gets a revision at `now`: it had it from the start, it breaks nothing that was promised to it, its
/// holder accepted it, or the notice is over. What was reached once stays reached, the older majors too.
///
/// A revision whose version is not known yet might break something, so older grants wait the moments that takes.
pub fn reaches(held: Held, release: Release, now: OffsetDateTime) -> bool {
    let promised = release.number <= held.through_revision;
    let same_major = release.major.is_some_and(|major| held.major.is_some_and(|held| major <= held));
    let announced = release.reaches_older_at.is_some_and(|at| at <= now);
    let unannounced = release.major.is_none() && !release.gives_notice;
    promised || same_major || announced || unannounced
}

/// From when on a revision reaches grants made on older majors; all of one major do so together, and no later major
/// before an earlier one.
pub fn reaches_older_at(
    step: Step,
    before: Option<Timestamp>,
    gives_notice: bool,
    (now, notice): (OffsetDateTime, time::Duration),
) -> Timestamp {
    let at_once = Timestamp(now);
    match (before, step) {
        (None, _) => at_once,
        (Some(before), Step::Major) if gives_notice => Timestamp(now + notice).max(before),
        (Some(before), _) => before,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 10:00:00 UTC);

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![Just(Step::Patch), Just(Step::Minor), Just(Step::Major)]
    }

    #[test]
    fn a_version_is_read_as_it_is_written_and_nothing_else_is() {
        for text in ["1.0.0", "1.2.0", "10.0.123"] {
            assert_eq!(text.parse::<Version>().map(|version| version.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.-1", "1.0.+1", "v1.0.0", "1.0.0-rc", "99999999999.0.0"] {
            assert_eq!(text.parse::<Version>(), Err(NotAVersion), "{text}");
        }
    }

    #[test]
    fn a_breaking_revision_waits_for_its_notice_or_for_consent() {
        let release = |major, days| Release {
            number: 2,
            major,
            reaches_older_at: Some(NOW + Duration::days(days)),
            gives_notice: true,
        };
        let held = Held { through_revision: 1, major: Some(1) };
        assert!(!reaches(held, release(Some(2), 30), NOW));
        assert!(!reaches(held, release(Some(2), 30), NOW + Duration::days(30) - Duration::MICROSECOND));
        assert!(reaches(held, release(Some(2), 30), NOW + Duration::days(30)));
        assert!(reaches(Held { major: Some(2), ..held }, release(Some(2), 30), NOW), "accepted");
        assert!(reaches(Held { through_revision: 2, major: Some(2) }, release(Some(2), 30), NOW), "bought with it");
        assert!(reaches(held, release(Some(1), 30), NOW), "breaks nothing");
        let unknown = Release { number: 2, major: None, reaches_older_at: None, gives_notice: true };
        assert!(!reaches(held, unknown, NOW));
        assert!(reaches(held, Release { gives_notice: false, ..unknown }, NOW), "older than notices are");
        assert!(reaches(Held { through_revision: 2, major: None }, unknown, NOW));
    }

    proptest! {
        #[test]
        fn each_step_gives_a_greater_version_that_tells_the_step(steps in prop::collection::vec(any_step(), 1..20)) {
            let mut version = Version::FIRST;
            for step in steps {
                let next = version.after(step);
                prop_assert!(next > version);
                prop_assert_eq!(next.step_from(version), step);
                prop_assert_eq!(next.to_string().parse(), Ok(next));
                version = next;
            }
        }

        #[test]
        fn whatever_reached_a_grant_goes_on_reaching_it(
            steps in prop::collection::vec((any_step(), 0_i64..40, any::<bool>()), 1..20),
            through in 1_i32..20,
            accepted in prop::option::of(1_i32..10),
            notice in 0_i64..60,
        ) {
            let (mut version, mut older, mut at) = (Version::FIRST, None, NOW);
            let mut releases: Vec<Release> = Vec::new();
            for (number, (step, days, gives_notice)) in steps.into_iter().enumerate() {
                at += Duration::days(days);
                let step = if older.is_none() { Step::Major } else { step };
                version = if older.is_none() { Version::FIRST } else { version.after(step) };
                let next = reaches_older_at(step, older, gives_notice, (at, Duration::days(notice)));
                older = Some(next);
                let number = i32::try_from(number).unwrap() + 1;
                releases.push(Release { number, major: Some(version.major), reaches_older_at: Some(next.0), gives_notice });
            }
            let major = releases.iter().rfind(|one| one.number <= through).and_then(|one| one.major);
            let held = Held { through_revision: through, major: major.max(accepted) };
            for pair in releases.windows(2) {
                prop_assert!(pair[0].reaches_older_at <= pair[1].reaches_older_at, "an older major never comes later");
            }
            for day in 0..120 {
                let (now, later) = (NOW + Duration::days(day), NOW + Duration::days(day + 1));
                for (place, release) in releases.iter().enumerate() {
                    let reached = reaches(held, *release, now);
                    prop_assert!(!reached || reaches(held, *release, later));
                    let older = &releases[..place];
                    prop_assert!(!reached || older.iter().all(|one| reaches(held, *one, now)), "no gaps");
                }
            }
        }
    }
}
