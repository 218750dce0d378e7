//! Where a table keeps its geometry, and in which coordinates.

use super::{
    crs::Crs,
    geometry::{Geometry, Position},
    guess::Guess,
    wkt,
};
use crate::geo::{Axis, axis_of};

/// Whether the texts of a column are geometries.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes {
    form: Form,
    srid: Option<u32>,
    outside_degrees: bool,
    count: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    /// No text was seen.
    #[default]
    Open,
    Wkt,
    Json,
    None,
}

impl Shapes {
    /// True until a text was seen that is no geometry.
    pub(super) fn may_be_text(&self) -> bool {
        self.form != Form::None
    }

    /// Looks at a text.
    pub(super) fn add_text(&mut self, text: &str) {
        if self.form == Form::None {
            return;
        }
        let found = match self.form {
            Form::Open if text.starts_with('{') => self.look_at_json(text),
            Form::Open | Form::Wkt if text.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                self.look_at_wkt(text)
            }
            Form::Json => self.look_at_json(text),
            Form::Open | Form::Wkt | Form::None => None,
        };
        self.form = found.unwrap_or(Form::None);
    }

    fn look_at_wkt(&mut self, text: &str) -> Option<Form> {
        let mut read = wkt::read(text)?;
        if self.count > 0 && self.srid != read.srid {
            return None;
        }
        self.srid = read.srid;
        self.note(&mut read.shape);
        Some(Form::Wkt)
    }

    fn look_at_json(&mut self, text: &str) -> Option<Form> {
        let mut shape = Geometry::of_json(text)?;
        self.note(&mut shape);
        Some(Form::Json)
    }

    /// Looks at a geometry that the format itself has as such.
    pub(super) fn add_json(&mut self, json: &str) {
        if let Some(mut shape) = Geometry::of_json(json) {
            self.note(&mut shape);
        }
    }

    /// True when there are coordinates, and each could be degrees.
    fn is_degrees(&self) -> bool {
        self.count > 0 && !self.outside_degrees
    }

    fn note(&mut self, shape: &mut Geometry) {
        self.count += 1;
        if !self.outside_degrees {
            self.outside_degrees = !shape.each(&mut |at| is_degrees(at));
        }
    }
}

fn is_degrees(at: &Position) -> bool {
    (-180.0..=180.0).contains(&at.x) && (-90.0..=90.0).contains(&at.y)
}

/// How a row tells its geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The column's cells are GeoJSON.
    Shape(usize),
    /// The column's texts are WKT.
    Wkt(usize),
    /// The column's texts are GeoJSON.
    Json(usize),
    /// Two columns of numbers.
    Pair { x: usize, y: usize },
}

/// The geometry of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) source: Source,
    pub(super) crs: Crs,
}

/// Finds the geometry of a table, `stated` being the system its document names or its provider gave; or says why there
/// is none.
pub(super) fn find(columns: &[Guess], stated: Option<Crs>) -> Result<Option<Places>, String> {
    for (index, column) in columns.iter().enumerate() {
        let shapes = &column.shapes;
        let source = match shapes.form {
            Form::Wkt => Source::Wkt(index),
            Form::Json => Source::Json(index),
            Form::Open if column.is_shape() => Source::Shape(index),
            Form::Open | Form::None => continue,
        };
        let own = shapes.srid.filter(|srid| *srid != 0).and_then(Crs::of_code);
        if let Some(stated) = stated.filter(|stated| own.is_none() && !stated.is_degrees() && shapes.is_degrees()) {
            return Err(contradiction(&column.name, stated));
        }
        let named = own.or(stated).or(crs_in(&column.name));
        return match named {
            Some(crs) => Ok(Some(Places { source, crs })),
            None if !shapes.outside_degrees => Ok(Some(Places { source, crs: Crs::WGS84 })),
            None => Err(format!(
                "The coordinates of the column {:?} are no degrees, and the file does not say what they are.",
                column.name
            )),
        };
    }
    match angles(columns, stated) {
        Some(places) => Ok(Some(places)),
        None => metres(columns, stated),
    }
}

