//! Every kind of question against counting by hand: exactly without noise, within the stated error with it.

#![expect(clippy::cast_precision_loss, reason = "small numbers of a test")]

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    Answer, Cell, Column, ColumnTerms, Keys, Kind, Noise, Plan, Question, Range, Refusal, Row, Seed, Terms, Type,
};

/// A row in memory.
#[derive(Debug, Clone)]
pub(crate) struct Kept(pub(crate) Vec<Value>);

impl Row for Kept {
    fn cell(&self, column: usize) -> Cell<'_> {
        match &self.0[column] {
            Value::Null => Cell::Null,
            Value::Bool(value) => Cell::Bool(*value),
            Value::Number(number) if number.is_i64() => Cell::Int(number.as_i64().unwrap().into()),
            Value::Number(number) => Cell::Float(number.as_f64().unwrap()),
            Value::String(text) => Cell::Text(text),
            _ => Cell::Opaque,
        }
    }
}

pub(crate) fn column(name: &str, kind: Type) -> Column {
    Column { name: name.to_owned(), kind }
}

pub(crate) fn open(name: &str, range: Option<(&str, &str)>) -> ColumnTerms {
    let range = range.map(|(lower, upper)| Range { lower: lower.to_owned(), upper: upper.to_owned() });
    ColumnTerms { name: name.to_owned(), range }
}

/// What one buyer may ask in a month: twenty questions of ε 0.1.
pub(crate) fn terms(columns: Vec<ColumnTerms>) -> Terms {
    Terms { epsilon_milli: 100, min_group_size: 10, kinds: Kind::ALL.to_vec(), columns }
}

/// The noise of a question under a secret, as the exchange derives it.
pub(crate) fn sticky(secret: u64, plan: &Plan, terms: &Terms) -> Noise {
    let mut digest = Sha256::new();
    digest.update(secret.to_be_bytes());
    digest.update(plan.identity(terms).to_string().as_bytes());
    Noise::Sticky(Seed(digest.finalize().into()))
}

/// Asks; without a secret there is no noise.
pub(crate) fn ask(
    question: &Question,
    (schema, rows): (&[Column], &[Kept]),
    terms: &Terms,
    secret: Option<u64>,
) -> Result<Answer, Refusal> {
    let mut plan = Plan::of(question, schema, terms)?;
    for row in rows {
        plan.take(row);
    }
    let noise = secret.map_or(Noise::Off, |secret| sticky(secret, &plan, terms));
    Ok(plan.answer(&noise, terms))
}

pub(crate) fn sql(text: &str) -> Question {
    Question::Aggregate { sql: text.to_owned() }
}

const DAY: i64 = 86_400_000_000_000;

/// 6,000 rows over 200 days from 2025-01-01 on, 30 a day, in three stations.
fn gauges() -> (Vec<Column>, Vec<Kept>, Terms) {
    let schema = vec![
        column("number", Type::Integer),
        column("station", Type::Text),
        column("level", Type::Decimal(2)),
        column("flow", Type::Float),
        column("at", Type::Instant),
        column("hidden", Type::Text),
    ];
    let start = 20_089 * DAY;
    let row = |n: i64| {
        let level = if n % 5 == 4 { Value::Null } else { json!(n % 700) };
        let at = start + (n / 30) * DAY + (n % 30) * 1_000_000_000;
        Kept(vec![
            json!(n),
            json!(format!("gauge {}", n % 3)),
            level,
            json!((n % 100) as f64 / 4.0),
            json!(at),
            json!("x"),
        ])
    };
    let columns = vec![
        open("number", None),
        open("station", None),
        open("level", Some(("0", "7"))),
        open("flow", Some(("0", "25"))),
        open("at", Some(("2025-01-01", "2025-08-01"))),
        open("gone", None),
    ];
    (schema, (0..6_000).map(row).collect(), terms(columns))
}

