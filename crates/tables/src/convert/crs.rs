//! Coordinate reference systems that cities use, and the way from each to WGS 84.
//!
//! Source: the EPSG Geodetic Parameter Dataset. Between the ellipsoids of ETRS89, JGD2011, TWD97 and WGS 84 no datum
//! shift is applied, as EPSG's own null transformations do: they agree to better than a metre. TWD67 is shifted by
//! EPSG's seven parameters (about 2 m).

use proj4rs::{Proj, transform::transform};

use super::geometry::Position;

/// The prime of the zones of Japan's plane rectangular coordinates: latitude and longitude of origin in degrees.
///
/// Source: Ministry of Land, Infrastructure, Transport and Tourism, Notification 9 of 2002.
static JAPAN_ZONES: [(f64, f64); 19] = [
    (33.0, 129.5),
    (33.0, 131.0),
    (36.0, 132.0 + 1.0 / 6.0),
    (33.0, 133.5),
    (36.0, 134.0 + 1.0 / 3.0),
    (36.0, 136.0),
    (36.0, 137.0 + 1.0 / 6.0),
    (36.0, 138.5),
    (36.0, 139.0 + 5.0 / 6.0),
    (40.0, 140.0 + 5.0 / 6.0),
    (44.0, 140.25),
    (44.0, 142.25),
    (44.0, 144.25),
    (26.0, 142.0),
    (26.0, 127.5),
    (26.0, 124.0),
    (26.0, 131.0),
    (20.0, 136.0),
    (26.0, 154.0),
];

/// A coordinate reference system, by its EPSG code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crs(u32);

impl Crs {
    /// Longitude and latitude in degrees.
    pub const WGS84: Self = Self(4326);

    /// The system with this code, if it is one that is known here.
    pub fn of_code(code: u32) -> Option<Self> {
        (code == 4326 || definition(code).is_some()).then_some(Self(code))
    }

    /// Which systems there are, in words.
    pub const KNOWN: &str = "EPSG:4326, 4258, 3824, 4612 and 6668 (degrees), 3857, 25828 to 25838 and 32601 to 32660 \
        (UTM), 3825 to 3828 (Taiwan), 6669 to 6687 and 2443 to 2461 (Japan)";

    /// Reads `EPSG:3826`, `3826`, `urn:ogc:def:crs:EPSG::3826`, `http://www.opengis.net/def/crs/EPSG/0/3826`, `CRS84`.
    pub fn of_name(name: &str) -> Option<Self> {
        let upper = name.trim().to_ascii_uppercase();
        if upper.ends_with("CRS84") || upper.ends_with("CRS83") {
            return Some(Self::WGS84);
        }
        if !upper.contains("EPSG") && !upper.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = upper.rsplit(|c: char| !c.is_ascii_digit()).next()?;
        Self::of_code(digits.parse().ok()?)
    }

    /// `EPSG:3826`.
    pub fn name(self) -> String {
        format!("EPSG:{}", self.0)
    }

    /// The way to WGS 84; nothing to do for degrees of a system that agrees with it.
    pub(super) fn to_wgs84(self) -> Option<ToWgs84> {
        if self.is_degrees() {
            return Some(ToWgs84(None));
        }
        let source = Proj::from_proj_string(&definition(self.0)?).ok()?;
        let target = Proj::from_proj_string("+proj=longlat +datum=WGS84 +no_defs").ok()?;
        Some(ToWgs84(Some(Box::new((source, target)))))
    }

    /// True when its numbers are degrees.
    pub(super) fn is_degrees(self) -> bool {
        matches!(self.0, 4326 | 4258 | 3824 | 6668 | 4612)
    }
}

/// Takes positions to WGS 84.
pub(super) struct ToWgs84(Option<Box<(Proj, Proj)>>);

impl ToWgs84 {
    /// Moves a position; false when it lies where the system has no meaning.
    pub(super) fn convert(&self, at: &mut Position) -> bool {
        if let Some(way) = &self.0 {
            let mut point = (at.x, at.y, at.z.unwrap_or(0.0));
            if transform(&way.0, &way.1, &mut point).is_err() {
                return false;
            }
            // A ten-millionth of a millimetre is what doubles add here, not what was measured.
            let round = |degrees: f64| (degrees * 1e9).round() / 1e9;
            (at.x, at.y) = (round(point.0.to_degrees()), round(point.1.to_degrees()));
        }
        (-180.0..=180.0).contains(&at.x) && (-90.0..=90.0).contains(&at.y)
    }
}

fn definition(code: u32) -> Option<String> {
    const TWD67: &str = "+ellps=aust_SA +towgs84=-752,-358,-179,-0.0000011698,0.0000018398,0.0000009822,0.00002329";
    let tm2 = |meridian: u32, datum: &str| {
        format!("+proj=tmerc +lat_0=0 +lon_0={meridian} +k=0.9999 +x_0=250000 +y_0=0 {datum} +units=m +no_defs")
    };
    Some(match code {
        3857 => {
            "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m +nadgrids=@null +no_defs"
                .to_owned()
        }
        3824 | 4258 | 4612 | 6668 => "+proj=longlat +ellps=GRS80 +no_defs".to_owned(),
        3825 => tm2(119, "+ellps=GRS80 +towgs84=0,0,0,0,0,0,0"),
        3826 => tm2(121, "+ellps=GRS80 +towgs84=0,0,0,0,0,0,0"),
        3827 => tm2(119, TWD67),
        3828 => tm2(121, TWD67),
        25828..=25838 => {
            format!("+proj=utm +zone={} +ellps=GRS80 +towgs84=0,0,0,0,0,0,0 +units=m +no_defs", code - 25_800)
        }
        32601..=32660 => format!("+proj=utm +zone={} +datum=WGS84 +units=m +no_defs", code - 32_600),
        2443..=2461 => japan(code - 2_443)?,
        6669..=6687 => japan(code - 6_669)?,
        _ => return None,
    })
}

fn japan(zone: u32) -> Option<String> {
    let (latitude, longitude) = JAPAN_ZONES.get(usize::try_from(zone).ok()?)?;
    Some(format!(
        "+proj=tmerc +lat_0={latitude} +lon_0={longitude} +k=0.9999 +x_0=0 +y_0=0 +ellps=GRS80 \
         +towgs84=0,0,0,0,0,0,0 +units=m +no_defs"
    ))
}
