//! Puts sets of changes together: what a table of one revision needs to become that of a later one.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    diff::hash_key,
    model::{CHANGE_TYPE, Counts, Op},
    spill::{Buckets, Hash, read_record, unnamed_file},
};
use crate::catalog::profile::RowValue;

/// How changes are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// One JSON object per line.
    JsonLines,
    /// Delimited text with these columns, after the one that says what changed.
    Csv(Vec<String>),
}

/// Changes put together, in a file without a name.
#[derive(Debug)]
pub struct Composed {
    /// To be read from its beginning.
    pub file: File,
    /// Its size.
    pub size_bytes: u64,
    /// What is in it.
    pub counts: Counts,
}

/// Where the changes go.
enum Out {
    JsonLines(BufWriter<File>),
    Csv(Box<csv::Writer<File>>, Vec<String>),
}

/// Puts `sets` together, oldest first; of each key the last word counts. Memory: a 32nd of all sets.
///
/// # Errors
/// When a set can't be read, or is none.
pub(super) fn compose(sets: &[PathBuf], key: &[String], layout: Layout, work_dir: &Path) -> io::Result<Composed> {
    let buckets = split(sets, key, work_dir)?;
    let mut out = Out::new(unnamed_file(work_dir)?, layout)?;
    let mut counts = Counts::default();
    for mut bucket in buckets.into_readers()? {
        let mut places: HashMap<Hash, usize> = HashMap::new();
        let mut found: Vec<(Op, Op, Vec<u8>)> = Vec::new();
        while let Some((hash, line)) = read_change(&mut bucket)? {
            let op = op_of(&row_of(&line)?)?;
            match places.get(&hash).and_then(|place| found.get_mut(*place)) {
                Some((_, last, kept)) => (*last, *kept) = (op, line),
                None => {
                    places.insert(hash, found.len());
                    found.push((op, op, line));
                }
            }
        }
        for (first, last, line) in found {
            if let Some(op) = Op::over(first, last) {
                counts.add(op);
                out.write(op, row_of(&line)?)?;
            }
        }
    }
    let mut file = out.finish()?;
    let size_bytes = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    Ok(Composed { file, size_bytes, counts })
}

/// Splits the lines of all sets by the hash of their key; within a part they stay in order.
fn split(sets: &[PathBuf], key: &[String], work_dir: &Path) -> io::Result<Buckets> {
    let mut buckets = Buckets::new(work_dir)?;
    let (mut line, mut text, mut record) = (Vec::new(), Vec::new(), Vec::new());
    for set in sets {
        let mut reader = BufReader::new(File::open(set)?);
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let row = row_of(&line)?;
            let mut cells: Vec<(&str, RowValue<'_>)> =
                row.iter().map(|(name, value)| (name.as_str(), RowValue::Json(value))).collect();
            cells.sort_unstable_by_key(|(name, _)| *name);
            let hash = hash_key(&cells, key, &mut text).ok_or_else(|| io::Error::other("a change has no key"))?;
            record.clear();
            record.extend_from_slice(&hash);
            record.extend_from_slice(&(line.len() as u64).to_le_bytes());
            record.extend_from_slice(&line);
            buckets.add(&hash, &record)?;
        }
    }
    Ok(buckets)
}

fn read_change(reader: &mut BufReader<File>) -> io::Result<Option<(Hash, Vec<u8>)>> {
    let mut head = [0; 24];
    if !read_record(reader, &mut head)? {
        return Ok(None);
    }
    let (mut hash, mut length) = (Hash::default(), [0; 8]);
    hash.copy_from_slice(&head[..16]);
    length.copy_from_slice(&head[16..]);
    let length = u64::from_le_bytes(length);
    let mut line = Vec::new();
    if reader.take(length).read_to_end(&mut line)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((hash, line)))
}

fn row_of(line: &[u8]) -> io::Result<Map<String, Value>> {
    Ok(serde_json::from_slice(line)?)
}

fn op_of(row: &Map<String, Value>) -> io::Result<Op> {
    let op = row.get(CHANGE_TYPE).and_then(Value::as_str).and_then(Op::of);
    op.ok_or_else(|| io::Error::other("a change does not say what it is"))
}

impl Out {
    fn new(file: File, layout: Layout) -> io::Result<Self> {
        match layout {
            Layout::JsonLines => Ok(Self::JsonLines(BufWriter::new(file))),
            Layout::Csv(columns) => {
                let mut writer = csv::Writer::from_writer(file);
                writer.write_record(std::iter::once(CHANGE_TYPE).chain(columns.iter().map(String::as_str)))?;
                Ok(Self::Csv(Box::new(writer), columns))
            }
        }
    }

    fn write(&mut self, op: Op, mut row: Map<String, Value>) -> io::Result<()> {
        match self {
            Self::JsonLines(writer) => {
                row.insert(CHANGE_TYPE.to_owned(), Value::from(op.as_str()));
                serde_json::to_writer(&mut *writer, &row)?;
                writer.write_all(b"\n")
            }
            Self::Csv(writer, columns) => {
                let cells = columns.iter().map(|name| match row.remove(name) {
                    None | Some(Value::Null) => String::new(),
                    Some(Value::String(text)) => text,
                    Some(other) => other.to_string(),
                });
                let record: Vec<String> = std::iter::once(op.as_str().to_owned()).chain(cells).collect();
                Ok(writer.write_record(record)?)
            }
        }
    }

    fn finish(self) -> io::Result<File> {
        match self {
            Self::JsonLines(writer) => writer.into_inner().map_err(io::IntoInnerError::into_error),
            Self::Csv(writer, _) => writer.into_inner().map_err(|error| io::Error::other(error.to_string())),
        }
    }
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
