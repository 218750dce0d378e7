//! Counts, sums and means by group.

use std::collections::{BTreeSet, HashMap};

use crate::{
    answer::{Answer, Count, Figure, GRID_STEPS, Grid, Group},
    noise::{Noise, Scale},
    table::{Cell, Condition, Row, Type},
    terms::Terms,
};

/// Groups from which on there are too many, but for noise.
const GROUPS_MAX: i64 = 10_000;
/// Groups that are kept at all. Where there are more, the noisy number must be too large as well, or it would tell
/// whether there is one more: so it is compared with at most this less the margin of noise.
const GROUPS_KEPT_MAX: i64 = 20_000;
/// Most groups that are shown, the largest ones.
const GROUPS_SHOWN_MAX: usize = 250;

/// One thing that is asked of each group.
pub(crate) struct Part {
    /// As it is written.
    pub(crate) name: String,
    pub(crate) column: Option<usize>,
    kind: Type,
    label: String,
    grid: Option<Grid>,
    is_mean: bool,
}

impl Part {
    /// COUNT(*)
    pub(crate) fn rows() -> Self {
        let (name, label) = ("COUNT(*)".to_owned(), String::new());
        Self { name, column: None, kind: Type::Other, label, grid: None, is_mean: false }
    }

    /// COUNT(column)
    pub(crate) fn count(name: &str, (column, kind): (usize, Type)) -> Self {
        let (label, name) = (name.to_owned(), format!("COUNT({name})"));
        Self { name, column: Some(column), kind, label, grid: None, is_mean: false }
    }

    /// SUM(column) or AVG(column)
    pub(crate) fn measure(name: &str, (column, kind): (usize, Type), grid: Grid, is_mean: bool) -> Self {
        let function = if is_mean { "AVG" } else { "SUM" };
        let (label, name) = (name.to_owned(), format!("{function}({name})"));
        Self { name, column: Some(column), kind, label, grid: Some(grid), is_mean }
    }
}

#[derive(Default, Clone)]
struct OfGroup {
    rows: i64,
    /// Of each part: rows with a value, and steps of their sum.
    parts: Vec<(i64, i64)>,
}

pub(crate) struct Aggregate {
    parts: Vec<Part>,
    group_by: Vec<(usize, Type)>,
    conditions: Vec<Condition>,
    groups: HashMap<Vec<Option<String>>, OfGroup>,
    has_too_many: bool,
}

impl Aggregate {
    pub(crate) fn new(parts: Vec<Part>, group_by: Vec<(usize, Type)>, conditions: Vec<Condition>) -> Self {
        let mut groups = HashMap::new();
        if group_by.is_empty() {
            // There is one group, whether or not it has rows.
            groups.insert(Vec::new(), OfGroup { rows: 0, parts: vec![(0, 0); parts.len()] });
        }
        Self { parts, group_by, conditions, groups, has_too_many: false }
    }

    pub(crate) fn take(&mut self, row: &dyn Row) {
        if !self.conditions.iter().all(|one| one.test.holds(row.cell(one.column))) {
            return;
        }
        let key: Vec<_> = self.group_by.iter().map(|(column, kind)| kind.show(row.cell(*column))).collect();
        let is_full = i64::try_from(self.groups.len()).is_ok_and(|kept| kept >= GROUPS_KEPT_MAX);
        if is_full && !self.groups.contains_key(&key) {
            self.has_too_many = true;
            return;
        }
        let new = OfGroup { rows: 0, parts: vec![(0, 0); self.parts.len()] };
        let group = self.groups.entry(key).or_insert(new);
        group.rows += 1;
        for (part, (count, sum)) in self.parts.iter().zip(&mut group.parts) {
            let Some(column) = part.column else { continue };
            let cell = row.cell(column);
            match part.grid {
                Some(grid) => {
                    if let Some(number) = part.kind.number(cell) {
                        *count += 1;
                        *sum += grid.steps(number);
                    }
                }
                None => *count += i64::from(cell != Cell::Null),
            }
        }
    }

