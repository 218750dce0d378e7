//! What a buyer may ask for, what is frozen of it, and how it is measured.

use std::collections::BTreeSet;

use entity::{Timestamp, ids::FileId, states::RenditionFormat};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use torv_tables::slices::{Area, Filter, SliceColumn};
use utoipa::ToSchema;

use crate::{
    error::{Check, Error, Result},
    limits,
    terms::offers::plan::{SliceRule, SliceUnit},
};

/// A part of a file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "area": [12.45, 55.6, 12.65, 55.75], "period": {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"},
    "columns": ["station", "pm25"]
}))]
pub struct SliceIn {
    /// The file of the newest revision to cut from; can be left out where it has one table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub file: Option<String>,
    /// Only rows in this area of WGS 84, its boundary included: a box of west, south, east and north, or a `GeoJSON`
    /// polygon of at most 1000 positions. A geometry lies where the centre of the box around it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<AreaIn>)]
    pub area: Option<Value>,
    /// Only rows of this period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<PeriodIn>,
    /// Only these columns, and those that belong to each slice of the offer; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
}

/// An area: a box, or a polygon.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!([12.45, 55.6, 12.65, 55.75]))]
pub enum AreaIn {
    /// West, south, east and north in degrees.
    Box([f64; 4]),
    /// As RFC 7946 has it: the outer ring first, then holes.
    Polygon(Polygon),
}

/// A polygon of `GeoJSON`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "Polygon", "coordinates": [[[12.45, 55.6], [12.65, 55.6], [12.55, 55.75], [12.45, 55.6]]]
}))]
pub struct Polygon {
    /// `Polygon`.
    #[serde(rename = "type")]
    kind: String,
    /// Rings of positions, longitude before latitude.
    coordinates: Vec<Vec<Vec<f64>>>,
}

/// A period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}))]
pub struct PeriodIn {
    /// The first instant of it.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

/// A slice as it was counted and is frozen: of one file of one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "file_id": "fil_019352f0a1b27c3d8e4f5061728394a5", "file": "levels.csv", "revision_number": 3,
    "area": {"type": "Polygon", "coordinates": [[[12.45, 55.6], [12.65, 55.6], [12.55, 55.75], [12.45, 55.6]]]},
    "period": {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}, "time_column": "at",
    "columns": ["station", "at", "pm25", "geometry"], "rows": 48213, "cells": 192852, "bytes": 2314224,
    "per": "row", "units": 48213
}))]
pub struct Slice {
    /// The file it is cut from.
    pub file_id: FileId,
    /// Its name.
    pub file: String,
    /// The revision of that file.
    pub revision_number: i32,
    /// The area, as a `GeoJSON` polygon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<Value>,
    /// The period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<PeriodIn>,
    /// The column that periods are cut by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// The columns it has, in the order of the file.
    pub columns: Vec<String>,
    /// Its rows, exactly.
    pub rows: u64,
    /// Rows times columns.
    pub cells: u64,
    /// Rows times the mean widths of the columns in the whole file, each rounded up to a byte; what is downloaded is
    /// compressed or written out, and has other sizes.
    pub bytes: u64,
    /// What of these its price counts.
    pub per: SliceUnit,
    /// How many of it.
    pub units: i64,
}

/// A file that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceFile {
    /// Its format; the index has none.
    pub format: Option<RenditionFormat>,
    /// Where its bytes are.
    pub blob_key: String,
    /// Its size.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
}

/// Which rows are asked for, checked against what an offer lets be cut.
///
/// # Errors
/// `Invalid`, with the place of each field that has to change.
pub(super) fn filter_of(wish: &SliceIn, rule: &SliceRule) -> Result<Filter> {
    let mut check = Check::new();
    let some = wish.area.is_some() || wish.period.is_some() || wish.columns.is_some();
    check.require(
        some,
        "/slice",
        "Say what to cut out: give an area, a period or columns. The whole is ordered without.",
    );
    let whole = |what: &str| format!("Leave it out: this offer does not cut by {what}.");
    check.require(wish.area.is_none() || rule.by_area, "/slice/area", whole("area"));
    check.require(wish.period.is_none() || rule.time_column.is_some(), "/slice/period", whole("period"));
    check.require(wish.columns.is_none() || rule.by_columns, "/slice/columns", whole("columns"));
    if let Some(period) = wish.period {
        let detail = "Give a time after the one in from: the period ends just before it.";
        check.require(period.from < period.to, "/slice/period/to", detail);
    }
    if let Some(columns) = &wish.columns {
        let most = limits::SLICE_COLUMNS_MAX;
        let good = (1..=most).contains(&columns.len());
        check.require(good, "/slice/columns", format!("Name 1 to {most} columns, or leave it out for all."));
    }
    let area = match wish.area.as_ref().map(area_of) {
        Some(Ok(area)) => Some(area),
        Some(Err(detail)) => {
            check.require(false, "/slice/area", detail);
            None
        }
        None => None,
    };
    check.done()?;
    Ok(Filter { area, period: wish.period.map(|period| (period.from.micros(), period.to.micros())) })
}

