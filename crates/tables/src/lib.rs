//! Data files as tables: what is in them ([`profile_file`]), and the same content in other formats ([`convert`]).
//!
//! A profile reads a data file once and says what is in it: schema, counts, extremes, extent and a sample.
//!
//! Everything here is synchronous and streams: memory is bounded by [`ProfileLimits`], never by the file, and no
//! content makes it panic. It reads one local file and nothing else; call it off the async threads.
//!
//! The way of a file: [`profile_file`] tells the format by content, then by name · `text` finds the encoding and
//! decodes in pieces · `csv_file`, `json_file` and `parquet_file` make rows · `table` and `column` learn from
//! them · `visible` applies what the owner wants to show.

mod by_row;
pub mod changes;
mod column;
pub mod convert;
mod csv_file;
mod dialect;
mod geo;
mod json_file;
mod json_rows;
mod json_shape;
mod limits;
mod parquet_file;
mod parquet_guard;
mod report;
mod rows;
mod sketch;
pub mod slices;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod thrift;
mod value;
mod visible;

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

pub use by_row::{RowValue, TakeRow, has_readable_rows, read_rows};
pub use limits::ProfileLimits;
pub use report::{ColumnProfile, ColumnType, CsvDialect, Extent, Format, Profile, TopValue};
pub use visible::{SamplePolicy, visible_profile, visible_sample};

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The content can't be profiled; trying again gives the same. The file still lists, with the reason.
    #[error("{reason}")]
    Unparsable {
        /// A sentence the provider can act on, with the place where one is known, without any value of the file.
        reason: String,
    },
    /// The file could not be read; trying again may help.
    #[error("the stored file could not be read")]
    Io(#[from] io::Error),
}

/// [`ProfileError::Unparsable`] with this reason.
fn unparsable(reason: impl Into<String>) -> ProfileError {
    ProfileError::Unparsable { reason: reason.into() }
}

/// Reads the file at `path` and describes it. `name` is what its provider called it, and settles the format where
/// the content leaves a doubt.
///
/// # Errors
/// [`ProfileError::Unparsable`] for content that is no table in a format known here, [`ProfileError::Io`] when
/// reading fails.
pub fn profile_file(path: &Path, name: &str, limits: &ProfileLimits) -> Result<Profile, ProfileError> {
    let mut file = File::open(path)?;
    let size_bytes = file.metadata()?.len();
    if size_bytes == 0 {
        return Err(unparsable("the file is empty"));
    }
    let mut head = Vec::new();
    file.by_ref().take(16).read_to_end(&mut head)?;
    if head.starts_with(parquet_guard::MAGIC) {
        return parquet_file::profile(&file, size_bytes, limits);
    }
    refuse_unprofiled(&head)?;
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    if extension == "parquet" {
        return Err(unparsable("the file is called Parquet, but does not begin with PAR1"));
    }
    let encoding = text::detect_encoding(&mut file)?;
    let first = text::first_sign(&file, encoding)?;
    if first == Some(b'<') {
        // Also what a portal sends in place of a file that it has lost.
        return Err(unparsable("XML and HTML documents are listed but not profiled"));
    }
    let is_csv = matches!(extension.as_str(), "csv" | "tsv" | "tab");
    let is_lines = matches!(extension.as_str(), "jsonl" | "ndjson" | "geojsonl" | "geojsons");
    let is_json = is_lines || matches!(extension.as_str(), "json" | "geojson");
    let opens_json = matches!(first, Some(b'{' | b'['));
    let json = opens_json.then(|| json_file::profile(&file, encoding, is_lines, size_bytes, limits));
    let mut profile = match json {
        Some(Ok(profile)) => profile,
        // Some databases write the names of columns in brackets.
        Some(Err(ProfileError::Unparsable { .. })) if is_csv => {
            csv_file::profile(&file, encoding, is_csv, size_bytes, limits)?
        }
        Some(Err(error)) => return Err(error),
        None if is_json => {
            return Err(unparsable("the file is called JSON, but does not begin with a brace or bracket"));
        }
        None => csv_file::profile(&file, encoding, is_csv, size_bytes, limits)?,
    };
    profile.encoding = Some(encoding.encoding.name().to_owned());
    profile.had_bom = encoding.bom_bytes > 0;
    Ok(profile)
}

/// Refuses what begins like a document or an archive.
fn refuse_unprofiled(head: &[u8]) -> Result<(), ProfileError> {
    match UNPROFILED.iter().find(|(magic, _)| head.starts_with(magic)) {
        Some((_, what)) => Err(unparsable(format!("{what} are listed but not profiled"))),
        None => Ok(()),
    }
}

/// The beginnings of formats that hold data, but no table to look at.
static UNPROFILED: [(&[u8], &str); 12] = [
    (b"PK\x03\x04", "ZIP archives (and the office formats made of them)"),
    (b"PK\x05\x06", "ZIP archives (and the office formats made of them)"),
    (b"%PDF", "PDF documents"),
    (b"\x1F\x8B", "gzip archives"),
    (b"\x28\xB5\x2F\xFD", "Zstandard archives"),
    (b"7z\xBC\xAF\x27\x1C", "7z archives"),
    (b"Rar!", "RAR archives"),
    (b"\xD0\xCF\x11\xE0", "old office documents"),
    (b"SQLite format 3", "SQLite databases"),
    (b"\x89PNG", "images"),
    (b"\xFF\xD8\xFF", "images"),
    (b"II*\0", "images"),
];
