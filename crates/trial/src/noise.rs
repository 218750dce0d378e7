//! Discrete Laplace noise that is the same each time the same thing is asked.
//!
//! Sampling uses whole numbers and biased coins only: with floating-point logarithms some answers could not come from
//! some inputs, which tells more than the noise hides. The randomness is SHA-256 in counter mode under a secret seed,
//! so noise is a function of the question: asking again averages nothing.
//!
//! Source: Canonne, Kamath, Steinke, *The Discrete Gaussian for Differential Privacy*, algorithm 2 (discrete Laplace);
//! Mironov, *On significance of the least significant bits for differential privacy*.

use sha2::{Digest as _, Sha256};

/// 32 secret bytes that belong to one question about one table.
#[derive(Clone)]
pub struct Seed(pub [u8; 32]);

/// Where noise comes from.
#[derive(Clone)]
pub enum Noise {
    /// From a secret: the same for the same figure of the same question.
    Sticky(Seed),
    /// None at all: only to show that attacks succeed where there is none.
    #[cfg(test)]
    Off,
}

/// How wide noise is: the share of a figure that one row can make, times the number of figures that share a
/// question's ε, over that ε. A figure with noise of scale b is off by more than 3 b once in twenty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    numerator: u64,
    denominator: u64,
}

impl Scale {
    /// For a figure that one row changes by at most `sensitivity`, one of `parts` that share `epsilon_milli` / 1,000.
    pub(crate) fn new(sensitivity: u64, parts: u64, epsilon_milli: u32) -> Self {
        let numerator = sensitivity.saturating_mul(parts).saturating_mul(1_000);
        Self { numerator, denominator: u64::from(epsilon_milli.max(1)) }
    }

    /// The scale, rounded up to a whole number.
    pub(crate) fn ceil(self) -> u64 {
        self.numerator.div_ceil(self.denominator)
    }

    /// So many times the scale, in thousandths of it, rounded up.
    pub(crate) fn times_milli(self, milli: u64) -> i64 {
        let product = u128::from(self.numerator) * u128::from(milli);
        i64::try_from(product.div_ceil(u128::from(self.denominator) * 1_000)).unwrap_or(i64::MAX)
    }

    /// The scale in text, with three digits behind the point.
    pub(crate) fn text(self) -> String {
        let milli = self.times_milli(1_000_000);
        format!("{}.{:03}", milli / 1_000, milli % 1_000)
    }
}

impl Noise {
    /// The noise of one figure, named by `label`.
    pub(crate) fn at(&self, label: &[&str], scale: Scale) -> i64 {
        match self {
            Self::Sticky(seed) => Coins::of(seed, label).laplace(scale.numerator, scale.denominator),
            #[cfg(test)]
            Self::Off => 0,
        }
    }
}

/// A stream of unpredictable numbers.
struct Coins {
    key: [u8; 32],
    block: [u8; 32],
    used: usize,
    counter: u64,
}

