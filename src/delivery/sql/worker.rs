//! One process for one query: started with an empty environment in an empty folder of its own, ended with its request.

use std::{
    fs::File,
    io,
    os::unix::{fs::DirBuilderExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    time::timeout,
};
use torv_sql::{OUTCOME_BYTES_MAX, Outcome, Request, SPILL_DIR, TABLES_DIR};

use crate::{
    delivery::{Files, LocalCopy, tables::Table},
    error::{Error, Result},
    limits,
};

/// How the folder of a query begins, in the scratch directory.
pub(in crate::delivery) const QUERY_FOLDER: &str = "sql-";
/// The file of the result, in the folder.
const RESULT_FILE: &str = "result";

/// How a process ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It said what became of the query.
    Said(Outcome),
    /// The system ended it, by this signal.
    Killed(i32),
    /// It was ended here, for it did not end by itself.
    Late,
    /// It ended without a word.
    Mute(ExitStatus),
}

/// The folder of one query; gone with what is returned.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// What came out of a bucket.
    copies: Vec<LocalCopy>,
}

impl Folder {
    /// Makes an empty one that no other user can look into.
    pub(super) fn make(files: &Files, name: &str) -> Result<Self> {
        let path = files.scratch(name);
        let made = || {
            let mut builder = std::fs::DirBuilder::new();
            builder.mode(0o700);
            builder.create(&path)?;
            builder.create(path.join(TABLES_DIR))?;
            builder.create(path.join(SPILL_DIR))?;
            path.canonicalize()
        };
        let path = made().map_err(Error::internal)?;
        Ok(Self { path, copies: Vec::new() })
    }

    /// Puts the Parquet file of a table into it, by a link where that is possible; returns its name there.
    pub(super) async fn put(&mut self, files: &Files, table: &Table) -> Result<String> {
        let (file, name) = (&table.file, format!("{}.parquet", table.file.id));
        let path = self.path.join(TABLES_DIR).join(&name);
        if path.exists() {
            return Ok(name);
        }
        let size = u64::try_from(file.size_bytes).unwrap_or(0);
        let copy_name = path.to_string_lossy().into_owned();
        let copy = files.local_copy(&file.blob_key, size, &file.sha256, &copy_name).await?;
        if copy.path() == path {
            self.copies.push(copy);
        } else {
            link(copy.path(), &path).map_err(Error::internal)?;
        }
        Ok(name)
    }

    /// The result of the query, from its beginning.
    pub(super) fn result(&self) -> io::Result<File> {
        File::open(self.path.join(RESULT_FILE))
    }

    /// Bytes of the result.
    pub(super) fn result_bytes(&self) -> io::Result<u64> {
        Ok(std::fs::metadata(self.path.join(RESULT_FILE))?.len())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.copies.clear();
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(error = %error, "the folder of a query stays behind: {error}");
        }
    }
}

/// The same file under another name; a pointer to it where it lies on another disk.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::hard_link(from, to).or_else(|_| std::os::unix::fs::symlink(from.canonicalize()?, to))
}

/// A process with its folder: dropped before its end, it is killed, and its folder removed once it is gone.
struct Running {
    child: Option<Child>,
    folder: Option<Folder>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let (Some(mut child), folder) = (self.child.take(), self.folder.take()) else { return };
        // It may have ended by itself.
        let _ = child.start_kill();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = child.wait().await;
                drop(folder);
            });
        }
    }
}

/// Runs `program` on a request in `folder`, and waits for its end. Dropped before, the process is killed.
///
/// # Errors
/// Internal, when there can be no process.
pub(super) async fn run(program: &Path, request: &Request, folder: Folder) -> Result<(Ended, Folder)> {
    let result = File::create(folder.path.join(RESULT_FILE)).map_err(Error::internal)?;
    let child = Command::new(program)
        .env_clear()
        .current_dir(&folder.path)
        .stdin(Stdio::piped())
        // It writes to the disk by itself: no bytes pass through here before they are all there.
        .stdout(Stdio::from(result))
        .stderr(Stdio::piped())
        // Who stops the server by its keyboard stops it alone; it ends its queries itself.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(Error::internal)?;
    let mut running = Running { child: Some(child), folder: Some(folder) };
    let most = Duration::from_millis(request.limits.time_ms) + Duration::from_secs(limits::SQL_GRACE_SECONDS);
    let text = serde_json::to_vec(request)?;
    let ended = match running.child.as_mut() {
        Some(child) => timeout(most, talk(child, &text)).await,
        None => return Err(Error::internal("the process of a query is gone")),
    };
    let ended = match ended {
        Ok(ended) => ended.map_err(Error::internal)?,
        Err(_) => Ended::Late,
    };
    match (running.child.take(), running.folder.take()) {
        (Some(mut child), Some(folder)) => {
            // At once, where it has ended.
            child.kill().await.map_err(Error::internal)?;
            Ok((ended, folder))
        }
        _ => Err(Error::internal("the folder of a query is gone")),
    }
}

async fn talk(child: &mut Child, request: &[u8]) -> io::Result<Ended> {
    let (Some(mut input), Some(errors)) = (child.stdin.take(), child.stderr.take()) else {
        return Err(io::Error::other("a process without pipes"));
    };
    let write = async move {
        // A process that is gone already says why by how it ended.
        let _ = input.write_all(request).await;
    };
    let mut said = Vec::new();
    let mut errors = errors.take(u64::try_from(OUTCOME_BYTES_MAX).unwrap_or(u64::MAX));
    let ((), read) = tokio::join!(write, errors.read_to_end(&mut said));
    read?;
    let status = child.wait().await?;
    Ok(match (status.signal(), Outcome::read(&said)) {
        (Some(signal), _) => Ended::Killed(signal),
        (None, Some(outcome)) => Ended::Said(outcome),
        (None, None) => Ended::Mute(status),
    })
}
