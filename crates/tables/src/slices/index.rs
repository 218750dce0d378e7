//! The side file from which rows are counted: where and when each row is, in blocks of neighbours.
//!
//! The rows of a file are sorted along a curve through place and time, some millions at a time, and written in blocks
//! with their bounds. A count adds the blocks that lie wholly in a selection from the directory, passes over those that
//! lie outside, and looks at single rows of the others alone.
//!
//! Layout: blocks · directory (fixed entries) · JSON of [`Head`] · lengths of both (8 bytes each) · magic. Numbers are
//! little-endian; within a block the longitudes, latitudes and times are kept as distances from the least, in as few
//! bytes as the greatest needs.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use serde::{Deserialize, Serialize};

use super::{
    Filter, SliceColumn,
    area::{Bounds, Near, Overlap},
};

pub(super) const MAGIC: &[u8; 8] = b"TRVSLC1\n";
/// Blocks that are looked at together before each by itself.
const GROUP_BLOCKS: usize = 32;
/// Threads that count one selection.
const THREADS: usize = 4;
/// Bytes of a block in the directory.
pub(super) const ENTRY_BYTES: usize = 48;
/// Bytes of what ends the file.
const TAIL_BYTES: u64 = 24;
/// Largest directory that is read into memory.
const DIRECTORY_BYTES_MAX: u64 = 1 << 30;

/// What is known of the whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) rows: u64,
    pub(super) columns: Vec<SliceColumn>,
    pub(super) time_column: Option<String>,
}

/// What a row has: the rows of a block have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Has {
    pub(super) place: bool,
    pub(super) time: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) offset: u64,
    pub(super) rows: u32,
    pub(super) has: Has,
    /// Bytes of a longitude, a latitude and a time.
    pub(super) widths: [u8; 3],
    pub(super) bounds: Bounds,
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Block {
    pub(super) fn entry(&self) -> Vec<u8> {
        let has = u8::from(self.has.place) | u8::from(self.has.time) << 1;
        let mut bytes = Vec::with_capacity(ENTRY_BYTES);
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.rows.to_le_bytes());
        bytes.push(has);
        bytes.extend_from_slice(&self.widths);
        for edge in [self.bounds.west, self.bounds.south, self.bounds.east, self.bounds.north] {
            bytes.extend_from_slice(&edge.to_le_bytes());
        }
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.last.to_le_bytes());
        bytes
    }

    fn of_entry(entry: &[u8]) -> Option<Self> {
        let (offset, rest) = entry.split_first_chunk::<8>()?;
        let (rows, rest) = rest.split_first_chunk::<4>()?;
        let ([has, x, y, t], rest) = rest.split_first_chunk::<4>()?;
        let mut numbers = [0; 4];
        let mut rest = rest;
        for number in &mut numbers {
            let (bytes, left) = rest.split_first_chunk::<4>()?;
            (*number, rest) = (i32::from_le_bytes(*bytes), left);
        }
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (last, _) = rest.split_first_chunk::<8>()?;
        let [west, south, east, north] = numbers;
        let fits = [x, y, t].iter().all(|width| **width <= 8);
        fits.then_some(Self {
            offset: u64::from_le_bytes(*offset),
            rows: u32::from_le_bytes(*rows),
            has: Has { place: has & 1 == 1, time: has & 2 == 2 },
            widths: [*x, *y, *t],
            bounds: Bounds { west, south, east, north },
            first: i64::from_le_bytes(*first),
            last: i64::from_le_bytes(*last),
        })
    }

    fn bytes(&self) -> u64 {
        u64::from(self.rows) * self.widths.iter().map(|width| u64::from(*width)).sum::<u64>()
    }
}

/// Blocks that lie beside each other.
#[derive(Debug)]
struct Group {
    blocks: Vec<Block>,
    bounds: Bounds,
}

/// An index that is open for counting. Its directory is in memory, the rows stay in the file.
#[derive(Debug)]
pub struct Index {
    file: File,
    head: Head,
    groups: Vec<Group>,
}

/// How a period and a block lie.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Then {
    None,
    Whole,
    Part,
}

impl Index {
    /// Opens an index that [`super::build_index`] wrote.
    ///
    /// # Errors
    /// `InvalidData` for a file that is none; those of reading.
    pub fn open(file: File) -> io::Result<Self> {
        let odd = || io::Error::new(io::ErrorKind::InvalidData, "not an index of slices");
        let size = file.metadata()?.len();
        let mut tail = [0; 24];
        file.read_exact_at(&mut tail, size.checked_sub(TAIL_BYTES).ok_or_else(odd)?)?;
        let (directory, rest) = tail.split_first_chunk::<8>().ok_or_else(odd)?;
        let (json, magic) = rest.split_first_chunk::<8>().ok_or_else(odd)?;
        let (directory, json) = (u64::from_le_bytes(*directory), u64::from_le_bytes(*json));
        let ends = size - TAIL_BYTES;
        let start = ends.checked_sub(json).and_then(|at| at.checked_sub(directory)).ok_or_else(odd)?;
        if magic != MAGIC || directory.max(json) > DIRECTORY_BYTES_MAX {
            return Err(odd());
        }
        let read = |at: u64, bytes: u64| {
            let mut data = vec![0; usize::try_from(bytes).map_err(|_| odd())?];
            file.read_exact_at(&mut data, at)?;
            Ok::<_, io::Error>(data)
        };
        let head: Head = serde_json::from_slice(&read(start + directory, json)?)?;
        let entries = read(start, directory)?;
        let blocks: Option<Vec<Block>> = entries.chunks(ENTRY_BYTES).map(Block::of_entry).collect();
        let blocks = blocks.ok_or_else(odd)?;
        if blocks.iter().any(|block| block.offset.checked_add(block.bytes()).is_none_or(|end| end > start)) {
            return Err(odd());
        }
        let groups = blocks.chunks(GROUP_BLOCKS).map(|blocks| {
            let mut bounds = Bounds::NONE;
            blocks.iter().filter(|block| block.has.place).for_each(|block| bounds.join(&block.bounds));
            Group { blocks: blocks.to_vec(), bounds }
        });
        Ok(Self { groups: groups.collect(), head, file })
    }

