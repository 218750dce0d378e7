//! What an owner allows, as it is written and kept.

use entity::{Timestamp, ids::ListingId, trial_policy};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use torv_trial::{ColumnTerms, Kind, Terms};

use crate::{
    error::{Check, Result},
    limits,
};

/// What an owner allows to be asked before a purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "enabled": true, "questions_max": 20, "listing_questions_max": 100, "epsilon_milli": 100, "min_group_size": 10,
    "kinds": ["coverage", "aggregate"],
    "columns": [{"name": "station"}, {"name": "level", "range": {"lower": "0", "upper": "12.5"}}]
}))]
pub(super) struct TrialPolicyIn {
    /// Whether questions are answered at all.
    pub(super) enabled: bool,
    /// New questions that one organisation may ask in 30 days; 20 when absent.
    #[serde(default = "twenty")]
    #[schema(minimum = 1, maximum = 200)]
    pub(super) questions_max: i32,
    /// New questions of all organisations together in 30 days, so that several learn no more than this; 100 when absent.
    #[serde(default = "hundred")]
    #[schema(minimum = 1, maximum = 2_000)]
    pub(super) listing_questions_max: i32,
    /// ε of one question in thousandths, 100 when absent: less hides more. That of the questions of one organisation
    /// together is at most 5,000.
    #[serde(default = "hundred")]
    #[schema(minimum = 10, maximum = 1_000)]
    pub(super) epsilon_milli: i32,
    /// Fewest rows that are said anything of; 10 when absent.
    #[serde(default = "ten")]
    #[schema(minimum = 10, maximum = 100_000)]
    pub(super) min_group_size: i32,
    /// Kinds of questions that are answered; all when absent.
    #[serde(default = "all_kinds")]
    pub(super) kinds: Vec<Kind>,
    /// The columns that may be asked about, in all files; there are no others, also none that are added later.
    #[schema(max_items = 200)]
    pub(super) columns: Vec<ColumnTerms>,
}

fn ten() -> i32 {
    10
}

fn twenty() -> i32 {
    20
}

fn hundred() -> i32 {
    100
}

fn all_kinds() -> Vec<Kind> {
    Kind::ALL.to_vec()
}

impl TrialPolicyIn {
    /// What holds where an owner has said nothing.
    pub(super) fn absent() -> Self {
        Self {
            enabled: false,
            questions_max: twenty(),
            listing_questions_max: hundred(),
            epsilon_milli: hundred(),
            min_group_size: ten(),
            kinds: all_kinds(),
            columns: Vec::new(),
        }
    }

    /// Checks the numbers, the columns and their ranges.
    ///
    /// # Errors
    /// `Invalid`, with everything that is wrong.
    pub(super) fn checked(mut self) -> Result<Self> {
        let mut check = Check::new();
        for (number, least, most, pointer) in [
            (self.questions_max, 1, limits::TRIAL_QUESTIONS_MAX, "/questions_max"),
            (self.listing_questions_max, 1, limits::TRIAL_LISTING_QUESTIONS_MAX, "/listing_questions_max"),
            (self.epsilon_milli, limits::TRIAL_EPSILON_MILLI_MIN, limits::TRIAL_EPSILON_MILLI_MAX, "/epsilon_milli"),
            (self.min_group_size, limits::TRIAL_GROUP_ROWS_MIN, limits::TRIAL_GROUP_ROWS_MAX, "/min_group_size"),
        ] {
            check.require((least..=most).contains(&number), pointer, format!("Choose {least} to {most}."));
        }
        let most = limits::TRIAL_BUDGET_EPSILON_MILLI_MAX;
        let budget = self.questions_max.saturating_mul(self.epsilon_milli);
        let advice = format!("questions_max times epsilon_milli is {budget}: lower one, so that it is at most {most}.");
        check.require(budget <= most, "/epsilon_milli", advice);
        let covers = self.listing_questions_max >= self.questions_max;
        check.require(covers, "/listing_questions_max", "Allow all together at least as many as one.");
        self.kinds.sort_unstable();
        self.kinds.dedup();
        check.require(!self.kinds.is_empty(), "/kinds", "Name at least one kind, or set enabled to false.");
        let most = limits::TRIAL_COLUMNS_MAX;
        check.require(self.columns.len() <= most, "/columns", format!("Name at most {most} columns."));
        let named = !self.columns.is_empty() || !self.enabled;
        check.require(named, "/columns", "Name the columns that may be asked about.");
        for (at, column) in self.columns.iter().enumerate() {
            let pointer = format!("/columns/{at}/name");
            check.text(&column.name, limits::COLUMN_NAME_CHARS_MAX, &pointer);
            let is_first = self.columns.iter().position(|other| other.name == column.name) == Some(at);
            check.require(is_first, pointer, "Name each column once.");
            let Some(range) = &column.range else { continue };
            let most = limits::TRIAL_BOUND_CHARS_MAX;
            let is_short = range.lower.len() <= most && range.upper.len() <= most;
            let good = is_short && (range.numbers().is_some() || range.seconds().is_some());
            let advice = "Write two numbers, or two days or times, the lower one first.";
            check.require(good, format!("/columns/{at}/range"), advice);
        }
        check.done()?;
        Ok(self)
    }

