//! Files as providers send them, written by the tests themselves.

mod csv;
mod hostile;
mod json;
mod parquet;
mod visible;

use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{ColumnProfile, Profile, ProfileError, ProfileLimits, profile_file};

/// A file that is gone after the test.
struct Fixture(PathBuf);

impl Fixture {
    fn new(bytes: &[u8]) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("torv-profile-{}-{number}", process::id()));
        fs::write(&path, bytes).expect("a writable directory for temporary files");
        Self(path)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn try_profile(name: &str, bytes: &[u8], limits: &ProfileLimits) -> Result<Profile, ProfileError> {
    let fixture = Fixture::new(bytes);
    profile_file(&fixture.0, name, limits)
}

fn profile(name: &str, bytes: impl AsRef<[u8]>) -> Profile {
    try_profile(name, bytes.as_ref(), &ProfileLimits::default()).expect("a profile")
}

/// Why there is no profile.
fn refusal(name: &str, bytes: impl AsRef<[u8]>) -> String {
    match try_profile(name, bytes.as_ref(), &ProfileLimits::default()) {
        Err(ProfileError::Unparsable { reason }) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn names(profile: &Profile) -> Vec<&str> {
    profile.columns.iter().map(|column| column.name.as_str()).collect()
}

fn range(column: &ColumnProfile) -> (&str, &str) {
    (column.min.as_deref().unwrap_or("none"), column.max.as_deref().unwrap_or("none"))
}