/// The answer without noise, and with it.
fn both(question: &Question) -> (Answer, Answer) {
    let (schema, rows, terms) = gauges();
    let of = |secret| ask(question, (&schema, &rows), &terms, secret).unwrap();
    assert_eq!(of(Some(7)), of(Some(7)), "asking again");
    assert_ne!(of(Some(7)), of(Some(8)), "another secret");
    (of(None), of(Some(7)))
}

#[test]
fn coverage_counts_rows_and_nulls() {
    let question = Question::Coverage { columns: Some(vec!["level".to_owned(), "station".to_owned()]) };
    let (exact, noisy) = both(&question);
    let Answer::Coverage { rows, columns } = exact else { panic!("{exact:?}") };
    assert_eq!((rows.value, rows.scale.as_str(), rows.error_95), (6_000, "30.000", 90));
    let nulls: Vec<_> = columns.iter().map(|one| (one.name.as_str(), one.nulls.as_ref().unwrap().permille)).collect();
    assert_eq!(nulls, [("level", 200), ("station", 0)]);
    let Answer::Coverage { rows, columns } = noisy else { panic!("{noisy:?}") };
    assert!((rows.value - 6_000).abs() <= 2 * rows.error_95, "{rows:?}");
    let level = columns[0].nulls.as_ref().unwrap();
    assert!((level.permille - 200).abs() <= 2 * level.error_95, "{level:?}");
}

#[test]
fn aggregates_count_sum_and_average_by_group() {
    let text = "SELECT station, COUNT(*), COUNT(level), SUM(level), AVG(flow) FROM t WHERE number < 5000 AND level IS NOT NULL GROUP BY station";
    let (exact, noisy) = both(&sql(text));
    let (_, rows, _) = gauges();
    for (answer, slack) in [(exact, 0.0), (noisy, 2.0)] {
        let Answer::Aggregate { groups, has_too_many_groups: false, shown_from } = answer else { panic!("{answer:?}") };
        // Rows, values and sum of level, numbers and sum of flow, numbers of level, groups: seven figures share ε.
        assert_eq!((shown_from, groups.len()), (10 + 919, 3));
        for (group, n) in groups.iter().zip([0_i64, 1, 2]) {
            assert_eq!(group.key, [Some(format!("gauge {n}"))]);
            let mine: Vec<&Kept> = rows
                .iter()
                .take(5_000)
                .filter(|row| row.0[1] == json!(format!("gauge {n}")) && !row.0[2].is_null())
                .collect();
            let count = mine.len() as f64;
            let sum: f64 = mine.iter().map(|row| row.0[2].as_i64().unwrap() as f64 / 100.0).sum();
            let flow: f64 = mine.iter().map(|row| row.0[3].as_f64().unwrap()).sum::<f64>() / count;
            for figure in &group.figures {
                let (value, error, wanted) = match (figure.name.as_str(), &figure.count, &figure.measure) {
                    ("COUNT(*)" | "COUNT(level)", Some(found), None) => {
                        (found.value as f64, found.error_95 as f64, count)
                    }
                    (name, None, Some(found)) => {
                        let wanted = if name == "SUM(level)" { sum } else { flow };
                        (found.value.parse().unwrap(), found.error_95.parse().unwrap(), wanted)
                    }
                    other => panic!("{other:?}"),
                };
                // A step of the grid is a ten-thousandth of the range.
                let allowed = slack * error + count * 0.0007 / 2.0 + 0.002;
                assert!((value - wanted).abs() <= allowed, "{}: {value}, not {wanted} ± {allowed}", figure.name);
            }
        }
    }
}

