//! `DataFusion` alone, for the bench: a query on each line of the input, its seconds and rows on a line of the output.
//!
//! `direct FOLDER THREADS` registers each Parquet file of the folder by its name. Each query has a fresh session, as in
//! the exchange; its result is written as CSV into memory.
#![expect(clippy::expect_used, reason = "a bench stops when it can't run")]

use std::{
    io::{BufRead as _, Write as _},
    path::Path,
    time::Instant,
};

use datafusion::{
    arrow::csv::Writer,
    prelude::{ParquetReadOptions, SessionConfig, SessionContext},
};

fn main() {
    let mut words = std::env::args().skip(1);
    let folder = words.next().expect("a folder");
    let threads: usize = words.next().expect("a number of threads").parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_time().build();
    let runtime = runtime.expect("a runtime");
    for line in std::io::stdin().lock().lines() {
        let sql = line.expect("a query");
        let started = Instant::now();
        let rows = runtime.block_on(query(Path::new(&folder), threads, &sql));
        let seconds = started.elapsed().as_secs_f64();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{seconds} {rows}").and_then(|()| out.flush()).expect("it is read");
    }
}

async fn query(folder: &Path, threads: usize, sql: &str) -> usize {
    let config = SessionConfig::new().with_target_partitions(threads);
    let context = SessionContext::new_with_config(config);
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("a file").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let file = path.to_str().expect("a path");
        context.register_parquet(name, file, ParquetReadOptions::default()).await.expect("a table");
    }
    let batches = context.sql(sql).await.expect("a plan").collect().await.expect("a result");
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    for batch in &batches {
        writer.write(batch).expect("it is written");
    }
    batches.iter().map(datafusion::arrow::array::RecordBatch::num_rows).sum()
}
