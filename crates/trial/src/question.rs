//! Questions as they are asked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::terms::Kind;

/// The asker's own keys. They are never shown, not even in a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = Vec<String>)]
pub struct Keys(pub Vec<String>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

/// One question about one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = TrialQuestion, example = json!({"kind": "aggregate", "sql": "SELECT station, COUNT(*), AVG(level) FROM levels WHERE level > 2 GROUP BY station"}))]
pub enum Question {
    /// How many rows there are, and how many of them lack a value in each of these columns.
    Coverage {
        /// Fewer columns share the question's ε: each is told more exactly. All that may be asked about when absent.
        #[serde(default)]
        columns: Option<Vec<String>>,
    },
    /// How many intervals of a time series have a row, and where the longest gap lies.
    Gaps {
        /// A column of days or times, for which the owner has named a range.
        time_column: String,
        /// How often a row is expected, in seconds.
        #[schema(minimum = 1)]
        step_seconds: u32,
        /// Where to begin; at the beginning of the range when absent.
        #[serde(default)]
        from: Option<String>,
        /// Where to end, itself excluded; at the end of the range when absent.
        #[serde(default)]
        until: Option<String>,
    },
    /// How a column changes: rows, missing values, and its mean or the share of its most frequent value by month.
    Drift {
        /// The column; a number needs a range.
        column: String,
        /// A column of days or times, for which the owner has named a range of at most 120 months.
        time_column: String,
    },
    /// How many of your own keys occur in a column. They are forgotten when the answer is made.
    Match {
        /// A column of text, whole numbers, days or flags.
        column: String,
        /// 100 to 3,000 different keys, each as the column writes it, or its SHA-256 in hexadecimal digits.
        #[schema(min_items = 100, max_items = 3_000)]
        keys: Keys,
        /// True when they are SHA-256.
        #[serde(default)]
        hashed: bool,
    },
    /// One SELECT of COUNT(*), COUNT(c), SUM(c) and AVG(c) with AND-ed comparisons and up to two GROUP BY columns.
    Aggregate {
        /// The statement; the table's name is not looked at.
        #[schema(max_length = 2_000)]
        sql: String,
    },
}

impl Question {
    /// Which kind it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Coverage { .. } => Kind::Coverage,
            Self::Gaps { .. } => Kind::Gaps,
            Self::Drift { .. } => Kind::Drift,
            Self::Match { .. } => Kind::Match,
            Self::Aggregate { .. } => Kind::Aggregate,
        }
    }
}

/// Why a question is not answered, and where in it the reason lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// JSON pointer inside of the question, such as `/sql`.
    pub pointer: String,
    /// What to change, as a sentence. It never repeats a key.
    pub detail: String,
}

impl Refusal {
    pub(crate) fn at(pointer: &str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), detail: detail.into() }
    }
}
