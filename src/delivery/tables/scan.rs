//! Reads wanted rows out of a Parquet file: bounded in memory, in bytes fetched and in time.
//!
//! Bytes are fetched on the async side, one row group's wanted columns at a time; they are decoded off the async
//! threads, a batch at a time.

use std::{
    collections::BinaryHeap,
    ops::{ControlFlow, Range},
    sync::Arc,
    time::{Duration, Instant},
};

use arrow_array::RecordBatch;
use parquet::{
    DecodeResult,
    arrow::{
        ProjectionMask,
        arrow_reader::{RowSelection, RowSelector},
        push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder},
    },
};
use serde_json::Value;
use tokio::task::spawn_blocking;

use super::{
    cell::{Key, Kind},
    filter::{self, Filter},
    footer::{Footer, read_range},
    sinks::{Gather, Projection, Sink, Top},
    store::TableFile,
};
use crate::{
    delivery::Files,
    error::{Error, Result},
    limits,
};

/// Rows decoded at once.
const BATCH_ROWS: usize = 1_024;

/// By which column rows are sorted, and after which row to go on. Rows without a value come last.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct Order {
    pub(in crate::delivery) column: usize,
    pub(in crate::delivery) descending: bool,
    /// The value of the last row seen, and its number.
    pub(in crate::delivery) after: Option<(Option<Key>, u64)>,
}

/// Which rows to read.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct Scan {
    /// Places of the columns in the file, in the order wanted.
    pub(in crate::delivery) columns: Vec<usize>,
    /// The column whose bytes are geometries.
    pub(in crate::delivery) geometry: Option<usize>,
    pub(in crate::delivery) filters: Vec<Filter>,
    /// Without an order rows come as they lie in the file, from this one on.
    pub(in crate::delivery) first_row: u64,
    pub(in crate::delivery) order: Option<Order>,
    pub(in crate::delivery) limit: usize,
}

/// A row that was found.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct Row {
    /// Its place in the file, from 0.
    pub(in crate::delivery) number: u64,
    /// What it was sorted by, if it was.
    pub(in crate::delivery) key: Option<Key>,
    /// In the order of [`Scan::columns`].
    pub(in crate::delivery) values: Vec<Value>,
}

/// What was found: at most [`Scan::limit`] rows, and whether there may be more.
#[derive(Debug)]
pub(in crate::delivery) struct Rows {
    pub(in crate::delivery) rows: Vec<Row>,
    pub(in crate::delivery) has_more: bool,
}

/// Reads the rows of `scan`.
///
/// # Errors
/// `Invalid` when the reading would take more than [`limits::SCAN_SECONDS_MAX`] or [`limits::SCAN_GROUP_BYTES_MAX`];
/// internal ones when the file is missing or damaged.
pub(in crate::delivery) async fn scan(
    files: &Files,
    file: &TableFile,
    footer: &Arc<Footer>,
    scan: Scan,
) -> Result<Rows> {
    let until = Instant::now() + Duration::from_secs(limits::SCAN_SECONDS_MAX);
    let source = Source { files, file, footer, until };
    match scan.order.clone() {
        None => source.in_file_order(scan).await,
        Some(order) => source.sorted(scan, order).await,
    }
}

/// What takes every row of some columns, a batch at a time.
pub(in crate::delivery) trait Fold: Send + 'static {
    /// Takes a batch; `places` are the columns of the file that it has, in its order.
    fn take(&mut self, batch: &RecordBatch, places: &[usize]);
}

struct Whole<F> {
    mask: Projection,
    fold: F,
}

impl<F: Fold> Sink for Whole<F> {
    fn take(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        self.fold.take(batch, &self.mask.columns);
        ControlFlow::Continue(())
    }
}

/// Hands every row of these columns to `fold`, whatever they hold: no part of the file is passed over.
///
/// # Errors
/// As [`scan`], with [`limits::TRIAL_SECONDS_MAX`].
pub(in crate::delivery) async fn fold<F: Fold>(
    files: &Files,
    file: &TableFile,
    footer: &Arc<Footer>,
    columns: &[usize],
    fold: F,
) -> Result<F> {
    let until = Instant::now() + Duration::from_secs(limits::TRIAL_SECONDS_MAX);
    let source = Source { files, file, footer, until };
    let mask = Projection::of(columns);
    let mut whole = Whole { mask: mask.clone(), fold };
    for (group, _) in source.groups() {
        whole = source.read(group, &mask, None, None, whole).await?;
    }
    Ok(whole.fold)
}

