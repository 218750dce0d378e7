//! The second pass: rows become Arrow batches of the planned types.

use std::{collections::HashMap, io::Write, sync::Arc};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{
        BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder, StringBuilder,
        TimestampMicrosecondBuilder,
    },
};
use arrow_schema::{DataType, Field, Schema};
use time::{Date, PrimitiveDateTime, macros::date};

use super::{
    ConvertError, ROWS_PER_LOOK, Stop,
    crs::ToWgs84,
    geometry::{Geometry, Position},
    number::unscaled,
    parquet_out::ParquetOut,
    places::{Places, Source},
    plan::{Kind, Plan, UTC, geometry_field},
    reading::{Reading, read},
    wkt,
    zone::Zone,
};
use crate::{
    column::Cell,
    rows::TakeRows,
    value::{Notation, Stamp},
};

const EPOCH: Date = date!(1970 - 01 - 01);
/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;
/// Bytes of texts and shapes of a batch.
const BATCH_BYTES: usize = 4 << 20;

enum Values {
    Flag(BooleanBuilder),
    Long(Int64Builder),
    Decimal(Decimal128Builder, u8),
    Double(Float64Builder),
    Date(Date32Builder),
    /// With the zone of times that are written without an offset.
    Time(TimestampMicrosecondBuilder, Option<Zone>),
    Text(StringBuilder),
    Shape(BinaryBuilder),
}

struct Column {
    kind: Kind,
    values: Values,
    original: Option<StringBuilder>,
    /// The row that last had a value here, counted from one.
    last_row: u64,
}

/// Counts of what the rows of a geometry column are.
pub(super) struct ShapeOut {
    source: Source,
    way: ToWgs84,
    /// The column of its own, for geometries that are made of others.
    builder: Option<BinaryBuilder>,
    shape: Option<Geometry>,
    x: Option<f64>,
    y: Option<f64>,
}

/// Takes rows, and writes them to a Parquet file.
pub(super) struct Batches<'w, W: Write + Send> {
    columns: Vec<Column>,
    by_name: HashMap<String, usize>,
    notation: Notation,
    schema: Arc<Schema>,
    shapes: Option<ShapeOut>,
    out: &'w mut ParquetOut<W>,
    rows: u64,
    rows_in_batch: usize,
    bytes_in_batch: usize,
    stop: Stop,
    pub(super) failure: Option<ConvertError>,
}

impl Values {
    fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Flag(_) => Self::Flag(BooleanBuilder::new()),
            Kind::Long | Kind::EraYear => Self::Long(Int64Builder::new()),
            Kind::Decimal { digits, scale, .. } => {
                let kind = DataType::Decimal128(*digits, i8::try_from(*scale).unwrap_or(i8::MAX));
                Self::Decimal(Decimal128Builder::new().with_data_type(kind), *scale)
            }
            Kind::Double(_) => Self::Double(Float64Builder::new()),
            Kind::Date(_) => Self::Date(Date32Builder::new()),
            Kind::Time { zone, .. } => {
                let zone = zone.as_deref().and_then(Zone::of_name);
                Self::Time(TimestampMicrosecondBuilder::new().with_timezone(UTC), zone)
            }
            Kind::EraMonth | Kind::Text | Kind::Json => Self::Text(StringBuilder::new()),
            Kind::Shape => Self::Shape(BinaryBuilder::new()),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Flag(values) => Arc::new(values.finish()),
            Self::Long(values) => Arc::new(values.finish()),
            Self::Decimal(values, _) => Arc::new(values.finish()),
            Self::Double(values) => Arc::new(values.finish()),
            Self::Date(values) => Arc::new(values.finish()),
            Self::Time(values, _) => Arc::new(values.finish()),
            Self::Text(values) => Arc::new(values.finish()),
            Self::Shape(values) => Arc::new(values.finish()),
        }
    }

    fn add_null(&mut self) {
        match self {
            Self::Flag(values) => values.append_null(),
            Self::Long(values) => values.append_null(),
            Self::Decimal(values, _) => values.append_null(),
            Self::Double(values) => values.append_null(),
            Self::Date(values) => values.append_null(),
            Self::Time(values, _) => values.append_null(),
            Self::Text(values) => values.append_null(),
            Self::Shape(values) => values.append_null(),
        }
    }

    /// Adds what a text was read as; null where it stands for nothing.
    fn add_reading(&mut self, reading: &Reading<'_>, text: &str) {
        match (&mut *self, reading) {
            (Self::Flag(values), Reading::Flag(value)) => values.append_value(*value),
            (Self::Long(values), Reading::Number(plain)) => values.append_option(plain.parse().ok()),
            (Self::Long(values), Reading::Year(year)) => values.append_value((*year).into()),
            (Self::Decimal(values, scale), Reading::Number(plain)) => values.append_option(unscaled(plain, *scale)),
            (Self::Double(values), Reading::Number(plain)) => values.append_option(plain.parse().ok()),
            (Self::Date(values), Reading::Stamp(stamp)) => values.append_option(days(stamp)),
            (Self::Time(values, zone), Reading::Stamp(stamp)) => values.append_option(micros(stamp, *zone)),
            (Self::Text(values), Reading::Month(year, month)) => values.append_value(format!("{year:04}-{month:02}")),
            (Self::Text(values), _) if !text.is_empty() => values.append_value(text),
            _ => self.add_null(),
        }
    }
}

