//! What changed between two tables, as one Parquet file: the changed rows of both, with a column that says what each is.
//!
//! Rows are named by their numbers, which a table keeps when it becomes Parquet; which of them changed, the caller knows.
//! The columns are those of the later table with its types. Where a value before does not fit into one of them, numbers get
//! a type that holds both; anything else is refused, so that no value is ever rounded or lost.

use std::{
    fs::File,
    io::{BufWriter, Seek as _, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch, StringArray, new_null_array};
use arrow_cast::{CastOptions, cast, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use arrow_select::filter::filter_record_batch;

use crate::convert::{
    ColumnInfo, ConvertError, Options, Watch,
    cells::bytes_of,
    parquet_in::{ParquetIn, WRITE_BYTES, text_bytes},
    parquet_out::ParquetOut,
    types,
    watch::Bounded,
    wkb,
};

/// The column that says what became of a row.
///
/// Source: delta-io/delta, PROTOCOL.md, "Add CDC File", as the two below.
pub const CHANGE_TYPE: &str = "_change_type";
/// Names that readers of changes give to columns of their own.
const RESERVED: [&str; 3] = [CHANGE_TYPE, "_commit_version", "_commit_timestamp"];
/// Digits of a whole number of 64 bits, as readers of Delta count them when they widen one to a decimal.
const LONG_DIGITS: u8 = 20;
/// Digits that a decimal of 128 bits holds.
const DECIMAL_DIGITS: u8 = 38;

/// One of the two tables.
pub struct Side<'a> {
    /// The table, as Parquet that [`to_parquet`](crate::convert::to_parquet) made.
    pub parquet: &'a File,
    /// The rows that were numbered.
    pub rows: u64,
    /// What became of a row, by its number from 1 on; nothing where it did not change.
    pub change_of: &'a dyn Fn(u64) -> Option<&'static str>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// Rows.
    pub rows: u64,
    /// The table's columns, without the one that says what changed.
    pub columns: Vec<ColumnInfo>,
}

/// A column of the result, and where its values come from.
struct Column {
    field: FieldRef,
    before: Option<usize>,
    after: usize,
}

/// Writes the changed rows of both tables into `out`, those of the earlier one first.
///
/// # Errors
/// [`ConvertError::Unfit`] when the types of a column before and now don't go together, a column has a name that readers
/// of changes use themselves, or a table has not the rows that were numbered; the others as conversions.
pub fn write_changes(
    before: &Side<'_>,
    after: &Side<'_>,
    out: &File,
    options: &Options,
    watch: &Watch,
) -> Result<Changes, ConvertError> {
    // As for conversions: the reader asserts what it should check in places.
    catch_unwind(AssertUnwindSafe(|| write_fitting(before, after, out, options, watch)))
        .unwrap_or_else(|_| Err(ConvertError::unfit("The Parquet file is damaged: its parts contradict each other.")))
}

fn write_fitting(
    before: &Side<'_>,
    after: &Side<'_>,
    out: &File,
    options: &Options,
    watch: &Watch,
) -> Result<Changes, ConvertError> {
    let (old, new) = (open(before)?, open(after)?);
    let sides = [(&old, before), (&new, after)];
    let (columns, could_widen) = columns(&old.schema, &new.schema, false)?;
    match write(sides, &columns, out, options, watch) {
        Err(ConvertError::Unfit { .. }) if could_widen => {
            out.set_len(0)?;
            let mut again = out;
            again.seek(SeekFrom::Start(0))?;
            let (columns, _) = self::columns(&old.schema, &new.schema, true)?;
            write(sides, &columns, out, options, watch)
        }
        done => done,
    }
}

fn open(side: &Side<'_>) -> Result<ParquetIn, ConvertError> {
    let (file, _) = ParquetIn::open(side.parquet)?;
    if file.rows == side.rows {
        return Ok(file);
    }
    Err(ConvertError::unfit("The rows of the table are not those that were compared."))
}

/// The columns of the later table, wide enough for both where that is asked for; and whether that would change any.
fn columns(old: &Schema, new: &Schema, is_wide: bool) -> Result<(Vec<Column>, bool), ConvertError> {
    let (mut columns, mut could_widen) = (Vec::with_capacity(new.fields().len()), false);
    for (after, field) in new.fields().iter().enumerate() {
        if let Some(name) = RESERVED.iter().find(|name| field.name().eq_ignore_ascii_case(name)) {
            return Err(ConvertError::unfit(format!("A column is called {name}, as one that readers of changes add.")));
        }
        let before = old.index_of(field.name()).ok();
        let now = plain(field.data_type());
        let wide = before.and_then(|at| wider(&plain(old.field(at).data_type()), &now)).filter(|wide| *wide != now);
        could_widen |= wide.is_some();
        let kind = wide.filter(|_| is_wide).unwrap_or(now);
        columns.push(Column { field: Arc::new(field.as_ref().clone().with_data_type(kind)), before, after });
    }
    Ok((columns, could_widen))
}

/// Text and bytes as every reader has them.
fn plain(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        other => other.clone(),
    }
}

