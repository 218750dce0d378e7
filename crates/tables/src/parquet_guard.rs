//! Checks a Parquet file's description of itself before a reader allocates what it asks for.
//!
//! A footer of a few bytes can claim structures nested a million deep, and a page of a few bytes gigabytes of
//! values; both end a process rather than return an error. So the sizes are looked at first, here.
//!
//! Source: apache/parquet-format, `parquet.thrift` and `README.md`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use parquet::{
    basic::Compression,
    file::metadata::{ColumnChunkMetaData, ParquetMetaData},
};

use super::{
    ProfileError, ProfileLimits,
    thrift::{Cursor, LIST, STRUCT},
    unparsable,
};

/// The magic at both ends.
pub(super) const MAGIC: &[u8; 4] = b"PAR1";
/// Nesting of columns that is followed.
const MAX_SCHEMA_DEPTH: usize = 32;
/// Nodes of a schema.
const MAX_SCHEMA_NODES: u64 = 100_000;
/// Bytes read for one page header at first, and at most: statistics in it may be long.
const HEADER_BYTES: [u64; 2] = [4 << 10, 1 << 20];

/// Checks that the footer is whole, of bearable size, and describes a schema of bearable depth.
pub(super) fn check_footer(file: &mut File, size_bytes: u64, limits: &ProfileLimits) -> Result<(), ProfileError> {
    let cut_short = || unparsable("the Parquet file is cut short: its last four bytes are not PAR1");
    if size_bytes < 12 {
        return Err(cut_short());
    }
    let mut tail = [0; 8];
    file.seek(SeekFrom::Start(size_bytes - 8))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    if &magic == b"PARE" {
        return Err(unparsable("the Parquet file is encrypted"));
    }
    if &magic != MAGIC {
        return Err(cut_short());
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if length > limits.max_footer_bytes || length > size_bytes - 12 {
        return Err(unparsable(format!(
            "the Parquet footer claims {length} bytes; the file has {size_bytes} and at most {} are read",
            limits.max_footer_bytes
        )));
    }
    let mut footer = vec![0; usize::try_from(length).unwrap_or(0)];
    file.seek(SeekFrom::Start(size_bytes - 8 - length))?;
    file.read_exact(&mut footer)?;
    if schema_is_bearable(&footer) == Some(true) {
        Ok(())
    } else {
        Err(unparsable("the Parquet footer is damaged, or its columns are nested too deeply"))
    }
}

/// Walks `FileMetaData`: field 2 is the schema, a list of nodes in depth-first order.
fn schema_is_bearable(footer: &[u8]) -> Option<bool> {
    let mut cursor = Cursor::new(footer);
    let (mut previous, mut bearable) = (0, false);
    while let Some(field) = cursor.field(previous)? {
        previous = field.id;
        if field.id == 2 && field.kind == LIST {
            let (kind, count) = cursor.list()?;
            if kind != STRUCT || count > MAX_SCHEMA_NODES {
                return Some(false);
            }
            bearable = walk_schema(&mut cursor, count)?;
        } else {
            cursor.skip(field.kind)?;
        }
    }
    Some(bearable)
}

fn walk_schema(cursor: &mut Cursor<'_>, count: u64) -> Option<bool> {
    // Children still to come, per open level.
    let mut open: Vec<i64> = Vec::new();
    for _ in 0..count {
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        let (mut previous, mut children) = (0, 0);
        while let Some(field) = cursor.field(previous)? {
            previous = field.id;
            if field.id == 5 {
                children = cursor.signed()?;
            } else {
                cursor.skip(field.kind)?;
            }
        }
        if children > 0 {
            open.push(children);
        }
        if children < 0 || open.len() > MAX_SCHEMA_DEPTH {
            return Some(false);
        }
    }
    Some(true)
}

/// What one decoded value takes in memory, beside its own bytes.
const HELD_VALUE_BYTES: u64 = 48;

/// What a page says of itself.
#[derive(Debug, Default)]
struct PageHeader {
    header_bytes: u64,
    decoded_bytes: i64,
    stored_bytes: i64,
    values: i64,
    encoding: i64,
    is_dictionary: bool,
}

/// Encodings that carry a count of their own, which a reader takes at its word: `DELTA_LENGTH_BYTE_ARRAY` and
/// `DELTA_BYTE_ARRAY`.
const SELF_COUNTED_ENCODINGS: [i64; 2] = [6, 7];

/// Columns that are whole, but can't be read in bounded memory: index of the leaf, and why.
pub(super) type Unreadable = BTreeMap<usize, &'static str>;

/// What was found of the pages of one column in one row group.
struct ChunkReport {
    /// Work that reading them is.
    decoded_bytes: u64,
    /// Memory that reading them takes at once.
    held_bytes: u64,
    unreadable: Option<&'static str>,
}

/// Checks every page of every column: that it lies in the file and decodes to no more than the limits allow.
pub(super) fn check_pages(
    file: &mut File,
    size_bytes: u64,
    metadata: &ParquetMetaData,
    limits: &ProfileLimits,
) -> Result<Unreadable, ProfileError> {
    let mut unreadable = Unreadable::new();
    let mut held_bytes = BTreeMap::<usize, u64>::new();
    let mut decoded_bytes = 0_u64;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        for (index, chunk) in group.columns().iter().enumerate() {
            let report = check_chunk(file, size_bytes, chunk, limits).map_err(|error| match error {
                ProfileError::Unparsable { reason } => {
                    let column = super::column::cut(&chunk.column_path().string(), limits.max_cell_bytes);
                    unparsable(format!("column {column:?} of row group {}: {reason}", number + 1))
                }
                other => other,
            })?;
            decoded_bytes = decoded_bytes.saturating_add(report.decoded_bytes);
            if decoded_bytes > limits.max_decoded_bytes {
                let most = limits.max_decoded_bytes;
                return Err(unparsable(format!("the Parquet file decodes to more than {most} bytes")));
            }
            if let Some(why) = report.unreadable {
                unreadable.insert(index, why);
            }
            let held = held_bytes.entry(index).or_default();
            *held = report.held_bytes.max(*held);
        }
    }
    // The columns of a row are read side by side: those that fit beside the ones before them.
    let mut held_together = 0_u64;
    for (index, held) in held_bytes {
        if unreadable.contains_key(&index) {
            continue;
        }
        if held_together.saturating_add(held) > limits.max_held_bytes {
            unreadable.insert(index, "its pages are too large to be held beside those of the columns before it");
        } else {
            held_together += held;
        }
    }
    Ok(unreadable)
}

