//! What is known to break answers about tables, tried within a whole budget: twenty questions of ε 0.1.
//!
//! The attacker knows everything but the secret of its target: all other rows, and how the noise is drawn. Each attack
//! is played many times on fresh tables and secrets; it must do hardly better than guessing, and never better than
//! differential privacy allows at all (e^ε / (1 + e^ε) for the ε of the budget). That the tests can fail is shown by
//! the same attacks where noise is off: there they succeed.

#![expect(clippy::cast_precision_loss, reason = "small numbers of a test")]

use serde_json::json;

use crate::{
    Answer, Column, Keys, Question, Terms, Type,
    tests::{Kept, ask, column, open, sql, terms},
};

/// Questions of a budget.
const QUESTIONS: u64 = 20;

/// Numbers that look random, the same each time.
struct Dice(u64);

impl Dice {
    /// Source: Steele, Lea, Flood, *Fast splittable pseudorandom number generators* (`SplitMix64`).
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// Columns `id`, `sector`, `age`, `secret` and ten of `h0` to `h9`, which cut the rows into halves.
fn schema() -> Vec<Column> {
    let mut all = vec![
        column("id", Type::Integer),
        column("sector", Type::Text),
        column("age", Type::Integer),
        column("secret", Type::Boolean),
    ];
    all.extend((0..10).map(|n| column(&format!("h{n}"), Type::Integer)));
    all
}

fn person(id: u64, sector: &str, age: u64, secret: bool, dice: &mut Dice) -> Kept {
    let mut row = vec![json!(id), json!(sector), json!(age), json!(secret)];
    row.extend((0..10).map(|_| json!(dice.roll(1_000))));
    Kept(row)
}

struct World {
    schema: Vec<Column>,
    rows: Vec<Kept>,
    terms: Terms,
    /// Nothing where noise is off.
    secret: Option<u64>,
}

impl World {
    fn new(rows: Vec<Kept>, secret: Option<u64>) -> Self {
        let schema = schema();
        let columns = schema.iter().map(|column| open(&column.name, None)).collect();
        Self { schema, rows, terms: terms(columns), secret }
    }

    fn ask(&self, question: &Question) -> Answer {
        ask(question, (&self.schema, &self.rows), &self.terms, self.secret).expect("a good question")
    }

