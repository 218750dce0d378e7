//! The other side: a process that calls `DataFusion` and nothing else (`crates/sql/examples/direct.rs`).

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// A running process; dropping it ends it.
pub struct Direct {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Drop for Direct {
    fn drop(&mut self) {
        // It ends when its input does.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

impl Direct {
    pub fn start(program: &Path, folder: &Path, threads: usize) -> Self {
        let mut child = Command::new(program)
            .arg(folder)
            .arg(threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, input, output }
    }

    /// Seconds that a query takes, and the rows of its result.
    pub fn ask(&mut self, sql: &str) -> (f64, u64) {
        let input = self.input.as_mut().expect("its input");
        writeln!(input, "{sql}").and_then(|()| input.flush()).expect("it reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        let (seconds, rows) = line.trim().split_once(' ').expect("two numbers");
        (seconds.parse().expect("seconds"), rows.parse().expect("rows"))
    }
}
