//! What the owner of a table allows to be asked, and how much of each row an answer may show.

use serde::{Deserialize, Serialize};

use crate::noise::Scale;

/// How likely a group of fewer rows than the least is shown all the same: once in a million.
pub const DELTA: &str = "0.000001";
/// ln(1 / (2 δ)), in thousandths, rounded up: so many scales above the least size noise carries a group with that chance.
const MARGIN_MILLI: u64 = 13_123;

/// Kinds of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TrialKind, example = "aggregate")]
pub enum Kind {
    /// How many rows there are, and how many of them lack a value.
    Coverage,
    /// Which intervals of a time series are missing.
    Gaps,
    /// How a column changes from month to month.
    Drift,
    /// How many of the asker's own keys occur.
    Match,
    /// Counts, sums and means by group.
    Aggregate,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Coverage, Self::Gaps, Self::Drift, Self::Match, Self::Aggregate];

    /// Its word in requests and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Coverage => "coverage",
            Self::Gaps => "gaps",
            Self::Drift => "drift",
            Self::Match => "match",
            Self::Aggregate => "aggregate",
        }
    }
}

/// Between which values a column lies. It is the owner's word and not taken from the rows, so it says nothing of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TrialRange, example = json!({"lower": "0", "upper": "12.5"}))]
pub struct Range {
    /// A number, or a day or time; what is less counts as this.
    #[schema(max_length = 40)]
    pub lower: String,
    /// Greater than `lower`; what is more counts as this. Of a time, itself excluded.
    #[schema(max_length = 40)]
    pub upper: String,
}

impl Range {
    /// Both ends as numbers.
    pub fn numbers(&self) -> Option<(f64, f64)> {
        let read = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite() && number.abs() < 1e15);
        let (lower, upper) = (read(&self.lower)?, read(&self.upper)?);
        (lower < upper).then_some((lower, upper))
    }

    /// Both ends in seconds since 1970.
    pub fn seconds(&self) -> Option<(i64, i64)> {
        let read = |text: &str| crate::table::instant(text).map(time::OffsetDateTime::unix_timestamp);
        let (lower, upper) = (read(&self.lower)?, read(&self.upper)?);
        (lower < upper).then_some((lower, upper))
    }
}

/// A column that may be asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TrialColumn, example = json!({"name": "level", "range": {"lower": "0", "upper": "12.5"}}))]
pub struct ColumnTerms {
    /// Its name in the file.
    pub name: String,
    /// Where its values lie: needed for sums and means of it, and for questions along it, if it is a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
}

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// ε of one question, in thousandths: how much more likely a row may make an answer is at most exp(ε).
    pub epsilon_milli: u32,
    /// Fewest rows that are said anything of.
    pub min_group_size: u32,
    /// Kinds of questions that are answered.
    pub kinds: Vec<Kind>,
    /// All other columns are treated as if they were not there.
    pub columns: Vec<ColumnTerms>,
}

impl Terms {
    /// The scale of a figure that one row changes by at most `sensitivity`, one of `parts` of a question.
    pub(crate) fn scale(&self, sensitivity: u64, parts: usize) -> Scale {
        Scale::new(sensitivity, u64::try_from(parts).unwrap_or(u64::MAX), self.epsilon_milli)
    }

    /// The noisy count from which a group is named whose name the asker did not give.
    pub(crate) fn threshold(&self, scale: Scale) -> i64 {
        i64::from(self.min_group_size).saturating_add(Self::margin(scale))
    }

    /// What noise exceeds, to one side, once in a million.
    pub(crate) fn margin(scale: Scale) -> i64 {
        scale.times_milli(MARGIN_MILLI)
    }
}
