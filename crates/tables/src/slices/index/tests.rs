//! What is counted against what a plain look at each row says, and against what is cut.

use std::{
    fmt::Write as _,
    io::{BufWriter, Write as _},
    sync::Arc,
    time::Instant,
};

use proptest::prelude::*;

use super::*;
use crate::{
    convert::{ConvertError, Options, TextFormat, from_parquet, to_parquet},
    slices::{
        Area, Cut,
        build::{CHUNK_ROWS, Row, Writer},
        build_index, cut,
    },
};

type Spot = (Option<(i32, i32)>, Option<i64>);

/// A table of ours: names, places in tenths of a degree, and times in minutes of 2026.
fn table(spots: &[Spot]) -> File {
    let mut csv = String::from("name,lat,lon,at\n");
    for (row, (place, minute)) in spots.iter().enumerate() {
        let (lat, lon) = place.map_or_else(Default::default, |(x, y)| (tenths(y), tenths(x)));
        let at = minute
            .map_or_else(String::new, |m| format!("2026-01-{:02}T{:02}:{:02}:00Z", 1 + m / 1_440, m / 60 % 24, m % 60));
        writeln!(csv, "row {row},{lat},{lon},{at}").unwrap();
    }
    parquet_of(&csv)
}

fn tenths(value: i32) -> String {
    format!("{}{}.{}", if value < 0 { "-" } else { "" }, value.abs() / 10, value.abs() % 10)
}

fn parquet_of(csv: &str) -> File {
    let mut source = tempfile::tempfile().unwrap();
    source.write_all(csv.as_bytes()).unwrap();
    let out = tempfile::tempfile().unwrap();
    to_parquet(&source, "t.csv", out.try_clone().unwrap(), &Options::default(), &Arc::default()).unwrap();
    out
}

fn index_of(parquet: &File, time_column: Option<&str>) -> Index {
    let out = tempfile::tempfile().unwrap();
    build_index(parquet, time_column, out.try_clone().unwrap(), &Arc::default()).unwrap();
    Index::open(out).unwrap()
}

fn lines(parquet: &File, filter: &Filter, columns: &[&str]) -> (u64, Vec<String>) {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    let what = Cut { filter: filter.clone(), time_column: Some("at".to_owned()), columns, notes: Vec::new() };
    let (part, text) = (tempfile::tempfile().unwrap(), tempfile::NamedTempFile::new().unwrap());
    let rows = cut(parquet, &what, part.try_clone().unwrap(), &Options::default(), &Arc::default()).unwrap();
    let out = text.as_file().try_clone().unwrap();
    from_parquet(&part, TextFormat::Csv, out, &Options::default(), &Arc::default()).unwrap();
    let lines = std::fs::read_to_string(text.path()).unwrap();
    (rows, lines.lines().skip(1).map(str::to_owned).collect())
}

const START: i64 = 1_767_225_600_000_000;

fn minute(minute: i64) -> i64 {
    START + minute * 60_000_000
}

fn spots() -> impl Strategy<Value = Vec<Spot>> {
    let place = prop_oneof![4 => (-60_i32..60, -60_i32..60).prop_map(Some), 1 => Just(None)];
    let time = prop_oneof![4 => (0_i64..10_000).prop_map(Some), 1 => Just(None)];
    // One row has both, so that the columns are known for what they are.
    proptest::collection::vec((place, time), 1..80).prop_map(|mut spots| {
        spots.push((Some((1, 2)), Some(3)));
        spots
    })
}

fn filters() -> impl Strategy<Value = Filter> {
    let corner = || (-70_i32..70, -70_i32..70);
    let triangle = (corner(), corner(), corner()).prop_map(|(a, b, c)| {
        let ring = [a, b, c, a].map(|(x, y)| [f64::from(x) / 10.0, f64::from(y) / 10.0]);
        Area::of_rings(&[ring.to_vec()]).ok()
    });
    let square = (corner(), 1_i32..60, 1_i32..60).prop_map(|((x, y), wide, high)| {
        Area::of_box([x, y, x + wide, y + high].map(|edge| f64::from(edge) / 10.0)).ok()
    });
    let period = proptest::option::of(
        (0_i64..10_000, 0_i64..5_000).prop_map(|(from, long)| (minute(from), minute(from + long))),
    );
    (prop_oneof![triangle, square, Just(None)], period).prop_map(|(area, period)| Filter { area, period })
}

