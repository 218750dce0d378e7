//! Profiles of JSON documents, of JSON lines and of GeoJSON.

use std::{fs::File, io::BufReader, rc::Rc};

use serde::de::DeserializeSeed;
use serde_json::{Deserializer, error::Category, value::RawValue};

use super::{
    Format, Profile, ProfileError, ProfileLimits,
    json_rows::{Records, RowSink},
    json_shape::{Explore, Shape},
    rows::TakeRows,
    table::Table,
    text::{Allowance, TextEncoding, TextReader},
    unparsable,
    value::Notation,
};

/// Profiles a file whose text begins with a brace or bracket; `is_lines` when its name says JSON lines.
pub(super) fn profile(
    file: &File,
    encoding: TextEncoding,
    is_lines: bool,
    size_bytes: u64,
    limits: &ProfileLimits,
) -> Result<Profile, ProfileError> {
    let read = read(file, encoding, is_lines, limits.max_row_bytes, Table::new(limits, Notation::Quoted))?;
    let mut table = read.table;
    read.shape.remarks().into_iter().for_each(|remark| table.warn(remark));
    Ok(table.finish(read.format, size_bytes))
}

/// A document whose rows were read.
pub(super) struct Read<T> {
    pub(super) table: T,
    pub(super) format: Format,
    pub(super) shape: Shape,
}

/// Reads the records of a document into `table`.
pub(super) fn read<T: TakeRows>(
    file: &File,
    encoding: TextEncoding,
    is_lines: bool,
    max_row_bytes: u64,
    table: T,
) -> Result<Read<T>, ProfileError> {
    let open = || -> Result<Source, ProfileError> {
        let text = TextReader::new(file, encoding, max_row_bytes)?;
        let allowance = text.allowance();
        Ok(Source { de: Deserializer::from_reader(BufReader::new(text)), allowance })
    };
    let shape = if is_lines { Shape::lines() } else { explore(open()?, max_row_bytes)? };
    let source = open()?;
    let allowance = Rc::clone(&source.allowance);
    let mut sink = RowSink::new(table, shape.is_features);
    let format = read_rows(source, &shape, &mut sink, max_row_bytes)?;
    let mut table = sink.finish();
    if allowance.replaced() > 0 {
        table.note_damaged(allowance.replaced(), encoding.encoding.name());
    }
    Ok(Read { table, format, shape })
}

struct Source {
    de: Deserializer<serde_json::de::IoRead<BufReader<TextReader>>>,
    allowance: Rc<Allowance>,
}

/// Reads the document once without keeping it, to learn where its records are.
fn explore(mut source: Source, max_row_bytes: u64) -> Result<Shape, ProfileError> {
    let mut shape = Shape::default();
    let explored = Explore::new(&mut shape, &source.allowance).deserialize(&mut source.de);
    explored.map_err(|error| json_error(&error, &source.allowance, max_row_bytes))?;
    source.allowance.renew();
    match source.de.end() {
        Ok(()) => Ok(shape),
        Err(error) if error.is_syntax() => Ok(Shape::lines()),
        Err(error) => Err(json_error(&error, &source.allowance, max_row_bytes)),
    }
}

fn read_rows<T: TakeRows>(
    mut source: Source,
    shape: &Shape,
    sink: &mut RowSink<T>,
    max_row_bytes: u64,
) -> Result<Format, ProfileError> {
    let allowance = source.allowance;
    let failed = |error: serde_json::Error| json_error(&error, &allowance, max_row_bytes);
    if shape.is_lines {
        for value in source.de.into_iter::<Box<RawValue>>() {
            let went_on = sink.add(value.map_err(failed)?.get()).map_err(failed)?;
            if !went_on {
                break;
            }
            allowance.renew();
        }
        return Ok(if sink.is_features() { Format::GeoJson } else { Format::JsonLines });
    }
    match shape.records() {
        Some(path) => Records { path, sink, allowance: &allowance }.deserialize(&mut source.de).map_err(failed)?,
        None => {
            let document: Box<RawValue> = serde::Deserialize::deserialize(&mut source.de).map_err(failed)?;
            sink.add(document.get()).map_err(failed)?;
        }
    }
    Ok(if sink.is_features() { Format::GeoJson } else { Format::Json })
}

/// Says where the text stops being JSON.
fn json_error(error: &serde_json::Error, allowance: &Allowance, max_row_bytes: u64) -> ProfileError {
    let (line, column) = (error.line(), error.column());
    if allowance.is_exceeded() {
        return unparsable(format!(
            "one value is longer than {max_row_bytes} bytes; records must be shorter than that"
        ));
    }
    match error.classify() {
        Category::Io => ProfileError::Io(std::io::Error::new(
            error.io_error_kind().unwrap_or(std::io::ErrorKind::Other),
            "the file can't be read",
        )),
        Category::Eof => {
            unparsable(format!("the JSON ends in the middle, at line {line} column {column}: is the file complete?"))
        }
        Category::Syntax | Category::Data => {
            // The message names what was expected, never a value.
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or_default();
            unparsable(format!("the text is no JSON from line {line} column {column} on: {text}"))
        }
    }
}
