//! The tables: readings of stations every ten minutes, and the stations with their rivers.

use std::{fs::File, path::Path, sync::Arc};

use arrow_array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};

const STATIONS: i64 = 1_000;
const RIVERS: i64 = 40;
/// Rows of a batch, and of a row group.
const BATCH_ROWS: usize = 1_000_000;
/// 2026-01-01.
const START_MICROS: i64 = 1_767_225_600_000_000;

/// Writes both into `folder`; returns their bytes.
pub fn write(folder: &Path, rows: usize) -> u64 {
    let all: Vec<i64> = (0..STATIONS).collect();
    let rivers: Vec<String> = all.iter().map(|station| format!("river {}", station % RIVERS)).collect();
    let columns: Vec<(&str, ArrayRef)> =
        vec![("station", Arc::new(Int64Array::from(all))), ("river", Arc::new(StringArray::from(rivers)))];
    file(&folder.join("stations.parquet"), [RecordBatch::try_from_iter(columns).expect("columns")].into_iter());
    let starts = (0..rows).step_by(BATCH_ROWS);
    file(&folder.join("readings.parquet"), starts.map(|start| readings(start, BATCH_ROWS.min(rows - start))));
    let sizes = ["stations", "readings"].map(|name| std::fs::metadata(folder.join(format!("{name}.parquet"))));
    sizes.into_iter().map(|meta| meta.expect("a file").len()).sum()
}

fn readings(start: usize, rows: usize) -> RecordBatch {
    let numbers = || (start..start + rows).map(|n| i64::try_from(n).expect("small"));
    // Mixed well enough that neither is sorted by the other.
    let levels = numbers().map(|n| i128::from(n.wrapping_mul(2_654_435_761) >> 7 & 0xf_ffff) % 100_000);
    let levels = levels.collect::<Decimal128Array>().with_precision_and_scale(10, 2).expect("a decimal");
    let times =
        TimestampMicrosecondArray::from_iter_values(numbers().map(|n| START_MICROS + n / STATIONS * 600_000_000));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("station", Arc::new(Int64Array::from_iter_values(numbers().map(|n| n % STATIONS)))),
        ("at", Arc::new(times.with_timezone("UTC"))),
        ("level", Arc::new(levels)),
    ];
    RecordBatch::try_from_iter(columns).expect("columns")
}

fn file(path: &Path, mut batches: impl Iterator<Item = RecordBatch>) {
    let first = batches.next().expect("rows");
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(BATCH_ROWS))
        .build();
    let out = File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(out, first.schema(), Some(properties)).expect("a writer");
    for batch in std::iter::once(first).chain(batches) {
        writer.write(&batch).expect("it is written");
    }
    writer.close().expect("it is whole");
}
