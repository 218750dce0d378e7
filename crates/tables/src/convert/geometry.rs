//! Geometries: read from GeoJSON, WKT and WKB; written as GeoJSON, WKT and WKB.
//!
//! Source: RFC 7946; OGC 06-103r4 (Simple Features), sections 7 (WKT) and 8 (WKB).

use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

/// How deep collections may be nested.
const DEPTH_MAX: usize = 8;

/// Longitude or easting, latitude or northing, and perhaps a height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Position {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) z: Option<f64>,
}

/// A shape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Geometry {
    Point(Option<Position>),
    LineString(Vec<Position>),
    Polygon(Vec<Vec<Position>>),
    MultiPoint(Vec<Position>),
    MultiLineString(Vec<Vec<Position>>),
    MultiPolygon(Vec<Vec<Vec<Position>>>),
    Collection(Vec<Geometry>),
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> serde::de::Visitor<'de> for Numbers {
            type Value = Position;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("two or three numbers")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Position, A::Error> {
                use serde::de::Error as _;
                let missing = || A::Error::custom("two or three numbers");
                let x = seq.next_element()?.ok_or_else(missing)?;
                let y = seq.next_element()?.ok_or_else(missing)?;
                let z = seq.next_element()?;
                while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(Position { x, y, z })
            }
        }
        deserializer.deserialize_seq(Numbers)
    }
}

#[derive(Deserialize)]
struct Json<'j> {
    #[serde(rename = "type")]
    kind: std::borrow::Cow<'j, str>,
    #[serde(borrow)]
    coordinates: Option<&'j RawValue>,
    #[serde(borrow)]
    geometries: Option<&'j RawValue>,
}

impl Geometry {
    /// Reads a GeoJSON geometry.
    pub(crate) fn of_json(json: &str) -> Option<Self> {
        Self::of_json_at(json, 0)
    }

    fn of_json_at(json: &str, depth: usize) -> Option<Self> {
        let read: Json<'_> = serde_json::from_str(json).ok()?;
        if read.kind == "GeometryCollection" {
            let parts: Vec<&RawValue> = serde_json::from_str(read.geometries?.get()).ok()?;
            if depth >= DEPTH_MAX {
                return None;
            }
            let parts = parts.into_iter().map(|part| Self::of_json_at(part.get(), depth + 1));
            return parts.collect::<Option<_>>().map(Self::Collection);
        }
        let text = read.coordinates?.get();
        match read.kind.as_ref() {
            "Point" if text == "[]" => Some(Self::Point(None)),
            "Point" => serde_json::from_str(text).ok().map(|at| Self::Point(Some(at))),
            "LineString" => serde_json::from_str(text).ok().map(Self::LineString),
            "Polygon" => serde_json::from_str(text).ok().map(Self::Polygon),
            "MultiPoint" => serde_json::from_str(text).ok().map(Self::MultiPoint),
            "MultiLineString" => serde_json::from_str(text).ok().map(Self::MultiLineString),
            "MultiPolygon" => serde_json::from_str(text).ok().map(Self::MultiPolygon),
            _ => None,
        }
    }

    /// Its name in GeoJSON.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Point(_) => "Point",
            Self::LineString(_) => "LineString",
            Self::Polygon(_) => "Polygon",
            Self::MultiPoint(_) => "MultiPoint",
            Self::MultiLineString(_) => "MultiLineString",
            Self::MultiPolygon(_) => "MultiPolygon",
            Self::Collection(_) => "GeometryCollection",
        }
    }

    /// Calls `visit` with each position, which it may move; stops and tells at the first that it refuses.
    pub(crate) fn each(&mut self, visit: &mut impl FnMut(&mut Position) -> bool) -> bool {
        match self {
            Self::Point(at) => at.iter_mut().all(visit),
            Self::LineString(line) | Self::MultiPoint(line) => line.iter_mut().all(visit),
            Self::Polygon(lines) | Self::MultiLineString(lines) => lines.iter_mut().flatten().all(visit),
            Self::MultiPolygon(parts) => parts.iter_mut().flatten().flatten().all(visit),
            Self::Collection(parts) => parts.iter_mut().all(|part| part.each(visit)),
        }
    }

    /// Shows each position to `look`.
    pub(crate) fn visit(&self, look: &mut impl FnMut(&Position)) {
        match self {
            Self::Point(at) => at.iter().for_each(look),
            Self::LineString(line) | Self::MultiPoint(line) => line.iter().for_each(look),
            Self::Polygon(lines) | Self::MultiLineString(lines) => lines.iter().flatten().for_each(look),
            Self::MultiPolygon(parts) => parts.iter().flatten().flatten().for_each(look),
            Self::Collection(parts) => parts.iter().for_each(|part| part.visit(look)),
        }
    }

    /// True when a position has a height.
    pub(crate) fn has_height(&self) -> bool {
        let mut high = false;
        self.visit(&mut |at| high |= at.z.is_some());
        high
    }

    /// Writes it as GeoJSON.
    pub(crate) fn write_json(&self, out: &mut String) {
        let _ = write!(out, "{{\"type\":\"{}\",", self.name());
        if let Self::Collection(parts) = self {
            out.push_str("\"geometries\":");
            list(parts, out, Self::write_json);
        } else {
            out.push_str("\"coordinates\":");
            match self {
                Self::Point(None) => out.push_str("[]"),
                Self::Point(Some(at)) => json_position(at, out),
                Self::LineString(line) | Self::MultiPoint(line) => list(line, out, json_position),
                Self::Polygon(lines) | Self::MultiLineString(lines) => json_lines(lines, out),
                Self::MultiPolygon(parts) => list(parts, out, |part, out| json_lines(part, out)),
                Self::Collection(_) => {}
            }
        }
        out.push('}');
    }

    /// Writes it as WKB: little-endian, heights as ISO writes them (`1001`).
    pub(crate) fn write_wkb(&self, out: &mut Vec<u8>) {
        self.wkb_with(self.has_height(), out);
    }

    fn wkb_with(&self, high: bool, out: &mut Vec<u8>) {
        let code = match self {
            Self::Point(_) => 1,
            Self::LineString(_) => 2,
            Self::Polygon(_) => 3,
            Self::MultiPoint(_) => 4,
            Self::MultiLineString(_) => 5,
            Self::MultiPolygon(_) => 6,
            Self::Collection(_) => 7,
        };
        wkb_head(code, high, out);
        match self {
            Self::Point(Some(at)) => wkb_position(at, high, out),
            Self::Point(None) => wkb_position(&Position { x: f64::NAN, y: f64::NAN, z: None }, high, out),
            Self::LineString(line) => wkb_line(line, high, out),
            Self::Polygon(lines) => wkb_lines(lines, high, out),
            Self::MultiPoint(line) => {
                wkb_count(line.len(), out);
                for at in line {
                    wkb_head(1, high, out);
                    wkb_position(at, high, out);
                }
            }
            Self::MultiLineString(lines) => {
                wkb_count(lines.len(), out);
                for line in lines {
                    wkb_head(2, high, out);
                    wkb_line(line, high, out);
                }
            }
            Self::MultiPolygon(parts) => {
                wkb_count(parts.len(), out);
                for part in parts {
                    wkb_head(3, high, out);
                    wkb_lines(part, high, out);
                }
            }
            Self::Collection(parts) => {
                wkb_count(parts.len(), out);
                parts.iter().for_each(|part| part.wkb_with(high, out));
            }
        }
    }
}

