//! What a revision promises by file, column and type, and the difference between two promises.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::model::Step;
use crate::catalog::profile::{ColumnType, Format, Profile};

/// The promise of a revision: its files by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Contract(pub(super) BTreeMap<String, FilePromise>);

/// What is promised of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FilePromise {
    /// Of its bytes; the content is no promise, but tells whether it changed.
    pub(super) sha256: String,
    /// Absent for a file that could not be read as a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<TablePromise>,
}

/// What is promised of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TablePromise {
    pub(super) format: Format,
    /// Between fields; only for delimited text of two columns and more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delimiter: Option<char>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) encoding: Option<String>,
    /// In file order.
    pub(super) columns: Vec<ColumnPromise>,
}

/// What is promised of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ColumnPromise {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: ColumnType,
}

impl TablePromise {
    /// What a profile says, as a promise.
    pub(super) fn of(profile: &Profile) -> Self {
        let columns = profile.columns.iter().map(|column| {
            // Numbers in quotation marks are text to every reader of the format.
            let kind = if column.quoted { ColumnType::Text } else { column.kind };
            ColumnPromise { name: column.name.clone(), kind }
        });
        let columns: Vec<ColumnPromise> = columns.collect();
        let delimiter = profile.csv.filter(|_| columns.len() > 1).map(|dialect| dialect.delimiter);
        Self { format: profile.format, delimiter, encoding: profile.encoding.clone(), columns }
    }
}

/// What became of a thing that was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = VersionChangeKind)]
pub enum ChangeKind {
    /// A file is gone.
    FileRemoved,
    /// A file is new.
    FileAdded,
    /// The same bytes have another name.
    FileRenamed,
    /// A file has other bytes.
    ContentChanged,
    /// A file can't be read as a table any more.
    TableLost,
    /// A file can be read as a table now.
    TableFound,
    /// A file is of another format inside.
    FormatChanged,
    /// Fields are separated by something else.
    DelimiterChanged,
    /// Text is encoded differently.
    EncodingChanged,
    /// A column is gone.
    ColumnRemoved,
    /// A column is new.
    ColumnAdded,
    /// A column is of another type.
    ColumnRetyped,
    /// A column that never had a value has some, and with them a type.
    ColumnTyped,
}

impl ChangeKind {
    /// What a change of this kind does to the version.
    pub const fn step(self) -> Step {
        match self {
            Self::FileRemoved
            | Self::TableLost
            | Self::FormatChanged
            | Self::DelimiterChanged
            | Self::EncodingChanged
            | Self::ColumnRemoved
            | Self::ColumnRetyped => Step::Major,
            Self::FileAdded | Self::FileRenamed | Self::TableFound | Self::ColumnAdded | Self::ColumnTyped => {
                Step::Minor
            }
            Self::ContentChanged => Step::Patch,
        }
    }
}

/// One change between a revision and the one before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = VersionChange, example = json!({
    "kind": "column_retyped", "step": "major", "file": "levels.csv", "column": "level_m", "from": "decimal", "to": "text"
}))]
pub struct Change {
    /// What it does to the version; the greatest of all changes decides.
    pub step: Step,
    /// What became of it.
    pub kind: ChangeKind,
    /// The file, by its name in the new revision; one that is gone, by its old name.
    pub file: String,
    /// The column, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What it was: a type, a format, a delimiter, an encoding, a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl Change {
    fn of(kind: ChangeKind, file: &str) -> Self {
        Self { step: kind.step(), kind, file: file.to_owned(), column: None, from: None, to: None }
    }

    fn between(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        Self { from: Some(from.into()), to: Some(to.into()), ..self }
    }

    fn in_column(self, column: &str) -> Self {
        Self { column: Some(column.to_owned()), ..self }
    }
}

/// Compares what was promised with what is found: what is promised from now on, and the changes, the gravest first.
///
/// A type that is narrower by chance, such as a text column that happens to hold only whole numbers this time, stays
/// what was promised.
pub(super) fn compare(promised: &Contract, found: Contract) -> (Contract, Vec<Change>) {
    let mut changes = Vec::new();
    let mut gone: BTreeMap<&str, &FilePromise> = promised
        .0
        .iter()
        .filter(|(name, _)| !found.0.contains_key(*name))
        .map(|(n, file)| (n.as_str(), file))
        .collect();
    let mut kept = BTreeMap::new();
    for (name, file) in found.0 {
        let same_name = promised.0.get(&name);
        let moved = || gone.iter().find(|(_, old)| old.sha256 == file.sha256).map(|(name, _)| *name);
        let file = match (same_name, same_name.is_none().then(moved).flatten()) {
            (Some(before), _) => compare_file(&name, before, file, &mut changes),
            (None, Some(old)) => {
                gone.remove(old);
                changes.push(Change::of(ChangeKind::FileRenamed, &name).between(old, &name));
                file
            }
            (None, None) => {
                changes.push(Change::of(ChangeKind::FileAdded, &name));
                file
            }
        };
        kept.insert(name, file);
    }
    changes.extend(gone.keys().map(|name| Change::of(ChangeKind::FileRemoved, name)));
    changes.sort_by(|a, b| b.step.cmp(&a.step).then_with(|| a.cmp(b)));
    (Contract(kept), changes)
}

