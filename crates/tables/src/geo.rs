//! Where the rows lie: from GeoJSON geometries, or from columns that hold latitudes and longitudes.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One of the two angles that make a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Latitude,
    Longitude,
}

const LATITUDES: [&str; 6] = ["latitude", "緯度", "纬度", "lat", "wgs84y", "breddegrad"];
const LONGITUDES: [&str; 9] = ["longitude", "経度", "經度", "经度", "long", "lon", "lng", "wgs84x", "længdegrad"];

/// Recognises the name of a column of angles, and what is left of the name: `POINT_1_LAT` gives `POINT_1_`.
///
/// Two columns make a pair when the same is left of both.
pub(super) fn axis_of(name: &str) -> Option<(Axis, String)> {
    let find = |words: &[&str]| words.iter().find_map(|word| without_word(name, word));
    if let Some(stem) = find(&LATITUDES) {
        return Some((Axis::Latitude, stem));
    }
    find(&LONGITUDES).map(|stem| (Axis::Longitude, stem))
}

/// Takes `word` out of `name` where it stands as a word of its own: `stop_lat`, `PositionLat`, not `flat`.
fn without_word(name: &str, word: &str) -> Option<String> {
    let lower = name.to_lowercase();
    if lower.len() != name.len() {
        return None;
    }
    lower.match_indices(word).find_map(|(at, _)| {
        let (before, after) = (&name[..at], &name[at + word.len()..]);
        let free_before = !before.chars().next_back().is_some_and(char::is_alphabetic);
        let camel = name[at..].starts_with(char::is_uppercase) && before.ends_with(char::is_lowercase);
        let free_after = !after.chars().next().is_some_and(char::is_alphabetic);
        // Chinese and Japanese put no space between words.
        let free = !word.is_ascii() || ((free_before || camel) && free_after);
        free.then(|| format!("{before}{after}").to_lowercase())
    })
}

/// The smallest box around places, and how many fell outside of the globe.
#[derive(Debug, Default)]
pub(super) struct Places {
    bbox: Option<[f64; 4]>,
    inside: u64,
    outside: u64,
}

impl Places {
    /// Adds a place in degrees. `0, 0` stands for an unknown place in many files, and counts as outside.
    pub(super) fn add(&mut self, longitude: f64, latitude: f64) {
        let valid = (-180.0..=180.0).contains(&longitude) && (-90.0..=90.0).contains(&latitude);
        if !valid || longitude.abs() + latitude.abs() < 1e-9 {
            self.outside += 1;
            return;
        }
        self.inside += 1;
        let bbox = self.bbox.get_or_insert([longitude, latitude, longitude, latitude]);
        *bbox = [bbox[0].min(longitude), bbox[1].min(latitude), bbox[2].max(longitude), bbox[3].max(latitude)];
    }

    /// The box, unless more than a tenth of the places are none: then the numbers are no degrees.
    pub(super) fn bbox(&self) -> Option<[f64; 4]> {
        self.bbox.filter(|_| self.outside * 10 <= self.inside)
    }

    pub(super) fn outside(&self) -> u64 {
        self.outside
    }

    /// Adds every position of a GeoJSON geometry; a third coordinate is passed over.
    ///
    /// # Errors
    /// When the text is no JSON.
    pub(super) fn add_geometry(&mut self, json: &str) -> serde_json::Result<()> {
        Geometry(self).deserialize(&mut serde_json::Deserializer::from_str(json))
    }
}

/// A geometry, or anything in its place.
struct Geometry<'p>(&'p mut Places);

impl<'de> DeserializeSeed<'de> for Geometry<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Geometry<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a geometry")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            match key.as_ref() {
                "coordinates" => {
                    map.next_value_seed(Coordinates(self.0))?;
                }
                "geometries" => map.next_value_seed(Geometry(self.0))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Geometry(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// Positions, nested to any depth; gives the number when it is one.
struct Coordinates<'p>(&'p mut Places);

impl<'de> DeserializeSeed<'de> for Coordinates<'_> {
    type Value = Option<f64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<f64>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Coordinates<'_> {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("coordinates")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<f64>, A::Error> {
        let (mut position, mut at) = ([None; 2], 0);
        while let Some(number) = seq.next_element_seed(Coordinates(self.0))? {
            if let Some(place) = position.get_mut(at) {
                *place = number;
            }
            at += 1;
        }
        if let [Some(longitude), Some(latitude)] = position {
            self.0.add(longitude, latitude);
        }
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<f64>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Option<f64>, E> {
        Ok(Some(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "degrees are small")]
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Option<f64>, E> {
        Ok(Some(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "degrees are small")]
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<f64>, E> {
        Ok(Some(number as f64))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Option<f64>, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinate_columns_are_known_by_name() {
        for name in ["lat", "Latitude", "stop_lat", "POINT_1_LAT", "緯度", "PositionLat", "緯度(WGS84)"] {
            assert!(matches!(axis_of(name), Some((Axis::Latitude, _))), "{name}");
        }
        for name in ["lon", "lng", "Longitude", "経度", "經度", "POINT_1_LNG", "PositionLon"] {
            assert!(matches!(axis_of(name), Some((Axis::Longitude, _))), "{name}");
        }
        for name in ["flat", "platform", "belong", "lateral", "plan", "slang", "İlat", ""] {
            assert_eq!(axis_of(name), None, "{name}");
        }
        assert_eq!(axis_of("POINT_1_LAT").map(|found| found.1), axis_of("POINT_1_LNG").map(|found| found.1));
        assert_ne!(axis_of("POINT_1_LAT").map(|found| found.1), axis_of("POINT_2_LNG").map(|found| found.1));
    }

    #[test]
    fn heights_are_no_places_and_metres_no_degrees() {
        let mut places = Places::default();
        places
            .add_geometry(r#"{"type":"Polygon","coordinates":[[[10,56.5,900],[10.5,56,900],[10,56.5,900]]]}"#)
            .unwrap();
        places
            .add_geometry(r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[9,55]}]}"#)
            .unwrap();
        assert_eq!(places.bbox(), Some([9.0, 55.0, 10.5, 56.5]));
        for _ in 0..4 {
            places.add_geometry(r#"{"type":"Point","coordinates":[302000.5,2770000]}"#).unwrap();
        }
        assert_eq!((places.bbox(), places.outside()), (None, 4));
    }
}