/// Reads an area, or says what to write instead.
pub(super) fn area_of(value: &Value) -> Result<Area, String> {
    let advice = "Give a box, [west, south, east, north], or a GeoJSON object of the type Polygon.";
    let read: AreaIn = serde_json::from_value(value.clone()).map_err(|_| advice.to_owned())?;
    match read {
        AreaIn::Box(edges) => Area::of_box(edges),
        AreaIn::Polygon(polygon) if polygon.kind == "Polygon" => {
            let pair = |at: &Vec<f64>| match at.as_slice() {
                [x, y] | [x, y, _] => Some([*x, *y]),
                _ => None,
            };
            let rings: Option<Vec<Vec<[f64; 2]>>> =
                polygon.coordinates.iter().map(|ring| ring.iter().map(pair).collect()).collect();
            Area::of_rings(&rings.ok_or_else(|| advice.to_owned())?)
        }
        AreaIn::Polygon(_) => return Err(advice.to_owned()),
    }
    .map_err(|error| error.to_string())
}

/// An area as it is frozen and shown.
pub(super) fn area_json(area: &Area) -> Value {
    json!({"type": "Polygon", "coordinates": area.rings()})
}

/// The columns of a slice, in the order of the file: those asked for and those that belong to each slice, which are what
/// the owner says and what the offer cuts by. These are counted whether or not a buyer cuts by them, so that asking for
/// more never costs less.
///
/// # Errors
/// `Invalid` for a column that the file does not have.
pub(super) fn columns_of(wish: &SliceIn, rule: &SliceRule, all: &[SliceColumn]) -> Result<Vec<SliceColumn>> {
    let mut check = Check::new();
    let has = |name: &str| all.iter().any(|column| column.name == name);
    for (place, name) in wish.columns.iter().flatten().enumerate() {
        let detail = "The file has no such column. GET /api/v1/revisions/{id} lists its columns.";
        check.require(has(name), format!("/slice/columns/{place}"), detail);
    }
    check.done()?;
    let Some(asked) = &wish.columns else { return Ok(all.to_vec()) };
    let mut kept: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
    kept.extend(rule.key_columns.iter().map(String::as_str));
    kept.extend(rule.time_column.as_deref());
    let belongs = |column: &&SliceColumn| kept.contains(column.name.as_str()) || rule.by_area && column.is_geometry;
    Ok(all.iter().filter(belongs).cloned().collect())
}

/// Cells, bytes, and the units that are priced of so many rows of these columns.
///
/// # Errors
/// `Invalid` for more than 63 bits can count.
pub(super) fn measure(rows: u64, columns: &[SliceColumn], per: SliceUnit) -> Result<(u64, u64, i64)> {
    let width: u64 = columns.iter().map(|column| column.width_bytes).sum();
    let cells = rows.saturating_mul(columns.len() as u64);
    let bytes = rows.saturating_mul(width);
    let units = match per {
        SliceUnit::Row => rows,
        SliceUnit::Cell => cells,
        SliceUnit::Byte => bytes,
    };
    let units = i64::try_from(units).map_err(|_| Error::invalid("/slice", "Ask for less: this can't be counted."))?;
    Ok((cells, bytes, units))
}

