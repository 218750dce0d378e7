//! Compares two tables row by row, by key, in bounded memory.
//!
//! Each table is read twice. First only hashes of keys and rows are spilled to working files, split by key, so that one
//! part at a time is compared in memory; that gives one bit per row and kind of change. Then the rows with a bit are
//! written. Memory: about 100 bytes for each row of the largest part (a 32nd of the table), and four bits per row.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    model::{CHANGE_TYPE, Counts, Op, UPDATE_PREIMAGE},
    spill::{Buckets, Hash, read_record},
};
use crate::{
    base::digest::sha256,
    catalog::profile::{Profile, ProfileError, ProfileLimits, RowValue, has_readable_rows, read_rows},
};

/// Key hash, row hash, number of the row.
const RECORD_BYTES: usize = 40;

/// A table to be compared.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) path: PathBuf,
    pub(super) profile: Profile,
}

/// Takes one change: a JSON object in one line, with its end.
pub(super) type Write<'w> = dyn FnMut(&[u8]) -> io::Result<()> + 'w;

/// Why two tables can't be compared; trying again gives the same.
fn refuse(reason: impl Into<String>) -> ProfileError {
    ProfileError::Unparsable { reason: reason.into() }
}

/// Writes what became of the rows of `before` in `after`: deleted ones, then the others in their order.
///
/// # Errors
/// [`ProfileError::Unparsable`] with the reason when a key is missing or not unique, or a table can't be read by row.
pub(super) fn diff(
    (before, after): (&Table, &Table),
    key: &[String],
    work_dir: &Path,
    write: &mut Write<'_>,
) -> Result<Counts, ProfileError> {
    let marks = mark((before, after), key, work_dir)?;
    let mut counts = Counts::default();
    emit(before, &[(Op::Delete, &marks.deleted)], &mut counts, write)?;
    emit(after, &[(Op::Insert, &marks.inserted), (Op::Update, &marks.updated)], &mut counts, write)?;
    Ok(counts)
}

/// Finds out which rows of two tables changed.
///
/// # Errors
/// As [`diff`].
pub(super) fn mark((before, after): (&Table, &Table), key: &[String], work_dir: &Path) -> Result<Marks, ProfileError> {
    for (table, which) in [(before, "before"), (after, "now")] {
        if !has_readable_rows(&table.profile) {
            return Err(refuse(format!("the table {which} is not read by row: only whole CSV and JSON lines are")));
        }
        if table.profile.columns.iter().any(|column| column.name == CHANGE_TYPE) {
            return Err(refuse(format!("a column is called {CHANGE_TYPE}, as the one that says what changed")));
        }
        if let Some(missing) = key.iter().find(|name| table.profile.columns.iter().all(|column| column.name != **name))
        {
            return Err(refuse(format!("the table {which} has no column {missing:?}, which its key names")));
        }
    }
    let ((old, rows_before), (new, rows_after)) = (spill(before, key, work_dir)?, spill(after, key, work_dir)?);
    Ok(Marks { rows_before, rows_after, ..compare(old, new)? })
}

/// Hashes the rows of a table, and counts them.
fn spill(table: &Table, key: &[String], work_dir: &Path) -> Result<(Buckets, u64), ProfileError> {
    let mut buckets = Buckets::new(work_dir)?;
    let (mut row_no, mut text, mut record) = (0_u64, Vec::new(), Vec::with_capacity(RECORD_BYTES));
    read_rows(&table.path, &table.profile, &ProfileLimits::default(), &mut |row| {
        row_no += 1;
        let key_hash = hash_key(row, key, &mut text)
            .ok_or_else(|| refuse(format!("row {row_no} has no value in a column of the key")))?;
        let row_hash = hash_row(row, &mut text);
        record.clear();
        record.extend_from_slice(&key_hash);
        record.extend_from_slice(&row_hash);
        record.extend_from_slice(&row_no.to_le_bytes());
        Ok(buckets.add(&key_hash, &record)?)
    })?;
    Ok((buckets, row_no))
}