fn days(stamp: &Stamp) -> Option<i32> {
    i32::try_from((stamp.utc().date() - EPOCH).whole_days()).ok()
}

fn micros(stamp: &Stamp, zone: Option<Zone>) -> Option<i64> {
    let at = match zone.filter(|_| stamp.offset().is_none()) {
        Some(zone) => zone.utc(stamp.utc()),
        None => stamp.utc(),
    };
    let since: time::Duration = at - PrimitiveDateTime::new(EPOCH, time::Time::MIDNIGHT);
    i64::try_from(since.whole_microseconds()).ok()
}

impl Column {
    fn new(plan: &Plan) -> Self {
        Self {
            kind: plan.kind.clone(),
            values: Values::of(&plan.kind),
            original: plan.original.as_ref().map(|_| StringBuilder::new()),
            last_row: 0,
        }
    }

    fn add(&mut self, cell: Cell<'_>, notation: Notation) {
        match (&self.kind, cell) {
            (Kind::Json, cell) => self.add_json(cell),
            (_, Cell::Null) => self.values.add_null(),
            (_, Cell::Boolean(value)) => self.values.add_reading(&Reading::Flag(value), ""),
            (_, Cell::Number(text)) => self.values.add_reading(&Reading::Number(text.into()), text),
            (Kind::Text, Cell::Text("")) if notation == Notation::Quoted => {
                self.values.add_reading(&Reading::Text, "");
            }
            (Kind::Text, Cell::Text(text)) => self.values.add_reading(&Reading::Text, text),
            (_, Cell::Text(text)) => self.values.add_reading(&read(text, notation), text_for(&self.kind, text)),
            (_, Cell::Stamp(_) | Cell::Json(_) | Cell::Geometry(_) | Cell::Binary(_)) => self.values.add_null(),
        }
        if let Some(original) = &mut self.original {
            match cell {
                Cell::Text(text) if !text.is_empty() || notation == Notation::Quoted => original.append_value(text),
                Cell::Number(text) => original.append_value(text),
                _ => original.append_null(),
            }
        }
    }

    fn add_json(&mut self, cell: Cell<'_>) {
        let Values::Text(values) = &mut self.values else { return };
        match cell {
            Cell::Null | Cell::Stamp(_) | Cell::Binary(_) => values.append_null(),
            Cell::Boolean(value) => values.append_value(if value { "true" } else { "false" }),
            Cell::Number(text) | Cell::Json(text) | Cell::Geometry(text) => values.append_value(text),
            Cell::Text(text) => values.append_value(serde_json::Value::from(text).to_string()),
        }
    }
}

/// What a text column keeps of a text that is read; the others take only what it was read as.
fn text_for<'t>(kind: &Kind, text: &'t str) -> &'t str {
    if *kind == Kind::Text { text } else { "" }
}

impl ShapeOut {
    fn new(places: Places, is_own: bool) -> Result<Self, ConvertError> {
        let unknown = || ConvertError::unfit(format!("{} is not known here.", places.crs.name()));
        let way = places.crs.to_wgs84().ok_or_else(unknown)?;
        let builder = is_own.then(BinaryBuilder::new);
        Ok(Self { source: places.source, way, builder, shape: None, x: None, y: None })
    }

    fn look(&mut self, index: usize, cell: Cell<'_>, notation: Notation) {
        let number = |cell| match cell {
            Cell::Number(text) => text.parse().ok(),
            Cell::Text(text) => match read(text, notation) {
                Reading::Number(plain) => plain.parse().ok(),
                _ => None,
            },
            _ => None,
        };
        match (self.source, cell) {
            (Source::Shape(at), Cell::Geometry(json)) if at == index => self.shape = Geometry::of_json(json),
            (Source::Json(at), Cell::Text(json)) if at == index => self.shape = Geometry::of_json(json),
            (Source::Wkt(at), Cell::Text(text)) if at == index => self.shape = wkt::read(text).map(|read| read.shape),
            (Source::Pair { x, .. }, cell) if x == index => self.x = number(cell),
            (Source::Pair { y, .. }, cell) if y == index => self.y = number(cell),
            _ => {}
        }
    }

