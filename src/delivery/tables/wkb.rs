//! Geometries as Parquet holds them: their boxes, and as `GeoJSON`.
//!
//! Source: OGC 06-103r4, section 8 (WKB), with the flags of EWKB; RFC 7946, section 3.1.

use serde_json::{Value, json};

/// Collections inside of collections that are followed.
const MAX_DEPTH: usize = 8;

/// West, south, east and north.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::delivery) struct Bounds(pub(in crate::delivery) [f64; 4]);

impl Bounds {
    fn add(bounds: &mut Option<Self>, at: &[f64]) {
        let [x, y, ..] = *at else { return };
        if !x.is_finite() || !y.is_finite() {
            return;
        }
        let Self(b) = bounds.get_or_insert(Self([x, y, x, y]));
        *b = [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)];
    }

    /// True when the two share a point. A box whose west is greater than its east crosses the antimeridian.
    pub(in crate::delivery) fn meets(&self, wanted: &Self) -> bool {
        let ([w, s, e, n], [west, south, east, north]) = (self.0, wanted.0);
        let across = if west <= east { w <= east && e >= west } else { w <= east || e >= west };
        across && s <= north && n >= south
    }
}

/// The box around a geometry; nothing for one that is empty or can't be read.
pub(in crate::delivery) fn bounds(wkb: &[u8]) -> Option<Bounds> {
    let mut found = None;
    Reader { left: wkb }.geometry(MAX_DEPTH, &mut |at| Bounds::add(&mut found, at))?;
    found
}

/// A geometry as `GeoJSON`; `null` for one that can't be read.
pub(in crate::delivery) fn geojson(wkb: &[u8]) -> Value {
    Reader { left: wkb }.geometry(MAX_DEPTH, &mut |_| {}).unwrap_or(Value::Null)
}

struct Reader<'a> {
    left: &'a [u8],
}

/// What one geometry begins with.
#[derive(Clone, Copy)]
struct Head {
    is_little: bool,
    kind: u32,
    ordinates: usize,
}

type Visit<'v> = &'v mut dyn FnMut(&[f64]);