    /// As it is kept.
    ///
    /// # Errors
    /// Only if it can't be written as JSON.
    pub(super) fn row(&self, listing_id: ListingId, now: OffsetDateTime) -> Result<trial_policy::Model> {
        Ok(trial_policy::Model {
            listing_id,
            enabled: self.enabled,
            questions_max: self.questions_max,
            listing_questions_max: self.listing_questions_max,
            epsilon_milli: self.epsilon_milli,
            min_group_size: self.min_group_size,
            kinds: serde_json::to_value(&self.kinds)?,
            columns: serde_json::to_value(&self.columns)?,
            updated_at: Timestamp(now),
        })
    }

    /// As it was kept.
    ///
    /// # Errors
    /// Internal, for a row that holds no policy.
    pub(super) fn of(row: trial_policy::Model) -> Result<Self> {
        Ok(Self {
            enabled: row.enabled,
            questions_max: row.questions_max,
            listing_questions_max: row.listing_questions_max,
            epsilon_milli: row.epsilon_milli,
            min_group_size: row.min_group_size,
            kinds: serde_json::from_value(row.kinds)?,
            columns: serde_json::from_value(row.columns)?,
        })
    }

    /// ε of all questions of one organisation, and of all together, in thousandths.
    pub(super) fn budgets_milli(&self) -> (i64, i64) {
        let each = i64::from(self.epsilon_milli);
        (i64::from(self.questions_max) * each, i64::from(self.listing_questions_max) * each)
    }

    /// What answers are made by.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            epsilon_milli: self.epsilon_milli.unsigned_abs(),
            min_group_size: self.min_group_size.unsigned_abs(),
            kinds: self.kinds.clone(),
            columns: self.columns.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use torv_trial::Range;

    use super::*;

    fn pointers(policy: TrialPolicyIn) -> Vec<String> {
        policy
            .checked()
            .err()
            .map_or_else(Vec::new, |error| error.fields.into_iter().map(|field| field.pointer).collect())
    }

    fn column(name: &str, range: Option<(&str, &str)>) -> ColumnTerms {
        let range = range.map(|(lower, upper)| Range { lower: lower.to_owned(), upper: upper.to_owned() });
        ColumnTerms { name: name.to_owned(), range }
    }

    #[test]
    fn a_policy_that_shows_too_much_is_refused() {
        let good =
            TrialPolicyIn { enabled: true, columns: vec![column("a", Some(("0", "1")))], ..TrialPolicyIn::absent() };
        assert!(pointers(good.clone()).is_empty());
        assert_eq!(pointers(TrialPolicyIn { epsilon_milli: 9, ..good.clone() }), ["/epsilon_milli"]);
        assert_eq!(pointers(TrialPolicyIn { epsilon_milli: 300, ..good.clone() }), ["/epsilon_milli"]);
        assert_eq!(pointers(TrialPolicyIn { min_group_size: 9, ..good.clone() }), ["/min_group_size"]);
        assert_eq!(pointers(TrialPolicyIn { questions_max: 0, ..good.clone() }), ["/questions_max"]);
        assert_eq!(pointers(TrialPolicyIn { listing_questions_max: 19, ..good.clone() }), ["/listing_questions_max"]);
        assert_eq!(pointers(TrialPolicyIn { kinds: Vec::new(), ..good.clone() }), ["/kinds"]);
        assert_eq!(pointers(TrialPolicyIn { columns: Vec::new(), ..good.clone() }), ["/columns"]);
        for (lower, upper) in [("1", "0"), ("a", "b"), ("0", "2026-01-01"), ("0", "inf"), ("2026-02-30", "2026-03-01")]
        {
            let columns = vec![column("a", Some((lower, upper)))];
            assert_eq!(pointers(TrialPolicyIn { columns, ..good.clone() }), ["/columns/0/range"], "{lower} {upper}");
        }
        let twice = vec![column("a", None), column("a", None), column(" ", Some(("2026-01-01", "2026-02-01")))];
        assert_eq!(pointers(TrialPolicyIn { columns: twice, ..good }), ["/columns/1/name", "/columns/2/name"]);
    }
}
