//! Areas: polygons over whole numbers, so that a point lies in one or does not, on every machine.
//!
//! Source: RFC 7946, section 3.1.6 (polygons), section 5 (boxes).

/// Units of a degree: a coordinate is a whole number of ten-millionths, about a centimetre.
const PER_DEGREE: f64 = 1e7;
/// Most positions of an area, over all its rings.
pub const POSITIONS_MAX: usize = 1_000;
/// Most rings of an area.
pub const RINGS_MAX: usize = 50;

/// Longitude and latitude in ten-millionths of a degree of WGS 84.
pub type Point = (i32, i32);

/// Why something is no area; the words say what to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AreaError {
    /// Beyond 180 or 90 degrees, or no number.
    #[error("Give degrees of WGS 84: longitudes from -180 to 180, latitudes from -90 to 90.")]
    OffEarth,
    /// A box whose corners are in the wrong order.
    #[error(
        "Give a box as west, south, east, north, with west below east and south below north. Cut a box that crosses the \
         180th meridian in two."
    )]
    Reversed,
    /// Too many positions or rings.
    #[error("Give at most 1000 positions in at most 50 rings. Simplify the polygon.")]
    TooLarge,
    /// A ring that does not end where it began, or has no inside.
    #[error("Give each ring at least four positions, of which the last repeats the first, and an inside.")]
    OpenRing,
    /// A ring that meets itself or another one.
    #[error("The polygon crosses or touches itself. Give rings that don't meet.")]
    Crossing,
    /// A hole that is not in the polygon.
    #[error("Each ring after the first is a hole: it has to lie inside of the first ring.")]
    StrayHole,
}

/// A box around something; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) west: i32,
    pub(super) south: i32,
    pub(super) east: i32,
    pub(super) north: i32,
}

impl Bounds {
    pub(super) const NONE: Self = Self { west: i32::MAX, south: i32::MAX, east: i32::MIN, north: i32::MIN };

    pub(super) fn add(&mut self, (x, y): Point) {
        (self.west, self.east) = (self.west.min(x), self.east.max(x));
        (self.south, self.north) = (self.south.min(y), self.north.max(y));
    }

    pub(super) fn join(&mut self, other: &Self) {
        (self.west, self.east) = (self.west.min(other.west), self.east.max(other.east));
        (self.south, self.north) = (self.south.min(other.south), self.north.max(other.north));
    }

    const fn meets(&self, other: &Self) -> bool {
        self.west <= other.east && other.west <= self.east && self.south <= other.north && other.south <= self.north
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    from: Point,
    to: Point,
}

impl Edge {
    const fn bounds(&self) -> Bounds {
        let ((ax, ay), (bx, by)) = (self.from, self.to);
        let (west, east) = if ax < bx { (ax, bx) } else { (bx, ax) };
        let (south, north) = if ay < by { (ay, by) } else { (by, ay) };
        Bounds { west, south, east, north }
    }

    /// On which side of the edge's line a point lies: left of it above zero, on it zero.
    fn side(&self, (x, y): Point) -> i8 {
        let wide = i64::from;
        let ((ax, ay), (bx, by)) = (self.from, self.to);
        // Longitudes are at most 3.6e9 apart and latitudes 1.8e9, so the products fit, as their difference would not.
        let (left, right) =
            ((wide(bx) - wide(ax)) * (wide(y) - wide(ay)), (wide(by) - wide(ay)) * (wide(x) - wide(ax)));
        left.cmp(&right) as i8
    }

    /// True when a ray to the east from a point at the height of the edge, and not on it, crosses it.
    fn is_right_of(&self, at: Point) -> bool {
        // Upwards edges have the point on their left, downwards ones on their right.
        (self.side(at) > 0) == (self.to.1 > self.from.1)
    }

    fn holds(&self, at: Point) -> bool {
        let b = self.bounds();
        let near = b.west <= at.0 && at.0 <= b.east && b.south <= at.1 && at.1 <= b.north;
        near && self.side(at) == 0
    }

    fn meets(&self, other: &Self) -> bool {
        if !self.bounds().meets(&other.bounds()) {
            return false;
        }
        let [a, b] = [self.side(other.from), self.side(other.to)];
        let [c, d] = [other.side(self.from), other.side(self.to)];
        let apart = a * b > 0 || c * d > 0;
        !apart
    }

