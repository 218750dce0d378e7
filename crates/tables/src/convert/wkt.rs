//! Well-known text, also with `PostGIS`' `SRID=…;` in front.

use std::fmt::Write as _;

use super::geometry::{Geometry, Position};

/// How deep collections may be nested.
const DEPTH_MAX: usize = 8;

/// A geometry, and the EPSG code that was written with it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WktShape {
    pub(super) shape: Geometry,
    pub(super) srid: Option<u32>,
}

/// Reads a geometry; nothing when the text is none.
pub(super) fn read(text: &str) -> Option<WktShape> {
    let text = text.trim();
    let (srid, text) = match text.get(..5).filter(|head| head.eq_ignore_ascii_case("SRID=")) {
        None => (None, text),
        Some(_) => {
            let (srid, rest) = text.get(5..)?.split_once(';')?;
            (Some(srid.trim().parse().ok()?), rest)
        }
    };
    let mut cursor = Cursor(text);
    let shape = cursor.geometry(0)?;
    cursor.skip();
    cursor.0.is_empty().then_some(WktShape { shape, srid })
}

struct Cursor<'t>(&'t str);

impl<'t> Cursor<'t> {
    fn skip(&mut self) {
        self.0 = self.0.trim_start();
    }

    fn eat(&mut self, sign: char) -> bool {
        self.skip();
        match self.0.strip_prefix(sign) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> &'t str {
        self.skip();
        let end = self.0.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    fn number(&mut self) -> Option<f64> {
        self.skip();
        let end = self.0.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(self.0.len());
        let (number, rest) = self.0.split_at(end);
        self.0 = rest;
        number.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// `x y`, `x y z`, or with a measure, which is passed over.
    fn position(&mut self, measured_only: bool) -> Option<Position> {
        let (x, y) = (self.number()?, self.number()?);
        let mut more = Vec::new();
        self.skip();
        while more.len() < 2 && !self.0.starts_with([',', ')']) {
            more.push(self.number()?);
            self.skip();
        }
        Some(Position { x, y, z: more.first().copied().filter(|_| !measured_only) })
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        if self.is_empty() {
            return Some(Vec::new());
        }
        if !self.eat('(') {
            return None;
        }
        let mut items = Vec::new();
        loop {
            items.push(item(self)?);
            if self.eat(')') {
                return Some(items);
            }
            if !self.eat(',') {
                return None;
            }
        }
    }

    fn is_empty(&mut self) -> bool {
        self.skip();
        let found = self.0.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("EMPTY"));
        if found {
            self.0 = self.0.get(5..).unwrap_or_default();
        }
        found
    }

    fn geometry(&mut self, depth: usize) -> Option<Geometry> {
        let word = self.word().to_ascii_uppercase();
        let (word, mut suffix) = match ["ZM", "Z", "M"].into_iter().find(|suffix| word.ends_with(suffix)) {
            Some(suffix) => (word.trim_end_matches(suffix).to_owned(), suffix.to_owned()),
            None => (word, String::new()),
        };
        self.skip();
        if suffix.is_empty()
            && !self.0.starts_with('(')
            && !self.0.get(..5).is_some_and(|w| w.eq_ignore_ascii_case("EMPTY"))
        {
            suffix = self.word().to_ascii_uppercase();
        }
        let measured_only = match suffix.as_str() {
            "" | "Z" | "ZM" => false,
            "M" => true,
            _ => return None,
        };
        let at = |cursor: &mut Self| cursor.position(measured_only);
        Some(match word.as_str() {
            "POINT" => {
                let mut points = self.list(at)?;
                if points.len() > 1 {
                    return None;
                }
                Geometry::Point(points.pop())
            }
            "LINESTRING" => Geometry::LineString(self.list(at)?),
            "POLYGON" => Geometry::Polygon(self.list(|cursor| cursor.list(at))?),
            "MULTIPOINT" => Geometry::MultiPoint(
                self.list(|cursor| if cursor.eat('(') { at(cursor).filter(|_| cursor.eat(')')) } else { at(cursor) })?,
            ),
            "MULTILINESTRING" => Geometry::MultiLineString(self.list(|cursor| cursor.list(at))?),
            "MULTIPOLYGON" => Geometry::MultiPolygon(self.list(|cursor| cursor.list(|cursor| cursor.list(at)))?),
            "GEOMETRYCOLLECTION" if depth < DEPTH_MAX => {
                Geometry::Collection(self.list(|cursor| cursor.geometry(depth + 1))?)
            }
            _ => return None,
        })
    }
}

/// Writes a geometry.
pub(super) fn write(shape: &Geometry, out: &mut String) {
    out.push_str(&shape.name().to_ascii_uppercase());
    out.push_str(if shape.has_height() { " Z " } else { " " });
    match shape {
        Geometry::Point(None) => out.push_str("EMPTY"),
        Geometry::Point(Some(at)) => list(std::slice::from_ref(at), out, position),
        Geometry::LineString(line) | Geometry::MultiPoint(line) => list(line, out, position),
        Geometry::Polygon(lines) | Geometry::MultiLineString(lines) => write_lines(lines, out),
        Geometry::MultiPolygon(parts) => list(parts, out, |part, out| write_lines(part, out)),
        Geometry::Collection(parts) => list(parts, out, write),
    }
}

fn write_lines(lines: &[Vec<Position>], out: &mut String) {
    list(lines, out, |line, out| list(line, out, position));
}

fn list<T>(items: &[T], out: &mut String, mut write: impl FnMut(&T, &mut String)) {
    if items.is_empty() {
        out.push_str("EMPTY");
        return;
    }
    out.push('(');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        write(item, out);
    }
    out.push(')');
}

fn position(at: &Position, out: &mut String) {
    let _ = write!(out, "{} {}", at.x, at.y);
    if let Some(z) = at.z {
        let _ = write!(out, " {z}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_read_as_databases_write_it() {
        let point = |x, y, z| Geometry::Point(Some(Position { x, y, z }));
        let read = |text| read(text).map(|read| (read.srid, read.shape));
        assert_eq!(read("POINT(121.5 25)"), Some((None, point(121.5, 25.0, None))));
        assert_eq!(read("SRID=3826;POINT (302000 2770000)"), Some((Some(3826), point(302_000.0, 2_770_000.0, None))));
        assert_eq!(read("Point Z (1 2 3)"), Some((None, point(1.0, 2.0, Some(3.0)))));
        assert_eq!(read("POINTZM(1 2 3 4)"), Some((None, point(1.0, 2.0, Some(3.0)))));
        assert_eq!(read("POINT M (1 2 3)"), Some((None, point(1.0, 2.0, None))));
        assert_eq!(read("POINT EMPTY"), Some((None, Geometry::Point(None))));
        assert!(read("MULTIPOINT((1 2),(3 4))").is_some() && read("MULTIPOINT(1 2,3 4)").is_some());
        for text in ["", "POINT", "POINT(1)", "POINT(1 2", "POINT(1 2) x", "Point of interest (1)", "POINT(NaN 1)"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "[A-Z (),.0-9]{0,60}|\\PC{0,30}") {
            let _ = read(&text);
        }
    }
}