struct Source<'a> {
    files: &'a Files,
    file: &'a TableFile,
    footer: &'a Arc<Footer>,
    until: Instant,
}

impl Source<'_> {
    async fn in_file_order(&self, scan: Scan) -> Result<Rows> {
        let kept = filter::row_groups(&self.footer.reader, &scan.filters);
        let wanted: Vec<usize> =
            scan.columns.iter().chain(scan.filters.iter().map(|filter| &filter.column)).copied().collect();
        let mask = Projection::of(&wanted);
        let (limit, first_row) = (scan.limit, scan.first_row);
        let mut gather = Gather {
            mask: mask.clone(),
            scan,
            numbers: Vec::new(),
            seen: 0,
            found: Vec::new(),
            bytes: 0,
            has_more: false,
        };
        for (group, rows) in self.groups() {
            if rows.end <= first_row || !kept.contains(&group) {
                continue;
            }
            let skipped = first_row.saturating_sub(rows.start);
            gather.numbers = std::iter::once(rows.start + skipped..rows.end).collect();
            gather.seen = 0;
            let selection = (skipped > 0).then(|| after(skipped, rows.end - rows.start));
            // Without filters it is known how many rows are needed.
            let most = gather.scan.filters.is_empty().then(|| limit + 1 - gather.found.len());
            gather = self.read(group, &mask, selection, most, gather).await?;
            if gather.has_more {
                break;
            }
        }
        Ok(Rows { rows: gather.found, has_more: gather.has_more })
    }

    /// Twice: which rows come first, then those rows.
    async fn sorted(&self, scan: Scan, order: Order) -> Result<Rows> {
        let kept = filter::row_groups(&self.footer.reader, &scan.filters);
        let wanted: Vec<usize> = scan.filters.iter().map(|filter| filter.column).chain([order.column]).collect();
        let mask = Projection::of(&wanted);
        let filters = scan.filters.clone();
        let mut top =
            Top { mask: mask.clone(), filters, order, start: 0, best: BinaryHeap::new(), limit: scan.limit + 1 };
        for (group, rows) in self.groups() {
            if kept.contains(&group) {
                top.start = rows.start;
                top = self.read(group, &mask, None, None, top).await?;
            }
        }
        let mut best = top.best.into_sorted_vec();
        let has_more = best.len() > scan.limit;
        best.truncate(scan.limit);
        // Rows beyond what fits into an answer are left for the next page; the first always fits.
        let mut found = self.numbered(&scan, best.iter().map(|place| place.number).collect()).await?;
        let all = best.len();
        while found.has_more && best.len() > 1 {
            best.truncate(best.len().div_ceil(4));
            found = self.numbered(&scan, best.iter().map(|place| place.number).collect()).await?;
        }
        let has_more = has_more || best.len() < all;
        let mut rows: Vec<Row> = Vec::with_capacity(best.len());
        for place in best {
            let at = found.rows.binary_search_by_key(&place.number, |row| row.number);
            if let Some(row) = at.ok().and_then(|at| found.rows.get_mut(at)) {
                rows.push(Row { number: row.number, key: place.key, values: std::mem::take(&mut row.values) });
            }
        }
        Ok(Rows { has_more, rows })
    }

    /// The rows with these numbers, in file order.
    async fn numbered(&self, scan: &Scan, mut numbers: Vec<u64>) -> Result<Rows> {
        numbers.sort_unstable();
        let mask = Projection::of(&scan.columns);
        let bare = Scan { filters: Vec::new(), limit: numbers.len(), ..scan.clone() };
        let mut gather = Gather {
            mask: mask.clone(),
            scan: bare,
            numbers: Vec::new(),
            seen: 0,
            found: Vec::new(),
            bytes: 0,
            has_more: false,
        };
        for (group, rows) in self.groups() {
            let here: Vec<u64> = numbers.iter().copied().filter(|number| rows.contains(number)).collect();
            if here.is_empty() {
                continue;
            }
            let selection = only(&here, &rows);
            gather.numbers = here.into_iter().map(|number| number..number + 1).collect();
            gather.seen = 0;
            gather = self.read(group, &mask, Some(selection), None, gather).await?;
        }
        Ok(Rows { rows: gather.found, has_more: gather.has_more })
    }

    /// Row groups with the numbers of their rows.
    fn groups(&self) -> Vec<(usize, Range<u64>)> {
        let mut start = 0;
        let groups = self.footer.reader.metadata().row_groups().iter().enumerate();
        groups
            .map(|(group, metadata)| {
                let end = start + u64::try_from(metadata.num_rows()).unwrap_or(0);
                (group, std::mem::replace(&mut start, end)..end)
            })
            .collect()
    }

    /// Decodes some columns of a row group into `sink`.
    async fn read<S: Sink>(
        &self,
        group: usize,
        mask: &Projection,
        selection: Option<RowSelection>,
        most: Option<usize>,
        mut sink: S,
    ) -> Result<S> {
        let damaged = |error: parquet::errors::ParquetError| Error::internal(format!("{}: {error}", self.file.id));
        let reader = self.footer.reader.clone();
        let roots = ProjectionMask::roots(reader.parquet_schema(), mask.columns.iter().copied());
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(reader)
            .with_row_groups(vec![group])
            .with_projection(roots)
            .with_batch_size(BATCH_ROWS);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        if let Some(most) = most {
            builder = builder.with_limit(most);
        }
        let mut decoder = builder.build().map_err(damaged)?;
        loop {
            let until = self.until;
            let step = spawn_blocking(move || {
                let step = decode(&mut decoder, &mut sink, until);
                (decoder, sink, step)
            });
            let done;
            (decoder, sink, done) = step.await.map_err(Error::internal)?;
            match done.map_err(damaged)? {
                Step::Needs(ranges) => {
                    let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
                    if bytes > limits::SCAN_GROUP_BYTES_MAX {
                        return Err(too_much("The columns asked for are too large to be read a page at a time."));
                    }
                    let mut data = Vec::with_capacity(ranges.len());
                    for range in &ranges {
                        data.push(read_range(self.files, self.file, range.clone()).await?);
                    }
                    decoder.push_ranges(ranges, data).map_err(damaged)?;
                }
                Step::Done => return Ok(sink),
                Step::Late => return Err(too_much("Finding these rows takes too long.")),
            }
        }
    }
}

