//! Writes the rows of a Parquet file as CSV, JSON lines or GeoJSON.
//!
//! Source: RFC 4180; ndjson-spec; RFC 7946.

use std::{
    fs::File,
    io::{BufWriter, Write},
    sync::Arc,
};

use arrow_array::{Array as _, ArrayRef, RecordBatch};

use super::{
    ConvertError, Options, TextFormat,
    cells::{write_json, write_json_text, write_text},
    parquet_in::ParquetIn,
    plan::Written,
    watch::{Bounded, Watch},
};

/// A column and how it is written.
struct Column {
    name: String,
    written: Written,
    is_geometry: bool,
}

/// Writes a whole file; returns the number of rows.
pub(super) fn write(
    parquet: &File,
    format: TextFormat,
    out: File,
    options: &Options,
    watch: &Arc<Watch>,
) -> Result<u64, ConvertError> {
    let (file, _) = ParquetIn::open(parquet)?;
    let geometry = file.geometry.as_ref().map(|geometry| geometry.column.as_str());
    if format == TextFormat::GeoJson && geometry.is_none() {
        return Err(ConvertError::unfit("The file has no geometry that was recognised."));
    }
    let column = |field: &Arc<arrow_schema::Field>| {
        let is_geometry = geometry == Some(field.name());
        Column { name: field.name().clone(), written: Written { is_geometry, ..Written::of(field) }, is_geometry }
    };
    let columns: Vec<Column> = file.schema.fields().iter().map(column).collect();
    let out = Bounded::new(BufWriter::new(out), options.output_bytes_max);
    let mut rows = Rows { columns, done: 0, total: file.rows.max(1), watch };
    let out = match format {
        TextFormat::Csv => rows.csv(&file, out)?,
        TextFormat::JsonLines => rows.lines(&file, out)?,
        TextFormat::GeoJson => rows.features(&file, out)?,
    };
    out.into_inner()?;
    Ok(rows.done)
}

type Out = Bounded<BufWriter<File>>;

struct Rows<'a> {
    columns: Vec<Column>,
    done: u64,
    total: u64,
    watch: &'a Watch,
}

impl Rows<'_> {
    fn each(
        &mut self,
        file: &ParquetIn,
        mut row: impl FnMut(&[Column], &RecordBatch, usize) -> Result<(), ConvertError>,
    ) -> Result<(), ConvertError> {
        for batch in file.batches(None)? {
            let batch = batch?;
            if self.watch.is_stopped() {
                return Err(ConvertError::Stopped);
            }
            for at in 0..batch.num_rows() {
                row(&self.columns, &batch, at)?;
            }
            self.done += batch.num_rows() as u64;
            self.watch.tell(self.done.saturating_mul(990) / self.total);
        }
        Ok(())
    }

    fn csv(&mut self, file: &ParquetIn, out: Out) -> Result<Out, ConvertError> {
        let mut writer = csv::WriterBuilder::new().from_writer(out);
        writer.write_record(self.columns.iter().map(|column| &column.name)).map_err(csv_error)?;
        let mut cell = String::new();
        self.each(file, |columns, batch, row| {
            for (column, array) in columns.iter().zip(batch.columns()) {
                cell.clear();
                write_text(array, row, &column.written, &mut cell);
                writer.write_field(&cell).map_err(csv_error)?;
            }
            writer.write_record(None::<&[u8]>).map_err(csv_error)
        })?;
        writer.into_inner().map_err(|error| error.into_error().into())
    }

    fn lines(&mut self, file: &ParquetIn, mut out: Out) -> Result<Out, ConvertError> {
        let mut line = String::new();
        self.each(file, |columns, batch, row| {
            line.clear();
            write_object(columns, batch, row, true, &mut line);
            line.push('\n');
            Ok(out.write_all(line.as_bytes())?)
        })?;
        Ok(out)
    }

    fn features(&mut self, file: &ParquetIn, mut out: Out) -> Result<Out, ConvertError> {
        out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[")?;
        let (mut text, mut is_first) = (String::new(), true);
        self.each(file, |columns, batch, row| {
            text.clear();
            text.push_str(if is_first { "\n" } else { ",\n" });
            is_first = false;
            text.push_str("{\"type\":\"Feature\",\"geometry\":");
            for (column, array) in columns.iter().zip(batch.columns()).filter(|(column, _)| column.is_geometry) {
                write_json(array, row, &column.written, &mut text);
            }
            text.push_str(",\"properties\":");
            write_object(columns, batch, row, false, &mut text);
            text.push('}');
            Ok(out.write_all(text.as_bytes())?)
        })?;
        out.write_all(b"\n]}\n")?;
        Ok(out)
    }
}

fn write_object(columns: &[Column], batch: &RecordBatch, row: usize, with_geometry: bool, out: &mut String) {
    out.push('{');
    let mut is_first = true;
    let wanted = columns.iter().zip(batch.columns()).filter(|(column, _)| with_geometry || !column.is_geometry);
    for (column, array) in wanted {
        if !is_first {
            out.push(',');
        }
        is_first = false;
        write_json_text(&column.name, out);
        out.push(':');
        write_member(column, array, row, out);
    }
    out.push('}');
}

fn write_member(column: &Column, array: &ArrayRef, row: usize, out: &mut String) {
    if array.is_null(row) {
        out.push_str("null");
    } else {
        write_json(array, row, &column.written, out);
    }
}

fn csv_error(error: csv::Error) -> ConvertError {
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause.into(),
        other => ConvertError::unfit(format!("The rows can't be written as CSV: {other:?}.")),
    }
}