/// Where a column's pages lie: the first byte, and the one after the last.
fn chunk_place(chunk: &ColumnChunkMetaData, size_bytes: u64) -> Option<(u64, u64)> {
    let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let start = u64::try_from(start).ok()?;
    let end = start.checked_add(u64::try_from(chunk.compressed_size()).ok()?)?;
    (end <= size_bytes).then_some((start, end))
}

fn check_chunk(
    file: &mut File,
    size_bytes: u64,
    chunk: &ColumnChunkMetaData,
    limits: &ProfileLimits,
) -> Result<ChunkReport, ProfileError> {
    let Some((mut at, end)) = chunk_place(chunk, size_bytes) else {
        return Err(unparsable("its pages lie outside of the file"));
    };
    let mut report = ChunkReport { decoded_bytes: 0, held_bytes: 0, unreadable: None };
    let (mut values, mut dictionary_bytes, mut largest_page_bytes) = (0_u64, 0_u64, 0_u64);
    while at < end {
        let header = read_header(file, at, end)?;
        let sizes = (u64::try_from(header.decoded_bytes).ok(), u64::try_from(header.stored_bytes).ok());
        let (Some(decoded), Some(stored)) = sizes else {
            return Err(unparsable("a page has a negative size"));
        };
        let (data, largest) = (at + header.header_bytes, decoded.max(stored));
        if largest > limits.max_page_bytes {
            let most = limits.max_page_bytes;
            return Err(unparsable(format!("a page decodes to {largest} bytes; at most {most} are read")));
        }
        at = data.saturating_add(stored);
        if at > end {
            return Err(unparsable("a page reaches beyond its column"));
        }
        // Each entry of a dictionary takes a byte at least, and is held in memory.
        let most = if header.is_dictionary { decoded.min(limits.max_values_at_once) } else { u64::MAX };
        let Some(count) = u64::try_from(header.values).ok().filter(|count| *count <= most) else {
            return Err(unparsable("a page claims more values than it can hold"));
        };
        if header.is_dictionary {
            dictionary_bytes = dictionary_bytes.max(decoded + count * HELD_VALUE_BYTES);
        } else {
            values = values.saturating_add(count);
            largest_page_bytes = largest_page_bytes.max(decoded + stored);
            if SELF_COUNTED_ENCODINGS.contains(&header.encoding) {
                report.unreadable =
                    Some("it is in a delta encoding of texts, whose size can't be known before decoding");
            }
        }
        report.decoded_bytes = report.decoded_bytes.saturating_add(largest.max(HEADER_BYTES[0]));
        if matches!(chunk.compression(), Compression::GZIP(_)) {
            check_gzip(file, data, stored, decoded)?;
        }
    }
    report.held_bytes = dictionary_bytes + largest_page_bytes;
    if chunk.column_descr().max_rep_level() > 0 {
        report.held_bytes = report.held_bytes.saturating_add(values.saturating_mul(HELD_VALUE_BYTES));
        if values > limits.max_values_at_once {
            report.unreadable = Some("it nests too many values");
        }
    }
    Ok(report)
}

