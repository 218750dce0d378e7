//! The same content in the formats that tools read.
//!
//! A table becomes Parquet in two passes: the first finds the type that holds every value of a column exactly, the
//! second writes. All other formats are written from that Parquet file. Memory is bounded by batches and row groups,
//! never by the file.
//!
//! Nothing is lost. A value's text follows from the typed value and the pattern that the whole column was written in;
//! where it does not (an era, full-width digits, a placeholder, mixed notations), a column `NAME_original` beside it
//! keeps the text. The rules: flags, whole numbers to 64 bits, decimals exactly (up to 38 digits), doubles only where
//! exponents are written or for angles of at most 15 digits, days, and times in UTC with the zone they had recorded: the
//! offset they were written with, or the zone that the provider states.
//! Codes with leading zeros, and whatever does not fit, stay text. Geometry becomes WKB in WGS 84.

mod build;
pub(crate) mod cells;
mod crs;
mod era;
pub(crate) mod geometry;
mod guess;
mod number;
pub(crate) mod parquet_in;
pub(crate) mod parquet_out;
mod places;
mod plan;
mod reading;
mod style;
#[cfg(test)]
mod tests;
mod text_out;
pub(crate) mod types;
pub(crate) mod watch;
pub(crate) mod wkb;
mod wkt;
mod zone;

use std::{
    fs::File,
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom},
    sync::Arc,
};

pub use crs::Crs;
pub use types::ColumnInfo;
pub use watch::Watch;
use watch::{Bounded, Stop};
pub use zone::Zone;

use self::{
    build::{Batches, Layout},
    guess::Guesses,
    parquet_out::ParquetOut,
};
use crate::{
    CsvDialect, Format, ProfileError, csv_file, json_file, parquet_guard,
    text::{self, TextEncoding},
    value::Notation,
};

/// Rows after which progress is told and a stop is looked for.
const ROWS_PER_LOOK: u64 = 4_096;

/// Why a file was not converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The content can't be converted; trying again gives the same.
    #[error("{reason}")]
    Unfit {
        /// A sentence the provider can act on, without any value of the file.
        reason: String,
    },
    /// The file could not be read or written; trying again may help.
    #[error("a file could not be read or written")]
    Io(#[source] io::Error),
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
}

impl ConvertError {
    pub(crate) fn unfit(reason: impl Into<String>) -> Self {
        Self::Unfit { reason: reason.into() }
    }
}

impl From<io::Error> for ConvertError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::FileTooLarge => Self::unfit("The file would be too large in this format."),
            _ => Self::Io(error),
        }
    }
}

impl From<ProfileError> for ConvertError {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Unparsable { reason } => Self::Unfit { reason },
            ProfileError::Io(error) => error.into(),
        }
    }
}

impl From<parquet::errors::ParquetError> for ConvertError {
    fn from(error: parquet::errors::ParquetError) -> Self {
        match error {
            parquet::errors::ParquetError::External(cause) => match cause.downcast::<io::Error>() {
                Ok(cause) => (*cause).into(),
                Err(other) => Self::unfit(format!("The table can't be read or written as Parquet: {other}.")),
            },
            other => Self::unfit(format!("The table can't be read or written as Parquet: {other}.")),
        }
    }
}

impl From<arrow_schema::ArrowError> for ConvertError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        match error {
            arrow_schema::ArrowError::IoError(_, cause) => cause.into(),
            arrow_schema::ArrowError::ExternalError(cause) => match cause.downcast::<parquet::errors::ParquetError>() {
                Ok(cause) => (*cause).into(),
                Err(other) => Self::unfit(format!("The table can't be converted: {other}.")),
            },
            other => Self::unfit(format!("The table can't be converted: {other}.")),
        }
    }
}

/// How much a conversion may cost, and what its provider says of the file.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of one row or of one JSON value that is read as a whole.
    pub row_bytes_max: u64,
    /// Columns.
    pub columns_max: usize,
    /// Bytes of the result.
    pub output_bytes_max: u64,
    /// The coordinates of the file, where it does not say so itself.
    pub crs: Option<Crs>,
    /// The zone of its times, where they are written without an offset.
    pub zone: Option<Zone>,
}

impl Default for Options {
    fn default() -> Self {
        Self { row_bytes_max: 8 << 20, columns_max: 2_048, output_bytes_max: 64 << 30, crs: None, zone: None }
    }
}

