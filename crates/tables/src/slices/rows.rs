//! Where and when the rows of a batch are.

use arrow_array::{Array, ArrayRef, cast::AsArray as _, types};
use arrow_schema::{DataType, TimeUnit};

use super::area::{Bounds, Point, point};
use crate::convert::{ConvertError, cells::bytes_of, wkb};

/// Bytes of a point of two doubles in the little-endian order.
const POINT_BYTES: usize = 21;
const DAY_MICROS: i64 = 86_400_000_000;

/// The place of each row; nothing where there is none.
pub(super) fn places(array: &ArrayRef) -> Vec<Option<Point>> {
    (0..array.len()).map(|row| bytes_of(array, row).and_then(place)).collect()
}

/// The centre of the box around a geometry, rounded towards the south-west; a point itself.
pub(super) fn place(bytes: &[u8]) -> Option<Point> {
    if let Some(at) = plain_point(bytes) {
        return point(at.0, at.1);
    }
    let (mut bounds, mut seen, mut lost) = (Bounds::NONE, false, false);
    wkb::read(bytes)?.visit(&mut |at| match point(at.x, at.y) {
        Some(at) => (seen, ()) = (true, bounds.add(at)),
        None => lost = true,
    });
    (seen && !lost).then(|| (middle(bounds.west, bounds.east), middle(bounds.south, bounds.north)))
}

fn plain_point(bytes: &[u8]) -> Option<(f64, f64)> {
    let bytes: &[u8; POINT_BYTES] = bytes.try_into().ok()?;
    let (head, rest) = bytes.split_first_chunk::<5>()?;
    let (x, y) = rest.split_first_chunk::<8>()?;
    let y: [u8; 8] = y.try_into().ok()?;
    (*head == [1, 1, 0, 0, 0]).then(|| (f64::from_le_bytes(*x), f64::from_le_bytes(y)))
}

fn middle(a: i32, b: i32) -> i32 {
    let sum = i64::from(a) + i64::from(b);
    i32::try_from(sum.div_euclid(2)).unwrap_or(a)
}

/// The instant of each row in microseconds since 1970; nothing where there is none.
///
/// # Errors
/// [`ConvertError::Unfit`] for a column of anything but times and days.
pub(super) fn times(array: &ArrayRef) -> Result<Vec<Option<i64>>, ConvertError> {
    let scaled = |values: Vec<Option<i64>>, by: i64| {
        values.into_iter().map(|at| at.and_then(|at| at.checked_mul(by))).collect::<Vec<_>>()
    };
    Ok(match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<types::TimestampMicrosecondType>().iter().collect()
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            scaled(array.as_primitive::<types::TimestampMillisecondType>().iter().collect(), 1_000)
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            scaled(array.as_primitive::<types::TimestampSecondType>().iter().collect(), 1_000_000)
        }
        DataType::Date32 => {
            let days = array.as_primitive::<types::Date32Type>().iter().map(|day| day.map(i64::from));
            scaled(days.collect(), DAY_MICROS)
        }
        _ => return Err(ConvertError::unfit("The column of times holds no times or days.")),
    })
}

/// Bytes of the values of a column.
pub(super) fn width(array: &ArrayRef) -> u64 {
    let rows = array.len() as u64;
    let text = |lengths: &mut dyn Iterator<Item = u64>| lengths.sum::<u64>();
    match array.data_type() {
        DataType::Utf8View => text(&mut array.as_string_view().iter().flatten().map(|value| value.len() as u64)),
        DataType::BinaryView => text(&mut array.as_binary_view().iter().flatten().map(|value| value.len() as u64)),
        DataType::Boolean => rows,
        kind => match kind.primitive_width() {
            Some(bytes) => rows * bytes as u64,
            // Lists and the like: what their values take, whatever they were sliced from.
            None => array.to_data().get_slice_memory_size().unwrap_or(0) as u64,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::geometry::Geometry;

    fn wkb_of(json: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        Geometry::of_json(json).unwrap().write_wkb(&mut bytes);
        bytes
    }

    #[test]
    fn a_geometry_is_where_the_middle_of_its_box_is() {
        assert_eq!(place(&wkb_of(r#"{"type":"Point","coordinates":[12.5,55.25]}"#)), Some((125_000_000, 552_500_000)));
        let line = r#"{"type":"LineString","coordinates":[[0,0],[4,2],[1,1]]}"#;
        assert_eq!(place(&wkb_of(line)), Some((20_000_000, 10_000_000)));
        assert_eq!(place(&wkb_of(r#"{"type":"Point","coordinates":[12.5,95]}"#)), None);
        assert_eq!(place(&wkb_of(r#"{"type":"MultiPoint","coordinates":[[1,1],[200,1]]}"#)), None);
        assert_eq!(place(&[1, 2, 3]), None);
        assert_eq!(middle(-3, -2), -3);
    }
}