fn compare_file(name: &str, before: &FilePromise, found: FilePromise, changes: &mut Vec<Change>) -> FilePromise {
    if before.sha256 == found.sha256 {
        return before.clone();
    }
    changes.push(Change::of(ChangeKind::ContentChanged, name));
    let table = match (&before.table, found.table) {
        (None, None) => None,
        (None, Some(table)) => {
            changes.push(Change::of(ChangeKind::TableFound, name));
            Some(table)
        }
        (Some(_), None) => {
            changes.push(Change::of(ChangeKind::TableLost, name));
            None
        }
        (Some(before), Some(table)) => Some(compare_table(name, before, table, changes)),
    };
    FilePromise { sha256: found.sha256, table }
}

fn compare_table(name: &str, before: &TablePromise, found: TablePromise, changes: &mut Vec<Change>) -> TablePromise {
    let mut note = |kind, from: String, to: String| changes.push(Change::of(kind, name).between(from, to));
    if before.format != found.format {
        note(ChangeKind::FormatChanged, word(&before.format), word(&found.format));
    }
    if let (Some(from), Some(to)) = (before.delimiter, found.delimiter)
        && from != to
    {
        note(ChangeKind::DelimiterChanged, from.to_string(), to.to_string());
    }
    if let (Some(from), Some(to)) = (&before.encoding, &found.encoding)
        && from != to
    {
        note(ChangeKind::EncodingChanged, from.clone(), to.clone());
    }
    let columns: BTreeMap<&str, ColumnType> =
        before.columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
    let names: BTreeSet<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
    let removed = before.columns.iter().filter(|column| !names.contains(column.name.as_str()));
    let removed = removed.map(|column| Change {
        from: Some(word(&column.kind)),
        ..Change::of(ChangeKind::ColumnRemoved, name).in_column(&column.name)
    });
    changes.extend(removed);
    let mut kept = Vec::with_capacity(found.columns.len());
    for column in &found.columns {
        let (kind, change) = compare_column(name, columns.get(column.name.as_str()).copied(), column, found.format);
        changes.extend(change);
        kept.push(ColumnPromise { name: column.name.clone(), kind });
    }
    TablePromise {
        format: found.format,
        delimiter: found.delimiter.or(before.delimiter),
        encoding: found.encoding.or_else(|| before.encoding.clone()),
        columns: kept,
    }
}

/// The type that is promised from now on, and what changed.
fn compare_column(
    file: &str,
    before: Option<ColumnType>,
    found: &ColumnPromise,
    format: Format,
) -> (ColumnType, Option<Change>) {
    let change = |kind| Change::of(kind, file).in_column(&found.name);
    match before {
        None => {
            let added = Change { to: Some(word(&found.kind)), ..change(ChangeKind::ColumnAdded) };
            (found.kind, Some(added))
        }
        Some(before) if fits(before, found.kind, format) => (before, None),
        Some(ColumnType::Empty) => {
            let typed = change(ChangeKind::ColumnTyped).between(word(&ColumnType::Empty), word(&found.kind));
            (found.kind, Some(typed))
        }
        Some(before) => {
            let retyped = change(ChangeKind::ColumnRetyped).between(word(&before), word(&found.kind));
            (found.kind, Some(retyped))
        }
    }
}

/// True when every value of type `found` is one of type `promised`. Where types are inferred from the values, they
/// come out narrower by chance; Parquet declares them.
fn fits(promised: ColumnType, found: ColumnType, format: Format) -> bool {
    use ColumnType::{Boolean, Date, DateTime, Decimal, Empty, Integer, Text};
    if promised == found {
        return true;
    }
    match format {
        Format::Parquet => false,
        // All of these are written as text there, whatever they look like.
        Format::Csv => match promised {
            Text => matches!(found, Boolean | Integer | Decimal | Date | DateTime | Empty),
            Decimal => matches!(found, Integer | Empty),
            DateTime => matches!(found, Date | Empty),
            Empty => false,
            _ => found == Empty,
        },
        Format::Json | Format::JsonLines | Format::GeoJson => match promised {
            Text => matches!(found, Date | DateTime | Empty),
            Decimal => matches!(found, Integer | Empty),
            DateTime => matches!(found, Date | Empty),
            Empty => false,
            _ => found == Empty,
        },
    }
}

/// The public spelling of a type or format.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
#[path = "contract_tests.rs"]
mod tests;
