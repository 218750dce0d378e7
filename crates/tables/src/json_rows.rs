//! Turns JSON records and GeoJSON features into rows.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    column::Cell,
    json_shape::{Explore, Shape},
    rows::TakeRows,
    text::Allowance,
};

/// Name of the column that holds values which are no objects.
const VALUE_COLUMN: &str = "value";
const GEOMETRY_COLUMN: &str = "geometry";

/// Takes records one by one, as JSON text.
pub(super) struct RowSink<T> {
    table: T,
    /// Unknown until the first record where the document does not say.
    is_features: Option<bool>,
}

impl<T: TakeRows> RowSink<T> {
    pub(super) fn new(table: T, is_features: bool) -> Self {
        Self { table, is_features: is_features.then_some(true) }
    }

    pub(super) fn is_features(&self) -> bool {
        self.is_features == Some(true)
    }

    pub(super) fn finish(self) -> T {
        self.table
    }

    /// Adds a record; false when enough were read.
    ///
    /// # Errors
    /// When the text is no JSON.
    pub(super) fn add(&mut self, json: &str) -> serde_json::Result<bool> {
        if !self.table.begin_row() {
            return Ok(false);
        }
        if self.is_features.is_none() {
            self.is_features = Some(json.starts_with('{') && is_feature(json)?);
        }
        match json.as_bytes().first() {
            Some(b'{') => {
                let members = if self.is_features() { Members::Feature } else { Members::Columns };
                Row { table: &mut self.table, members }.deserialize(&mut serde_json::Deserializer::from_str(json))?;
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(json)?;
                for (at, item) in items.iter().enumerate().take(1 << 16) {
                    add_value(&mut self.table, &format!("column_{}", at + 1), item.get())?;
                }
            }
            _ => add_value(&mut self.table, VALUE_COLUMN, json)?,
        }
        self.table.end_row();
        Ok(true)
    }
}

fn is_feature(json: &str) -> serde_json::Result<bool> {
    #[derive(serde::Deserialize)]
    struct Head<'j> {
        #[serde(rename = "type", borrow)]
        kind: Option<&'j RawValue>,
        #[serde(borrow)]
        geometry: Option<&'j RawValue>,
        #[serde(borrow)]
        properties: Option<&'j RawValue>,
    }
    match serde_json::from_str::<Head<'_>>(json) {
        Ok(head) => {
            let is_named = head.kind.is_some_and(|kind| kind.get() == r#""Feature""#);
            Ok(is_named && (head.geometry.is_some() || head.properties.is_some()))
        }
        // A key that occurs twice, for one.
        Err(error) if error.is_data() => Ok(false),
        Err(error) => Err(error),
    }
}

fn add_value(table: &mut impl TakeRows, name: &str, json: &str) -> serde_json::Result<()> {
    let Some(column) = table.column(name) else { return Ok(()) };
    match json.as_bytes().first() {
        Some(b'n') => table.add(column, Cell::Null),
        Some(b't') => table.add(column, Cell::Boolean(true)),
        Some(b'f') => table.add(column, Cell::Boolean(false)),
        Some(b'"') => table.add(column, Cell::Text(&serde_json::from_str::<String>(json)?)),
        Some(b'{' | b'[') => table.add(column, Cell::Json(json)),
        _ => table.add(column, Cell::Number(json)),
    }
    Ok(())
}

/// What the members of an object are.
#[derive(Clone, Copy)]
enum Members {
    Columns,
    /// Of a GeoJSON feature, whose columns are among its properties.
    Feature,
}

/// Adds the members of an object to the row at hand.
struct Row<'t, T> {
    table: &'t mut T,
    members: Members,
}

impl<'de, T: TakeRows> DeserializeSeed<'de> for Row<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: TakeRows> Visitor<'de> for Row<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        use serde::de::Error as _;
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            let value: &RawValue = map.next_value()?;
            let json = value.get();
            let added = match (self.members, key.as_ref()) {
                (Members::Columns, name) => add_value(self.table, name, json),
                (Members::Feature, "properties") if json.starts_with('{') => {
                    Row { table: &mut *self.table, members: Members::Columns }
                        .deserialize(&mut serde_json::Deserializer::from_str(json))
                }
                (Members::Feature, GEOMETRY_COLUMN) => {
                    if let Some(column) = self.table.column(GEOMETRY_COLUMN) {
                        let cell = if json.starts_with('{') { Cell::Geometry(json) } else { Cell::Null };
                        self.table.add(column, cell);
                    }
                    Ok(())
                }
                (Members::Feature, "id") => add_value(self.table, "id", json),
                (Members::Feature, _) => Ok(()),
            };
            added.map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// Walks to the array at `path`, and feeds its items to the sink.
pub(super) struct Records<'a, T> {
    pub(super) path: &'a [String],
    pub(super) sink: &'a mut RowSink<T>,
    pub(super) allowance: &'a Allowance,
}

impl<'de, T: TakeRows> DeserializeSeed<'de> for Records<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.path.is_empty() { deserializer.deserialize_seq(self) } else { deserializer.deserialize_map(self) }
    }
}

impl<'de, T: TakeRows> Visitor<'de> for Records<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list of records")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            self.allowance.renew();
            match self.path.split_first() {
                Some((head, path)) if *head == key => {
                    map.next_value_seed(Records { path, sink: &mut *self.sink, allowance: self.allowance })?;
                }
                // Its parts are short, it may be long.
                _ => map.next_value_seed(Explore::new(&mut Shape::default(), self.allowance))?,
            }
            self.allowance.renew();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        use serde::de::Error as _;
        let mut wanted = true;
        loop {
            self.allowance.renew();
            if !wanted {
                if seq.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(());
                }
                continue;
            }
            let Some(record) = seq.next_element::<Box<RawValue>>()? else { return Ok(()) };
            wanted = self.sink.add(record.get()).map_err(A::Error::custom)?;
        }
    }
}