/// What a plain look at each row says, and the names of the rows.
fn expected(spots: &[Spot], filter: &Filter) -> Vec<String> {
    let takes = |(place, time): &Spot| {
        let place = place.map(|(x, y)| (x * 1_000_000, y * 1_000_000));
        filter.takes(place, time.map(minute))
    };
    (0..).zip(spots).filter(|(_, spot)| takes(spot)).map(|(row, _): (usize, _)| format!("row {row}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_counted_is_what_is_there_and_what_is_cut(spots in spots(), filters in proptest::collection::vec(filters(), 6)) {
        let parquet = table(&spots);
        let index = index_of(&parquet, Some("at"));
        prop_assert_eq!(index.rows(), spots.len() as u64);
        for filter in filters {
            let expected = expected(&spots, &filter);
            prop_assert_eq!(index.count(&filter).unwrap(), expected.len() as u64);
            let (rows, lines) = lines(&parquet, &filter, &["name"]);
            prop_assert_eq!(rows, expected.len() as u64);
            prop_assert_eq!(lines, expected);
        }
    }

    #[test]
    fn many_blocks_count_as_their_rows_do(seed in any::<u64>(), filters in proptest::collection::vec(filters(), 8)) {
        let mut state = seed | 1;
        let mut next = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let rows: Vec<Row> = (0..9_000).map(|_| {
            let has = Has { place: next(20) > 0, time: next(20) > 0 };
            let at = (coordinate(next(1_200)), coordinate(next(1_200)));
            let time = minute(i64::try_from(next(15_000)).unwrap());
            Row { key: 0, time: if has.time { time } else { 0 }, at: if has.place { at } else { (0, 0) }, has }
        }).collect();
        let out = tempfile::tempfile().unwrap();
        let mut writer = Writer { out: BufWriter::new(out.try_clone().unwrap()), offset: 0, blocks: Vec::new() };
        let (first, second) = rows.split_at(5_000);
        writer.chunk(&mut first.to_vec()).unwrap();
        writer.chunk(&mut second.to_vec()).unwrap();
        writer.finish(&Head { rows: 9_000, columns: Vec::new(), time_column: None }).unwrap();
        let index = Index::open(out).unwrap();
        for filter in filters {
            let takes = |row: &&Row| filter.takes(row.has.place.then_some(row.at), row.has.time.then_some(row.time));
            prop_assert_eq!(index.count(&filter).unwrap(), rows.iter().filter(takes).count() as u64);
        }
    }

    #[test]
    fn more_area_period_or_parts_never_take_less(
        spots in spots(), (x, y) in (-60_i32..50, -60_i32..50), (wide, high) in (2_i32..40, 2_i32..40), cut_at in 1_i32..39,
        (from, long, split) in (0_i64..9_000, 2_i64..5_000, 1_i64..4_999),
    ) {
        prop_assume!(cut_at < wide && split < long);
        let index = index_of(&table(&spots), Some("at"));
        let square = |w: i32, e: i32| Area::of_box([w, y, e, y + high].map(|edge| f64::from(edge) / 10.0)).unwrap();
        let count = |area: Option<Area>, period| index.count(&Filter { area, period }).unwrap();
        let period = Some((minute(from), minute(from + long)));
        let whole = count(Some(square(x, x + wide)), period);
        let parts = count(Some(square(x, x + cut_at)), period) + count(Some(square(x + cut_at, x + wide)), period);
        prop_assert!(whole <= parts);
        let (early, late) = ((minute(from), minute(from + split)), (minute(from + split), minute(from + long)));
        prop_assert_eq!(whole, count(Some(square(x, x + wide)), Some(early)) + count(Some(square(x, x + wide)), Some(late)));
        prop_assert!(whole <= count(Some(square(x, x + wide)), None));
        prop_assert!(whole <= count(None, period) && count(None, period) <= count(None, None));
    }
}

fn coordinate(tenths: u64) -> i32 {
    (i32::try_from(tenths).unwrap() - 600) * 100_000
}

#[test]
fn a_file_tells_its_columns_and_what_can_not_be_cut() {
    let parquet = table(&[(Some((10, 20)), Some(5)), (None, None)]);
    let index = index_of(&parquet, Some("at"));
    let widths: Vec<(&str, u64)> =
        index.columns().iter().map(|column| (column.name.as_str(), column.width_bytes)).collect();
    assert_eq!(widths[0], ("name", 5));
    assert_eq!(index.columns().last().map(|column| column.is_geometry), Some(true));
    let out = || tempfile::tempfile().unwrap();
    let refused = build_index(&parquet, Some("name"), out(), &Arc::default());
    assert!(matches!(refused, Err(ConvertError::Unfit { .. })), "{refused:?}");
    assert!(matches!(build_index(&parquet, Some("no"), out(), &Arc::default()), Err(ConvertError::Unfit { .. })));
    let filter = Filter { area: Area::of_box([0.0, 0.0, 1.0, 1.0]).ok(), period: None };
    let plain = parquet_of("a,b\n1,2\n");
    let what = Cut { filter, time_column: None, columns: vec!["a".to_owned()], notes: Vec::new() };
    assert!(matches!(cut(&plain, &what, out(), &Options::default(), &Arc::default()), Err(ConvertError::Unfit { .. })));
    assert_eq!(index_of(&plain, None).count(&what.filter).unwrap(), 0, "no row has a place");
}

#[test]
fn what_is_no_index_is_not_opened() {
    for bytes in [&b""[..], b"short", &[0; 64], b"TRVSLC1\nTRVSLC1\nTRVSLC1\nTRVSLC1\n"] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        assert!(Index::open(file).is_err());
    }
}