/// The reader trusts gzip to end by itself, so its length is measured; the other codecs keep to the header.
fn check_gzip(file: &mut File, at: u64, stored: u64, decoded: u64) -> Result<(), ProfileError> {
    file.seek(SeekFrom::Start(at))?;
    let mut unpacked = flate2::read::MultiGzDecoder::new(file.by_ref().take(stored)).take(decoded.saturating_add(1));
    let length = std::io::copy(&mut unpacked, &mut std::io::sink());
    match length {
        Ok(length) if length <= decoded => Ok(()),
        Ok(_) => Err(unparsable("a page decodes to more bytes than it claims")),
        Err(_) => Err(unparsable("a page is damaged")),
    }
}

fn read_header(file: &mut File, at: u64, end: u64) -> Result<PageHeader, ProfileError> {
    for most in HEADER_BYTES {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(at))?;
        file.by_ref().take(most.min(end - at)).read_to_end(&mut bytes)?;
        if let Some(header) = parse_header(&bytes) {
            return Ok(header);
        }
    }
    Err(unparsable("a page header is damaged"))
}

/// `PageHeader`: 1 type, 2 and 3 sizes; 5, 7 and 8 the headers of data and dictionary pages, each with the number of
/// values first.
fn parse_header(bytes: &[u8]) -> Option<PageHeader> {
    let mut cursor = Cursor::new(bytes);
    let (mut header, mut previous) = (PageHeader::default(), 0);
    while let Some(field) = cursor.field(previous)? {
        previous = field.id;
        match field.id {
            2 => header.decoded_bytes = cursor.signed()?,
            3 => header.stored_bytes = cursor.signed()?,
            5 | 7 | 8 if field.kind == STRUCT => {
                header.is_dictionary |= field.id == 7;
                parse_page_kind(&mut cursor, &mut header, if field.id == 8 { 4 } else { 2 })?;
            }
            _ => cursor.skip(field.kind)?,
        }
    }
    header.header_bytes = cursor.position() as u64;
    Some(header)
}

/// The number of values, and the encoding in the field where this kind of page has it.
fn parse_page_kind(cursor: &mut Cursor<'_>, header: &mut PageHeader, encoding_field: i64) -> Option<()> {
    let mut previous = 0;
    while let Some(field) = cursor.field(previous)? {
        previous = field.id;
        match field.id {
            1 => header.values = cursor.signed()?,
            id if id == encoding_field => header.encoding = cursor.signed()?,
            _ => cursor.skip(field.kind)?,
        }
    }
    Some(())
}