    /// True when the edge and a box share a point.
    fn meets_box(&self, b: &Bounds) -> bool {
        if !self.bounds().meets(b) {
            return false;
        }
        let corners = [(b.west, b.south), (b.east, b.south), (b.west, b.north), (b.east, b.north)];
        let sides = corners.map(|corner| self.side(corner));
        !(sides.iter().all(|side| *side > 0) || sides.iter().all(|side| *side < 0))
    }
}

/// A polygon, with holes perhaps. What lies on its boundary, or on that of a hole, belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    rings: Vec<Vec<Point>>,
    edges: Vec<Edge>,
    bounds: Bounds,
}

/// How an area and a box lie.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Overlap {
    /// Nothing of the box is in the area.
    None,
    /// All of the box is.
    Whole,
    /// That is to be looked at for each point, against these alone.
    Part(Near),
}

/// What tells the points of a box to be inside of an area: the edges that meet the box; and of those to the east of it,
/// which a ray from the point crosses, how many there are at its latitude, even or odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Near {
    edges: Vec<Edge>,
    /// Whether they are odd at the south of the box.
    is_odd: bool,
    /// From which latitudes on that changes, ascending.
    steps: Vec<i32>,
}

impl Near {
    /// True for a point of the box inside of the area or on its boundary.
    pub(super) fn holds(&self, at: Point) -> bool {
        let is_odd = self.is_odd ^ (self.steps.iter().take_while(|step| **step <= at.1).count() % 2 == 1);
        match parity(&self.edges, at) {
            Parity::OnEdge => true,
            Parity::Odd => !is_odd,
            Parity::Even => is_odd,
        }
    }
}

/// A coordinate in ten-millionths of a degree; nothing beyond `most` degrees.
pub(super) fn units(degrees: f64, most: f64) -> Option<i32> {
    // Within 180 degrees it fits by far.
    #[expect(clippy::cast_possible_truncation, reason = "at most 1.8e9")]
    (degrees.abs() <= most).then(|| (degrees * PER_DEGREE).round() as i32)
}

/// A position in ten-millionths of a degree; nothing for one that is not on the earth.
pub(super) fn point(x: f64, y: f64) -> Option<Point> {
    Some((units(x, 180.0)?, units(y, 90.0)?))
}

impl Area {
    /// A box: west, south, east and north in degrees of WGS 84.
    ///
    /// # Errors
    /// [`AreaError::OffEarth`] and [`AreaError::Reversed`].
    pub fn of_box([west, south, east, north]: [f64; 4]) -> Result<Self, AreaError> {
        let (low, high) = (point(west, south), point(east, north));
        let ((w, s), (e, n)) = low.zip(high).ok_or(AreaError::OffEarth)?;
        if w >= e || s >= n {
            return Err(AreaError::Reversed);
        }
        Self::of_points(vec![vec![(w, s), (e, s), (e, n), (w, n)]])
    }

    /// A polygon as `GeoJSON` has it: its outer ring first, then holes; longitude before latitude.
    ///
    /// # Errors
    /// [`AreaError`], for everything that is no polygon.
    pub fn of_rings(rings: &[Vec<[f64; 2]>]) -> Result<Self, AreaError> {
        let positions: usize = rings.iter().map(Vec::len).sum();
        if positions > POSITIONS_MAX || rings.len() > RINGS_MAX {
            return Err(AreaError::TooLarge);
        }
        let mut points = Vec::with_capacity(rings.len());
        for ring in rings {
            let ring: Option<Vec<Point>> = ring.iter().map(|[x, y]| point(*x, *y)).collect();
            let mut ring = ring.ok_or(AreaError::OffEarth)?;
            if ring.len() < 4 || ring.first() != ring.last() {
                return Err(AreaError::OpenRing);
            }
            ring.dedup();
            ring.pop();
            points.push(ring);
        }
        Self::of_points(points)
    }

    /// Rings without their last position.
    fn of_points(rings: Vec<Vec<Point>>) -> Result<Self, AreaError> {
        if rings.is_empty() || rings.iter().any(|ring| ring.len() < 3) {
            return Err(AreaError::OpenRing);
        }
        let (mut edges, mut bounds, mut place) = (Vec::new(), Bounds::NONE, Vec::new());
        for (number, ring) in rings.iter().enumerate() {
            let next = ring.iter().skip(1).chain(ring.first());
            for (at, (from, to)) in ring.iter().zip(next).enumerate() {
                edges.push(Edge { from: *from, to: *to });
                place.push((number, at, ring.len()));
                bounds.add(*from);
            }
        }
        refuse_crossing(&edges, &place)?;
        let area = Self { rings, edges, bounds };
        area.refuse_stray_holes()?;
        Ok(area)
    }