/// `TORV_TEST_SLICE_ROWS=10000000 cargo test --release -p torv-tables slice_quotes -- --nocapture` prints how long counts take.
#[test]
fn slice_quotes_are_counted_fast() {
    let rows: usize = std::env::var("TORV_TEST_SLICE_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(50_000);
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 32
    };
    let share = |number: u64| f64::from(u32::try_from(number).unwrap()) / f64::from(u32::MAX);
    // So many seconds at most, in microseconds.
    let micros = |number: u64, seconds: u64| i64::try_from(number % seconds * 1_000_000).unwrap();
    let out = tempfile::tempfile().unwrap();
    let mut writer = Writer { out: BufWriter::new(out.try_clone().unwrap()), offset: 0, blocks: Vec::new() };
    let began = Instant::now();
    let (mut all, mut chunk) = (Vec::with_capacity(rows), Vec::new());
    for row in 0..rows {
        // A city of a degree, a year of readings in random order.
        let at = super::super::area::point(12.0 + share(next()), 55.0 + share(next())).unwrap();
        let time = START + micros(next(), 31_500_000);
        chunk.push(Row { key: 0, time, at, has: Has { place: true, time: true } });
        all.push((at, time));
        if chunk.len() == CHUNK_ROWS || row + 1 == rows {
            writer.chunk(&mut chunk).unwrap();
        }
    }
    writer.finish(&Head { rows: rows as u64, columns: Vec::new(), time_column: None }).unwrap();
    eprintln!("{rows} rows indexed in {:?}, {} bytes", began.elapsed(), out.metadata().unwrap().len());
    let index = Index::open(out).unwrap();
    let mut took = Vec::new();
    for ask in 0..100 {
        let (x, y, size) = (12.0 + share(next()) * 0.6, 55.0 + share(next()) * 0.6, 0.05 + share(next()) * 0.5);
        let corners = if ask % 2 == 0 { 4 } else { 3 + ask * 3 };
        let mut ring: Vec<[f64; 2]> = (0..corners)
            .map(|corner| {
                let turn = std::f64::consts::TAU * f64::from(corner) / f64::from(corners);
                let far = size * (0.6 + 0.4 * share(next()));
                [x + far * turn.cos(), y + far * turn.sin()]
            })
            .collect();
        ring.push(ring[0]);
        let from = START + micros(next(), 20_000_000);
        let period = (ask % 3 > 0).then_some((from, from + micros(next(), 15_000_000)));
        let filter = Filter { area: Some(Area::of_rings(&[ring]).unwrap()), period };
        let began = Instant::now();
        let counted = index.count(&filter).unwrap();
        took.push(began.elapsed());
        if ask < 8 {
            let exact = all.iter().filter(|(at, time)| filter.takes(Some(*at), Some(*time))).count() as u64;
            assert_eq!(counted, exact);
        }
    }
    took.sort_unstable();
    eprintln!("counts: p50 {:?}, p99 {:?}, most {:?}", took[50], took[98], took[99]);
}
