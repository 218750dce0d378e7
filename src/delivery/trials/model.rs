//! Budgets: what questions cost, and when there is room for more.

use std::collections::{BTreeSet, HashSet};

use time::{Duration, OffsetDateTime};

use crate::limits;

/// A question that took something of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) at: OffsetDateTime,
    /// ε in thousandths.
    pub(super) milli: i64,
}

/// What was spent, and what may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Budget {
    /// ε of the window, in thousandths.
    pub(super) max_milli: i64,
    /// In the window, the oldest first.
    pub(super) spent: Vec<Spent>,
}

/// How long a question counts.
pub(super) const WINDOW: Duration = Duration::days(limits::TRIAL_WINDOW_DAYS);

impl Budget {
    /// What is left, in thousandths of ε.
    pub(super) fn left_milli(&self) -> i64 {
        let spent: i64 = self.spent.iter().map(|one| one.milli).sum();
        (self.max_milli - spent).max(0)
    }

    /// When there is room for `milli`: nothing where there is now; never for more than the whole.
    pub(super) fn room_at(&self, milli: i64) -> Option<OffsetDateTime> {
        let mut left = self.max_milli - self.spent.iter().map(|one| one.milli).sum::<i64>();
        if left >= milli {
            return None;
        }
        for one in &self.spent {
            left += one.milli;
            if left >= milli {
                return Some(one.at + WINDOW);
            }
        }
        self.spent.last().map(|one| one.at + WINDOW)
    }
}

/// What each question of a report costs its asker, and all together, in thousandths of ε. One that was asked before
/// gets the answer it got then, and costs nothing: for the asker where it has it already, for all where anybody has.
pub(super) fn costs(
    fingerprints: &[String],
    epsilon_milli: i32,
    (own, anybodys): (&HashSet<String>, &HashSet<String>),
) -> Vec<(i32, i32)> {
    let mut here = BTreeSet::new();
    let cost = |fingerprint: &String, is_new: bool, known: &HashSet<String>| {
        if is_new && !known.contains(fingerprint) { epsilon_milli } else { 0 }
    };
    fingerprints
        .iter()
        .map(|fingerprint| {
            let is_new = here.insert(fingerprint);
            (cost(fingerprint, is_new, own), cost(fingerprint, is_new, anybodys))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00:00 UTC);

    fn budget(days_ago: &[i64]) -> Budget {
        let spent = days_ago.iter().map(|days| Spent { at: NOW - Duration::days(*days), milli: 100 }).collect();
        Budget { max_milli: 300, spent }
    }

    #[test]
    fn room_comes_as_old_questions_leave_the_window() {
        assert_eq!((budget(&[]).left_milli(), budget(&[]).room_at(300)), (300, None));
        let full = budget(&[20, 10, 5]);
        assert_eq!(full.left_milli(), 0);
        assert_eq!(full.room_at(100), Some(NOW + Duration::days(10)));
        assert_eq!(full.room_at(200), Some(NOW + Duration::days(20)));
        assert_eq!(full.room_at(300), Some(NOW + Duration::days(25)));
        assert_eq!(budget(&[20]).room_at(200), None);
        let lowered = Budget { max_milli: 100, ..full };
        assert_eq!((lowered.left_milli(), lowered.room_at(100)), (0, Some(NOW + Duration::days(25))));
    }

    #[test]
    fn what_was_asked_before_costs_nothing() {
        let set = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<HashSet<_>>();
        let asked: Vec<String> = ["mine", "theirs", "new", "new"].map(str::to_owned).to_vec();
        let found = costs(&asked, 100, (&set(&["mine"]), &set(&["mine", "theirs"])));
        assert_eq!(found, [(0, 0), (100, 0), (100, 100), (0, 0)]);
    }
}