    /// Rows of the whole file.
    pub fn rows(&self) -> u64 {
        self.head.rows
    }

    /// Its columns, in their order.
    pub fn columns(&self) -> &[SliceColumn] {
        &self.head.columns
    }

    /// The column that periods are cut by.
    pub fn time_column(&self) -> Option<&str> {
        self.head.time_column.as_deref()
    }

    /// How many rows `filter` takes: exactly those that [`super::cut()`] writes.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn count(&self, filter: &Filter) -> io::Result<u64> {
        let part = self.groups.len().div_ceil(THREADS).max(1);
        let parts: Vec<&[Group]> = self.groups.chunks(part).collect();
        if parts.len() < THREADS {
            return self.count_groups(&self.groups, filter);
        }
        std::thread::scope(|scope| {
            let counting: Vec<_> =
                parts.into_iter().map(|part| scope.spawn(move || self.count_groups(part, filter))).collect();
            counting
                .into_iter()
                .try_fold(0, |rows, part| Ok(rows + part.join().map_err(|_| io::Error::other("a count broke off"))??))
        })
    }

    fn count_groups(&self, groups: &[Group], filter: &Filter) -> io::Result<u64> {
        let (mut rows, mut bytes) = (0, Vec::new());
        for group in groups {
            rows += self.count_group(group, filter, &mut bytes)?;
        }
        Ok(rows)
    }

    fn count_group(&self, group: &Group, filter: &Filter, bytes: &mut Vec<u8>) -> io::Result<u64> {
        let in_group = filter.area.as_ref().map(|area| area.overlap(None, &group.bounds));
        let mut rows = 0;
        for block in &group.blocks {
            let then = match filter.period {
                None => Then::Whole,
                Some(_) if !block.has.time => Then::None,
                Some((from, to)) if block.last < from || block.first >= to => Then::None,
                Some((from, to)) if from <= block.first && block.last < to => Then::Whole,
                Some(_) => Then::Part,
            };
            if then == Then::None {
                continue;
            }
            let there = match (&in_group, &filter.area) {
                (Some(Overlap::None), _) => continue,
                (Some(_), _) if !block.has.place => continue,
                (Some(Overlap::Part(near)), Some(area)) => area.overlap(Some(near), &block.bounds),
                _ => Overlap::Whole,
            };
            rows += match (there, then) {
                (Overlap::None, _) => 0,
                (Overlap::Whole, Then::Whole) => u64::from(block.rows),
                (Overlap::Whole, _) => self.look(block, None, filter.period, bytes)?,
                (Overlap::Part(near), then) => {
                    self.look(block, Some(&near), filter.period.filter(|_| then == Then::Part), bytes)?
                }
            };
        }
        Ok(rows)
    }

    /// Looks at each row of a block, read into `bytes`.
    fn look(
        &self,
        block: &Block,
        near: Option<&Near>,
        period: Option<(i64, i64)>,
        bytes: &mut Vec<u8>,
    ) -> io::Result<u64> {
        let size = usize::try_from(block.bytes()).map_err(io::Error::other)?;
        // Numbers are read eight bytes at a time.
        bytes.resize(size + 8, 0);
        self.file.read_exact_at(bytes.get_mut(..size).unwrap_or_default(), block.offset)?;
        let rows = block.rows as usize;
        let [x, y, t] = block.widths.map(usize::from);
        let starts = [0, rows * x, rows * (x + y)];
        let at =
            |low: i32, distance: u64| i32::try_from(i64::from(low).saturating_add_unsigned(distance)).unwrap_or(low);
        let takes = |row: &usize| {
            let number = |start: usize, width: usize| number(bytes, start + row * width, width);
            let then = period.is_none_or(|(from, to)| {
                let time = block.first.saturating_add_unsigned(number(starts[2], t));
                from <= time && time < to
            });
            then && near.is_none_or(|near| {
                let place = (at(block.bounds.west, number(starts[0], x)), at(block.bounds.south, number(starts[1], y)));
                near.holds(place)
            })
        };
        Ok((0..rows).filter(takes).count() as u64)
    }
}

/// The number of so many bytes that begins there.
fn number(bytes: &[u8], start: usize, width: usize) -> u64 {
    let eight = bytes.get(start..).and_then(<[u8]>::first_chunk::<8>).map_or(0, |eight| u64::from_le_bytes(*eight));
    if width >= 8 { eight } else { eight & ((1 << (8 * width)) - 1) }
}

#[cfg(test)]
mod tests;