impl Coins {
    fn of(seed: &Seed, label: &[&str]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"torv trial noise 1\n");
        digest.update(seed.0);
        for part in label {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part.as_bytes());
        }
        Self { key: digest.finalize().into(), block: [0; 32], used: 32, counter: 0 }
    }

    fn next(&mut self) -> u64 {
        if self.used + 8 > self.block.len() {
            let mut digest = Sha256::new();
            digest.update(self.key);
            digest.update(self.counter.to_be_bytes());
            self.block = digest.finalize().into();
            (self.counter, self.used) = (self.counter + 1, 0);
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.block[self.used..self.used + 8]);
        self.used += 8;
        u64::from_be_bytes(bytes)
    }

    /// One of `0..below`, each as likely.
    fn below(&mut self, below: u64) -> u64 {
        let fair = u64::MAX - u64::MAX % below;
        loop {
            let number = self.next();
            if number < fair {
                return number % below;
            }
        }
    }

    /// True with a chance of `numerator / denominator`.
    fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// True with a chance of exp(-numerator / denominator), for a fraction of at most 1.
    fn decayed(&mut self, numerator: u64, denominator: u64) -> bool {
        let mut k = 1;
        while self.chance(numerator, denominator.saturating_mul(k)) {
            k += 1;
        }
        k % 2 == 1
    }

    /// A whole number whose chance falls with exp(-|n| · denominator / numerator).
    fn laplace(&mut self, numerator: u64, denominator: u64) -> i64 {
        let (t, s) = (numerator.max(1), denominator.max(1));
        loop {
            let within = self.below(t);
            if !self.decayed(within, t) {
                continue;
            }
            let mut wholes: u64 = 0;
            while self.decayed(1, 1) {
                wholes += 1;
            }
            let size = within.saturating_add(t.saturating_mul(wholes)) / s;
            let is_negative = self.chance(1, 2);
            // Zero has no sign: counted for both, it would come twice as often.
            if is_negative && size == 0 {
                continue;
            }
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            return if is_negative { -size } else { size };
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_precision_loss, reason = "small numbers of a test")]

    use super::*;

    fn drawn(scale: Scale, count: u32) -> Vec<i64> {
        let noise = Noise::Sticky(Seed([7; 32]));
        (0..count).map(|n| noise.at(&["rows", &n.to_string()], scale)).collect()
    }

    #[test]
    fn the_same_figure_has_the_same_noise_and_no_other() {
        let scale = Scale::new(1, 1, 100);
        let (one, other) = (Noise::Sticky(Seed([1; 32])), Noise::Sticky(Seed([2; 32])));
        let of = |noise: &Noise| (0..50).map(|n| noise.at(&[&n.to_string()], scale)).collect::<Vec<_>>();
        assert_eq!(of(&one), of(&one));
        assert_ne!(of(&one), of(&other));
        let split = (0..50).map(|n| one.at(&["a", &format!("b{n}")], scale)).collect::<Vec<_>>();
        let joined = (0..50).map(|n| one.at(&["ab", &n.to_string()], scale)).collect::<Vec<_>>();
        assert_ne!(split, joined, "where one part of a label ends is part of it");
    }

    #[test]
    fn noise_is_as_wide_as_it_is_said_to_be() {
        for (parts, epsilon_milli, wanted) in [(1, 100, 10.0), (3, 100, 30.0), (1, 1_000, 1.0)] {
            let scale = Scale::new(1, parts, epsilon_milli);
            let all = drawn(scale, 20_000);
            let mean_size: f64 = all.iter().map(|n| n.unsigned_abs()).sum::<u64>() as f64 / 20_000.0;
            // The mean size of a discrete Laplace variable: 2q / (1 - q²), with q = exp(-1/b).
            let q: f64 = f64::exp(-1.0 / wanted);
            let expected = 2.0 * q / (1.0 - q * q);
            assert!((mean_size / expected - 1.0).abs() < 0.05, "{mean_size} is not {expected}");
            let sum = all.iter().sum::<i64>() as f64 / 20_000.0;
            assert!(sum.abs() < wanted * 0.05, "centred: {sum}");
            let beyond = all.iter().filter(|n| n.unsigned_abs() > 3 * scale.ceil()).count();
            assert!((200..=1_400).contains(&beyond), "about one in twenty: {beyond}");
        }
    }

    #[test]
    fn neighbouring_answers_differ_in_likelihood_by_no_more_than_epsilon() {
        let scale = Scale::new(1, 1, 500);
        let mut seen = std::collections::HashMap::<i64, u32>::new();
        for n in drawn(scale, 60_000) {
            *seen.entry(n).or_default() += 1;
        }
        for n in -3..3 {
            let ratio = f64::from(seen[&n]) / f64::from(seen[&(n + 1)]);
            assert!((-0.6..=0.6).contains(&ratio.ln()), "{n}: {ratio}");
        }
    }

    #[test]
    fn a_scale_is_written_as_it_is() {
        let scale = Scale::new(1, 3, 100);
        assert_eq!((scale.text(), scale.ceil(), scale.times_milli(3_000)), ("30.000".to_owned(), 30, 90));
        assert_eq!(Scale::new(1, 1, 300).text(), "3.334");
    }
}
