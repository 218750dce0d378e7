//! Makes an index: sorts rows along a curve through place and time, and writes them in blocks with their bounds.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    SliceColumn,
    area::{Bounds, Point},
    index::{Block, ENTRY_BYTES, Has, Head, MAGIC},
    rows::{places, times, width},
};
use crate::convert::{ConvertError, Watch, parquet_in::ParquetIn};

/// Rows that are sorted at once: what bounds the memory, at 32 bytes each.
pub(super) const CHUNK_ROWS: usize = 4 << 20;
/// Rows of a block.
const BLOCK_ROWS: usize = 1_024;
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) key: u64,
    pub(super) time: i64,
    pub(super) at: Point,
    pub(super) has: Has,
}

/// Reads a Parquet file of ours and writes its index; `time_column` names the column that periods are cut by.
///
/// Returns the number of rows.
///
/// # Errors
/// [`ConvertError::Unfit`] where the column of times is missing or holds none, the others when reading or writing fails.
pub fn build_index(
    parquet: &File,
    time_column: Option<&str>,
    out: File,
    watch: &Arc<Watch>,
) -> Result<u64, ConvertError> {
    // As for conversions: the reader asserts what it should check in places.
    catch_unwind(AssertUnwindSafe(|| build(parquet, time_column, out, watch)))
        .unwrap_or_else(|_| Err(ConvertError::unfit("The Parquet file is damaged: its parts contradict each other.")))
}

fn build(parquet: &File, time_column: Option<&str>, out: File, watch: &Watch) -> Result<u64, ConvertError> {
    let (file, _) = ParquetIn::open(parquet)?;
    let place = |name: &str| file.schema.fields().iter().position(|field| field.name() == name);
    let missing = || ConvertError::unfit("The file has no column of that name to cut periods by.");
    let time_at = time_column.map(|name| place(name).ok_or_else(missing)).transpose()?;
    let geometry_at = file.geometry.as_ref().and_then(|geometry| place(&geometry.column));
    let mut widths = vec![0_u64; file.schema.fields().len()];
    let mut writer = Writer { out: BufWriter::new(out), offset: 0, blocks: Vec::new() };
    let (mut rows, mut done) = (Vec::new(), 0_u64);
    for batch in file.batches(None)? {
        let batch = batch?;
        if watch.is_stopped() {
            return Err(ConvertError::Stopped);
        }
        for (sum, array) in widths.iter_mut().zip(batch.columns()) {
            *sum += width(array);
        }
        let there = geometry_at.map(|at| places(batch.column(at)));
        let then = time_at.map(|at| times(batch.column(at))).transpose()?;
        for row in 0..batch.num_rows() {
            let place = there.as_ref().and_then(|places| places.get(row).copied().flatten());
            let time = then.as_ref().and_then(|times| times.get(row).copied().flatten());
            let has = Has { place: place.is_some(), time: time.is_some() };
            rows.push(Row { key: 0, time: time.unwrap_or(0), at: place.unwrap_or((0, 0)), has });
        }
        if rows.len() >= CHUNK_ROWS {
            writer.chunk(&mut rows)?;
        }
        done += batch.num_rows() as u64;
        watch.tell(done.saturating_mul(990) / file.rows.max(1));
    }
    writer.chunk(&mut rows)?;
    let fields = file.schema.fields().iter().enumerate().zip(widths);
    let columns = fields.map(|((at, field), bytes)| SliceColumn {
        name: field.name().clone(),
        width_bytes: bytes.div_ceil(done.max(1)).max(1),
        is_geometry: geometry_at == Some(at),
    });
    let head = Head { rows: done, columns: columns.collect(), time_column: time_column.map(str::to_owned) };
    writer.finish(&head)?;
    Ok(done)
}

pub(super) struct Writer {
    pub(super) out: BufWriter<File>,
    pub(super) offset: u64,
    pub(super) blocks: Vec<Block>,
}

