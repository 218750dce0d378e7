//! From a question to what has to be counted: columns and types are looked up, and nothing that depends on a row is.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    aggregate::{self, Part},
    answer::{Answer, Grid},
    coverage::Coverage,
    drift::Drift,
    gaps::Gaps,
    matches::Match,
    noise::Noise,
    question::{Keys, Question, Refusal},
    sql::{self, Item, WrittenTest},
    table::{Column, Condition, Row, Test, Type, instant, month_of, time_text},
    terms::{Kind, Range, Terms},
};

/// Fewest different keys of a match.
pub const KEYS_MIN: usize = 100;
/// Most keys of a match.
pub const KEYS_MAX: usize = 3_000;
/// Most intervals of a time series.
const INTERVALS_MAX: i64 = 1_000_000;
/// Most months of a drift.
const MONTHS_MAX: i64 = 120;
/// Most columns of one question about coverage.
const COVERED_COLUMNS_MAX: usize = 50;

/// A question that can be answered, and what was counted for it so far.
pub struct Plan {
    /// Its kind.
    pub kind: Kind,
    /// The question in one way of writing, without keys: what a report shows.
    pub shown: Value,
    /// What tells the keys of a match from others; for a secret digest alone, never to be kept.
    keys: Option<String>,
    /// Columns that are read, by their places in the schema.
    pub columns: BTreeSet<usize>,
    work: Work,
}

enum Work {
    Coverage(Coverage),
    Gaps(Gaps),
    Drift(Drift),
    Match(Match),
    Aggregate(aggregate::Aggregate),
}

impl Plan {
    /// Reads a question about a table with these columns.
    ///
    /// # Errors
    /// [`Refusal`], for what may not be asked, and for what makes no sense. It depends on no row.
    pub fn of(question: &Question, schema: &[Column], terms: &Terms) -> Result<Self, Refusal> {
        let kind = question.kind();
        if !terms.kinds.contains(&kind) {
            let words: Vec<_> = terms.kinds.iter().map(|kind| kind.as_str()).collect();
            return Err(Refusal::at("/kind", format!("The owner answers questions of: {}.", words.join(", "))));
        }
        let sight = Sight { schema, terms };
        match question {
            Question::Coverage { columns } => sight.coverage(columns.as_deref()),
            Question::Gaps { time_column, step_seconds, from, until } => {
                sight.gaps(time_column, *step_seconds, (from.as_deref(), until.as_deref()))
            }
            Question::Drift { column, time_column } => sight.drift(column, time_column),
            Question::Match { column, keys, hashed } => sight.matches(column, keys, *hashed),
            Question::Aggregate { sql } => sight.aggregate(sql),
        }
    }

    /// All that makes it another question: equal for questions that get the same answer. It tells of keys; only a
    /// keyed digest of it may be kept.
    pub fn identity(&self, terms: &Terms) -> Value {
        json!({
            "question": self.shown, "keys": self.keys, "epsilon_milli": terms.epsilon_milli,
            "min_group_size": terms.min_group_size,
        })
    }

    /// Counts one row.
    pub fn take(&mut self, row: &dyn Row) {
        match &mut self.work {
            Work::Coverage(work) => work.take(row),
            Work::Gaps(work) => work.take(row),
            Work::Drift(work) => work.take(row),
            Work::Match(work) => work.take(row),
            Work::Aggregate(work) => work.take(row),
        }
    }

    /// What is told of all rows that were taken.
    pub fn answer(&self, noise: &Noise, terms: &Terms) -> Answer {
        match &self.work {
            Work::Coverage(work) => work.answer(noise, terms),
            Work::Gaps(work) => work.answer(noise, terms),
            Work::Drift(work) => work.answer(noise, terms),
            Work::Match(work) => work.answer(noise, terms),
            Work::Aggregate(work) => work.answer(noise, terms),
        }
    }
}

struct Sight<'a> {
    schema: &'a [Column],
    terms: &'a Terms,
}