    /// The geometry of the row that ends, in WGS 84; none for `0, 0`, which stands for an unknown place in many files.
    fn take(&mut self) -> Option<Geometry> {
        let pair = self.x.take().zip(self.y.take()).filter(|(x, y)| x.abs() + y.abs() > 1e-9);
        let pair = pair.map(|(x, y)| Geometry::Point(Some(Position { x, y, z: None })));
        let mut shape = self.shape.take().or(pair)?;
        shape.each(&mut |at| self.way.convert(at)).then_some(shape)
    }
}

impl<'w, W: Write + Send> Batches<'w, W> {
    pub(super) fn new(
        layout: &Layout,
        by_name: HashMap<String, usize>,
        notation: Notation,
        out: &'w mut ParquetOut<W>,
        stop: Stop,
    ) -> Result<Self, ConvertError> {
        let shapes = layout.places.map(|places| ShapeOut::new(places, layout.geometry_name.is_some())).transpose()?;
        Ok(Self {
            columns: layout.plans.iter().map(Column::new).collect(),
            by_name,
            notation,
            schema: layout.schema(),
            shapes,
            out,
            rows: 0,
            rows_in_batch: 0,
            bytes_in_batch: 0,
            stop,
            failure: None,
        })
    }

    fn write(&mut self) -> Result<(), ConvertError> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for column in &mut self.columns {
            arrays.push(column.values.finish());
            if let Some(original) = &mut column.original {
                arrays.push(Arc::new(original.finish()));
            }
        }
        if let Some(builder) = self.shapes.as_mut().and_then(|shapes| shapes.builder.as_mut()) {
            arrays.push(Arc::new(builder.finish()));
        }
        (self.rows_in_batch, self.bytes_in_batch) = (0, 0);
        self.out.write(&RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<u64, ConvertError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if self.rows_in_batch > 0 {
            self.write()?;
        }
        Ok(self.rows)
    }
}

/// The columns of the Parquet file.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) plans: Vec<Plan>,
    pub(super) places: Option<Places>,
    /// The name of the geometry column, where it is made of others.
    pub(super) geometry_name: Option<String>,
}

impl Layout {
    /// The name of the geometry column.
    pub(super) fn geometry(&self) -> Option<&str> {
        match (&self.geometry_name, self.places.map(|places| places.source)) {
            (Some(name), _) => Some(name),
            (None, Some(Source::Shape(index))) => self.plans.get(index).map(|plan| plan.name.as_str()),
            _ => None,
        }
    }

    pub(super) fn schema(&self) -> Arc<Schema> {
        let mut fields: Vec<Field> = self.plans.iter().flat_map(Plan::fields).collect();
        fields.extend(self.geometry_name.as_deref().map(geometry_field));
        Arc::new(Schema::new(fields))
    }
}

impl<W: Write + Send> TakeRows for Batches<'_, W> {
    fn warn(&mut self, _: String) {}

    fn add_header(&mut self, _: &mut dyn Iterator<Item = &str>) {}

    fn column(&mut self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    fn begin_row(&mut self) -> bool {
        if self.rows.is_multiple_of(ROWS_PER_LOOK) && !self.stop.goes_on() {
            self.failure = Some(ConvertError::Stopped);
        }
        if self.failure.is_some() {
            return false;
        }
        self.rows += 1;
        self.rows_in_batch += 1;
        true
    }

    fn add(&mut self, index: usize, cell: Cell<'_>) {
        let (rows, notation) = (self.rows, self.notation);
        let Some(column) = self.columns.get_mut(index) else { return };
        if column.last_row == rows {
            return;
        }
        column.last_row = rows;
        self.bytes_in_batch += usize::try_from(cell.size_bytes()).unwrap_or(usize::MAX);
        if let Some(shapes) = &mut self.shapes {
            shapes.look(index, cell, notation);
        }
        if column.kind != Kind::Shape {
            column.add(cell, notation);
        }
    }

    fn add_field(&mut self, index: usize, text: &str) {
        self.add(index, Cell::Text(text));
    }

    fn end_row(&mut self) {
        let shape = self.shapes.as_mut().and_then(ShapeOut::take);
        let wkb = shape.as_ref().map(|shape| self.out.shape(shape));
        let rows = self.rows;
        for column in &mut self.columns {
            if let (Kind::Shape, Values::Shape(values)) = (&column.kind, &mut column.values) {
                values.append_option(wkb.as_deref());
            } else if column.last_row != rows {
                column.values.add_null();
                if let Some(original) = &mut column.original {
                    original.append_null();
                }
            }
        }
        if let Some(builder) = self.shapes.as_mut().and_then(|shapes| shapes.builder.as_mut()) {
            builder.append_option(wkb.as_deref());
        }
        if self.rows_in_batch >= BATCH_ROWS || self.bytes_in_batch >= BATCH_BYTES {
            self.failure = self.write().err();
        }
    }

    fn rows(&self) -> u64 {
        self.rows
    }
}