impl Writer {
    /// Sorts the rows gathered so far and writes them in blocks.
    pub(super) fn chunk(&mut self, rows: &mut Vec<Row>) -> io::Result<()> {
        let (mut bounds, mut first, mut last) = (Bounds::NONE, i64::MAX, i64::MIN);
        for row in rows.iter() {
            if row.has.place {
                bounds.add(row.at);
            }
            if row.has.time {
                (first, last) = (first.min(row.time), last.max(row.time));
            }
        }
        for row in rows.iter_mut() {
            row.key = curve(row, &bounds, (first, last));
        }
        rows.sort_unstable_by_key(|row| (row.has, row.key));
        let mut left = rows.as_slice();
        while let Some(head) = left.first() {
            let same = left.iter().take(BLOCK_ROWS).take_while(|row| row.has == head.has).count();
            let (block, rest) = left.split_at(same);
            self.block(block, head.has)?;
            left = rest;
        }
        rows.clear();
        Ok(())
    }

    fn block(&mut self, rows: &[Row], has: Has) -> io::Result<()> {
        let (mut bounds, mut first, mut last) = (Bounds::NONE, i64::MAX, i64::MIN);
        for row in rows {
            bounds.add(row.at);
            (first, last) = (first.min(row.time), last.max(row.time));
        }
        let span = |low: i32, high: i32| i64::from(high).abs_diff(i64::from(low));
        let spans = [span(bounds.west, bounds.east), span(bounds.south, bounds.north), last.abs_diff(first)];
        let widths = spans.map(bytes_for);
        let mut bytes = Vec::new();
        put(&mut bytes, widths[0], rows.iter().map(|row| span(bounds.west, row.at.0)));
        put(&mut bytes, widths[1], rows.iter().map(|row| span(bounds.south, row.at.1)));
        put(&mut bytes, widths[2], rows.iter().map(|row| row.time.abs_diff(first)));
        let count = u32::try_from(rows.len()).map_err(io::Error::other)?;
        self.out.write_all(&bytes)?;
        self.blocks.push(Block { offset: self.offset, rows: count, has, widths, bounds, first, last });
        self.offset += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn finish(mut self, head: &Head) -> io::Result<()> {
        for block in &self.blocks {
            self.out.write_all(&block.entry())?;
        }
        let json = serde_json::to_vec(head)?;
        self.out.write_all(&json)?;
        let directory = (self.blocks.len() * ENTRY_BYTES) as u64;
        self.out.write_all(&directory.to_le_bytes())?;
        self.out.write_all(&(json.len() as u64).to_le_bytes())?;
        self.out.write_all(MAGIC)?;
        self.out.flush()
    }
}

/// The least number of bytes that `value` fits into; none for zero.
fn bytes_for(value: u64) -> u8 {
    u8::try_from((64 - value.leading_zeros()).div_ceil(8)).unwrap_or(8)
}

fn put(out: &mut Vec<u8>, width: u8, values: impl Iterator<Item = u64>) {
    for value in values {
        out.extend_from_slice(value.to_le_bytes().get(..usize::from(width)).unwrap_or_default());
    }
}

/// The place of a row on a curve that keeps neighbours together: the bits of longitude, latitude and time in turn.
fn curve(row: &Row, bounds: &Bounds, (first, last): (i64, i64)) -> u64 {
    const BITS: u32 = 21;
    let scaled = |distance: u64, span: u64| {
        let most = (1_u128 << BITS) - 1;
        u64::try_from(u128::from(distance) * most / u128::from(span.max(1))).unwrap_or(0)
    };
    let span = |low: i32, high: i32| i64::from(high).abs_diff(i64::from(low));
    let (mut x, mut y, mut t) = (0, 0, 0);
    if row.has.place {
        x = scaled(span(bounds.west, row.at.0), span(bounds.west, bounds.east));
        y = scaled(span(bounds.south, row.at.1), span(bounds.south, bounds.north));
    }
    if row.has.time {
        t = scaled(row.time.abs_diff(first), last.abs_diff(first));
    }
    (0..BITS).fold(0, |key, bit| {
        let one = |value: u64| value >> bit & 1;
        key | one(x) << (3 * bit) | one(y) << (3 * bit + 1) | one(t) << (3 * bit + 2)
    })
}