fn list<T>(items: &[T], out: &mut String, mut write: impl FnMut(&T, &mut String)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

fn json_lines(lines: &[Vec<Position>], out: &mut String) {
    list(lines, out, |line, out| list(line, out, json_position));
}

fn json_position(at: &Position, out: &mut String) {
    let _ = write!(out, "[{},{}", at.x, at.y);
    if let Some(z) = at.z {
        let _ = write!(out, ",{z}");
    }
    out.push(']');
}

fn wkb_head(code: u32, high: bool, out: &mut Vec<u8>) {
    out.push(1);
    out.extend_from_slice(&(if high { 1_000 + code } else { code }).to_le_bytes());
}

fn wkb_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn wkb_position(at: &Position, high: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(&at.x.to_le_bytes());
    out.extend_from_slice(&at.y.to_le_bytes());
    if high {
        out.extend_from_slice(&at.z.unwrap_or(f64::NAN).to_le_bytes());
    }
}

fn wkb_line(line: &[Position], high: bool, out: &mut Vec<u8>) {
    wkb_count(line.len(), out);
    line.iter().for_each(|at| wkb_position(at, high, out));
}

fn wkb_lines(lines: &[Vec<Position>], high: bool, out: &mut Vec<u8>) {
    wkb_count(lines.len(), out);
    lines.iter().for_each(|line| wkb_line(line, high, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [&str; 7] = [
        r#"{"type":"Point","coordinates":[121.5,25.03,9]}"#,
        r#"{"type":"LineString","coordinates":[[1,2],[3.25,-4]]}"#,
        r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}"#,
        r#"{"type":"MultiPoint","coordinates":[[1,2],[3,4]]}"#,
        r#"{"type":"MultiLineString","coordinates":[[[1,2],[3,4]],[[5,6],[7,8]]]}"#,
        r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]]]}"#,
        r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]}]}"#,
    ];

    #[test]
    fn every_shape_survives_json_wkb_and_wkt() {
        for json in SHAPES {
            let shape = Geometry::of_json(json).expect(json);
            let mut again = String::new();
            shape.write_json(&mut again);
            assert_eq!(again, json);
            let mut wkb = Vec::new();
            shape.write_wkb(&mut wkb);
            assert_eq!(super::super::wkb::read(&wkb), Some(shape.clone()), "{json}");
            let mut wkt = String::new();
            super::super::wkt::write(&shape, &mut wkt);
            assert_eq!(super::super::wkt::read(&wkt).map(|read| read.shape), Some(shape), "{wkt}");
        }
    }

    #[test]
    fn what_is_no_geometry_is_refused() {
        for json in ["{}", "[]", r#"{"type":"Circle","coordinates":[1,2]}"#, r#"{"type":"Point","coordinates":[1]}"#] {
            assert_eq!(Geometry::of_json(json), None, "{json}");
        }
        let mut deep = r#"{"type":"Point","coordinates":[1,2]}"#.to_owned();
        for _ in 0..20 {
            deep = format!(r#"{{"type":"GeometryCollection","geometries":[{deep}]}}"#);
        }
        assert_eq!(Geometry::of_json(&deep), None);
    }
}