/// The decimal that holds every number of both types.
fn wider(one: &DataType, other: &DataType) -> Option<DataType> {
    let digits = |kind: &DataType| match kind {
        DataType::Int64 => Some((LONG_DIGITS, 0)),
        DataType::Decimal128(digits, scale) => {
            let scale = u8::try_from(*scale).ok()?;
            Some((digits.checked_sub(scale)?, scale))
        }
        _ => None,
    };
    let ((whole, scale), (other_whole, other_scale)) = (digits(one)?, digits(other)?);
    let (whole, scale) = (whole.max(other_whole), scale.max(other_scale));
    let fits = whole + scale <= DECIMAL_DIGITS && one != other;
    fits.then_some(DataType::Decimal128(whole + scale, i8::try_from(scale).ok()?))
}

fn write(
    sides: [(&ParquetIn, &Side<'_>); 2],
    columns: &[Column],
    out: &File,
    options: &Options,
    watch: &Watch,
) -> Result<Changes, ConvertError> {
    let own = Schema::new(columns.iter().map(|column| Arc::clone(&column.field)).collect::<Vec<_>>());
    let change = Arc::new(Field::new(CHANGE_TYPE, DataType::Utf8, false));
    let schema = Arc::new(Schema::new(own.fields().iter().cloned().chain([change]).collect::<Vec<_>>()));
    let [_, (now, _)] = sides;
    let geometry = now.geometry.as_ref().map(|geometry| geometry.column.as_str());
    let shape_at = geometry.and_then(|name| columns.iter().position(|column| column.field.name() == name));
    let parquet = ParquetOut::new(Bounded::new(BufWriter::new(out.try_clone()?), options.output_bytes_max), &schema)?;
    let mut writer = Writer { columns, schema, shape_at, parquet, rows: 0 };
    for (at, (file, side)) in sides.into_iter().enumerate() {
        let mut row_no = 0_u64;
        for batch in file.batches(None)? {
            if watch.is_stopped() {
                return Err(ConvertError::Stopped);
            }
            let batch = batch?;
            let number = |row: usize| row_no + row as u64 + 1;
            let changes: Vec<_> = (0..batch.num_rows()).map(|row| (side.change_of)(number(row))).collect();
            row_no += batch.num_rows() as u64;
            if changes.iter().any(Option::is_some) {
                let changed: BooleanArray = changes.iter().map(|change| Some(change.is_some())).collect();
                let words: ArrayRef = Arc::new(StringArray::from_iter_values(changes.into_iter().flatten()));
                writer.write(&filter_record_batch(&batch, &changed)?, &words, at == 0)?;
            }
            watch.tell((row_no.saturating_mul(490) / file.rows.max(1)) + if at == 0 { 0 } else { 490 });
        }
    }
    let (rows, parquet) = (writer.rows, writer.parquet);
    parquet.finish(shape_at.and(geometry))?.into_inner()?;
    Ok(Changes { rows, columns: types::columns(&own, geometry) })
}

struct Writer<'a> {
    columns: &'a [Column],
    schema: Arc<Schema>,
    shape_at: Option<usize>,
    parquet: ParquetOut<Bounded<BufWriter<File>>>,
    rows: u64,
}

impl Writer<'_> {
    /// Writes rows of one of the tables, in parts where their texts are large.
    fn write(&mut self, batch: &RecordBatch, words: &ArrayRef, is_before: bool) -> Result<(), ConvertError> {
        let rows = batch.num_rows();
        if rows > 1 && text_bytes(batch) > WRITE_BYTES {
            let half = rows / 2;
            self.write(&batch.slice(0, half), &words.slice(0, half), is_before)?;
            return self.write(&batch.slice(half, rows - half), &words.slice(half, rows - half), is_before);
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + 1);
        for column in self.columns {
            let place = if is_before { column.before } else { Some(column.after) };
            arrays.push(match place {
                Some(place) => exact(batch.column(place), &column.field)?,
                None => new_null_array(column.field.data_type(), rows),
            });
        }
        if let Some(shapes) = self.shape_at.and_then(|at| arrays.get(at)) {
            (0..rows)
                .filter_map(|row| bytes_of(shapes, row).and_then(wkb::read))
                .for_each(|shape| self.parquet.note_shape(&shape));
        }
        arrays.push(Arc::clone(words));
        self.rows += rows as u64;
        self.parquet.write(&RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }
}

/// The same values in the type of a column; refused where one of them would become another.
fn exact(array: &ArrayRef, field: &Field) -> Result<ArrayRef, ConvertError> {
    let target = field.data_type();
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    if array.null_count() == array.len() {
        return Ok(new_null_array(target, array.len()));
    }
    if plain(array.data_type()) == *target {
        return Ok(cast(array, target)?);
    }
    let other =
        || ConvertError::unfit(format!("The column {:?} has values that its type before or now lacks.", field.name()));
    let is_number = |kind: &DataType| matches!(kind, DataType::Int64 | DataType::Float64 | DataType::Decimal128(..));
    if !is_number(array.data_type()) || !is_number(target) {
        return Err(other());
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let there = cast_with_options(array, target, &strict).map_err(|_| other())?;
    let back = cast_with_options(&there, array.data_type(), &strict).map_err(|_| other())?;
    if back.as_ref() == array.as_ref() { Ok(there) } else { Err(other()) }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write as _};

    use super::*;
    use crate::convert::{TextFormat, from_parquet, to_parquet};

    fn parquet(csv: &str) -> File {
        let (mut source, made) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        source.write_all(csv.as_bytes()).unwrap();
        let watch = Arc::new(Watch::default());
        to_parquet(&source, "a.csv", made.try_clone().unwrap(), &Options::default(), &watch).unwrap();
        made
    }

    /// The changes between two tables, of which all rows are said to have changed, as CSV with the types of the columns.
    fn changes(before: &str, after: &str) -> Result<(Vec<String>, String), ConvertError> {
        let (old, new, out, text) =
            (parquet(before), parquet(after), tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let rows = |csv: &str| csv.lines().count() as u64 - 1;
        let watch = Arc::new(Watch::default());
        let written = write_changes(
            &Side { parquet: &old, rows: rows(before), change_of: &|_| Some("delete") },
            &Side { parquet: &new, rows: rows(after), change_of: &|row| (row != 2).then_some("insert") },
            &out,
            &Options::default(),
            &watch,
        )?;
        let made = from_parquet(&out, TextFormat::Csv, text.try_clone().unwrap(), &Options::default(), &watch).unwrap();
        assert_eq!(made, written.rows);
        let mut text = text;
        text.seek(SeekFrom::Start(0)).unwrap();
        let kinds =
            written.columns.iter().map(|column| format!("{} {}", column.name, column.kind.as_str().unwrap_or("?")));
        Ok((kinds.collect(), io::read_to_string(text).unwrap()))
    }

    #[test]
    fn rows_of_both_tables_come_with_what_became_of_them() {
        let (kinds, text) = changes("a,b\n1,x\n2,\n", "a,b\n3,y\n4,z\n5,\n").unwrap();
        assert_eq!(kinds, ["a long", "b string"]);
        assert_eq!(text, "a,b,_change_type\n1,x,delete\n2,,delete\n3,y,insert\n5,,insert\n");
    }

    #[test]
    fn columns_are_those_of_the_later_table() {
        let (kinds, text) = changes("gone,a\n7,1\n", "a,new\n3,y\n").unwrap();
        assert_eq!(kinds, ["a long", "new string"]);
        assert_eq!(text, "a,new,_change_type\n1,,delete\n3,y,insert\n");
        let (_, text) = changes("a,lon,lat\n1,12.5,55.5\n", "a,lon,lat\n2,12.25,55.75\n").unwrap();
        assert!(text.contains("12.5 55.5)") && text.contains("12.25 55.75)"), "a shape for each row: {text}");
    }

    #[test]
    fn numbers_keep_the_later_type_where_it_holds_them_and_get_a_wider_one_where_not() {
        assert_eq!(
            changes("a\n1\n", "a\n2.5\n").unwrap(),
            (vec!["a decimal(18,1)".to_owned()], "a,_change_type\n1.0,delete\n2.5,insert\n".to_owned())
        );
        assert_eq!(changes("a\n1.25\n", "a\n2\n").unwrap().0, ["a decimal(22,2)"]);
        assert_eq!(changes("a\n1.25\n", "a\n2.5\n").unwrap().0, ["a decimal(19,2)"]);
        assert_eq!(
            changes("a,b\n1,\n", "a,b\n1,2026-11-21\n").unwrap().0,
            ["a long", "b date"],
            "nothing fits everything"
        );
    }

    #[test]
    fn values_that_are_of_another_kind_are_refused() {
        for (before, after) in
            [("a,b\n1,x\n", "a,b\n1,2\n"), ("a,b\n1,2\n", "a,b\n1,x\n"), ("a,b\n1,2026-11-21\n", "a,b\n1,7\n")]
        {
            let refused = changes(before, after).unwrap_err().to_string();
            assert!(refused.contains("\"b\""), "{refused}");
        }
        let refused = changes("a,_Commit_Version\n1,2\n", "a,_Commit_Version\n1,2\n").unwrap_err().to_string();
        assert!(refused.contains("_commit_version"), "{refused}");
    }
}
