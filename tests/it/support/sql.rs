//! The program that carries out SQL, and the processes it runs in.

use std::path::{Path, PathBuf};

/// Where the program is once `cargo build -p torv-sql --features engine` has made it.
pub fn worker() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_torv")).with_file_name("torv-sql")
}

/// Whether it is there; without it a test is skipped, which is loud at home and an error in CI.
pub fn is_built() -> bool {
    let is_built = worker().is_file();
    if !is_built {
        let advice = "cargo build -p torv-sql --features engine";
        assert!(std::env::var("CI").is_err(), "{} is not there: {advice}", worker().display());
        eprintln!("SKIPPED: there is no {}; make it with {advice}", worker().display());
    }
    is_built
}

/// The processes of queries that are carried out in a home: those that work in a folder of its scratch directory.
pub fn processes(home: &Path) -> Vec<u32> {
    let scratch = home.join("scratch").canonicalize().expect("the scratch directory");
    let all = std::fs::read_dir("/proc").expect("a Linux machine").flatten();
    let numbered = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbered
        .filter(|id| std::fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd.starts_with(&scratch)))
        .collect()
}

/// The folders of queries in a home.
pub fn folders(home: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(home.join("scratch")).expect("the scratch directory").flatten();
    all.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
