//! Counting in bounded memory: how many different values, and which are the most frequent.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hasher},
};

/// SipHash under a fixed key, so that the same file always has the same profile.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// The keys are hashes already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Passed(u64);

impl Hasher for Passed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

type Prehashed = BuildHasherDefault<Passed>;

/// Registers of the estimator: 2^13 keep the standard error at 1.04 / sqrt(8192) = 1.15 %.
const PRECISION_BITS: u32 = 13;
const REGISTERS: usize = 1 << PRECISION_BITS;
/// Bits of the hash that are left to count leading zeros in.
const RANK_BITS: u32 = u64::BITS - PRECISION_BITS;

/// Counts different values by their hash: exactly up to a bound, then by a HyperLogLog.
///
/// Source: Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6.
#[derive(Debug)]
pub(super) enum Distinct {
    Exact(HashSet<u64, Prehashed>),
    Estimated(Box<[u8]>),
}

impl Distinct {
    pub(super) fn new() -> Self {
        Self::Exact(HashSet::default())
    }

    /// Adds a value's hash; more than `exact_max` different ones are estimated from then on.
    pub(super) fn insert(&mut self, hash: u64, exact_max: usize) {
        match self {
            Self::Exact(set) => {
                set.insert(hash);
                if set.len() > exact_max {
                    let mut registers = vec![0; REGISTERS].into_boxed_slice();
                    set.iter().for_each(|hash| note(&mut registers, *hash));
                    *self = Self::Estimated(registers);
                }
            }
            Self::Estimated(registers) => note(registers, hash),
        }
    }

    pub(super) fn is_estimate(&self) -> bool {
        matches!(self, Self::Estimated(_))
    }

    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Exact(set) => set.len() as u64,
            Self::Estimated(registers) => estimate(registers),
        }
    }
}

fn note(registers: &mut [u8], hash: u64) {
    let index = usize::try_from(hash >> RANK_BITS).unwrap_or(0);
    let rank = (hash << PRECISION_BITS).leading_zeros().min(RANK_BITS) + 1;
    let rank = u8::try_from(rank).unwrap_or(u8::MAX);
    registers[index] = registers[index].max(rank);
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a finite count rounded to a whole number")]
fn estimate(registers: &[u8]) -> u64 {
    let mut histogram = [0_u32; RANK_BITS as usize + 2];
    for rank in registers {
        histogram[usize::from(*rank)] += 1;
    }
    let m = f64::from(1_u32 << PRECISION_BITS);
    let share = |count: u32| f64::from(count) / m;
    let mut z = m * tau(1.0 - share(histogram[RANK_BITS as usize + 1]));
    for count in histogram[1..=RANK_BITS as usize].iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += m * sigma(share(histogram[0]));
    (m * m / (2.0 * std::f64::consts::LN_2 * z)).round() as u64
}

/// Corrects for registers that were never hit.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

/// Corrects for registers that can rise no further.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

/// Finds frequent values with a bounded number of counters.
///
/// When the counters run out, the median count is taken off each and those without a rest make room. This is
/// space-saving with its evictions done in batches, so that an addition costs constant time on average. Counts are
/// never too high, and too low by at most twice the additions divided by the counters.
///
/// Source: Anderson et al., "A high-performance algorithm for identifying frequent items in data streams" (2017).
#[derive(Debug, Default)]
pub(super) struct Frequent {
    counters: HashMap<u64, Counter, Prehashed>,
    /// What the evictions took off a counter at most: by this much a count can be too low.
    taken_off: u64,
}

#[derive(Debug)]
struct Counter {
    text: Box<str>,
    count: u64,
    /// Rank of first sight, which orders equal counts.
    order: u64,
}

impl Frequent {
    /// Adds `by` occurrences of the value with this hash; `text` writes it down when it is new and finds itself among
    /// `counters_max` others at most.
    pub(super) fn add(&mut self, hash: u64, by: u64, order: u64, counters_max: usize, text: impl FnOnce() -> String) {
        if let Some(counter) = self.counters.get_mut(&hash) {
            counter.count += by;
            return;
        }
        if self.counters.len() >= counters_max {
            self.evict();
        }
        self.counters.insert(hash, Counter { text: text().into_boxed_str(), count: by, order });
    }

    fn evict(&mut self) {
        let mut counts: Vec<u64> = self.counters.values().map(|counter| counter.count).collect();
        let middle = counts.len() / 2;
        let median = *counts.select_nth_unstable(middle).1;
        self.taken_off += median;
        self.counters.retain(|_, counter| {
            counter.count = counter.count.saturating_sub(median);
            counter.count > 0
        });
    }

    /// True when values were evicted.
    pub(super) fn are_lower_bounds(&self) -> bool {
        self.taken_off > 0
    }

    /// The `most` greatest counts, greatest first, the earlier value first among equals.
    ///
    /// Leaves out a count that is smaller than its possible error: it would say nothing.
    pub(super) fn top(self, most: usize) -> Vec<(String, u64)> {
        let mut all: Vec<Counter> =
            self.counters.into_values().filter(|counter| counter.count > self.taken_off).collect();
        all.sort_unstable_by(|a, b| b.count.cmp(&a.count).then(a.order.cmp(&b.order)));
        all.into_iter().take(most).map(|counter| (counter.text.into(), counter.count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_counted_exactly_and_many_within_five_standard_errors() {
        for (count, exact) in [(0, true), (500, true), (1_001, false), (20_000, false), (300_000, false)] {
            let mut distinct = Distinct::new();
            for n in 0..count {
                distinct.insert(hash(format!("value {n}").as_bytes()), 1_000);
                distinct.insert(hash(format!("value {}", n / 2).as_bytes()), 1_000);
            }
            let error = distinct.count().abs_diff(count);
            assert_eq!(distinct.is_estimate(), !exact);
            assert!(if exact { error == 0 } else { error * 100 <= count * 6 }, "{count}: off by {error}");
        }
    }

    #[test]
    fn a_frequent_value_is_found_among_a_flood_of_others() {
        let mut frequent = Frequent::default();
        for n in 0..100_000_u64 {
            let text = if n % 10 == 0 { "often".to_owned() } else { format!("once {n}") };
            frequent.add(hash(text.as_bytes()), 1, n, 512, || text.clone());
        }
        assert!(frequent.are_lower_bounds() && frequent.counters.len() <= 512);
        let top = frequent.top(10);
        assert_eq!(top[0].0, "often");
        assert!((9_000..=10_000).contains(&top[0].1), "{}", top[0].1);
        assert_eq!(top.len(), 1, "what occurs once is not frequent");
    }
}