    /// The number of figures that share the question's ε: the rows of a group, which decide whether it is shown, the
    /// values of each column, the sum of each column, and the number of groups.
    fn figures(&self) -> usize {
        let counted: BTreeSet<_> =
            self.parts.iter().filter_map(|part| part.column.map(|_| part.count_label())).collect();
        let summed: BTreeSet<_> =
            self.parts.iter().filter(|part| part.grid.is_some()).map(|part| &part.label).collect();
        1 + counted.len() + summed.len() + usize::from(!self.group_by.is_empty())
    }

    /// A row lies in one group, and may be the one that makes it a group.
    pub(crate) fn answer(&self, noise: &Noise, terms: &Terms) -> Answer {
        let (ones, steps) = (terms.scale(1, self.figures()), terms.scale(GRID_STEPS, self.figures()));
        let is_grouped = !self.group_by.is_empty();
        let shown_from = if is_grouped { terms.threshold(ones) } else { i64::from(terms.min_group_size) };
        let number = i64::try_from(self.groups.len()).unwrap_or(i64::MAX);
        let most = GROUPS_MAX.min(GROUPS_KEPT_MAX - Terms::margin(ones));
        let is_too_many = is_grouped && number + noise.at(&["groups"], ones) > most;
        if self.has_too_many || is_too_many {
            return Answer::Aggregate { groups: Vec::new(), has_too_many_groups: true, shown_from };
        }
        let mut shown: Vec<(i64, &Vec<Option<String>>, &OfGroup)> = self
            .groups
            .iter()
            .map(|(key, group)| (group.rows + noise.at(&labelled("rows", "", key), ones), key, group))
            .filter(|(rows, ..)| *rows >= shown_from)
            .collect();
        shown.sort_by_key(|(rows, key, _)| (std::cmp::Reverse(*rows), *key));
        shown.truncate(GROUPS_SHOWN_MAX);
        shown.sort_by_key(|(_, key, _)| *key);
        let groups = shown.into_iter().map(|(rows, key, group)| {
            let of = |(part, sums): (&Part, &(i64, i64))| part.figure((rows, *sums), key, noise, (ones, steps, terms));
            Group { key: key.clone(), figures: self.parts.iter().zip(&group.parts).map(of).collect() }
        });
        Answer::Aggregate { groups: groups.collect(), has_too_many_groups: false, shown_from }
    }
}

impl Part {
    /// Rows with a value and rows with a number are two counts: a float may be none.
    fn count_label(&self) -> (&str, bool) {
        (&self.label, self.grid.is_some())
    }

    fn figure(
        &self,
        (rows, (count, sum)): (i64, (i64, i64)),
        key: &[Option<String>],
        noise: &Noise,
        (ones, steps, terms): (Scale, Scale, &Terms),
    ) -> Figure {
        let name = self.name.clone();
        if self.column.is_none() {
            return Figure { name, count: Some(Count::of(rows, ones)), measure: None };
        }
        let kind = if self.grid.is_some() { "numbers" } else { "values" };
        let count = count + noise.at(&labelled(kind, &self.label, key), ones);
        let Some(grid) = self.grid else {
            return Figure { name, count: Some(Count::of(count, ones)), measure: None };
        };
        let sum = sum + noise.at(&labelled("sum", &self.label, key), steps);
        let is_enough = count >= i64::from(terms.min_group_size);
        let all = ((sum, steps), (count, ones));
        let measure = if self.is_mean { grid.mean(all.0, all.1) } else { grid.sum(all.0, all.1) };
        Figure { name, count: None, measure: is_enough.then_some(measure) }
    }
}

/// The name of a figure of a group; a value that is missing is told from one that is empty.
fn labelled<'a>(what: &'a str, column: &'a str, key: &'a [Option<String>]) -> Vec<&'a str> {
    let values = key.iter().flat_map(|value| match value {
        Some(text) => ["is", text.as_str()],
        None => ["none", ""],
    });
    [what, column].into_iter().chain(values).collect()
}
