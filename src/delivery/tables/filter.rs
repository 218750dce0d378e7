//! Which rows of a table are wanted, and which parts of its file can't hold any.

use std::cmp::Ordering;

use arrow_array::{Array, RecordBatch};
use arrow_schema::Schema;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, statistics::StatisticsConverter};

use super::{
    cell::{self, Key, KeyRef, Kind},
    wkb::{self, Bounds},
};

/// How a value is compared.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::delivery) enum Test {
    Eq(Key),
    Ne(Key),
    Lt(Key),
    Lte(Key),
    Gt(Key),
    Gte(Key),
    In(Vec<Key>),
    /// Text that begins like this.
    Starts(String),
    /// There is a value, or there is none.
    IsNull(bool),
    /// A geometry whose box meets this one.
    Meets(Bounds),
}

/// A condition on one column; all conditions of a request hold together.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::delivery) struct Filter {
    /// Its place in the file.
    pub(in crate::delivery) column: usize,
    pub(in crate::delivery) test: Test,
}

impl Test {
    /// Reads `text` behind an operator, for a column of this kind.
    ///
    /// # Errors
    /// A sentence about what to write instead.
    pub(in crate::delivery) fn parse(operator: &str, text: &str, kind: Kind) -> Result<Self, String> {
        let key = |text: &str| kind.parse(text).ok_or_else(|| format!("Compare this column with {}.", kind.words()));
        Ok(match operator {
            "eq" => Self::Eq(key(text)?),
            "ne" => Self::Ne(key(text)?),
            "lt" => Self::Lt(key(text)?),
            "lte" => Self::Lte(key(text)?),
            "gt" => Self::Gt(key(text)?),
            "gte" => Self::Gte(key(text)?),
            "in" => Self::In(text.split(',').map(key).collect::<Result<_, _>>()?),
            "starts" if kind == Kind::Text => Self::Starts(text.to_owned()),
            "starts" => return Err("Only text starts with something.".to_owned()),
            "null" => Self::IsNull(text.parse().map_err(|_| "Write true or false.".to_owned())?),
            _ => return Err("The operators are eq, ne, lt, lte, gt, gte, in, starts and null.".to_owned()),
        })
    }

    fn holds(&self, array: &dyn Array, row: usize) -> bool {
        match self {
            Self::IsNull(wanted) => return array.is_null(row) == *wanted,
            Self::Meets(wanted) => {
                let found = cell::bytes(array, row).and_then(wkb::bounds);
                return found.is_some_and(|bounds| bounds.meets(wanted));
            }
            _ => {}
        }
        // As in SQL: a comparison with nothing holds for no row.
        cell::key(array, row).is_some_and(|value| self.accepts(value))
    }

    fn accepts(&self, value: KeyRef<'_>) -> bool {
        let is = |key: &Key, orders: &[Ordering]| orders.contains(&value.compare(key.borrow()));
        match self {
            Self::Eq(key) => is(key, &[Ordering::Equal]),
            Self::Ne(key) => !is(key, &[Ordering::Equal]),
            Self::Lt(key) => is(key, &[Ordering::Less]),
            Self::Lte(key) => is(key, &[Ordering::Less, Ordering::Equal]),
            Self::Gt(key) => is(key, &[Ordering::Greater]),
            Self::Gte(key) => is(key, &[Ordering::Greater, Ordering::Equal]),
            Self::In(keys) => keys.iter().any(|key| is(key, &[Ordering::Equal])),
            Self::Starts(start) => matches!(value, KeyRef::Text(text) if text.starts_with(start.as_str())),
            Self::IsNull(_) | Self::Meets(_) => true,
        }
    }

    /// True when no value from `min` to `max` can hold.
    fn excludes(&self, min: KeyRef<'_>, max: KeyRef<'_>) -> bool {
        let outside = |key: &Key| min.compare(key.borrow()).is_gt() || max.compare(key.borrow()).is_lt();
        match self {
            Self::Eq(key) => outside(key),
            Self::In(keys) => keys.iter().all(outside),
            Self::Lt(key) => min.compare(key.borrow()).is_ge(),
            Self::Lte(key) => min.compare(key.borrow()).is_gt(),
            Self::Gt(key) => max.compare(key.borrow()).is_le(),
            Self::Gte(key) => max.compare(key.borrow()).is_lt(),
            Self::Ne(_) | Self::Starts(_) | Self::IsNull(_) | Self::Meets(_) => false,
        }
    }
}

