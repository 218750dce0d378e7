//! Uploads that are text, whatever they are called.
#![no_main]

use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 6] = ["a.csv", "a.json", "a.geojson", "a.jsonl", "a.tsv", "a.txt"];

fuzz_target!(|data: &[u8]| {
    let Some((first, content)) = data.split_first() else { return };
    torv_fuzz::take_upload(NAMES[usize::from(*first) % NAMES.len()], content);
});