impl Reader<'_> {
    fn take<const BYTES: usize>(&mut self) -> Option<[u8; BYTES]> {
        let (taken, left) = self.left.split_first_chunk::<BYTES>()?;
        self.left = left;
        Some(*taken)
    }

    fn number(&mut self, is_little: bool) -> Option<u32> {
        let bytes = self.take::<4>()?;
        Some(if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn head(&mut self) -> Option<Head> {
        let [order] = self.take::<1>()?;
        let is_little = order == 1;
        let code = self.number(is_little)?;
        let (thousands, flags) = ((code & 0x0fff_ffff) / 1_000, code & 0xc000_0000);
        if code & 0x2000_0000 != 0 {
            self.number(is_little)?;
        }
        let has_z = thousands == 1 || thousands == 3 || flags & 0x8000_0000 != 0;
        let has_m = thousands >= 2 || flags & 0x4000_0000 != 0;
        let ordinates = 2 + usize::from(has_z) + usize::from(has_m);
        Some(Head { is_little, kind: (code & 0x0fff_ffff) % 1_000, ordinates })
    }

    /// A position. What follows a height, and a measure in its place, is left out: `GeoJSON` has no word for it.
    fn position(&mut self, head: Head, visit: Visit<'_>) -> Option<Value> {
        let mut at = [0.0; 4];
        for ordinate in at.iter_mut().take(head.ordinates) {
            let bytes = self.take::<8>()?;
            *ordinate = if head.is_little { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) };
        }
        let kept = at.get(..head.ordinates.min(3))?;
        visit(kept);
        Some(json!(kept))
    }

    /// So many things; a count beyond the bytes that are left runs out of them.
    fn list(&mut self, head: Head, mut one: impl FnMut(&mut Self) -> Option<Value>) -> Option<Value> {
        let count = self.number(head.is_little)?;
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(one(self)?);
        }
        Some(Value::Array(all))
    }

    fn line(&mut self, head: Head, visit: Visit<'_>) -> Option<Value> {
        self.list(head, |reader| reader.position(head, visit))
    }

    fn rings(&mut self, head: Head, visit: Visit<'_>) -> Option<Value> {
        self.list(head, |reader| reader.line(head, visit))
    }

    fn geometry(&mut self, depth: usize, visit: Visit<'_>) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        let head = self.head()?;
        let (name, coordinates) = match head.kind {
            1 => ("Point", self.position(head, visit)?),
            2 => ("LineString", self.line(head, visit)?),
            3 => ("Polygon", self.rings(head, visit)?),
            4 => ("MultiPoint", self.parts(head, depth, visit)?),
            5 => ("MultiLineString", self.parts(head, depth, visit)?),
            6 => ("MultiPolygon", self.parts(head, depth, visit)?),
            7 => {
                let all = self.list(head, |reader| reader.geometry(depth, visit))?;
                return Some(json!({"type": "GeometryCollection", "geometries": all}));
            }
            _ => return None,
        };
        // An empty point is written as one without numbers.
        let is_empty = head.kind == 1 && coordinates.as_array().is_some_and(|at| at.iter().any(Value::is_null));
        if is_empty { None } else { Some(json!({"type": name, "coordinates": coordinates})) }
    }

    /// The coordinates of the parts of a geometry of several.
    fn parts(&mut self, head: Head, depth: usize, visit: Visit<'_>) -> Option<Value> {
        self.list(head, |reader| match reader.geometry(depth, visit)? {
            Value::Object(mut part) => part.remove("coordinates"),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wkb(hex: &str) -> Vec<u8> {
        crate::base::digest::unhex(hex).unwrap()
    }

    #[test]
    fn shapes_are_read_as_other_programs_write_them() {
        // As PostGIS writes ST_AsBinary of these.
        let point = wkb("0101000000000000000000f03f0000000000000040");
        assert_eq!(geojson(&point), json!({"type": "Point", "coordinates": [1.0, 2.0]}));
        let big = wkb("00000000013ff00000000000004000000000000000");
        assert_eq!(geojson(&big), geojson(&point));
        let line = wkb("010200000002000000000000000000f03f000000000000004000000000000008400000000000001040");
        assert_eq!(bounds(&line), Some(Bounds([1.0, 2.0, 3.0, 4.0])));
        let with_srid = wkb("01010000a0e6100000000000000000f03f00000000000000400000000000000840");
        assert_eq!(geojson(&with_srid), json!({"type": "Point", "coordinates": [1.0, 2.0, 3.0]}));
        let multi = wkb("0104000000010000000101000000000000000000f03f0000000000000040");
        assert_eq!(geojson(&multi), json!({"type": "MultiPoint", "coordinates": [[1.0, 2.0]]}));
        let collection = wkb("0107000000010000000101000000000000000000f03f0000000000000040");
        assert_eq!(geojson(&collection)["geometries"][0], geojson(&point));
        let empty = wkb("0101000000000000000000f87f000000000000f87f");
        assert_eq!((geojson(&empty), bounds(&empty)), (Value::Null, None));
    }

    #[test]
    fn boxes_meet_across_the_antimeridian() {
        let fiji = Bounds([178.0, -18.0, 178.5, -17.0]);
        assert!(fiji.meets(&Bounds([177.0, -20.0, -178.0, -15.0])));
        assert!(!fiji.meets(&Bounds([-178.0, -20.0, 177.0, -15.0])));
        assert!(fiji.meets(&fiji));
    }

    #[test]
    fn nesting_without_end_is_no_geometry() {
        let deep: Vec<u8> = std::iter::repeat_n([1, 7, 0, 0, 0, 1, 0, 0, 0], 1_000).flatten().collect();
        assert_eq!((geojson(&deep), bounds(&deep)), (Value::Null, None));
        let endless = [1, 2, 0, 0, 0, 255, 255, 255, 255];
        assert_eq!(geojson(&endless), Value::Null);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_geometry_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = (geojson(&bytes), bounds(&bytes));
        }
    }
}
