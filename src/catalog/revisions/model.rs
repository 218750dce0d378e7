//! The rules of revisions: which files are taken, under which names, and when nothing may change any more.

use entity::{
    file, revision,
    states::{ListingState, PersonalData, RevisionState},
};
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    base::digest::unhex,
    catalog::profile::{Profile, SamplePolicy},
    error::{Check, Error, Problem, Result},
    limits,
};

/// Rows that an owner may write instead of the sample.
const SAMPLE_ROWS_MAX: usize = 100;
/// Columns of a row or of a choice of columns.
const SAMPLE_COLUMNS_MAX: usize = 1_024;

/// Why a revision does not change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RevisionError {
    #[error("A published revision never changes. Open a new one for the listing.")]
    Published,
    #[error("Revision {0} of this listing is still open. Publish or delete it first.")]
    StillOpen(i32),
    #[error("The listing is retired: it gets no new revisions.")]
    Retired,
    #[error("The revision has no files yet. Upload at least one, then publish.")]
    Empty,
    #[error("A revision holds at most {} files.", limits::FILES_PER_REVISION_MAX)]
    TooManyFiles,
}

impl From<RevisionError> for Error {
    fn from(refusal: RevisionError) -> Self {
        Self::conflict(refusal.to_string()).because(refusal)
    }
}

/// Requires a revision that may still change, of a listing that still takes revisions.
///
/// # Errors
/// [`RevisionError::Published`] and [`RevisionError::Retired`].
pub(super) fn require_open(revision: &revision::Model, listing: ListingState) -> Result<(), RevisionError> {
    match (revision.state, listing) {
        (RevisionState::Published, _) => Err(RevisionError::Published),
        (RevisionState::Open, ListingState::Retired) => Err(RevisionError::Retired),
        (RevisionState::Open, _) => Ok(()),
    }
}

/// A format that is taken, with the exact media type its downloads carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileFormat {
    extension: &'static str,
    /// What the catalogue filters by.
    pub format: &'static str,
    /// What downloads carry.
    pub media_type: &'static str,
}

const fn format(extension: &'static str, format: &'static str, media_type: &'static str) -> FileFormat {
    FileFormat { extension, format, media_type }
}