/// A format that is written from Parquet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// RFC 4180, UTF-8, with a header.
    Csv,
    /// One JSON object per line.
    JsonLines,
    /// RFC 7946.
    GeoJson,
}

/// A table as Parquet.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// True when the original is such a Parquet file itself, and nothing was written.
    pub is_original: bool,
    /// Rows.
    pub rows: u64,
    /// Columns.
    pub columns: Vec<ColumnInfo>,
    /// What the coordinates were given in; nothing without geometry.
    pub crs: Option<String>,
    /// Why there is no geometry, where there could be.
    pub no_geometry: Option<String>,
    /// The text format that the original is in already.
    pub original_is: Option<TextFormat>,
}

/// Writes the table in `source`, called `name`, as Parquet into `out`.
///
/// # Errors
/// [`ConvertError::Unfit`] for content that is no table, [`ConvertError::Io`] when reading or writing fails,
/// [`ConvertError::Stopped`] when `watch` says so.
pub fn to_parquet(
    source: &File,
    name: &str,
    out: File,
    options: &Options,
    watch: &Arc<Watch>,
) -> Result<Table, ConvertError> {
    let mut file = source.try_clone()?;
    let mut head = [0; 4];
    file.seek(SeekFrom::Start(0))?;
    let is_parquet = file.read_exact(&mut head).is_ok() && &head == parquet_guard::MAGIC;
    file.seek(SeekFrom::Start(0))?;
    if is_parquet {
        return parquet_in::rewrite(source, out, options, watch);
    }
    let content = Content::of(&mut file, name)?;
    let stop = |from, until| Stop::over(source, watch, from, until);
    let known = content.guess(source, options, stop(100, 450)?)?;
    if watch.is_stopped() {
        return Err(ConvertError::Stopped);
    }
    let layout = known.layout(options)?;
    let schema = layout.schema();
    let mut parquet = ParquetOut::new(Bounded::new(BufWriter::new(out), options.output_bytes_max), &schema)?;
    let stop = stop(450, 990)?;
    let rows = content.write(source, options, &known, &layout, &mut parquet, stop)?;
    parquet.finish(layout.geometry())?.into_inner()?;
    Ok(Table {
        is_original: false,
        rows,
        columns: types::columns(&schema, layout.geometry()),
        crs: layout.places.map(|places| places.crs.name()),
        no_geometry: known.no_geometry(options),
        original_is: known.original_is(&content, &layout),
    })
}

/// Writes a Parquet file that [`to_parquet`] made or passed as it is into `out`; returns the number of rows.
///
/// # Errors
/// As [`to_parquet`].
pub fn from_parquet(
    parquet: &File,
    format: TextFormat,
    out: File,
    options: &Options,
    watch: &Arc<Watch>,
) -> Result<u64, ConvertError> {
    text_out::write(parquet, format, out, options, watch)
}

/// What a text file is made of.
struct Content {
    encoding: TextEncoding,
    layout: TextLayout,
    is_lines: bool,
    is_called_csv: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TextLayout {
    Csv,
    Json,
}

/// What the first pass found.
struct Known {
    guesses: Guesses,
    dialect: Option<CsvDialect>,
    format: Format,
    stated_crs: Option<Crs>,
    is_document: bool,
}

impl Content {
    fn of(file: &mut File, name: &str) -> Result<Self, ConvertError> {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
        let mut head = Vec::new();
        file.by_ref().take(16).read_to_end(&mut head)?;
        crate::refuse_unprofiled(&head)?;
        let encoding = text::detect_encoding(file)?;
        let first = text::first_sign(file, encoding)?;
        let is_called_csv = matches!(extension.as_str(), "csv" | "tsv" | "tab");
        let is_lines = matches!(extension.as_str(), "jsonl" | "ndjson" | "geojsonl" | "geojsons");
        // Some databases write the names of columns in brackets.
        let is_json = matches!(first, Some(b'{' | b'[')) && !is_called_csv;
        let layout = if is_json { TextLayout::Json } else { TextLayout::Csv };
        if layout == TextLayout::Csv && (is_lines || matches!(extension.as_str(), "json" | "geojson")) {
            return Err(ConvertError::unfit("The file is called JSON, but does not begin with a brace or bracket."));
        }
        Ok(Self { encoding, layout, is_lines, is_called_csv })
    }