/// What a provider is told who states a system of metres for degrees.
fn contradiction(column: &str, stated: Crs) -> String {
    format!(
        "The coordinates of the column {column:?} look like degrees, and those of {} are metres. State the system they are \
         in with the next revision, or none.",
        stated.name()
    )
}

/// Two columns of degrees.
fn angles(columns: &[Guess], stated: Option<Crs>) -> Option<Places> {
    let crs = stated.filter(|stated| stated.is_degrees()).unwrap_or(Crs::WGS84);
    let of = |wanted: Axis| {
        columns.iter().enumerate().filter_map(move |(index, column)| match axis_of(&column.name) {
            Some((axis, stem)) if axis == wanted && column.is_numeric() => Some((index, column, stem)),
            _ => None,
        })
    };
    for (x, longitude, stem) in of(Axis::Longitude) {
        let Some((y, latitude, _)) = of(Axis::Latitude).find(|(.., other)| *other == stem) else { continue };
        let fits = |column: &Guess, most: f64| column.numbers.min >= -most && column.numbers.max <= most;
        if fits(longitude, 180.0) && fits(latitude, 90.0) {
            return Some(Places { source: Source::Pair { x, y }, crs });
        }
    }
    None
}

/// Names of columns of eastings and northings, in pairs, without signs between the words.
static METRES: [(&str, &str); 15] = [
    ("x", "y"),
    ("twd97x", "twd97y"),
    ("xtwd97", "ytwd97"),
    ("twd67x", "twd67y"),
    ("tm2x", "tm2y"),
    ("coordx", "coordy"),
    ("xcoord", "ycoord"),
    ("x坐標", "y坐標"),
    ("x座標", "y座標"),
    ("橫坐標", "縱坐標"),
    ("easting", "northing"),
    ("utmx", "utmy"),
    ("east", "north"),
    ("øst", "nord"),
    ("rechtswert", "hochwert"),
];

/// Two columns of metres, where somebody says in which system.
fn metres(columns: &[Guess], stated: Option<Crs>) -> Result<Option<Places>, String> {
    let plain = |name: &str| -> String { name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect() };
    let without_system = |name: &str| {
        let mut name = plain(name);
        for word in ["epsg", "twd97", "twd67", "etrs89", "jgd2011"] {
            if name.len() > word.len() + 1 {
                name = name.replace(word, "");
            }
        }
        name.trim_matches(|c: char| c.is_ascii_digit()).to_owned()
    };
    let find = |word: &str| {
        let found = |column: &&Guess| {
            column.is_numeric() && (plain(&column.name) == word || without_system(&column.name) == word)
        };
        let column = columns.iter().find(found)?;
        columns.iter().position(|other| other.name == column.name)
    };
    for (east, north) in METRES {
        let (Some(x), Some(y)) = (find(east), find(north)) else { continue };
        let crs = stated.or_else(|| crs_in(&columns[x].name)).or_else(|| crs_in(&columns[y].name));
        if let Some(crs) = crs {
            let within = |column: &Guess, most: f64| column.numbers.min >= -most && column.numbers.max <= most;
            let are_degrees = within(&columns[x], 180.0) && within(&columns[y], 90.0);
            if are_degrees && stated.is_some_and(|stated| !stated.is_degrees()) {
                return Err(contradiction(&columns[x].name, crs));
            }
            return Ok(Some(Places { source: Source::Pair { x, y }, crs }));
        }
    }
    Ok(None)
}

/// The system that the name of a column names: `TWD97_X`, `x_25832`, `geom_3826`.
fn crs_in(name: &str) -> Option<Crs> {
    let name = name.to_lowercase();
    for (word, code) in [("twd97", 3826), ("twd67", 3828), ("utm32", 25832), ("utm33", 25833)] {
        if name.contains(word) {
            return Crs::of_code(code);
        }
    }
    let codes = name.split(|c: char| !c.is_ascii_digit()).filter(|digits| (4..=5).contains(&digits.len()));
    codes.filter_map(|digits| Crs::of_code(digits.parse().ok()?)).next()
}
