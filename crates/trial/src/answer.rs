//! Answers. Whole numbers are numbers, all else is decimal text: what is signed has no fractions.

use serde::{Deserialize, Serialize};

use crate::{noise::Scale, table::to_float};

/// A number of rows (or keys, or intervals) with noise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"value": 10412, "scale": "10.000", "error_95": 30}))]
pub struct Count {
    /// The count, never below 0.
    pub value: i64,
    /// The scale of its noise.
    pub scale: String,
    /// How far off it is at most, 19 times in 20.
    pub error_95: i64,
}

/// ln(20) in thousandths, rounded up: what Laplace noise exceeds once in twenty, in scales.
pub(crate) const ERROR_95_MILLI: u64 = 2_996;

impl Count {
    pub(crate) fn of(noisy: i64, scale: Scale) -> Self {
        Self { value: noisy.max(0), scale: scale.text(), error_95: scale.times_milli(ERROR_95_MILLI) }
    }
}

/// A sum or a mean with noise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"value": "2.413", "error_95": "0.021"}))]
pub struct Measure {
    /// Decimal text.
    pub value: String,
    /// About how far off it is at most, 19 times in 20.
    pub error_95: String,
}

/// A share in thousandths with noise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"permille": 873, "error_95": 6}))]
pub struct Share {
    /// 0 to 1,000.
    pub permille: i64,
    /// About how far off it is at most, 19 times in 20.
    pub error_95: i64,
}

impl Share {
    /// `part` of `whole`, both noisy; the error of the part counts, and that of the whole by its share.
    pub(crate) fn of(part: i64, whole: i64, scale: Scale) -> Option<Self> {
        let permille = share(part, whole)?;
        let off = share(scale.times_milli(ERROR_95_MILLI), whole)?;
        Some(Self { permille, error_95: (off + off * permille / 1_000).min(1_000) })
    }
}

fn share(part: i64, whole: i64) -> Option<i64> {
    let permille = i128::from(part.max(0)) * 1_000 / i128::from(whole).max(1);
    (whole > 0).then(|| i64::try_from(permille.min(1_000)).unwrap_or(1_000))
}

/// A number as decimal text with digits that fit the width of its range.
pub(crate) fn decimal(number: f64, width: f64) -> String {
    let digits = if width >= 10_000.0 {
        0
    } else if width >= 100.0 {
        2
    } else if width >= 1.0 {
        4
    } else {
        9
    };
    let text = format!("{:.digits$}", number + 0.0);
    let is_zero = text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.'));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text }
}

/// What a column lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"name": "level", "nulls": {"permille": 12, "error_95": 2}}))]
pub struct ColumnCoverage {
    /// The column.
    pub name: String,
    /// Rows without a value; absent where there are too few rows to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nulls: Option<Share>,
}

/// The longest stretch of time without rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"from": "2026-03-01T00:00:00Z", "until": "2026-03-08T00:00:00Z"}))]
pub struct Gap {
    /// Its beginning, to the resolution.
    pub from: String,
    /// Its end.
    pub until: String,
}

/// A month of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"month": "2026-03", "rows": {"value": 4463, "scale": "30.000", "error_95": 90},
    "nulls": {"permille": 4, "error_95": 20}, "mean": {"value": "2.4130", "error_95": "0.1260"}}))]
pub struct Month {
    /// `2026-03`.
    pub month: String,
    /// Its rows.
    pub rows: Count,
    /// Those without a value; absent where there are too few rows to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nulls: Option<Share>,
    /// The mean of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Measure>,
    /// The share of the most frequent value of what is not a number; values are counted in 8,192 heaps by their hash,
    /// so of a column of many values it is a little too high.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<Share>,
}

/// What was counted of one thing of a SELECT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"name": "AVG(level)", "measure": {"value": "2.4130", "error_95": "0.0210"}}))]
pub struct Figure {
    /// As the statement has it.
    pub name: String,
    /// Of COUNT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// Of SUM and AVG; absent where there are too few values to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measure: Option<Measure>,
}

