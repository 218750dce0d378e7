//! Writes a result, and stops where it gets too large.

use std::{
    io::{self, BufWriter, Write},
    sync::Arc,
};

use datafusion::arrow::{
    array::{Array, AsArray as _, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field, Fields, Schema, SchemaRef},
    error::ArrowError,
    ipc::writer::StreamWriter,
};

use super::{failure, refused, values};
use crate::{Class, Failure, Format, Limits, type_word};

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 128 * 1024;

/// Takes the batches of a result.
pub(super) struct Sink<W: Write> {
    form: Form<W>,
    rows: u64,
    rows_max: u64,
    bytes_max: u64,
}

enum Form<W: Write> {
    Json { out: Counted<W>, row: Vec<u8> },
    Csv { out: Counted<W>, row: Vec<u8> },
    Arrow { out: Box<StreamWriter<Counted<W>>>, schema: SchemaRef },
}

impl<W: Write> Sink<W> {
    /// Writes what comes before the rows.
    pub(super) fn new(format: Format, schema: &SchemaRef, limits: &Limits, out: W) -> Result<Self, Failure> {
        let bytes_max = limits.result_bytes_max;
        let out = Counted { out: BufWriter::with_capacity(BUFFER_BYTES, out), bytes: 0, bytes_max };
        let form = match format {
            Format::Json => json_head(out, schema),
            Format::Csv => csv_head(out, schema),
            Format::Arrow => arrow_head(out, schema),
        };
        let form = form.map_err(|error| failed(&error, bytes_max))?;
        Ok(Self { form, rows: 0, rows_max: limits.rows_max, bytes_max })
    }

    /// Writes some rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let is_first = self.rows == 0;
        self.rows += u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
        if self.rows > self.rows_max {
            return Err(refused(Class::TooLarge, too_many_rows(self.rows_max)));
        }
        let bytes_max = self.bytes_max;
        match &mut self.form {
            Form::Json { out, row } => json_rows(out, row, batch, is_first),
            Form::Csv { out, row } => csv_rows(out, row, batch),
            Form::Arrow { out, schema } => arrow_rows(out, schema, batch),
        }
        .map_err(|error| failed(&error, bytes_max))
    }

    /// Writes what comes after the rows; returns rows and bytes.
    pub(super) fn finish(self) -> Result<(u64, u64), Failure> {
        let (rows, bytes_max) = (self.rows, self.bytes_max);
        let bytes = match self.form {
            Form::Json { mut out, .. } => write!(out, "],\"row_count\":{rows}}}").and_then(|()| out.ended()),
            Form::Csv { out, .. } => out.ended(),
            Form::Arrow { out, .. } => out.into_inner().map_err(as_io).and_then(Counted::ended),
        };
        bytes.map(|bytes| (rows, bytes)).map_err(|error| failed(&error, bytes_max))
    }
}

fn too_many_rows(rows_max: u64) -> String {
    format!("The result has more than {rows_max} rows. Group, filter, or ask for a part with LIMIT and OFFSET.")
}

/// Why nothing more can be written. The writer refuses beyond its limit with a kind of its own.
fn failed(error: &io::Error, bytes_max: u64) -> Failure {
    if error.kind() == io::ErrorKind::FileTooLarge {
        let advice = "Ask for fewer rows or columns, or for a part with LIMIT and OFFSET.";
        return refused(Class::TooLarge, format!("The result has more than {bytes_max} bytes. {advice}"));
    }
    failure::internal(format!("the result can't be written: {error}"))
}

fn too_large() -> io::Error {
    io::ErrorKind::FileTooLarge.into()
}

fn as_io(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}

/// A writer that knows how much it has taken.
struct Counted<W: Write> {
    out: BufWriter<W>,
    bytes: u64,
    bytes_max: u64,
}

