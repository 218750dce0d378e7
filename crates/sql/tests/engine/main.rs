//! The program itself, as the exchange starts it: a process with a request, a folder, and nothing else.
#![expect(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr, reason = "a test that can't go on says why")]

mod escapes;
mod limits;
mod results;

use std::{
    fs::File,
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};

use datafusion::arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    datatypes::Schema,
};
use parquet::arrow::ArrowWriter;
use torv_sql::{Class, Format, Limits, Outcome, Request, Table};

const MIB: u64 = 1024 * 1024;

/// A query about to be made, in a folder of its own.
struct Query {
    folder: tempfile::TempDir,
    request: Request,
}

/// What became of it.
#[derive(Debug)]
struct Ended {
    signal: Option<i32>,
    outcome: Option<Outcome>,
    out: Vec<u8>,
}

impl Query {
    fn new(sql: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for dir in ["tables", "spill"] {
            std::fs::create_dir(folder.path().join(dir)).expect("a folder in it");
        }
        let mut request = Request { sql: sql.to_owned(), ..Request::nothing() };
        (request.limits.time_ms, request.limits.cpu_seconds) = (120_000, 240);
        Self { folder, request }
    }

    /// Adds a table of these columns.
    fn table(self, name: &str, columns: Vec<(&str, ArrayRef)>) -> Self {
        self.named(vec![vec![name.to_owned()]], columns)
    }

    fn named(mut self, names: Vec<Vec<String>>, columns: Vec<(&str, ArrayRef)>) -> Self {
        let file = format!("{}.parquet", self.request.tables.len());
        let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
        let schema = Arc::new(Schema::new(batch.schema().fields().clone()));
        let out = File::create(self.tables().join(&file)).expect("a file");
        let mut writer = ArrowWriter::try_new(out, schema, None).expect("a writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");
        self.request.tables.push(Table { names, files: vec![file] });
        self
    }

    /// Adds the table `gauges` of three stations.
    fn gauges(self) -> Self {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("Station", Arc::new(StringArray::from(vec!["Asuwa", "Hino", "Kuzuryu"]))),
            ("level", Arc::new(Int64Array::from(vec![Some(3), None, Some(7)]))),
        ];
        self.table("gauges", columns)
    }

    fn format(mut self, format: Format) -> Self {
        self.request.format = format;
        self
    }

    fn limited(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.request.limits);
        self
    }

    fn tables(&self) -> PathBuf {
        self.folder.path().join("tables")
    }

    fn run(&self) -> Ended {
        let out = self.folder.path().join("result");
        let mut child = Command::new(env!("CARGO_BIN_EXE_torv-sql"))
            .env_clear()
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(File::create(&out).expect("a file"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let text = serde_json::to_vec(&self.request).expect("JSON");
        child.stdin.take().expect("an input").write_all(&text).expect("it reads");
        let ended = child.wait_with_output().expect("it ends");
        let outcome = Outcome::read(&ended.stderr);
        if outcome.is_none() {
            eprintln!("it said: {}", String::from_utf8_lossy(&ended.stderr));
        }
        Ended { signal: ended.status.signal(), outcome, out: std::fs::read(out).expect("the result") }
    }

    /// The result of a query that succeeds.
    #[track_caller]
    fn done(&self) -> Vec<u8> {
        let ended = self.run();
        match ended.outcome {
            Some(Outcome::Done { bytes, .. }) => assert_eq!(bytes, ended.out.len() as u64),
            other => panic!("{}: {other:?}", self.request.sql),
        }
        ended.out
    }

    /// The rows of a query that succeeds.
    #[track_caller]
    fn rows(&self) -> serde_json::Value {
        serde_json::from_slice::<serde_json::Value>(&self.done()).expect("JSON")["rows"].clone()
    }

    /// The message of a query that is refused.
    #[track_caller]
    fn refused(&self, class: Class) -> String {
        match self.run().outcome {
            Some(Outcome::Refused(failure)) => {
                assert_eq!(failure.class, class, "{}: {failure:?}", self.request.sql);
                let folder = self.folder.path().display().to_string();
                assert!(!failure.message.contains(&folder) && !failure.message.contains("torv://"), "{failure:?}");
                failure.message
            }
            other => panic!("{}: {other:?}", self.request.sql),
        }
    }
}
