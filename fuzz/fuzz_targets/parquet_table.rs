//! Uploads that are Parquet, or say that they are: files from outside, and one of our own with some bytes changed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use torv_fuzz::{changed, small_parquet, take_upload};

static OWN: LazyLock<Vec<u8>> = LazyLock::new(small_parquet);

fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"PAR1") { take_upload("a.parquet", data) } else { take_upload("a.parquet", &changed(&OWN, data)) }
});
