//! How many of the asker's keys occur.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest as _, Sha256};

use crate::{
    answer::{Answer, Count, Share},
    noise::Noise,
    table::{Cell, Row, Type},
    terms::Terms,
};

pub(crate) struct Match {
    column: usize,
    kind: Type,
    /// The digests of the keys, and whether each has occurred.
    keys: HashMap<[u8; 32], bool>,
}

impl Match {
    pub(crate) fn new((column, kind): (usize, Type), digests: BTreeSet<[u8; 32]>) -> Self {
        Self { column, kind, keys: digests.into_iter().map(|digest| (digest, false)).collect() }
    }

    pub(crate) fn take(&mut self, row: &dyn Row) {
        let digest: [u8; 32] = match row.cell(self.column) {
            Cell::Text(text) => Sha256::digest(text.as_bytes()).into(),
            other => match self.kind.show(other) {
                Some(text) => Sha256::digest(text.as_bytes()).into(),
                None => return,
            },
        };
        if let Some(occurs) = self.keys.get_mut(&digest) {
            *occurs = true;
        }
    }

    /// A row has one value, so it changes how many keys occur by at most one.
    pub(crate) fn answer(&self, noise: &Noise, terms: &Terms) -> Answer {
        let scale = terms.scale(1, 1);
        let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let keys = size(self.keys.len());
        let matched = size(self.keys.values().filter(|occurs| **occurs).count()) + noise.at(&["matched"], scale);
        let matched = matched.clamp(0, keys);
        let is_enough = matched >= i64::from(terms.min_group_size);
        let rate = Share::of(matched, keys, scale).filter(|_| is_enough);
        Answer::Match { keys, matched: is_enough.then(|| Count::of(matched, scale)), rate }
    }
}
