//! Where files are kept: a directory, or a bucket.

use serde::{Deserialize, Serialize};

use super::Secret;

/// Where files are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// `local` (the folder `files` in the data directory) or `s3`.
    pub kind: String,
    /// How fast everything is read again in the background, to find damage; 0 never does.
    pub scrub_bytes_per_second: u64,
    /// Path under which nginx in front has the folder of files as an `internal` location; empty, the exchange sends
    /// files itself. Set it only where nobody reaches the exchange but through that nginx.
    pub accel_prefix: String,
    /// The bucket.
    pub s3: S3,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            kind: "local".to_owned(),
            scrub_bytes_per_second: 4 * 1024 * 1024,
            accel_prefix: String::new(),
            s3: S3::default(),
        }
    }
}

/// A bucket of a server that speaks S3.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3 {
    /// Its name; the bucket is there already.
    pub bucket: String,
    /// Where it is.
    pub region: String,
    /// Where the server answers; empty means Amazon's of the region.
    pub endpoint: String,
    /// The bucket is a part of the path (`https://server/bucket/key`) instead of the host's name.
    pub path_style: bool,
    /// The access key; empty means the machine's own role.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: Secret,
    /// Downloads are answered with an address at the bucket; off, the bytes pass through the exchange.
    pub redirect_downloads: bool,
    /// How long such an address holds.
    pub link_seconds: u32,
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            region: "us-east-1".to_owned(),
            endpoint: String::new(),
            path_style: false,
            access_key_id: String::new(),
            secret_access_key: Secret::default(),
            redirect_downloads: true,
            link_seconds: 60,
        }
    }
}

impl Storage {
    /// What can't be right, as sentences with the key in front.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !matches!(self.kind.as_str(), "local" | "s3") {
            problems.push("storage.kind: local or s3".to_owned());
        }
        let prefix = &self.accel_prefix;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_');
        let is_folder = prefix.starts_with('/') && prefix.ends_with('/') && prefix.chars().all(is_plain);
        if !prefix.is_empty() && !is_folder {
            problems.push(
                "storage.accel_prefix: a path of letters, digits, - and _ between slashes, as /files/".to_owned(),
            );
        }
        if self.kind == "s3" {
            if !prefix.is_empty() {
                problems.push("storage.accel_prefix: only for local files; a bucket sends its own".to_owned());
            }
            let s3 = &self.s3;
            if s3.bucket.is_empty() {
                problems.push("storage.s3.bucket: needed for s3".to_owned());
            }
            if !s3.endpoint.is_empty() && !s3.endpoint.starts_with("https://") && !s3.endpoint.starts_with("http://") {
                problems
                    .push("storage.s3.endpoint: an https address, or an http one of a network you trust".to_owned());
            }
            if s3.access_key_id.is_empty() != s3.secret_access_key.is_empty() {
                problems.push("storage.s3.secret_access_key: an access key and its secret, or neither".to_owned());
            }
            if !(5..=3_600).contains(&s3.link_seconds) {
                problems.push("storage.s3.link_seconds: 5 to 3600".to_owned());
            }
        }
        problems
    }
}