    /// The answer to a SELECT COUNT(*) of a group; 0 where it is not shown.
    fn count(&self, condition: &str) -> f64 {
        let Answer::Aggregate { groups, .. } = self.ask(&sql(&format!("SELECT COUNT(*) FROM t WHERE {condition}")))
        else {
            panic!("an aggregate")
        };
        groups.first().map_or(0.0, |group| group.figures[0].count.as_ref().expect("a count").value as f64)
    }
}

/// Plays an attack on a secret bit; returns how often it guessed right, with noise and without.
fn play(games: u64, attack: impl Fn(bool, Option<u64>, &mut Dice) -> bool) -> (f64, f64) {
    let rate = |is_noisy: bool| {
        let right = (0..games).filter(|game| {
            let mut dice = Dice(game * 7_919 + 1);
            let bit = dice.roll(2) == 1;
            attack(bit, is_noisy.then_some(*game), &mut dice) == bit
        });
        right.count() as f64 / games as f64
    };
    (rate(true), rate(false))
}

/// An attack that hardly beats guessing with noise, stays within what ε allows, and works without.
fn assert_hidden(what: &str, (noisy, bare): (f64, f64)) {
    let epsilon: f64 = QUESTIONS as f64 * 0.1;
    println!("{what}: {:.1} % right with noise, {:.1} % without", noisy * 100.0, bare * 100.0);
    assert!(noisy < 0.66 && noisy < epsilon.exp() / (1.0 + epsilon.exp()), "{what}: {noisy}");
    assert!(bare > 0.95, "{what} proves nothing, for it fails without noise as well: {bare}");
}

/// 300 people, and the target as number 0, whose secret is `bit`.
fn crowd(bit: bool, dice: &mut Dice) -> Vec<Kept> {
    let mut rows = vec![person(0, "x", 30, bit, dice)];
    for id in 1..=300 {
        rows.push(person(id, ["x", "y"][usize::from(id % 2 == 0)], 20 + id % 50, id % 3 != 0, dice));
    }
    rows
}

#[test]
fn differencing_tells_no_row() {
    let played = play(300, |bit, secret, dice| {
        let world = World::new(crowd(bit, dice), secret);
        let differences = (0..QUESTIONS / 2).map(|n| {
            world.count(&format!("secret = TRUE AND id >= -{n}"))
                - world.count(&format!("secret = TRUE AND id > 0 AND age > -{n}"))
        });
        differences.sum::<f64>() / (QUESTIONS / 2) as f64 > 0.5
    });
    assert_hidden("differencing", played);
}

#[test]
fn averaging_over_rephrased_questions_tells_no_row() {
    let played = play(300, |bit, secret, dice| {
        let world = World::new(crowd(bit, dice), secret);
        let known = world.rows[1..].iter().filter(|row| row.0[3] == json!(true)).count() as f64;
        let mean = (0..QUESTIONS).map(|n| world.count(&format!("secret = TRUE AND id >= -{n}"))).sum::<f64>()
            / QUESTIONS as f64;
        mean - known > 0.5
    });
    assert_hidden("averaging", played);
}

#[test]
fn asking_the_same_again_averages_nothing() {
    let mut dice = Dice(1);
    let world = World::new(crowd(true, &mut dice), Some(1));
    let first = world.count("secret = TRUE AND age >= 21");
    for same in
        ["age >= 21 AND secret = TRUE", "secret = true AND age >= 21 AND age >= 21", "\"age\">=21 and secret=True"]
    {
        assert!((world.count(same) - first).abs() < f64::EPSILON, "{same}");
    }
}

#[test]
fn keys_tried_one_by_one_tell_no_membership() {
    let played = play(300, |bit, secret, dice| {
        let mut rows = crowd(true, dice);
        if !bit {
            rows.remove(0);
        }
        let world = World::new(rows, secret);
        // Fifty keys that are there, so that the answer is shown, the target's, and ever other ones that are not.
        let found = (0..QUESTIONS).map(|n| {
            let others = (1..=50).chain(1_000 + n * 100..1_060 + n * 100);
            let keys = std::iter::once(0).chain(others).map(|key| key.to_string()).collect();
            let question = Question::Match { column: "id".to_owned(), keys: Keys(keys), hashed: false };
            let Answer::Match { matched, .. } = world.ask(&question) else { panic!("a match") };
            matched.map_or(0.0, |matched| matched.value as f64)
        });
        found.sum::<f64>() / QUESTIONS as f64 - 50.0 > 0.5
    });
    assert_hidden("membership through match", played);
}

#[test]
fn groups_that_differ_by_one_row_tell_no_row() {
    let played = play(100, |bit, secret, dice| {
        // 800 people in a sector; the target alone is 99 years old, if there is one.
        let mut rows: Vec<Kept> = (1..=800).map(|id| person(id, "x", 20 + id % 50, true, dice)).collect();
        if bit {
            rows.push(person(0, "x", 99, true, dice));
        }
        let world = World::new(rows, secret);
        let of = |condition: &str| {
            let text = format!("SELECT sector, COUNT(*) FROM t WHERE {condition} GROUP BY sector");
            let Answer::Aggregate { groups, .. } = world.ask(&sql(&text)) else { panic!("an aggregate") };
            groups.first().map_or(0.0, |group| group.figures[0].count.as_ref().expect("a count").value as f64)
        };
        let pairs = (0..QUESTIONS / 2).map(|n| of(&format!("id >= -{n}")) - of(&format!("age <> 99 AND id >= -{n}")));
        pairs.sum::<f64>() / (QUESTIONS / 2) as f64 > 0.5
    });
    assert_hidden("intersecting groups", played);
}

#[test]
fn a_group_of_few_is_never_named() {
    let mut dice = Dice(3);
    let mut rows: Vec<Kept> = (1..=600).map(|id| person(id, "x", 30, true, &mut dice)).collect();
    rows.push(person(0, "the only one", 99, true, &mut dice));
    rows.extend((601..=609).map(|id| person(id, "nine of them", 98, true, &mut dice)));
    for secret in 0..500 {
        let world = World::new(rows.clone(), Some(secret));
        let Answer::Aggregate { groups, .. } = world.ask(&sql("SELECT sector, COUNT(*) FROM t GROUP BY sector")) else {
            panic!()
        };
        let keys: Vec<_> = groups.iter().map(|group| group.key[0].as_deref().unwrap()).collect();
        assert_eq!(keys, ["x"], "{secret}");
    }
}

#[test]
fn sums_of_random_subsets_do_not_reconstruct_a_column() {
    const BITS: usize = 14;
    let rate = |is_noisy: bool| {
        let (mut right, games) = (0, 30);
        for game in 0..games {
            let mut dice = Dice(game * 104_729 + 5);
            let secret = dice.roll(1 << BITS);
            let mut rows: Vec<Kept> =
                (0..BITS as u64).map(|id| person(id, "x", 30, secret >> id & 1 == 1, &mut dice)).collect();
            rows.extend((0..300).map(|id| person(1_000 + id, "x", 30, true, &mut dice)));
            let world = World::new(rows, is_noisy.then_some(game));
            // Each question is a random half of a random half; the attacker knows the halves and all other secrets.
            let mut sums = Vec::new();
            for _ in 0..QUESTIONS {
                let (one, other, cut) = (dice.roll(10), dice.roll(10), 300 + dice.roll(400));
                let is_in = |row: &Kept| {
                    let value = |n: u64| row.0[4 + usize::try_from(n).unwrap()].as_u64().unwrap();
                    value(one) >= cut && value(other) < cut + 250
                        || one == other && value(one) >= cut && value(one) < cut + 250
                };
                let counted = world.count(&format!("secret = TRUE AND h{one} >= {cut} AND h{other} < {}", cut + 250));
                let known = world.rows[BITS..].iter().filter(|row| is_in(row)).count() as f64;
                let mask: u64 = (0..BITS).filter(|at| is_in(&world.rows[*at])).map(|at| 1 << at).sum();
                sums.push((mask, counted - known));
            }
            // The likeliest of all columns there can be: least absolute differences, for the noise is Laplace.
            let off = |guess: u64| {
                sums.iter().map(|(mask, sum)| (f64::from((guess & mask).count_ones()) - sum).abs()).sum::<f64>()
            };
            let best = (0..1 << BITS).min_by(|one, other| off(*one).total_cmp(&off(*other))).unwrap();
            right += BITS as u64 - u64::from((best ^ secret).count_ones());
        }
        right as f64 / (BITS as u64 * games) as f64
    };
    let (noisy, bare) = (rate(true), rate(false));
    println!("linear reconstruction: {:.1} % of bits with noise, {:.1} % without", noisy * 100.0, bare * 100.0);
    assert!(noisy < 0.66, "{noisy}");
    assert!(bare > 0.95, "without noise the column is there: {bare}");
}
