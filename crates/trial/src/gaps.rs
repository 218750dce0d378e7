//! Which intervals of a time series have a row.

use crate::{
    answer::{Answer, Count, Gap},
    noise::Noise,
    table::{Row, Type, time_text},
    terms::Terms,
};

/// Scales that a block is long: noise of half a block is then seen once in a hundred.
const BLOCK_SCALES: u64 = 8;

pub(crate) struct Gaps {
    column: usize,
    kind: Type,
    from: i64,
    step: i64,
    expected: i64,
    has_row: Vec<bool>,
}

impl Gaps {
    pub(crate) fn new((column, kind): (usize, Type), (from, step, expected): (i64, i64, i64)) -> Self {
        Self { column, kind, from, step, expected, has_row: vec![false; usize::try_from(expected).unwrap_or(0)] }
    }

    pub(crate) fn take(&mut self, row: &dyn Row) {
        let Some(at) = self.kind.seconds(row.cell(self.column)) else { return };
        let place = usize::try_from(at.saturating_sub(self.from).div_euclid(self.step));
        if let Some(has_row) = place.ok().and_then(|place| self.has_row.get_mut(place)) {
            *has_row = true;
        }
    }

    /// A row lies in one interval, and an interval in one block: it changes the number of intervals by at most one,
    /// and that of one block.
    pub(crate) fn answer(&self, noise: &Noise, terms: &Terms) -> Answer {
        let scale = terms.scale(1, 2);
        let count = |all: &[bool]| i64::try_from(all.iter().filter(|has_row| **has_row).count()).unwrap_or(i64::MAX);
        let received = (count(&self.has_row) + noise.at(&["received"], scale)).clamp(0, self.expected);
        let length = usize::try_from(scale.ceil().saturating_mul(BLOCK_SCALES)).unwrap_or(usize::MAX);
        let resolution_seconds = i64::try_from(length).unwrap_or(i64::MAX).saturating_mul(self.step);
        let is_empty: Vec<bool> = self
            .has_row
            .chunks_exact(length)
            .enumerate()
            .map(|(number, block)| {
                let noisy = count(block) + noise.at(&["block", &number.to_string()], scale);
                noisy.saturating_mul(2) < i64::try_from(length).unwrap_or(i64::MAX)
            })
            .collect();
        let at = |block: usize| {
            let block = i64::try_from(block).unwrap_or(i64::MAX);
            time_text(self.from.saturating_add(block.saturating_mul(resolution_seconds)))
        };
        let longest_gap = longest(&is_empty).map(|(first, blocks)| Gap { from: at(first), until: at(first + blocks) });
        Answer::Gaps {
            expected: self.expected,
            missing: self.expected - received,
            received: Count::of(received, scale),
            resolution_seconds,
            is_resolved: is_empty.len() >= 2,
            longest_gap: longest_gap.filter(|_| is_empty.len() >= 2),
        }
    }
}

/// Where the longest run begins, and how long it is.
fn longest(all: &[bool]) -> Option<(usize, usize)> {
    let (mut best, mut start) = (None, 0);
    for (at, is_in) in all.iter().enumerate() {
        if !is_in {
            start = at + 1;
        } else if best.is_none_or(|(_, length)| at + 1 - start > length) {
            best = Some((start, at + 1 - start));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_longest_run_is_found() {
        let run = |text: &str| super::longest(&text.bytes().map(|b| b == b'x').collect::<Vec<_>>());
        assert_eq!(run("..xx.xxx.x"), Some((5, 3)));
        assert_eq!(run("xx..xx"), Some((0, 2)));
        assert_eq!((run("..."), run("")), (None, None));
    }
}