impl<W: Write> Counted<W> {
    fn ended(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.bytes)
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.bytes > self.bytes_max {
            return Err(too_large());
        }
        self.out.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn json_head<W: Write>(mut out: Counted<W>, schema: &SchemaRef) -> io::Result<Form<W>> {
    let columns: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| serde_json::json!({"name": field.name(), "type": type_word(field.data_type())}))
        .collect();
    out.write_all(b"{\"columns\":")?;
    out.write_all(&serde_json::to_vec(&columns)?)?;
    out.write_all(b",\"rows\":[")?;
    Ok(Form::Json { out, row: Vec::new() })
}

fn json_rows<W: Write>(out: &mut Counted<W>, row: &mut Vec<u8>, batch: &RecordBatch, is_first: bool) -> io::Result<()> {
    for number in 0..batch.num_rows() {
        row.clear();
        row.extend_from_slice(if is_first && number == 0 { b"\n[" } else { b",\n[" });
        for (at, column) in batch.columns().iter().enumerate() {
            if at > 0 {
                row.push(b',');
            }
            values::json(row, column, number)?;
        }
        row.push(b']');
        out.write_all(row)?;
    }
    Ok(())
}

fn csv_head<W: Write>(mut out: Counted<W>, schema: &SchemaRef) -> io::Result<Form<W>> {
    let mut row = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        if at > 0 {
            row.push(b',');
        }
        values::quoted(&mut row, field.name().as_bytes());
    }
    row.extend_from_slice(b"\r\n");
    out.write_all(&row)?;
    Ok(Form::Csv { out, row })
}

fn csv_rows<W: Write>(out: &mut Counted<W>, row: &mut Vec<u8>, batch: &RecordBatch) -> io::Result<()> {
    for number in 0..batch.num_rows() {
        row.clear();
        for (at, column) in batch.columns().iter().enumerate() {
            if at > 0 {
                row.push(b',');
            }
            values::csv(row, column, number)?;
        }
        row.extend_from_slice(b"\r\n");
        out.write_all(row)?;
    }
    Ok(())
}

fn arrow_head<W: Write>(out: Counted<W>, schema: &SchemaRef) -> io::Result<Form<W>> {
    let fields: Fields = schema.fields().iter().map(|field| without_views(field)).collect();
    let schema = Arc::new(Schema::new(fields));
    let out = StreamWriter::try_new(out, &schema).map_err(as_io)?;
    Ok(Form::Arrow { out: Box::new(out), schema })
}

fn arrow_rows<W: Write>(out: &mut StreamWriter<Counted<W>>, schema: &SchemaRef, batch: &RecordBatch) -> io::Result<()> {
    let bytes: u64 = batch.columns().iter().map(|column| viewed_bytes(column)).sum();
    if out.get_ref().bytes.saturating_add(bytes) > out.get_ref().bytes_max {
        return Err(too_large());
    }
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type())).collect::<Result<_, _>>();
    let batch = columns.and_then(|columns| RecordBatch::try_new(schema.clone(), columns)).map_err(as_io)?;
    out.write(&batch).map_err(as_io)
}

/// What a column of views takes as a column of values: a value that many rows share is written into each of them.
fn viewed_bytes(column: &dyn Array) -> u64 {
    let sum = |lengths: &mut dyn Iterator<Item = usize>| lengths.map(|bytes| u64::try_from(bytes).unwrap_or(0)).sum();
    match column.data_type() {
        DataType::Utf8View => sum(&mut column.as_string_view().iter().flatten().map(str::len)),
        DataType::BinaryView => sum(&mut column.as_binary_view().iter().flatten().map(<[u8]>::len)),
        _ => 0,
    }
}

/// A column as every reader of Arrow takes it.
fn without_views(field: &Field) -> Field {
    let inner = |field: &Arc<Field>| Arc::new(without_views(field));
    let kind = match field.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) => DataType::List(inner(item)),
        DataType::LargeList(item) => DataType::LargeList(inner(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        other => other.clone(),
    };
    field.clone().with_data_type(kind)
}