/// A group of rows; all of them where there is no GROUP BY.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"key": ["Asuwa"], "figures": [{"name": "COUNT(*)", "count": {"value": 4463, "scale": "20.000", "error_95": 60}}]}))]
pub struct Group {
    /// The values of the GROUP BY columns, in the order of their names.
    pub key: Vec<Option<String>>,
    /// One for each thing that was asked, by name.
    pub figures: Vec<Figure>,
}

/// An answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(example = json!({"kind": "match", "keys": 1200, "matched": {"value": 1043, "scale": "10.000", "error_95": 30}, "rate": {"permille": 869, "error_95": 25}}))]
pub enum Answer {
    /// Rows and missing values.
    Coverage {
        /// All rows.
        rows: Count,
        /// Of each column that was asked about.
        columns: Vec<ColumnCoverage>,
    },
    /// Intervals of a time series.
    Gaps {
        /// Intervals that should have a row.
        expected: i64,
        /// Those that have one.
        received: Count,
        /// The others.
        missing: i64,
        /// How exactly gaps are placed: in this many seconds noise and rows can be told apart.
        resolution_seconds: i64,
        /// False where the whole time is shorter than twice the resolution: then no gap can be told.
        is_resolved: bool,
        /// The longest stretch in which less than half of the intervals have a row; absent where there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        longest_gap: Option<Gap>,
    },
    /// A column by month.
    Drift {
        /// Each month of the range.
        months: Vec<Month>,
    },
    /// How many keys occur.
    Match {
        /// Different keys that were sent.
        keys: i64,
        /// Those that occur; absent where they are fewer than the least group.
        #[serde(skip_serializing_if = "Option::is_none")]
        matched: Option<Count>,
        /// Their share.
        #[serde(skip_serializing_if = "Option::is_none")]
        rate: Option<Share>,
    },
    /// Groups of rows.
    Aggregate {
        /// Those that are large enough, by key.
        groups: Vec<Group>,
        /// True where there are so many groups that none is shown: group by something coarser.
        has_too_many_groups: bool,
        /// The noisy count of rows from which a group is shown; how many are not shown is not said.
        shown_from: i64,
    },
}

/// The mean of values between `lower` and `upper`: `sum` of their distances from the middle in steps, over `count`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

/// Steps from the middle of a range to its ends.
pub(crate) const GRID_STEPS: u64 = 5_000;

impl Grid {
    fn middle(self) -> f64 {
        f64::midpoint(self.lower, self.upper)
    }

    fn step(self) -> f64 {
        (self.upper - self.lower) / (2.0 * to_float(i128::from(GRID_STEPS)))
    }

    fn width(self) -> f64 {
        self.upper - self.lower
    }

    /// Steps of a value from the middle, at most [`GRID_STEPS`] either way.
    pub(crate) fn steps(self, value: f64) -> i64 {
        crate::table::to_whole((value.clamp(self.lower, self.upper) - self.middle()) / self.step())
    }

    /// The mean; `noise` is the scale of the sum, `counted` that of the count.
    pub(crate) fn mean(self, (sum, noise): (i64, Scale), (count, counted): (i64, Scale)) -> Measure {
        let (total, number) = (to_float(sum.into()) * self.step(), to_float(count.max(1).into()));
        let mean = (self.middle() + total / number).clamp(self.lower, self.upper);
        let off = |scale: Scale| to_float(scale.times_milli(ERROR_95_MILLI).into());
        let error = (off(noise) * self.step() + off(counted) * (mean - self.middle()).abs()) / number;
        let error = error.min(self.width());
        Measure { value: decimal(mean, self.width()), error_95: decimal(error, self.width()) }
    }

    /// The sum, as [`Grid::mean`].
    pub(crate) fn sum(self, (sum, noise): (i64, Scale), (count, counted): (i64, Scale)) -> Measure {
        let total = self.middle() * to_float(count.into()) + to_float(sum.into()) * self.step();
        let off = |scale: Scale| to_float(scale.times_milli(ERROR_95_MILLI).into());
        let error = off(noise) * self.step() + off(counted) * self.middle().abs();
        Measure { value: decimal(total, self.width()), error_95: decimal(error, self.width()) }
    }
}
