//! Reads WKB, and the extended form that `PostGIS` writes.

use super::geometry::{Geometry, Position};

/// How deep collections may be nested.
const DEPTH_MAX: usize = 8;

struct Cursor<'b> {
    bytes: &'b [u8],
    little: bool,
}

/// What stands before each geometry.
struct Head {
    code: u32,
    high: bool,
    measured: bool,
}

/// Reads a geometry; nothing when the bytes are none.
pub(crate) fn read(bytes: &[u8]) -> Option<Geometry> {
    let mut cursor = Cursor { bytes, little: true };
    let shape = cursor.geometry(0)?;
    cursor.bytes.is_empty().then_some(shape)
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u32> {
        let bytes = self.take()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn double(&mut self) -> Option<f64> {
        let bytes = self.take()?;
        Some(if self.little { f64::from_le_bytes(bytes) } else { f64::from_be_bytes(bytes) })
    }

    fn head(&mut self) -> Option<Head> {
        self.little = match self.take::<1>()? {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        let code = self.number()?;
        if code & 0x2000_0000 != 0 {
            self.number()?;
        }
        let (base, thousands) = (code & 0x0FFF_FFFF, (code & 0x0FFF_FFFF) / 1_000);
        let high = code & 0x8000_0000 != 0 || matches!(thousands, 1 | 3);
        let measured = code & 0x4000_0000 != 0 || matches!(thousands, 2 | 3);
        Some(Head { code: base % 1_000, high, measured })
    }

    fn position(&mut self, head: &Head) -> Option<Position> {
        let (x, y) = (self.double()?, self.double()?);
        let z = if head.high { Some(self.double()?).filter(|z| !z.is_nan()) } else { None };
        if head.measured {
            self.double()?;
        }
        Some(Position { x, y, z })
    }

    fn line(&mut self, head: &Head) -> Option<Vec<Position>> {
        let count = self.number()?;
        // Never more room than the bytes that are there could fill.
        let mut line = Vec::with_capacity((count as usize).min(self.bytes.len() / 16));
        for _ in 0..count {
            line.push(self.position(head)?);
        }
        Some(line)
    }

    fn lines(&mut self, head: &Head) -> Option<Vec<Vec<Position>>> {
        let count = self.number()?;
        let mut lines = Vec::new();
        for _ in 0..count {
            lines.push(self.line(head)?);
        }
        Some(lines)
    }

    fn geometry(&mut self, depth: usize) -> Option<Geometry> {
        let head = self.head()?;
        Some(match head.code {
            1 => Geometry::Point(Some(self.position(&head)?).filter(|at| !(at.x.is_nan() && at.y.is_nan()))),
            2 => Geometry::LineString(self.line(&head)?),
            3 => Geometry::Polygon(self.lines(&head)?),
            4..=7 if depth < DEPTH_MAX => {
                let count = self.number()?;
                let mut parts = Vec::new();
                for _ in 0..count {
                    parts.push(self.geometry(depth + 1)?);
                }
                together(head.code, parts)?
            }
            _ => return None,
        })
    }
}

fn together(code: u32, parts: Vec<Geometry>) -> Option<Geometry> {
    fn all<T>(parts: Vec<Geometry>, part: impl Fn(Geometry) -> Option<T>) -> Option<Vec<T>> {
        parts.into_iter().map(part).collect()
    }
    Some(match code {
        4 => Geometry::MultiPoint(all(parts, |part| match part {
            Geometry::Point(at) => at,
            _ => None,
        })?),
        5 => Geometry::MultiLineString(all(parts, |part| match part {
            Geometry::LineString(line) => Some(line),
            _ => None,
        })?),
        6 => Geometry::MultiPolygon(all(parts, |part| match part {
            Geometry::Polygon(lines) => Some(lines),
            _ => None,
        })?),
        _ => Geometry::Collection(parts),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn a_count_of_billions_takes_no_memory() {
        assert_eq!(read(&[1, 2, 0, 0, 0, 255, 255, 255, 255, 0, 0]), None);
    }
}