    fn refuse_stray_holes(&self) -> Result<(), AreaError> {
        let mut rings = self.rings.iter();
        let Some(outer) = rings.next() else { return Ok(()) };
        let outer = Self { rings: vec![outer.clone()], edges: self.edges_of(0), bounds: self.bounds };
        // No rings meet, so one position tells of its whole ring.
        let stray = rings.any(|hole| hole.first().is_none_or(|at| !outer.holds(*at)));
        if stray { Err(AreaError::StrayHole) } else { Ok(()) }
    }

    fn edges_of(&self, ring: usize) -> Vec<Edge> {
        let before: usize = self.rings.iter().take(ring).map(Vec::len).sum();
        let count = self.rings.get(ring).map_or(0, Vec::len);
        self.edges.iter().skip(before).take(count).copied().collect()
    }

    /// True for a point inside of the area or on its boundary.
    pub fn holds(&self, at: Point) -> bool {
        parity(&self.edges, at) != Parity::Even
    }

    /// How a box lies to the area, as far as only these of its edges matter.
    ///
    /// `among` is what was found for a box around this one.
    pub(super) fn overlap(&self, among: Option<&Near>, b: &Bounds) -> Overlap {
        if !self.bounds.meets(b) {
            return Overlap::None;
        }
        let (edges, mut is_odd) = among.map_or((&self.edges, false), |near| (&near.edges, near.is_odd));
        let mut steps = among.map_or_else(Vec::new, |near| near.steps.clone());
        let mut near = Vec::new();
        for edge in edges {
            let e = edge.bounds();
            if e.east < b.west || e.south > b.north || e.north < b.south {
                continue;
            }
            if edge.meets_box(b) {
                near.push(*edge);
            } else if e.south < e.north && edge.is_right_of((b.west, e.south.max(b.south))) {
                steps.extend([e.south, e.north]);
            }
        }
        steps.retain(|step| {
            is_odd ^= *step <= b.south;
            b.south < *step && *step <= b.north
        });
        if near.is_empty() {
            // No boundary is near, so one point tells of all.
            return if is_odd { Overlap::Whole } else { Overlap::None };
        }
        steps.sort_unstable();
        // Where one edge ends and the next one begins, nothing changes.
        let mut changes: Vec<i32> = Vec::with_capacity(steps.len());
        for step in steps {
            if changes.last() == Some(&step) {
                changes.pop();
            } else {
                changes.push(step);
            }
        }
        Overlap::Part(Near { edges: near, is_odd, steps: changes })
    }

    /// The rings in degrees, closed, as `GeoJSON` has them.
    pub fn rings(&self) -> Vec<Vec<[f64; 2]>> {
        let degrees = |(x, y): &Point| [f64::from(*x) / PER_DEGREE, f64::from(*y) / PER_DEGREE];
        let closed = |ring: &Vec<Point>| ring.iter().chain(ring.first()).map(degrees).collect();
        self.rings.iter().map(closed).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parity {
    Even,
    Odd,
    OnEdge,
}

/// How often a ray to the east crosses edges: it leaves an area as often as it enters it.
fn parity(edges: &[Edge], at: Point) -> Parity {
    let mut is_odd = false;
    for edge in edges {
        let ((ax, ay), (bx, by)) = (edge.from, edge.to);
        if (ay > at.1) != (by > at.1) {
            if at.0 < ax.min(bx) {
                is_odd = !is_odd;
            } else if at.0 <= ax.max(bx) {
                if edge.side(at) == 0 {
                    return Parity::OnEdge;
                }
                is_odd ^= edge.is_right_of(at);
            }
        } else if (ay == at.1 || by == at.1) && edge.holds(at) {
            return Parity::OnEdge;
        }
    }
    if is_odd { Parity::Odd } else { Parity::Even }
}

/// `place` says of each edge its ring, its number there, and how many there are.
fn refuse_crossing(edges: &[Edge], place: &[(usize, usize, usize)]) -> Result<(), AreaError> {
    for (one, (edge, (ring, at, count))) in edges.iter().zip(place).enumerate() {
        for (other, (other_ring, other_at, _)) in edges.iter().zip(place).skip(one + 1) {
            let follows = ring == other_ring && (at + 1) % count == *other_at;
            let leads = ring == other_ring && (other_at + 1) % count == *at;
            let meets = if follows {
                edge.holds(other.to) || other.holds(edge.from)
            } else if leads {
                other.holds(edge.to) || edge.holds(other.from)
            } else {
                edge.meets(other)
            };
            if meets {
                return Err(AreaError::Crossing);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
