//! What the targets share.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    sync::Arc,
};

use tempfile::NamedTempFile;
use torv_tables::{
    Format, Profile, ProfileError, ProfileLimits, SamplePolicy,
    convert::{ConvertError, Options, TextFormat, Watch, from_parquet, to_parquet},
    has_readable_rows, profile_file, read_rows, visible_profile, visible_sample,
};

/// Bytes of a converted file; a few bytes of Parquet can stand for gigabytes.
const OUTPUT_BYTES_MAX: u64 = 4 << 20;

/// Bounds that an invented file reaches.
fn limits() -> ProfileLimits {
    ProfileLimits {
        max_row_bytes: 64 << 10,
        max_footer_bytes: 1 << 20,
        max_page_bytes: 1 << 20,
        max_decoded_bytes: 16 << 20,
        max_held_bytes: 8 << 20,
        max_values_at_once: 1 << 16,
        ..ProfileLimits::default()
    }
}

/// `original` with these changes: three bytes each, a place from its end and what stands there then.
pub fn changed(original: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut content = original.to_vec();
    for change in changes.chunks_exact(3) {
        let from_end = usize::from(u16::from_le_bytes([change[0], change[1]])) % content.len();
        let place = content.len() - 1 - from_end;
        content[place] = change[2];
    }
    content
}

/// A small table of every type that text becomes, as Parquet.
pub fn small_parquet() -> Vec<u8> {
    let text = "id,level,flag,day,at,name,longitude,latitude\n\
        1,2.50,true,2026-01-31,2026-01-31T10:00:00Z,Hafen,9.75,54.05\n\
        2,,false,2026-02-01,2026-02-01T10:00:00Z,,9.80,54.10\n\
        3,-0.25,true,,,Hafen,,\n";
    let mut upload = tempfile::tempfile().expect("a temporary file");
    upload.write_all(text.as_bytes()).expect("room for it");
    let mut parquet = tempfile::tempfile().expect("a temporary file");
    let out = parquet.try_clone().expect("a handle");
    to_parquet(&upload, "a.csv", out, &Options::default(), &Arc::default()).expect("a table");
    let mut content = Vec::new();
    parquet.seek(SeekFrom::Start(0)).expect("seeks");
    parquet.read_to_end(&mut content).expect("reads");
    content
}

/// Takes these bytes as an upload called `name` all the way: its profile, what is shown of it, its rows, and the same
/// content in every other format.
///
/// # Panics
/// When what one part says of the file is not what another says.
pub fn take_upload(name: &str, content: &[u8]) {
    let mut upload = NamedTempFile::new().expect("a temporary file");
    upload.write_all(content).expect("room for it");
    let profile = match profile_file(upload.path(), name, &limits()) {
        Ok(profile) => Some(profile),
        Err(ProfileError::Unparsable { reason }) => {
            assert!(!reason.is_empty(), "a reason says something");
            None
        }
        Err(ProfileError::Io(error)) => panic!("reading failed: {error}"),
    };
    if let Some(profile) = &profile {
        look_at(profile, &upload);
    }
    convert(name, upload.as_file(), profile.as_ref());
}

fn look_at(profile: &Profile, upload: &NamedTempFile) {
    let policy = SamplePolicy::default();
    let shown = visible_profile(profile, &policy);
    assert!(serde_json::to_vec(&shown).expect("JSON").len() < 64 << 20, "a profile is small");
    let _ = visible_sample(profile, &policy);
    if has_readable_rows(profile) {
        let mut rows = 0;
        let read = read_rows(upload.path(), profile, &limits(), &mut |_| {
            rows += 1;
            Ok(())
        });
        if read.is_ok() {
            assert_eq!(rows, profile.row_count, "the profile counts the rows that are read");
        }
    }
}

fn convert(name: &str, upload: &File, profile: Option<&Profile>) {
    let options = Options { row_bytes_max: 64 << 10, output_bytes_max: OUTPUT_BYTES_MAX, ..Options::default() };
    let watch = Arc::new(Watch::default());
    let mut parquet = tempfile::tempfile().expect("a temporary file");
    let out = parquet.try_clone().expect("a handle");
    let table = match to_parquet(upload, name, out, &options, &watch) {
        Ok(table) => table,
        Err(ConvertError::Unfit { .. }) => return,
        Err(error) => panic!("the conversion failed: {error:?}"),
    };
    if table.is_original {
        parquet = upload.try_clone().expect("a handle");
    }
    if let Some(profile) = profile
        && !profile.truncated
        && profile.format == Format::Csv
    {
        assert_eq!(table.rows, profile.row_count, "a conversion keeps every row");
    }
    for format in [TextFormat::Csv, TextFormat::JsonLines, TextFormat::GeoJson] {
        let mut written = tempfile::tempfile().expect("a temporary file");
        let rows = match from_parquet(&parquet, format, written.try_clone().expect("a handle"), &options, &watch) {
            Ok(rows) => rows,
            Err(ConvertError::Unfit { .. }) => continue,
            Err(error) => panic!("writing {format:?} failed: {error:?}"),
        };
        assert_eq!(rows, table.rows, "{format:?} has every row");
        let mut text = Vec::new();
        written.seek(SeekFrom::Start(0)).expect("seeks");
        written.read_to_end(&mut text).expect("reads");
        let text = String::from_utf8(text).expect("UTF-8");
        if format == TextFormat::JsonLines {
            assert_eq!(text.lines().count() as u64, rows, "a line for each row");
            for line in text.lines() {
                serde_json::from_str::<serde_json::Map<_, _>>(line).expect("an object");
            }
        }
    }
}
