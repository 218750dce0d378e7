//! The program that carries out one SQL query, and ends.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    os::fd::AsFd as _,
    process::ExitCode,
    time::Instant,
};

use torv_sql::{
    Class, Failure, Outcome, Request,
    engine::{self, Confined},
};

/// Longest request.
const REQUEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

fn main() -> ExitCode {
    if let Some(word) = std::env::args().nth(1) {
        let text = if word == "check" { check().unwrap_or_else(|error| error.to_string()) } else { about() };
        // Where this can't be written, nobody reads it.
        let _ = writeln!(io::stdout(), "{text}");
        return ExitCode::SUCCESS;
    }
    let outcome = query().unwrap_or_else(|error| {
        let message = "The query could not be carried out.".to_owned();
        Outcome::Refused(Failure { class: Class::Internal, message, cause: error.to_string() })
    });
    let line = serde_json::to_string(&outcome).unwrap_or_default();
    let told = writeln!(io::stderr(), "{line}");
    match (outcome, told) {
        (Outcome::Done { .. }, Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn about() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "torv-sql {version}: started by torv, once for each query. `torv-sql check` says what this system keeps it from."
    )
}

/// Confines this process as one for a query, and tries what it should not be able to do.
fn check() -> io::Result<String> {
    let folder = std::env::current_dir()?;
    let confined = engine::confine(&Request::nothing(), &folder)?;
    let can_read = std::fs::File::open("/etc/passwd").is_ok();
    let can_connect = match std::net::TcpStream::connect(("127.0.0.1", 9)) {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::PermissionDenied,
    };
    let answer = |can: bool| if can { "yes" } else { "no" };
    Ok(match confined {
        Confined::Files => {
            format!("Landlock: yes\nopens other files: {}\nconnects: {}", answer(can_read), answer(can_connect))
        }
        Confined::Limits => {
            "Landlock: no\nLimits alone hold: what the engine itself can be made to open, it can open.".to_owned()
        }
    })
}

fn query() -> io::Result<Outcome> {
    let mut text = Vec::new();
    io::stdin().take(REQUEST_BYTES_MAX).read_to_end(&mut text)?;
    let request: Request = serde_json::from_slice(&text)?;
    let folder = std::env::current_dir()?;
    engine::confine(&request, &folder)?;
    let started = Instant::now();
    let outcome = engine::run(request.clone(), folder.clone(), result()?);
    match alone(request, &outcome, started) {
        // What was written of the first try, if anything was, makes room for the second.
        Some(request) if emptied().is_ok() => Ok(engine::run(request, folder, result()?)),
        _ => Ok(outcome),
    }
}

/// The same query on one thread, where it did not fit into the memory with several: each of them holds a part of what is
/// sorted, joined or grouped, and merging the parts takes memory that can't be spilled.
fn alone(mut request: Request, outcome: &Outcome, started: Instant) -> Option<Request> {
    let Outcome::Refused(Failure { class: Class::OutOfMemory, .. }) = outcome else { return None };
    let taken = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    request.limits.time_ms = request.limits.time_ms.checked_sub(taken)?;
    let had = std::mem::replace(&mut request.limits.threads, 1);
    (had > 1).then_some(request)
}

/// The standard output as the file that it is, past the buffer of lines that the library keeps for it.
fn result() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Empties that file.
fn emptied() -> io::Result<()> {
    let mut file = result()?;
    file.set_len(0)?;
    file.rewind()
}