/// The hash of the key of a row; nothing when a column has no value.
pub(super) fn hash_key(row: &[(&str, RowValue<'_>)], key: &[String], text: &mut Vec<u8>) -> Option<Hash> {
    text.clear();
    for column in key {
        let at = row.binary_search_by_key(&column.as_str(), |(name, _)| name).ok()?;
        add_value(text, row.get(at)?.1);
    }
    Some(short(sha256(text)))
}

fn hash_row(row: &[(&str, RowValue<'_>)], text: &mut Vec<u8>) -> Hash {
    text.clear();
    for (name, value) in row {
        add_bytes(text, name.as_bytes());
        add_value(text, *value);
    }
    short(sha256(text))
}

/// Text and the JSON string of it are the same value: a change set holds both as JSON.
fn add_value(text: &mut Vec<u8>, value: RowValue<'_>) {
    let mut add = |kind, value: &str| {
        text.push(kind);
        add_bytes(text, value.as_bytes());
    };
    match value {
        RowValue::Text(value) => add(b't', value),
        RowValue::Json(Value::String(value)) => add(b't', value),
        RowValue::Json(value) => add(b'j', &value.to_string()),
    }
}

/// With the length in front, so that no two lists of values are one text.
fn add_bytes(text: &mut Vec<u8>, bytes: &[u8]) {
    text.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    text.extend_from_slice(bytes);
}

fn short(digest: [u8; 32]) -> Hash {
    let mut short = Hash::default();
    short.copy_from_slice(&digest[..16]);
    short
}

/// A set of row numbers.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn set(&mut self, row_no: u64) {
        let (word, bit) = (usize::try_from(row_no / 64).unwrap_or(usize::MAX), row_no % 64);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    fn has(&self, row_no: u64) -> bool {
        let word = usize::try_from(row_no / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word & (1 << (row_no % 64)) != 0)
    }
}

/// Which rows changed how, by their numbers from 1 on: deleted ones and those that were updated by their number before,
/// inserted ones and those that are updated by their number now.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Rows of the table before.
    pub(super) rows_before: u64,
    /// Rows of the table now.
    pub(super) rows_after: u64,
    inserted: Bits,
    updated: Bits,
    replaced: Bits,
    deleted: Bits,
}

impl Marks {
    /// What became of a row of the table before; nothing where it is as it was.
    pub(super) fn before(&self, row_no: u64) -> Option<&'static str> {
        match (self.deleted.has(row_no), self.replaced.has(row_no)) {
            (true, _) => Some(Op::Delete.as_str()),
            (false, true) => Some(UPDATE_PREIMAGE),
            (false, false) => None,
        }
    }

    /// What became of a row of the table now; nothing where it was there before, as it is.
    pub(super) fn after(&self, row_no: u64) -> Option<&'static str> {
        match (self.inserted.has(row_no), self.updated.has(row_no)) {
            (true, _) => Some(Op::Insert.as_str()),
            (false, true) => Some(Op::Update.as_str()),
            (false, false) => None,
        }
    }
}

fn compare(old: Buckets, new: Buckets) -> Result<Marks, ProfileError> {
    let mut marks = Marks::default();
    for (mut old, mut new) in old.into_readers()?.into_iter().zip(new.into_readers()?) {
        let mut before: HashMap<Hash, (Hash, u64)> = HashMap::new();
        while let Some((key, row, row_no)) = read_hashes(&mut old)? {
            if let Some((_, other)) = before.insert(key, (row, row_no)) {
                return Err(not_unique("before", other, row_no));
            }
        }
        let mut seen: HashMap<Hash, u64> = HashMap::new();
        let mut kept = HashSet::new();
        while let Some((key, row, row_no)) = read_hashes(&mut new)? {
            if let Some(other) = seen.insert(key, row_no) {
                return Err(not_unique("now", other, row_no));
            }
            match before.get(&key) {
                None => marks.inserted.set(row_no),
                Some((same, row_before)) => {
                    kept.insert(key);
                    if *same != row {
                        marks.updated.set(row_no);
                        marks.replaced.set(*row_before);
                    }
                }
            }
        }
        for (_, (_, row_no)) in before.iter().filter(|(key, _)| !kept.contains(*key)) {
            marks.deleted.set(*row_no);
        }
    }
    Ok(marks)
}

fn not_unique(which: &str, one: u64, other: u64) -> ProfileError {
    refuse(format!("the key is not unique in the table {which}: rows {one} and {other} have the same"))
}

fn read_hashes(reader: &mut BufReader<File>) -> io::Result<Option<(Hash, Hash, u64)>> {
    let mut record = [0; RECORD_BYTES];
    if !read_record(reader, &mut record)? {
        return Ok(None);
    }
    let (mut key, mut row, mut row_no) = (Hash::default(), Hash::default(), [0; 8]);
    key.copy_from_slice(&record[..16]);
    row.copy_from_slice(&record[16..32]);
    row_no.copy_from_slice(&record[32..]);
    Ok(Some((key, row, u64::from_le_bytes(row_no))))
}

/// Writes the rows of a table that are marked.
fn emit(table: &Table, marks: &[(Op, &Bits)], counts: &mut Counts, write: &mut Write<'_>) -> Result<(), ProfileError> {
    if marks.iter().all(|(_, bits)| bits.0.is_empty()) {
        return Ok(());
    }
    let mut row_no = 0;
    read_rows(&table.path, &table.profile, &ProfileLimits::default(), &mut |row| {
        row_no += 1;
        let Some((op, _)) = marks.iter().find(|(_, bits)| bits.has(row_no)) else { return Ok(()) };
        counts.add(*op);
        Ok(write(&line(*op, row).map_err(io::Error::other)?)?)
    })
}

/// A change as a JSON object in one line: what became of the row, then its values by name.
fn line(op: Op, row: &[(&str, RowValue<'_>)]) -> serde_json::Result<Vec<u8>> {
    let mut line = Vec::from(&b"{"[..]);
    let mut add = |name: &str, value: RowValue<'_>| -> serde_json::Result<()> {
        if line.len() > 1 {
            line.push(b',');
        }
        serde_json::to_writer(&mut line, name)?;
        line.push(b':');
        match value {
            RowValue::Text(text) => serde_json::to_writer(&mut line, text),
            RowValue::Json(value) => serde_json::to_writer(&mut line, value),
        }
    };
    add(CHANGE_TYPE, RowValue::Text(op.as_str()))?;
    for (name, value) in row {
        add(name, *value)?;
    }
    line.extend_from_slice(b"}\n");
    Ok(line)
}