/// What a box is written as.
pub(in crate::delivery) const BBOX_ADVICE: &str = "Give west,south,east,north in degrees of WGS 84.";

/// A box of four numbers, or of six with heights, which are passed over.
pub(in crate::delivery) fn bbox(text: &str) -> Option<Bounds> {
    let numbers: Option<Vec<f64>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    let (west, south, east, north) = match numbers?.as_slice() {
        [west, south, east, north] | [west, south, _, east, north, _] => (*west, *south, *east, *north),
        _ => return None,
    };
    let on_earth = [west, east].iter().all(|degrees| degrees.abs() <= 180.0);
    let upright = south <= north && [south, north].iter().all(|degrees| degrees.abs() <= 90.0);
    (on_earth && upright).then_some(Bounds([west, south, east, north]))
}

/// How the values of a column are compared.
pub(in crate::delivery) fn kind_of(schema: &Schema, column: usize) -> Kind {
    schema.fields().get(column).map_or(Kind::Other, |field| Kind::of(field.data_type()))
}

/// True when a row of a batch fulfils all filters; `places` says where their columns are in the batch.
pub(super) fn holds(filters: &[Filter], places: &[usize], batch: &RecordBatch, row: usize) -> bool {
    filters.iter().zip(places).all(|(filter, place)| filter.test.holds(batch.column(*place), row))
}

/// The row groups that may hold wanted rows, by what the file says of their least and greatest values.
pub(super) fn row_groups(reader: &ArrowReaderMetadata, filters: &[Filter]) -> Vec<usize> {
    let metadata = reader.metadata();
    let mut kept: Vec<usize> = (0..metadata.num_row_groups()).collect();
    for filter in filters {
        let Some(field) = reader.schema().fields().get(filter.column) else { continue };
        // Views are for reading; statistics come as what they were written as.
        let plain = parquet::arrow::parquet_to_arrow_schema(reader.parquet_schema(), None);
        let Ok(plain) = plain else { continue };
        let Ok(converter) = StatisticsConverter::try_new(field.name(), &plain, reader.parquet_schema()) else {
            continue;
        };
        let groups = || metadata.row_groups().iter();
        let (Ok(mins), Ok(maxes)) = (converter.row_group_mins(groups()), converter.row_group_maxes(groups())) else {
            continue;
        };
        kept.retain(|group| match (cell::key(&mins, *group), cell::key(&maxes, *group)) {
            (Some(min), Some(max)) => !filter.test.excludes(min, max),
            _ => true,
        });
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPERATORS: [&str; 7] = ["eq", "ne", "lt", "lte", "gt", "gte", "in"];

    #[test]
    fn what_can_not_be_compared_is_explained() {
        assert!(Test::parse("eq", "five", Kind::Integer).unwrap_err().contains("whole number"));
        assert!(Test::parse("gte", "2.555", Kind::Decimal(2)).unwrap_err().contains("decimals"));
        assert!(Test::parse("starts", "1", Kind::Integer).is_err());
        assert!(Test::parse("like", "x", Kind::Text).unwrap_err().contains("operators"));
        assert!(Test::parse("null", "maybe", Kind::Other).is_err());
        assert_eq!(Test::parse("null", "true", Kind::Other), Ok(Test::IsNull(true)));
    }

    #[test]
    fn boxes_lie_on_the_earth() {
        assert_eq!(bbox("135.4,35,136.9,36"), Some(Bounds([135.4, 35.0, 136.9, 36.0])));
        assert_eq!(bbox("1, 2,0, 3,4,9"), Some(Bounds([1.0, 2.0, 3.0, 4.0])));
        assert_eq!(bbox("177,-20,-178,-15"), Some(Bounds([177.0, -20.0, -178.0, -15.0])));
        for bad in ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,5,2,4", "0,0,181,1", "NaN,0,1,1", "0,-91,1,1"] {
            assert_eq!(bbox(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_part_that_holds_a_wanted_row_is_left_out(values in proptest::collection::vec(-9_i64..9, 1..9), wanted in -9_i64..9, at in 0..7_usize) {
            let test = Test::parse(OPERATORS[at], &wanted.to_string(), Kind::Integer).unwrap();
            let key = |value: &i64| KeyRef::Int(i128::from(*value));
            let (min, max) = (values.iter().min().unwrap(), values.iter().max().unwrap());
            if test.excludes(key(min), key(max)) {
                prop_assert!(!values.iter().any(|value| test.accepts(key(value))));
            }
        }
    }
}
