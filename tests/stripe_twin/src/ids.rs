//! Ids and random choices, the same for the same seed.

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const ID_CHARS: usize = 24;

/// `SplitMix64`: small, seedable, and good enough to name and shuffle things.
#[derive(Clone, Debug)]
pub struct Generator(u64);

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `bound`, 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    pub fn percent(&mut self, chance: u8) -> bool {
        self.below(100) < u64::from(chance)
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let other = usize::try_from(self.below(end as u64 + 1)).unwrap_or(0);
            items.swap(end, other);
        }
    }

    /// A fresh id such as `pi_` followed by letters and digits.
    pub fn id(&mut self, prefix: &str) -> String {
        let tail: String =
            (0..ID_CHARS).map(|_| char::from(ALPHABET[usize::try_from(self.below(62)).unwrap_or(0)])).collect();
        format!("{prefix}_{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::Generator;

    #[test]
    fn the_same_seed_names_the_same_things() {
        let (mut left, mut right) = (Generator::new(7), Generator::new(7));
        assert_eq!(left.id("pi"), right.id("pi"));
        assert_ne!(left.id("pi"), Generator::new(8).id("pi"));
    }
}