fn too_much(what: &str) -> Error {
    let advice =
        "Filter by a column the file is sorted by, ask for fewer columns, leave out order, or download the file.";
    Error::invalid("query", format!("{what} {advice}"))
}

enum Step {
    Needs(Vec<Range<u64>>),
    Done,
    Late,
}

fn decode(decoder: &mut ParquetPushDecoder, sink: &mut impl Sink, until: Instant) -> parquet::errors::Result<Step> {
    loop {
        if Instant::now() > until {
            return Ok(Step::Late);
        }
        match decoder.try_decode()? {
            DecodeResult::NeedsData(ranges) => return Ok(Step::Needs(ranges)),
            DecodeResult::Finished => return Ok(Step::Done),
            DecodeResult::Data(batch) => {
                if sink.take(&batch).is_break() {
                    return Ok(Step::Done);
                }
            }
        }
    }
}

/// All rows of a group but the first ones.
fn after(skipped: u64, rows: u64) -> RowSelection {
    let count = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
    vec![RowSelector::skip(count(skipped)), RowSelector::select(count(rows - skipped))].into()
}

/// These rows of a group, in rising order.
fn only(numbers: &[u64], rows: &Range<u64>) -> RowSelection {
    let count = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
    let ranges = numbers.iter().map(|number| count(number - rows.start)..count(number - rows.start) + 1);
    RowSelection::from_consecutive_ranges(ranges, count(rows.end - rows.start))
}

/// True when rows can be sorted by a column of this kind.
pub(in crate::delivery) fn is_sortable(kind: Kind) -> bool {
    kind != Kind::Other
}