impl Sight<'_> {
    /// The columns that may be asked about, by their places.
    fn open(&self) -> impl Iterator<Item = (usize, &Column)> {
        let is_open = |name: &str| self.terms.columns.iter().any(|column| column.name == name);
        self.schema.iter().enumerate().filter(move |(_, column)| is_open(&column.name))
    }

    fn column(&self, name: &str, pointer: &str) -> Result<(usize, Type), Refusal> {
        let found = self.open().find(|(_, column)| column.name == name).map(|(at, column)| (at, column.kind));
        found.ok_or_else(|| {
            let names: Vec<&str> = self.open().take(30).map(|(_, column)| column.name.as_str()).collect();
            let there_are = format!("Columns that may be asked about are: {}.", names.join(", "));
            Refusal::at(pointer, format!("{name:?} is none of the columns that may be asked about. {there_are}"))
        })
    }

    fn grid(&self, name: &str, pointer: &str) -> Result<Grid, Refusal> {
        let range =
            self.terms.columns.iter().find(|column| column.name == name).and_then(|column| column.range.as_ref());
        let missing = || Refusal::at(pointer, format!("The owner has named no range of numbers for {name:?}."));
        let (lower, upper) = range.and_then(Range::numbers).ok_or_else(missing)?;
        Ok(Grid { lower, upper })
    }

    fn time(&self, name: &str, pointer: &str) -> Result<(usize, Type, (i64, i64)), Refusal> {
        let (at, kind) = self.column(name, pointer)?;
        if !kind.is_time() {
            return Err(Refusal::at(pointer, format!("{name:?} has no days or times.")));
        }
        let range =
            self.terms.columns.iter().find(|column| column.name == name).and_then(|column| column.range.as_ref());
        let missing = || Refusal::at(pointer, format!("The owner has named no range of times for {name:?}."));
        Ok((at, kind, range.and_then(Range::seconds).ok_or_else(missing)?))
    }

    fn coverage(&self, wanted: Option<&[String]>) -> Result<Plan, Refusal> {
        let names: BTreeSet<&str> = match wanted {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => self.open().map(|(_, column)| column.name.as_str()).collect(),
        };
        if names.len() > COVERED_COLUMNS_MAX {
            return Err(Refusal::at("/columns", format!("Name at most {COVERED_COLUMNS_MAX} columns.")));
        }
        let mut columns = Vec::with_capacity(names.len());
        for name in &names {
            columns.push(((*name).to_owned(), self.column(name, "/columns")?.0));
        }
        Ok(Plan {
            kind: Kind::Coverage,
            shown: json!({"kind": "coverage", "columns": names}),
            keys: None,
            columns: columns.iter().map(|(_, at)| *at).collect(),
            work: Work::Coverage(Coverage::new(columns)),
        })
    }

    fn gaps(&self, name: &str, step: u32, (from, until): (Option<&str>, Option<&str>)) -> Result<Plan, Refusal> {
        let (at, kind, (first, last)) = self.time(name, "/time_column")?;
        let read = |text: Option<&str>, pointer: &str, otherwise: i64| match text {
            None => Ok(otherwise),
            Some(text) => instant(text)
                .map(time::OffsetDateTime::unix_timestamp)
                .ok_or_else(|| Refusal::at(pointer, "Write a day or a time, as 2026-11-21 or 2026-11-21T10:00:00Z.")),
        };
        let (from, until) = (read(from, "/from", first)?.max(first), read(until, "/until", last)?.min(last));
        if step == 0 {
            return Err(Refusal::at("/step_seconds", "Name a step of at least 1 second."));
        }
        let step = i64::from(step);
        let expected = (until - from).max(0) / step;
        if !(1..=INTERVALS_MAX).contains(&expected) {
            let bounds = format!("{} to {}", time_text(first), time_text(last));
            let advice = format!("Ask about 1 to {INTERVALS_MAX} steps within {bounds}.");
            return Err(Refusal::at("/step_seconds", advice));
        }
        Ok(Plan {
            kind: Kind::Gaps,
            shown: json!({"kind": "gaps", "time_column": name, "step_seconds": step, "from": time_text(from), "until": time_text(until)}),
            keys: None,
            columns: BTreeSet::from([at]),
            work: Work::Gaps(Gaps::new((at, kind), (from, step, expected))),
        })
    }

    fn drift(&self, name: &str, time_name: &str) -> Result<Plan, Refusal> {
        let (at, kind) = self.column(name, "/column")?;
        let (time_at, time_kind, (from, until)) = self.time(time_name, "/time_column")?;
        let months = month_of(from).zip(month_of(until.saturating_sub(1)));
        let months = months.filter(|(first, last)| (0..MONTHS_MAX).contains(&(last - first)));
        let Some((first, last)) = months else {
            return Err(Refusal::at("/time_column", format!("Its range is longer than {MONTHS_MAX} months.")));
        };
        let grid = if kind.is_number() { Some(self.grid(name, "/column")?) } else { None };
        if grid.is_none() && !kind.is_value() {
            return Err(Refusal::at("/column", "Values of this column are not compared."));
        }
        let range = grid.map(|grid| [grid.lower.to_string(), grid.upper.to_string()]);
        Ok(Plan {
            kind: Kind::Drift,
            shown: json!({"kind": "drift", "column": name, "time_column": time_name, "range": range,
                "from": time_text(from), "until": time_text(until)}),
            keys: None,
            columns: BTreeSet::from([at, time_at]),
            work: Work::Drift(Drift::new((at, kind, grid), (time_at, time_kind), (from, until), (first, last))),
        })
    }

    fn matches(&self, name: &str, keys: &Keys, hashed: bool) -> Result<Plan, Refusal> {
        let (at, kind) = self.column(name, "/column")?;
        if !kind.is_value() {
            return Err(Refusal::at("/column", "Match keys with a column of text, whole numbers, days or flags."));
        }
        let digests: Option<BTreeSet<[u8; 32]>> = keys.0.iter().map(|key| digest_of(key, hashed)).collect();
        let advice = "Send each key as the 64 hexadecimal digits of its SHA-256, or leave out hashed.";
        let digests = digests.ok_or_else(|| Refusal::at("/keys", advice))?;
        if !(KEYS_MIN..=KEYS_MAX).contains(&digests.len()) || keys.0.len() > KEYS_MAX {
            return Err(Refusal::at("/keys", format!("Send {KEYS_MIN} to {KEYS_MAX} different keys.")));
        }
        let mut all = Sha256::new();
        for digest in &digests {
            all.update(digest);
        }
        Ok(Plan {
            kind: Kind::Match,
            shown: json!({"kind": "match", "column": name, "keys": digests.len()}),
            keys: Some(hex(&all.finalize())),
            columns: BTreeSet::from([at]),
            work: Work::Match(Match::new((at, kind), digests)),
        })
    }

    fn aggregate(&self, text: &str) -> Result<Plan, Refusal> {
        let refused = |detail: String| Refusal::at("/sql", detail);
        let select = sql::parse(text).map_err(refused)?;
        let group_by: BTreeSet<&str> = select.group_by.iter().map(String::as_str).collect();
        let mut groups = Vec::new();
        for name in &group_by {
            let (at, kind) = self.column(name, "/sql")?;
            if !kind.is_value() {
                return Err(refused(format!("Rows can't be grouped by {name:?}.")));
            }
            groups.push((at, kind));
        }
        let (mut parts, mut ranges) = (Vec::new(), serde_json::Map::new());
        for item in select.items.iter().collect::<BTreeSet<_>>() {
            let (part, range) = match item {
                Item::Column(name) if group_by.contains(name.as_str()) => continue,
                Item::Column(name) => return Err(refused(format!("Group by {name:?}, or leave it out."))),
                Item::CountRows => (Part::rows(), None),
                Item::Count(name) => (Part::count(name, self.column(name, "/sql")?), None),
                Item::Sum(name) | Item::Avg(name) => {
                    let found = self.column(name, "/sql")?;
                    if !found.1.is_number() {
                        return Err(refused(format!("{name:?} has no numbers.")));
                    }
                    let grid = self.grid(name, "/sql")?;
                    (Part::measure(name, found, grid, matches!(item, Item::Avg(_))), Some((name, grid)))
                }
            };
            if let Some((name, grid)) = range {
                ranges.insert(name.clone(), json!([grid.lower.to_string(), grid.upper.to_string()]));
            }
            parts.push(part);
        }
        if parts.is_empty() {
            return Err(refused("Select COUNT(*), COUNT, SUM or AVG of something.".to_owned()));
        }
        let (conditions, written) = self.conditions(&select)?;
        let named: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let shown =
            json!({"kind": "aggregate", "select": named, "where": written, "group_by": group_by, "ranges": ranges});
        let columns = parts.iter().filter_map(|part| part.column);
        let columns = columns.chain(groups.iter().map(|(at, _)| *at)).chain(conditions.iter().map(|one| one.column));
        Ok(Plan {
            kind: Kind::Aggregate,
            shown,
            keys: None,
            columns: columns.collect(),
            work: Work::Aggregate(aggregate::Aggregate::new(parts, groups, conditions)),
        })
    }

    /// The conditions, and one way to write them, in order and without repetition.
    fn conditions(&self, select: &sql::Select) -> Result<(Vec<Condition>, BTreeSet<Vec<String>>), Refusal> {
        let (mut conditions, mut written) = (Vec::new(), BTreeSet::new());
        for one in &select.conditions {
            let (column, kind) = self.column(&one.column, "/sql")?;
            let bad = |text: &str| Refusal::at("/sql", format!("{:?} can't be compared with {text:?}.", one.column));
            let read = |text: &String| kind.literal(text).ok_or_else(|| bad(text));
            let (test, words) = match &one.test {
                WrittenTest::IsNull(is_null) => {
                    (Test::IsNull(*is_null), vec![if *is_null { "IS NULL" } else { "IS NOT NULL" }.to_owned()])
                }
                WrittenTest::Compare(comparison, text) => {
                    let literal = read(text)?;
                    let words = vec![comparison.sign().to_owned(), literal.canonical(kind)];
                    (Test::Compare(*comparison, literal), words)
                }
                WrittenTest::In(texts) => {
                    let literals = texts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
                    let sorted: BTreeSet<String> = literals.iter().map(|literal| literal.canonical(kind)).collect();
                    (Test::In(literals), std::iter::once("IN".to_owned()).chain(sorted).collect())
                }
            };
            let words: Vec<String> = std::iter::once(one.column.clone()).chain(words).collect();
            written.insert(words);
            conditions.push(Condition { column, test });
        }
        Ok((conditions, written))
    }
}

fn digest_of(key: &str, hashed: bool) -> Option<[u8; 32]> {
    if !hashed {
        return Some(Sha256::digest(key.as_bytes()).into());
    }
    let mut bytes = [0; 32];
    if key.len() != 64 || !key.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(key.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
