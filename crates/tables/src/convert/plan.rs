//! What becomes of each column, and how that is written into the Parquet file for whoever reads it back.

use std::{collections::HashMap, sync::Arc};

use arrow_schema::{DataType, Field, TimeUnit};
use serde::{Deserialize, Serialize};

use super::{
    style::{FlagStyle, NumberStyle, StampStyle, ZoneStyle},
    zone::Zone,
};

/// The type of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Flag(FlagStyle),
    Long,
    Decimal {
        digits: u8,
        scale: u8,
        style: NumberStyle,
    },
    Double(NumberStyle),
    Date(StampStyle),
    Time {
        style: StampStyle,
        zone: Option<String>,
    },
    /// Years of eras, as years of the common calendar.
    EraYear,
    /// Months of eras, as `2025-04`.
    EraMonth,
    Text,
    /// Values of several kinds, or nested ones, as JSON.
    Json,
    /// GeoJSON geometries, as WKB in WGS 84.
    Shape,
}

/// What becomes of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The name of the column that keeps the text as it was written.
    pub(super) original: Option<String>,
    pub(super) has_decimal_comma: bool,
}

/// How the texts of a column follow from its values; kept in the Parquet file with the column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) flags: Option<FlagStyle>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) numbers: Option<NumberStyle>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) times: Option<StampStyle>,
    /// The zone of times before they became UTC: an offset, `mixed`, the name of a zone that the provider states, or
    /// `unstated`, where the clock is kept as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source_zone: Option<String>,
    /// The same as a zone, where times are written as its clocks show them.
    #[serde(skip)]
    pub(super) clock: Option<Zone>,
    /// The column keeps the text of this one as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) original_of: Option<String>,
    /// The column holds JSON.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_json: bool,
    /// The column holds WKB in WGS 84.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_geometry: bool,
    /// Commas were decimal marks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) had_decimal_comma: bool,
    /// What the numbers count, for types that Parquet's readers do not share: `seconds`, `nanoseconds since 1970`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unit: Option<String>,
}

/// The key of [`Written`] among the metadata of a field.
pub(super) const METADATA_KEY: &str = "torv";

impl Written {
    /// Reads it from a field; of a file that was not made here, there is none.
    pub(super) fn of(field: &Field) -> Self {
        let text = field.metadata().get(METADATA_KEY);
        let read: Self = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let is_of_clock = read.times.is_some_and(|style| style.zone == ZoneStyle::Absent);
        let clock = read.source_zone.as_deref().filter(|_| is_of_clock).and_then(Zone::of_name);
        Self { clock, ..read }
    }

    /// The field with this written into it.
    pub(super) fn into_field(self, field: Field) -> Field {
        match serde_json::to_string(&self) {
            Ok(text) if self != Self::default() => {
                field.with_metadata(HashMap::from([(METADATA_KEY.to_owned(), text)]))
            }
            _ => field,
        }
    }
}

/// The zone that all times have in Parquet.
pub(super) const UTC: &str = "UTC";

impl Plan {
    /// The field of the column, and that of the kept text.
    pub(super) fn fields(&self) -> Vec<Field> {
        let mut written = Written { had_decimal_comma: self.has_decimal_comma, ..Written::default() };
        let kind = match &self.kind {
            Kind::Flag(style) => {
                written.flags = Some(*style);
                DataType::Boolean
            }
            Kind::Long | Kind::EraYear => DataType::Int64,
            Kind::Decimal { digits, scale, style } => {
                written.numbers = Some(*style);
                DataType::Decimal128(*digits, i8::try_from(*scale).unwrap_or(i8::MAX))
            }
            Kind::Double(style) => {
                written.numbers = Some(*style);
                DataType::Float64
            }
            Kind::Date(style) => {
                written.times = Some(*style);
                DataType::Date32
            }
            Kind::Time { style, zone } => {
                written.times = Some(*style);
                written.source_zone = Some(zone.clone().unwrap_or_else(|| "unstated".to_owned()));
                DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from(UTC)))
            }
            Kind::EraMonth | Kind::Text => DataType::Utf8,
            Kind::Json => {
                written.is_json = true;
                DataType::Utf8
            }
            Kind::Shape => {
                written.is_geometry = true;
                DataType::Binary
            }
        };
        let mut fields = vec![written.into_field(Field::new(&self.name, kind, true))];
        if let Some(original) = &self.original {
            let written = Written { original_of: Some(self.name.clone()), ..Written::default() };
            fields.push(written.into_field(Field::new(original, DataType::Utf8, true)));
        }
        fields
    }
}

/// The field of a geometry.
pub(super) fn geometry_field(name: &str) -> Field {
    Written { is_geometry: true, ..Written::default() }.into_field(Field::new(name, DataType::Binary, true))
}