#[test]
fn large_groups_are_shown_with_their_figures() {
    let text = "SELECT station, COUNT(*), AVG(level) FROM t GROUP BY station";
    let (exact, noisy) = both(&sql(text));
    let (_, rows, _) = gauges();
    for (answer, slack) in [(exact, 0.0), (noisy, 2.0)] {
        let Answer::Aggregate { groups, shown_from, .. } = answer else { panic!("{answer:?}") };
        assert_eq!((groups.len(), shown_from), (3, 10 + 525), "rows, numbers, sum and groups share ε");
        for group in &groups {
            let (mean, count) = (group.figures[1].measure.as_ref().unwrap(), group.figures[0].count.as_ref().unwrap());
            assert!((count.value - 2_000).abs() as f64 <= slack * count.error_95 as f64, "{count:?}");
            let (value, error): (f64, f64) = (mean.value.parse().unwrap(), mean.error_95.parse().unwrap());
            let levels = rows
                .iter()
                .filter(|row| row.0[1].as_str() == group.key[0].as_deref())
                .filter_map(|row| row.0[2].as_i64());
            let levels: Vec<i64> = levels.collect();
            let wanted = levels.iter().sum::<i64>() as f64 / 100.0 / levels.len() as f64;
            assert!((value - wanted).abs() <= slack * error + 0.001, "{mean:?}, not {wanted}");
        }
    }
}

