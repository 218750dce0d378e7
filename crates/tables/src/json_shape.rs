//! Finds the records in a JSON document without keeping it.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::text::Allowance;

/// How deep in objects an array of records is looked for: `{"result": {"results": [ … ]}}` has depth two.
const MAX_DEPTH: usize = 3;
/// Arrays remembered.
const MAX_ARRAYS: usize = 64;

/// What a document is made of.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// The keys to each array near the top, with the number of objects in it.
    arrays: Vec<(Vec<String>, u64)>,
    /// The document's own `type`, as GeoJSON has it.
    kind: Option<String>,
    /// The document's own `crs`, as GeoJSON had it before RFC 7946, as JSON.
    pub(super) crs: Option<String>,
    pub(super) is_features: bool,
    pub(super) is_lines: bool,
}

impl Shape {
    /// One value after the other.
    pub(super) fn lines() -> Self {
        Self { is_lines: true, ..Self::default() }
    }

    /// The keys to the array of records; nothing when the document is a record itself.
    pub(super) fn records(&self) -> Option<&[String]> {
        if self.is_features {
            return self.arrays.iter().map(|(path, _)| path.as_slice()).find(|path| *path == ["features"]);
        }
        let best = self.arrays.iter().filter(|(path, objects)| path.is_empty() || *objects > 0);
        best.max_by_key(|(path, objects)| (path.is_empty(), *objects)).map(|(path, _)| path.as_slice())
    }

    /// Says which part was profiled, where there was a choice.
    pub(super) fn remarks(&self) -> Option<String> {
        let others =
            self.arrays.iter().filter(|(path, objects)| *objects > 0 && Some(path.as_slice()) != self.records());
        let others = others.count();
        let path = self.records()?;
        (others > 0).then(|| {
            format!("the records are those at {:?}; {others} smaller lists of records are not profiled", path.join("."))
        })
    }

    fn settle(&mut self) {
        self.is_features = match self.kind.as_deref() {
            Some("FeatureCollection") => self.arrays.iter().any(|(path, _)| path == &["features"]),
            Some("Feature") => {
                self.arrays.clear();
                true
            }
            _ => false,
        };
    }
}

/// Walks the document and fills in its shape.
pub(super) struct Explore<'s> {
    shape: &'s mut Shape,
    path: Vec<String>,
    allowance: &'s Allowance,
}

impl<'s> Explore<'s> {
    pub(super) fn new(shape: &'s mut Shape, allowance: &'s Allowance) -> Self {
        Self { shape, path: Vec::new(), allowance }
    }
}

impl<'de> DeserializeSeed<'de> for Explore<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Values that are neither object nor list say nothing about the shape.
macro_rules! pass_over_scalars {
    ($value:expr) => {
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

impl<'de> Visitor<'de> for Explore<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            self.allowance.renew();
            if self.path.is_empty() && key == "type" {
                let value: Box<RawValue> = map.next_value()?;
                self.shape.kind = serde_json::from_str(value.get()).ok();
            } else if self.path.is_empty() && key == "crs" {
                let value: Box<RawValue> = map.next_value()?;
                self.shape.crs = Some(value.get().to_owned());
            } else if self.path.len() < MAX_DEPTH {
                self.path.push(key.into_owned());
                map.next_value_seed(Explore {
                    shape: &mut *self.shape,
                    path: self.path.clone(),
                    allowance: self.allowance,
                })?;
                self.path.pop();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            self.allowance.renew();
        }
        if self.path.is_empty() {
            self.shape.settle();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut objects = 0;
        while let Some(is_object) = seq.next_element_seed(IsObject)? {
            objects += u64::from(is_object);
            self.allowance.renew();
        }
        if self.shape.arrays.len() < MAX_ARRAYS {
            self.shape.arrays.push((self.path, objects));
        }
        Ok(())
    }

    pass_over_scalars!(());
}

/// Passes over a value, and tells whether it is an object.
struct IsObject;

impl<'de> DeserializeSeed<'de> for IsObject {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IsObject {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    pass_over_scalars!(false);
}
