//! SQL over what grants open.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// SQL over what grants open; each query is a process of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sql {
    /// The program that carries out queries: a path, or a name beside the server's own program. Where it is not there,
    /// no SQL is offered.
    pub worker: PathBuf,
    /// Queries carried out at the same time.
    pub queries_at_once: usize,
    /// Queries of one organisation that run, wait, or whose result is being sent.
    pub queries_per_organization: usize,
    /// Queries that wait for their turn; more are answered 503.
    pub queries_waiting: usize,
    /// Longest wait for a turn; then it is 503.
    pub wait_seconds: u64,
    /// Longest time of a query, from its turn on.
    pub time_seconds: u64,
    /// Memory that the operators of a query account for; the process is kept below twice this and 512 MiB.
    pub memory_mib: u64,
    /// Working files of a query.
    pub spill_mib: u64,
    /// Threads of a query.
    pub threads: usize,
    /// Rows of a result.
    pub rows_max: u64,
    /// Size of a result.
    pub result_mib: u64,
}

impl Default for Sql {
    fn default() -> Self {
        Self {
            worker: PathBuf::from("torv-sql"),
            queries_at_once: 2,
            queries_per_organization: 2,
            queries_waiting: 32,
            wait_seconds: 10,
            time_seconds: 30,
            memory_mib: 512,
            spill_mib: 2_048,
            threads: 2,
            rows_max: 1_000_000,
            result_mib: 256,
        }
    }
}

impl Sql {
    /// What can't be right, as sentences with the key in front.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut require = |good: bool, text: &str| {
            if !good {
                problems.push(text.to_owned());
            }
        };
        require(!self.worker.as_os_str().is_empty(), "sql.worker: a path, or a name beside the server's program");
        require((1..=256).contains(&self.queries_at_once), "sql.queries_at_once: 1 to 256");
        require((1..=256).contains(&self.queries_per_organization), "sql.queries_per_organization: 1 to 256");
        require(self.queries_waiting <= 10_000, "sql.queries_waiting: at most 10000");
        require((1..=300).contains(&self.wait_seconds), "sql.wait_seconds: 1 to 300");
        require((1..=3_600).contains(&self.time_seconds), "sql.time_seconds: 1 to 3600");
        require((16..=1_048_576).contains(&self.memory_mib), "sql.memory_mib: 16 to 1048576");
        require((1..=1_048_576).contains(&self.spill_mib), "sql.spill_mib: 1 to 1048576");
        require((1..=64).contains(&self.threads), "sql.threads: 1 to 64");
        require((1..=1_000_000_000).contains(&self.rows_max), "sql.rows_max: 1 to 1000000000");
        require((1..=65_536).contains(&self.result_mib), "sql.result_mib: 1 to 65536");
        problems
    }
}