#[test]
fn values_beyond_the_range_count_as_its_ends() {
    let (schema, mut rows, terms) = gauges();
    for row in &mut rows {
        row.0[3] = json!(1e12);
    }
    let answer = ask(&sql("SELECT AVG(flow) FROM t"), (&schema, &rows), &terms, None).unwrap();
    let Answer::Aggregate { groups, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(groups[0].figures[0].measure.as_ref().unwrap().value, "25.0000");
}

#[test]
fn gaps_are_counted_and_the_longest_is_found() {
    // One row a second is expected; a day has 30 of them, then nothing until midnight.
    let question = Question::Gaps {
        time_column: "at".to_owned(),
        step_seconds: 3_600,
        from: Some("2025-01-01".to_owned()),
        until: Some("2025-07-20".to_owned()),
    };
    let (exact, _) = both(&question);
    let Answer::Gaps { expected, received, missing, resolution_seconds, .. } = exact else { panic!("{exact:?}") };
    assert_eq!((expected, received.value, missing), (4_800, 200, 4_600));
    assert_eq!(resolution_seconds, 160 * 3_600, "eight scales of 20");

    let daily = Question::Gaps { time_column: "at".to_owned(), step_seconds: 600, from: None, until: None };
    let (schema, _, terms) = gauges();
    let start = 20_089 * DAY;
    let row =
        |n: i64| Kept(vec![json!(n), json!("a"), json!(0), json!(0.0), json!(start + n * 600_000_000_000), json!("x")]);
    // A row each ten minutes until August, but for the days from 60 to 79.
    let rows: Vec<Kept> = (0..212 * 144).filter(|n| !(60 * 144..80 * 144).contains(n)).map(row).collect();
    for secret in [None, Some(1), Some(2)] {
        let answer = ask(&daily, (&schema, &rows), &terms, secret).unwrap();
        let Answer::Gaps { expected, received, is_resolved: true, longest_gap: Some(gap), .. } = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(expected, 212 * 144);
        assert!((received.value - 192 * 144).abs() <= 2 * received.error_95);
        // The days are 2025-03-02 to 2025-03-21, told in blocks of 160 steps, which is 26 h 40 min.
        assert!(("2025-02-28".to_owned().."2025-03-04".to_owned()).contains(&gap.from), "{gap:?}");
        assert!(("2025-03-20".to_owned().."2025-03-24".to_owned()).contains(&gap.until), "{gap:?}");
    }
    let short = Question::Gaps { time_column: "at".to_owned(), step_seconds: 86_400, from: None, until: None };
    let answer = ask(&short, (&schema, &rows), &terms, Some(1)).unwrap();
    assert!(matches!(answer, Answer::Gaps { is_resolved: false, longest_gap: None, .. }), "{answer:?}");
}

#[test]
fn drift_shows_a_column_month_by_month() {
    let of = |name: &str| Question::Drift { column: name.to_owned(), time_column: "at".to_owned() };
    let (exact, noisy) = both(&of("level"));
    for (answer, slack) in [(exact, 0), (noisy, 2)] {
        let Answer::Drift { months } = answer else { panic!("{answer:?}") };
        let names: Vec<_> = months.iter().map(|month| month.month.as_str()).collect();
        assert_eq!(names, ["2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06", "2025-07"]);
        let january = &months[0];
        assert!((january.rows.value - 930).abs() <= slack * january.rows.error_95, "{january:?}");
        let nulls = january.nulls.as_ref().unwrap();
        assert!((nulls.permille - 200).abs() <= slack * nulls.error_95, "{nulls:?}");
        assert!(january.mean.is_some() && january.top.is_none());
    }
    let (exact, _) = both(&of("station"));
    let Answer::Drift { months } = exact else { panic!("{exact:?}") };
    let top = months[1].top.as_ref().unwrap();
    assert!((330..=340).contains(&top.permille) && months[1].mean.is_none(), "a third are of each gauge: {top:?}");
}

#[test]
fn keys_are_matched_plain_or_hashed() {
    let plain: Vec<String> = (5_500..6_500).map(|n| n.to_string()).collect();
    let hashed =
        plain.iter().map(|key| Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    let of = |keys, hashed| Question::Match { column: "number".to_owned(), keys: Keys(keys), hashed };
    let (exact, noisy) = both(&of(plain.clone(), false));
    assert_eq!(both(&of(hashed, true)), (exact.clone(), noisy.clone()), "the same question");
    let mut turned = plain.clone();
    turned.reverse();
    turned.extend(plain);
    assert_eq!(both(&of(turned, false)), (exact.clone(), noisy.clone()), "in another order, and twice");
    let Answer::Match { keys: 1_000, matched: Some(matched), rate: Some(rate) } = exact else { panic!("{exact:?}") };
    assert_eq!((matched.value, matched.scale.as_str(), rate.permille), (500, "10.000", 500));
    let Answer::Match { matched: Some(matched), .. } = noisy else { panic!("{noisy:?}") };
    assert!((matched.value - 500).abs() <= 2 * matched.error_95, "{matched:?}");
    let none = of((10_000..10_200).map(|n: i32| n.to_string()).collect(), false);
    let (exact, _) = (ask(&none, (&gauges().0, &gauges().1), &gauges().2, None).unwrap(), ());
    assert_eq!(exact, Answer::Match { keys: 200, matched: None, rate: None });
    assert!(!format!("{none:?}").contains("10001"), "keys are not written into logs");
}

#[test]
fn ways_of_writing_that_differ_in_nothing_are_one_question() {
    let (schema, _, terms) = gauges();
    let of = |text: &str| Plan::of(&sql(text), &schema, &terms).unwrap().identity(&terms);
    let shown = of("SELECT COUNT(*) FROM t WHERE level >= -0.5 AND at < '2025-02-01' AND station IN ('b', 'a')");
    let written = json!([["at", "<", "2025-02-01T00:00:00Z"], ["level", ">=", "-0.50"], ["station", "IN", "a", "b"]]);
    assert_eq!(shown["question"]["where"], written);
    let one = of("SELECT station, COUNT(*), AVG(level) FROM t WHERE number > 5 AND level <= 2.50 GROUP BY station");
    let two = of(
        "select avg(level),count(*), station from other where level <= 2.5 and number>5 and number > 5 group by station;",
    );
    assert_eq!(one, two);
    for other in [
        "SELECT station, COUNT(*), AVG(level) FROM t WHERE number > 5 AND level <= 2.51 GROUP BY station",
        "SELECT COUNT(*), AVG(level) FROM t WHERE number > 5 AND level <= 2.50",
        "SELECT station, COUNT(*), SUM(level) FROM t WHERE number > 5 AND level <= 2.50 GROUP BY station",
    ] {
        assert_ne!(of(other), one, "{other}");
    }
    let mut wider = terms.clone();
    wider.columns[2] = open("level", Some(("0", "8")));
    assert_ne!(Plan::of(&sql("SELECT AVG(level) FROM t"), &schema, &wider).unwrap().shown, json!(null));
    let under = |terms: &Terms| Plan::of(&sql("SELECT AVG(level) FROM t"), &schema, terms).unwrap().identity(terms);
    assert_ne!(under(&wider), under(&terms), "noise of another width must not come from the same secret");
    let stronger = Terms { epsilon_milli: 200, ..terms.clone() };
    assert_ne!(under(&stronger), under(&terms));
}

#[test]
fn what_may_not_be_asked_is_refused_whatever_the_rows_are() {
    let (schema, _, terms) = gauges();
    let keys = |count: i32| Keys((0..count).map(|n| n.to_string()).collect());
    let name = |text: &str| text.to_owned();
    let gaps = |column: &str, step, from: Option<&str>| Question::Gaps {
        time_column: name(column),
        step_seconds: step,
        from: from.map(name),
        until: None,
    };
    for (question, pointer) in [
        (Question::Coverage { columns: Some(vec![name("hidden")]) }, "/columns"),
        (Question::Coverage { columns: Some(vec![name("gone")]) }, "/columns"),
        (gaps("level", 60, None), "/time_column"),
        (gaps("at", 0, None), "/step_seconds"),
        (gaps("at", 1, None), "/step_seconds"),
        (gaps("at", 600, Some("2026-01-01")), "/step_seconds"),
        (gaps("at", 600, Some("noon")), "/from"),
        (Question::Drift { column: name("number"), time_column: name("at") }, "/column"),
        (Question::Drift { column: name("level"), time_column: name("station") }, "/time_column"),
        (Question::Match { column: name("number"), keys: keys(99), hashed: false }, "/keys"),
        (Question::Match { column: name("number"), keys: keys(3_001), hashed: false }, "/keys"),
        (Question::Match { column: name("number"), keys: keys(100), hashed: true }, "/keys"),
        (Question::Match { column: name("level"), keys: keys(100), hashed: false }, "/column"),
        (sql("SELECT COUNT(hidden) FROM t"), "/sql"),
        (sql("SELECT COUNT(*) FROM t WHERE hidden = 'x'"), "/sql"),
        (sql("SELECT hidden, COUNT(*) FROM t GROUP BY hidden"), "/sql"),
        (sql("SELECT AVG(number) FROM t"), "/sql"),
        (sql("SELECT AVG(station) FROM t"), "/sql"),
        (sql("SELECT station, COUNT(*) FROM t"), "/sql"),
        (sql("SELECT station FROM t GROUP BY station"), "/sql"),
        (sql("SELECT COUNT(*) FROM t GROUP BY level"), "/sql"),
        (sql("SELECT COUNT(*) FROM t WHERE number = 'five'"), "/sql"),
    ] {
        let refused = Plan::of(&question, &schema, &terms).err().unwrap_or_else(|| panic!("{question:?}"));
        assert_eq!(refused.pointer, pointer, "{question:?}: {}", refused.detail);
    }
    let few = Terms { kinds: vec![Kind::Match], ..terms };
    let refused = Plan::of(&sql("SELECT COUNT(*) FROM t"), &schema, &few).err().unwrap();
    assert_eq!(
        (refused.pointer.as_str(), refused.detail.as_str()),
        ("/kind", "The owner answers questions of: match.")
    );
}

#[test]
fn too_many_groups_are_none() {
    let schema = vec![column("id", Type::Integer)];
    let rows: Vec<Kept> = (0..25_000).map(|n| Kept(vec![json!(n)])).collect();
    let terms = terms(vec![open("id", None)]);
    let text = sql("SELECT id, COUNT(*) FROM t GROUP BY id");
    for (count, too_many) in [(25_000, true), (15_000, true), (5_000, false)] {
        let answer = ask(&text, (&schema, &rows[..count]), &terms, Some(1)).unwrap();
        let Answer::Aggregate { groups, has_too_many_groups, .. } = answer else { panic!("{answer:?}") };
        assert_eq!((groups.len(), has_too_many_groups), (0, too_many), "{count}");
    }
}
