//! An S3 bucket as the store of files.
//!
//! Source: Amazon S3 API reference; other servers that speak it are reached by `storage.s3.endpoint`.

use std::{sync::Arc, time::Duration};

use object_store::{
    ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
};

use crate::{
    config,
    error::{Error, Result},
};

/// Longest silence of the store.
const SILENCE: Duration = Duration::from_secs(30);
/// Longest time until a connection stands.
const CONNECT: Duration = Duration::from_secs(5);
/// Tries of a request after the first.
const RETRIES: usize = 4;

/// Opens the configured bucket.
///
/// # Errors
/// When the settings contradict each other.
pub fn open(settings: &config::S3) -> Result<Arc<AmazonS3>> {
    // A whole file may take hours; only silence ends it.
    let client = ClientOptions::new()
        .with_timeout_disabled()
        .with_read_timeout(SILENCE)
        .with_connect_timeout(CONNECT)
        .with_allow_http(settings.endpoint.starts_with("http://"));
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: SILENCE, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        .with_virtual_hosted_style_request(!settings.path_style)
        .with_client_options(client)
        .with_retry(retry);
    if !settings.endpoint.is_empty() {
        builder = builder.with_endpoint(settings.endpoint.trim_end_matches('/'));
    }
    // Without a key the machine's own role is used.
    if !settings.access_key_id.is_empty() {
        builder = builder
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(settings.secret_access_key.expose());
    }
    builder.build().map(Arc::new).map_err(Error::internal)
}