/// Longer extensions come before the shorter ones they end in. Nothing that a browser would run is taken.
///
/// Source: the IANA media type registry; common use for JSON Lines, GPX and Protocol Buffers, which it does not hold.
static FORMATS: &[FileFormat] = &[
    format("gtfs.zip", "gtfs", "application/zip"),
    format("csv", "csv", "text/csv"),
    format("tsv", "tsv", "text/tab-separated-values"),
    format("tab", "tsv", "text/tab-separated-values"),
    format("txt", "txt", "text/plain"),
    format("md", "markdown", "text/markdown"),
    format("json", "json", "application/json"),
    format("jsonl", "jsonl", "application/x-ndjson"),
    format("ndjson", "jsonl", "application/x-ndjson"),
    format("geojson", "geojson", "application/geo+json"),
    format("geojsonl", "geojsonl", "application/geo+json-seq"),
    format("jsonld", "jsonld", "application/ld+json"),
    format("ttl", "turtle", "text/turtle"),
    format("parquet", "parquet", "application/vnd.apache.parquet"),
    format("xml", "xml", "application/xml"),
    format("gml", "gml", "application/gml+xml"),
    format("gpx", "gpx", "application/gpx+xml"),
    format("kml", "kml", "application/vnd.google-earth.kml+xml"),
    format("kmz", "kmz", "application/vnd.google-earth.kmz"),
    format("gpkg", "gpkg", "application/geopackage+sqlite3"),
    format("pdf", "pdf", "application/pdf"),
    format("xlsx", "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    format("ods", "ods", "application/vnd.oasis.opendocument.spreadsheet"),
    format("docx", "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    format("tif", "tiff", "image/tiff"),
    format("tiff", "tiff", "image/tiff"),
    format("png", "png", "image/png"),
    format("jpg", "jpeg", "image/jpeg"),
    format("jpeg", "jpeg", "image/jpeg"),
    format("pbf", "protobuf", "application/x-protobuf"),
    format("gz", "gzip", "application/gzip"),
    format("zst", "zstd", "application/zstd"),
    format("zip", "zip", "application/zip"),
];

/// Tells the format of a file by its name; by the `Content-Type` sent with it where the name tells nothing.
///
/// # Errors
/// [`Problem::UnsupportedMediaType`], naming what is taken.
pub(super) fn file_format(name: &str, content_type: Option<&str>) -> Result<FileFormat> {
    let name = name.to_lowercase();
    let by_name = |row: &&FileFormat| name.strip_suffix(row.extension).is_some_and(|stem| stem.ends_with('.'));
    if let Some(row) = FORMATS.iter().find(by_name) {
        return Ok(*row);
    }
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let extensions = || FORMATS.iter().map(|row| row.extension).collect::<Vec<_>>().join(", ");
    let refusal = || {
        let detail =
            format!("Give the file a name that ends in one of: {}. Archives are kept as they are.", extensions());
        Error::new(Problem::UnsupportedMediaType, detail)
    };
    FORMATS.iter().find(|row| row.media_type == essence && row.format != "gtfs").copied().ok_or_else(refusal)
}

/// Names that some systems keep for devices, whatever follows a dot.
static RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The one spelling of a file's name (NFC), if it is one that every system can keep.
///
/// # Errors
/// [`Problem::Invalid`], saying what to change.
pub(super) fn file_name(name: &str) -> Result<String> {
    let name: String = name.nfc().collect();
    let most = limits::FILE_NAME_CHARS_MAX;
    let mut check = Check::new();
    check.require(!name.trim().is_empty(), "name", "Give the file a name.");
    check.require(name.chars().count() <= most, "name", format!("Use at most {most} characters."));
    let ask = "Leave out control and invisible characters, and these: / \\ : * ? \" < > |";
    check.require(!name.chars().any(is_hostile), "name", ask);
    let edges = name.starts_with(['.', ' ']) || name.ends_with(['.', ' ']);
    check.require(!edges, "name", "Don't begin or end the name with a dot or a space.");
    check.require(!is_reserved(&name), "name", "Some systems keep this name for a device: choose another.");
    check.done()?;
    Ok(name)
}

/// True for characters that end a path, start a wildcard, or make a name look like another one.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
        || matches!(character, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFF}')
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let port = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    RESERVED.contains(&stem.as_str()) || port.is_some_and(|number| matches!(number.as_bytes(), [b'1'..=b'9']))
}

/// Reads a SHA-256 from `X-Content-SHA256` (hexadecimal).
///
/// # Errors
/// [`Problem::Invalid`] for anything that is not 64 hexadecimal digits.
pub(super) fn sha256_of_hex(text: &str) -> Result<String> {
    let text = text.trim().to_ascii_lowercase();
    if text.len() == 64 && unhex(&text).is_some() {
        return Ok(text);
    }
    Err(Error::invalid("X-Content-SHA256", "Write the SHA-256 of the file as 64 hexadecimal digits."))
}

/// Requires that what arrived is what was announced.
///
/// # Errors
/// [`Problem::Invalid`] for another digest or an empty file.
pub(super) fn require_intact(size_bytes: u64, sha256: &str, announced: Option<&str>) -> Result<()> {
    if size_bytes == 0 {
        return Err(Error::invalid("body", "The file is empty. Send its bytes as the body of the request."));
    }
    match announced {
        Some(announced) if announced != sha256 => {
            let detail =
                format!("The bytes that arrived have the SHA-256 {sha256}, not the one announced. Send them again.");
            Err(Error::invalid("X-Content-SHA256", detail))
        }
        _ => Ok(()),
    }
}

/// Bytes that one more file called `name` may have, and the size of the one it replaces.
///
/// # Errors
/// [`RevisionError::TooManyFiles`].
pub(super) fn room_for(files: &[(String, i64)], name: &str) -> Result<u64, RevisionError> {
    let replaces = files.iter().any(|(other, _)| other == name);
    if !replaces && files.len() >= limits::FILES_PER_REVISION_MAX {
        return Err(RevisionError::TooManyFiles);
    }
    let others: u64 = files.iter().filter(|(other, _)| other != name).map(|(_, size)| size.unsigned_abs()).sum();
    Ok(limits::REVISION_BYTES_MAX.saturating_sub(others).min(limits::FILE_BYTES_MAX))
}

/// Checks what an owner wants to show, against the columns of the profile where there is one.
///
/// # Errors
/// [`Problem::Invalid`] for unknown columns, rows of another width, too many, or text with NUL characters.
pub(super) fn require_good_policy(policy: &SamplePolicy, row: &file::Model) -> Result<()> {
    let profile: Option<Profile> = row.profile.clone().map(serde_json::from_value).transpose()?;
    let mut check = Check::new();
    match policy {
        SamplePolicy::Full | SamplePolicy::None => {}
        SamplePolicy::Columns(names) => {
            let most = SAMPLE_COLUMNS_MAX;
            check.require(names.len() <= most, "/value", format!("Name at most {most} columns."));
            for (at, name) in names.iter().enumerate() {
                let known =
                    profile.as_ref().is_none_or(|profile| profile.columns.iter().any(|column| &column.name == name));
                check.require(known, format!("/value/{at}"), "The file has no column of this name.");
                check.require(!name.contains('\0'), format!("/value/{at}"), "Remove the control characters.");
            }
        }
        SamplePolicy::Replaced(rows) => {
            let most = SAMPLE_ROWS_MAX;
            check.require(rows.len() <= most, "/value", format!("Write at most {most} rows."));
            let width = profile.as_ref().map(|profile| profile.columns.len());
            for (at, row) in rows.iter().enumerate() {
                let fits = width.map_or(row.len() <= SAMPLE_COLUMNS_MAX, |width| row.len() == width);
                let ask = width.unwrap_or(SAMPLE_COLUMNS_MAX);
                check.require(fits, format!("/value/{at}"), format!("Write one value per column, {ask} in all."));
                check.require(!row.iter().any(has_nul), format!("/value/{at}"), "Remove the control characters.");
            }
        }
    }
    check.done()
}

/// What others are shown: personal data is never sampled whole, only in the columns or rows its owner chose.
pub(super) fn shown_policy(policy: SamplePolicy, personal_data: PersonalData) -> SamplePolicy {
    match policy {
        SamplePolicy::Full if personal_data != PersonalData::None => SamplePolicy::None,
        chosen => chosen,
    }
}

fn has_nul(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The same JSON with U+FFFD for every NUL, which PostgreSQL can't keep in JSON.
pub(super) fn without_nul(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(text.replace('\0', "\u{FFFD}")),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nul).collect()),
        Value::Object(map) => {
            let pairs = map.into_iter().map(|(key, value)| (key.replace('\0', "\u{FFFD}"), without_nul(value)));
            Value::Object(pairs.collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        for name in [
            "",
            " ",
            ".",
            "..",
            ".htaccess",
            "../etc/passwd",
            "a/b.csv",
            "a\\b.csv",
            "a\0.csv",
            "a\n.csv",
            "con.csv",
            "NUL",
            "com1.txt",
            "Lpt9.csv",
            "a.csv.",
            "a.csv ",
            "\u{202E}vsc.exe",
            "a\u{200B}.csv",
            "a:b.csv",
            "a?.csv",
        ] {
            assert!(file_name(name).is_err(), "{name:?}");
        }
        assert!(file_name(&"a".repeat(201)).is_err());
    }

    #[test]
    fn ordinary_names_are_kept_in_one_spelling() {
        for name in ["大安區YouBike站點.csv", "levels 2021-08-14.csv", "console.csv", "com10.csv", "a..b.csv"] {
            assert_eq!(file_name(name).ok().as_deref(), Some(name));
        }
        assert_eq!(file_name("A\u{30a}rhus.csv").ok().as_deref(), Some("\u{c5}rhus.csv"));
    }

    #[test]
    fn the_name_tells_the_format_and_the_header_where_it_does_not() {
        let format = |name, header| file_format(name, header).map(|row| (row.format, row.media_type)).ok();
        assert_eq!(format("a.CSV", Some("application/octet-stream")), Some(("csv", "text/csv")));
        assert_eq!(format("feed.gtfs.zip", None), Some(("gtfs", "application/zip")));
        assert_eq!(format("levels", Some("text/csv; charset=utf-8")), Some(("csv", "text/csv")));
        assert_eq!(format("archive", Some("application/zip")), Some(("zip", "application/zip")));
        assert_eq!(format("page.html", Some("text/html")), None);
        assert_eq!(format("csv", None), None, "an extension needs a name in front");
    }

    #[test]
    fn a_replaced_file_frees_its_room_and_its_place() {
        let full: Vec<_> = (0..limits::FILES_PER_REVISION_MAX).map(|n| (format!("{n}.csv"), 1)).collect();
        assert_eq!(room_for(&full, "new.csv"), Err(RevisionError::TooManyFiles));
        assert_eq!(room_for(&full, "0.csv"), Ok(limits::FILE_BYTES_MAX));
        let big = i64::try_from(limits::REVISION_BYTES_MAX).expect("fits");
        assert_eq!(room_for(&[("a".to_owned(), big)], "b"), Ok(0));
        assert_eq!(room_for(&[("a".to_owned(), big)], "a"), Ok(limits::FILE_BYTES_MAX));
    }

    #[test]
    fn what_arrived_is_what_was_announced() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(require_intact(1, empty, Some(&empty.replace('e', "f"))).is_err());
        assert!(require_intact(1, empty, Some(empty)).is_ok());
        assert!(require_intact(0, empty, None).is_err());
        assert!(sha256_of_hex("abc").is_err());
    }

    #[test]
    fn personal_data_is_never_sampled_whole() {
        for declared in [PersonalData::Pseudonymised, PersonalData::Contains] {
            assert_eq!(shown_policy(SamplePolicy::Full, declared), SamplePolicy::None);
            let chosen = SamplePolicy::Columns(vec!["year".to_owned()]);
            assert_eq!(shown_policy(chosen.clone(), declared), chosen);
        }
        assert_eq!(shown_policy(SamplePolicy::Full, PersonalData::None), SamplePolicy::Full);
    }

    #[test]
    fn no_nul_is_left_anywhere() {
        let value = serde_json::json!({"a\u{0}": ["\u{0}", {"b": "\u{0}c"}]});
        assert!(has_nul(&value));
        assert!(!has_nul(&without_nul(value)));
    }
}