    fn guess(&self, source: &File, options: &Options, stop: Stop) -> Result<Known, ConvertError> {
        let (row_bytes, columns) = (options.row_bytes_max, options.columns_max);
        let known = match self.layout {
            TextLayout::Csv => {
                let make = |dialect| Guesses::delimited(dialect, columns, options.zone, stop);
                let (guesses, dialect) = csv_file::read(source, self.encoding, self.is_called_csv, row_bytes, make)?;
                let dialect = Some(dialect);
                Known { guesses, dialect, format: Format::Csv, stated_crs: None, is_document: false }
            }
            TextLayout::Json => {
                let guesses = Guesses::new(Notation::Quoted, columns, options.zone, stop);
                let read = json_file::read(source, self.encoding, self.is_lines, row_bytes, guesses)?;
                let stated_crs = read.shape.crs.as_deref().and_then(named_crs);
                let is_document = !read.shape.is_lines;
                Known { guesses: read.table, dialect: None, format: read.format, stated_crs, is_document }
            }
        };
        match &known.guesses.refusal {
            Some(reason) => Err(ConvertError::unfit(reason)),
            None => Ok(known),
        }
    }

    fn write<W: io::Write + Send>(
        &self,
        source: &File,
        options: &Options,
        known: &Known,
        layout: &Layout,
        out: &mut ParquetOut<W>,
        stop: Stop,
    ) -> Result<u64, ConvertError> {
        let by_name = known.guesses.by_name.clone();
        let batches = Batches::new(layout, by_name, known.guesses.notation, out, stop)?;
        let row_bytes = options.row_bytes_max;
        let batches = match self.layout {
            TextLayout::Csv => csv_file::read(source, self.encoding, self.is_called_csv, row_bytes, |_| batches)?.0,
            TextLayout::Json => json_file::read(source, self.encoding, self.is_lines, row_bytes, batches)?.table,
        };
        batches.finish()
    }
}

impl Known {
    fn crs(&self, options: &Options) -> Option<Crs> {
        self.stated_crs.or(options.crs)
    }

    fn layout(&self, options: &Options) -> Result<Layout, ConvertError> {
        let plans = self.guesses.plans();
        if plans.is_empty() {
            return Err(ConvertError::unfit("The file has no columns."));
        }
        let places = places::find(&self.guesses.columns, self.crs(options)).ok().flatten();
        let is_own = places.is_some_and(|places| !matches!(places.source, places::Source::Shape(_)));
        let is_taken =
            |name: &str| plans.iter().any(|plan| plan.name == name || plan.original.as_deref() == Some(name));
        let names = ["geometry".to_owned(), "geometry_wgs84".to_owned()].into_iter();
        let free = names.chain((2..).map(|n| format!("geometry_{n}"))).find(|name| !is_taken(name));
        Ok(Layout { plans, places, geometry_name: free.filter(|_| is_own) })
    }

    fn no_geometry(&self, options: &Options) -> Option<String> {
        places::find(&self.guesses.columns, self.crs(options)).err()
    }

    /// The text format that the original is in already, clean enough to be handed out as such.
    fn original_is(&self, content: &Content, layout: &Layout) -> Option<TextFormat> {
        let encoding = content.encoding;
        if encoding.encoding != encoding_rs::UTF_8 || encoding.bom_bytes > 0 || self.guesses.damaged {
            return None;
        }
        let plain = CsvDialect { delimiter: ',', quote: '"', has_header: true };
        match (self.format, self.dialect) {
            (Format::Csv, Some(dialect)) => {
                (dialect == plain && !self.guesses.is_ragged && self.guesses.has_plain_header)
                    .then_some(TextFormat::Csv)
            }
            (Format::JsonLines, _) => content.is_lines.then_some(TextFormat::JsonLines),
            (Format::GeoJson, _) if self.is_document => {
                let is_wgs84 = layout.places.is_some_and(|places| places.crs == Crs::WGS84);
                is_wgs84.then_some(TextFormat::GeoJson)
            }
            _ => None,
        }
    }
}

/// The system that a GeoJSON document of before 2016 names.
fn named_crs(json: &str) -> Option<Crs> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    Crs::of_name(value.get("properties")?.get("name")?.as_str()?)
}