impl Slice {
    /// Which rows it has.
    ///
    /// # Errors
    /// Internal, for one that was not frozen by this exchange.
    pub(super) fn filter(&self) -> Result<Filter> {
        let area = self.area.as_ref().map(area_of).transpose().map_err(Error::internal)?;
        Ok(Filter { area, period: self.period.map(|period| (period.from.micros(), period.to.micros())) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{base::chargeable::ChargeRules, trade::prices::slice_price};

    fn rule(per: SliceUnit) -> SliceRule {
        SliceRule {
            per,
            price_minor: 3,
            per_units: 7,
            floor_minor: 20,
            rows_min: 1,
            by_area: true,
            time_column: Some("at".to_owned()),
            by_columns: true,
            key_columns: vec!["id".to_owned()],
        }
    }

    fn file() -> Vec<SliceColumn> {
        ["id", "at", "a", "b", "c", "geometry"]
            .into_iter()
            .zip([5, 8, 1, 20, 3, 21])
            .map(|(name, width_bytes)| SliceColumn {
                name: name.to_owned(),
                width_bytes,
                is_geometry: name == "geometry",
            })
            .collect()
    }

    fn wish(value: Value) -> SliceIn {
        serde_json::from_value(value).expect("well-formed")
    }

    fn pointers(value: Value) -> Vec<String> {
        let refused = filter_of(&wish(value), &rule(SliceUnit::Row));
        refused.map_or_else(|error| error.fields.into_iter().map(|field| field.pointer).collect(), |_| vec![])
    }

    #[test]
    fn what_can_not_be_cut_is_told_with_its_place() {
        assert!(pointers(json!({"area": [0, 0, 1, 1]})).is_empty());
        assert_eq!(pointers(json!({})), ["/slice"]);
        assert_eq!(pointers(json!({"columns": []})), ["/slice/columns"]);
        for area in [
            json!([0, 0, 1]),
            json!("here"),
            json!([1, 0, 0, 1]),
            json!({"type": "Point", "coordinates": [0, 0]}),
            json!({"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}),
        ] {
            assert_eq!(pointers(json!({"area": area})), ["/slice/area"], "{area}");
        }
        let reversed = json!({"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"});
        assert_eq!(pointers(json!({"period": reversed})), ["/slice/period/to"]);
        let unknown = columns_of(&wish(json!({"columns": ["a", "x"]})), &rule(SliceUnit::Row), &file());
        assert_eq!(unknown.expect_err("refused").fields[0].pointer, "/slice/columns/1");
    }

    #[test]
    fn what_rows_are_cut_by_belongs_to_each_slice() {
        let columns = columns_of(&wish(json!({"columns": ["b"]})), &rule(SliceUnit::Cell), &file()).expect("known");
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "at", "b", "geometry"]);
        assert_eq!(measure(10, &columns, SliceUnit::Byte).expect("counted"), (40, 540, 540));
    }

    proptest! {
        #[test]
        fn no_cut_of_columns_or_rows_undercuts(
            left in proptest::collection::btree_set(0_usize..6, 1..6), right in proptest::collection::btree_set(0_usize..6, 1..6),
            rows in 0_u64..100_000, more in 0_u64..100_000, whole in 1_i64..1_000_000,
            per in prop_oneof![Just(SliceUnit::Row), Just(SliceUnit::Cell), Just(SliceUnit::Byte)],
        ) {
            let (rule, all) = (rule(per), file());
            let step = ChargeRules { min_minor: 1, max_minor: i64::MAX, step_minor: 1 };
            let price = |rows: u64, places: &mut dyn Iterator<Item = usize>| {
                let names: Vec<&str> = places.map(|place| all[place].name.as_str()).collect();
                let columns = columns_of(&wish(json!({"columns": names})), &rule, &all).unwrap();
                let (_, _, units) = measure(rows, &columns, per).unwrap();
                slice_price(&rule, units, whole, &step).unwrap()
            };
            let both = price(rows, &mut left.union(&right).copied());
            prop_assert!(both <= price(rows, &mut left.iter().copied()) + price(rows, &mut right.iter().copied()));
            prop_assert!(price(rows, &mut left.iter().copied()) <= both, "fewer columns");
            let all_rows = price(rows + more, &mut left.iter().copied());
            prop_assert!(price(rows, &mut left.iter().copied()) <= all_rows, "fewer rows");
            prop_assert!(all_rows <= price(rows, &mut left.iter().copied()) + price(more, &mut left.iter().copied()));
            prop_assert!(all_rows <= whole);
        }
    }
}
