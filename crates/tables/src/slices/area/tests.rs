//! Areas against what they must hold.

use proptest::prelude::*;

use super::*;

fn square(west: f64, south: f64, east: f64, north: f64) -> Vec<[f64; 2]> {
    vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
}

fn area(rings: &[Vec<[f64; 2]>]) -> Result<Area, AreaError> {
    Area::of_rings(rings)
}

#[test]
fn what_lies_on_a_boundary_belongs_to_the_area() {
    let ring = area(&[square(0.0, 0.0, 4.0, 4.0), square(1.0, 1.0, 2.0, 2.0)]).unwrap();
    let holds = |x: f64, y: f64| ring.holds(point(x, y).unwrap());
    assert!(holds(0.0, 0.0) && holds(4.0, 4.0) && holds(0.0, 2.0) && holds(3.0, 1.5) && holds(2.0, 0.0));
    assert!(holds(1.0, 1.0) && holds(1.0, 1.5) && holds(2.0, 2.0), "the boundary of a hole too");
    assert!(!holds(1.5, 1.5) && !holds(-1e-7, 2.0) && !holds(4.000_000_1, 2.0));
}

#[test]
fn what_is_no_polygon_is_refused() {
    assert_eq!(area(&[]), Err(AreaError::OpenRing));
    assert_eq!(area(&[vec![[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]]), Err(AreaError::OpenRing));
    assert_eq!(area(&[vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]]), Err(AreaError::OpenRing));
    assert_eq!(area(&[vec![[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]), Err(AreaError::OpenRing));
    let bow = vec![[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]];
    assert_eq!(area(&[bow]), Err(AreaError::Crossing));
    let spike = vec![[0.0, 0.0], [2.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]];
    assert_eq!(area(&[spike]), Err(AreaError::Crossing));
    let flat = vec![[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 0.0]];
    assert_eq!(area(&[flat]), Err(AreaError::Crossing));
    let outside = [square(0.0, 0.0, 1.0, 1.0), square(2.0, 2.0, 3.0, 3.0)];
    assert_eq!(area(&outside), Err(AreaError::StrayHole));
    assert_eq!(area(&[square(0.0, 0.0, 4.0, 4.0), square(2.0, 2.0, 5.0, 3.0)]), Err(AreaError::Crossing));
    assert_eq!(area(&[square(0.0, 0.0, 181.0, 1.0)]), Err(AreaError::OffEarth));
    assert_eq!(area(&[square(f64::NAN, 0.0, 1.0, 1.0)]), Err(AreaError::OffEarth));
    assert_eq!(area(&[vec![[0.0, 0.0]; POSITIONS_MAX + 1]]), Err(AreaError::TooLarge));
    assert_eq!(Area::of_box([1.0, 0.0, 0.0, 1.0]), Err(AreaError::Reversed));
    assert_eq!(Area::of_box([0.0, 0.0, 0.0, 1.0]), Err(AreaError::Reversed));
    assert_eq!(Area::of_box([0.0, 0.0, f64::INFINITY, 1.0]), Err(AreaError::OffEarth));
    let earth =
        Area::of_rings(&[vec![[-180.0, -90.0], [180.0, -90.0], [180.0, 90.0], [-180.0, 90.0], [-180.0, -90.0]]]);
    assert_eq!(earth, Area::of_box([-180.0, -90.0, 180.0, 90.0]));
    let half = area(&[vec![[-180.0, -90.0], [180.0, -90.0], [180.0, 90.0], [-180.0, -90.0]]]).unwrap();
    let holds = |x: f64, y: f64| half.holds(point(x, y).unwrap());
    assert!(holds(180.0, 90.0) && holds(0.0, 0.0) && holds(2e-7, 1e-7) && !holds(0.0, 1e-7) && !holds(-180.0, 90.0));
}

#[test]
fn an_area_is_told_as_it_was_given() {
    let rings = vec![square(0.5, 0.0, 4.0, 4.0), square(1.0, 1.0, 2.0, 2.0)];
    let found = area(&rings).unwrap();
    assert_eq!(found.rings(), rings);
    assert_eq!(area(&found.rings()), Ok(found));
}

proptest! {
    #[test]
    fn a_box_is_wholly_in_an_area_only_if_each_of_its_points_is(
        corners in proptest::collection::vec((0_i32..12, 0_i32..12), 3..7),
        (west, south, wide, high) in (-1_i32..12, -1_i32..12, 0_i32..6, 0_i32..6),
    ) {
        let Ok(found) = Area::of_points(vec![corners]) else { return Ok(()) };
        let b = Bounds { west, south, east: west + wide, north: south + high };
        let all: Vec<Point> = (b.west..=b.east).flat_map(|x| (b.south..=b.north).map(move |y| (x, y))).collect();
        match found.overlap(None, &b) {
            Overlap::None => prop_assert!(all.iter().all(|at| !found.holds(*at))),
            Overlap::Whole => prop_assert!(all.iter().all(|at| found.holds(*at))),
            Overlap::Part(near) => {
                prop_assert!(all.iter().all(|at| found.holds(*at) == near.holds(*at)));
                // A box inside of this one is told from what was found for this one.
                let inner = Bounds { west: b.west + wide / 2, north: b.south + high / 2, ..b };
                prop_assert_eq!(found.overlap(Some(&near), &inner) == Overlap::Whole, found.overlap(None, &inner) == Overlap::Whole);
                if let Overlap::Part(nearer) = found.overlap(Some(&near), &inner) {
                    let mut held = all.iter().filter(|at| at.0 >= inner.west && at.1 <= inner.north);
                    prop_assert!(held.all(|at| found.holds(*at) == nearer.holds(*at)));
                }
            }
        }
    }

    #[test]
    fn two_halves_of_a_box_hold_what_the_box_holds(
        (west, south) in (-100_i32..100, -90_i32..80), (wide, high, cut) in (2_i32..50, 1_i32..10, 1_i32..49),
        (x, y) in (-110_i32..160, -95_i32..95),
    ) {
        prop_assume!(cut < wide);
        let of = |w: i32, e: i32| {
            Area::of_box([w, south, e, south + high].map(f64::from)).unwrap()
        };
        let Some(at) = point(f64::from(x), f64::from(y)) else { return Ok(()) };
        let halves = of(west, west + cut).holds(at) || of(west + cut, west + wide).holds(at);
        prop_assert_eq!(of(west, west + wide).holds(at), halves);
    }
}
