//! The Merkle tree of RFC 9162, section 2.1: hashes, proofs, and their verification.
//!
//! A tree of any size is made of complete subtrees whose hashes never change again. The builders of
//! proofs ask for those by [`Node`], so a tree of any size is proved from a logarithmic number of
//! stored hashes.

use crate::Hash;

/// What a leaf's hash begins with, so that no leaf can be taken for an inner node.
const LEAF_PREFIX: &[u8] = &[0];
/// What an inner node's hash begins with.
const NODE_PREFIX: &[u8] = &[1];

/// What the hash of a statement's line begins with: it is neither a leaf nor a node.
const LINE_PREFIX: &[u8] = &[2];

/// A complete subtree: of the `2^level` leaves from `index * 2^level` on. Level 0 is the leaf itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// How many levels above the leaves.
    pub level: u32,
    /// Counted from the left, on its level.
    pub index: u64,
}

/// The hash of a leaf that holds `data`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash::of(&[LEAF_PREFIX, data])
}

/// The hash that stands for a line which is not shown.
pub(crate) fn line_hash(data: &[u8]) -> Hash {
    Hash::of(&[LINE_PREFIX, data])
}

/// The hash of the node above two others.
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    Hash::of(&[NODE_PREFIX, &left.0, &right.0])
}

/// The hash of the tree without leaves.
pub fn empty_root() -> Hash {
    Hash::of(&[])
}

/// The inner nodes that the leaf at `index` completes, from the lowest up. The parts of each are there
/// before it.
pub fn completed_by(index: u64) -> impl Iterator<Item = Node> {
    (1..=index.trailing_ones()).map(move |level| Node { level, index: index >> level })
}

/// The root of the tree of the first `size` leaves; `hash` gives those of complete subtrees.
pub fn root(size: u64, hash: &mut impl FnMut(Node) -> Hash) -> Hash {
    if size == 0 { empty_root() } else { range(0, size, hash) }
}

/// Proves that the leaf at `index` is in the tree of the first `size` leaves: the hashes beside the way
/// from the leaf to the root. Empty for an index outside of the tree.
pub fn inclusion_proof(index: u64, size: u64, hash: &mut impl FnMut(Node) -> Hash) -> Vec<Hash> {
    let mut proof = Vec::new();
    if index < size {
        beside(index, 0, size, hash, &mut proof);
    }
    proof
}

/// Proves that the tree of the first `to` leaves begins with the whole tree of the first `from` leaves.
/// Empty for equal sizes, and where there is no such tree.
pub fn consistency_proof(from: u64, to: u64, hash: &mut impl FnMut(Node) -> Hash) -> Vec<Hash> {
    let mut proof = Vec::new();
    if 0 < from && from < to {
        between(from, 0, to, true, hash, &mut proof);
    }
    proof
}

/// True when `proof` shows that `leaf` is the one at `index` in the tree of `size` leaves with `root`.
///
/// Source: RFC 9162, section 2.1.3.2.
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut seen = leaf;
    for beside in proof {
        if last == 0 {
            return false;
        }
        if place % 2 == 1 || place == last {
            seen = node_hash(*beside, seen);
            while place % 2 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            seen = node_hash(seen, *beside);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && seen == root
}

/// True when `proof` shows that the tree of `to` leaves with `to_root` begins with the tree of `from`
/// leaves with `from_root`.
///
/// Source: RFC 9162, section 2.1.4.2.
pub fn verify_consistency(from: u64, to: u64, from_root: Hash, to_root: Hash, proof: &[Hash]) -> bool {
    if from == to {
        return proof.is_empty() && from_root == to_root;
    }
    if from == 0 || from > to {
        return false;
    }
    // Where the older tree is one complete subtree, its root is not repeated in the proof.
    let first = from.is_power_of_two().then_some(from_root);
    let mut path = first.into_iter().chain(proof.iter().copied());
    let Some(start) = path.next() else { return false };
    let (mut place, mut last) = (from - 1, to - 1);
    while place % 2 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut older, mut newer) = (start, start);
    for beside in path {
        if last == 0 {
            return false;
        }
        if place % 2 == 1 || place == last {
            older = node_hash(beside, older);
            newer = node_hash(beside, newer);
            while place % 2 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            newer = node_hash(newer, beside);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && older == from_root && newer == to_root
}

/// Leaves left of the split of `count` leaves: the largest power of two below it. `count` is at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// The hash over the leaves from `start` to before `end`, of which there is at least one.
fn range(start: u64, end: u64, hash: &mut impl FnMut(Node) -> Hash) -> Hash {
    let count = end - start;
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return hash(Node { level, index: start >> level });
    }
    let middle = start + split(count);
    let left = range(start, middle, hash);
    let right = range(middle, end, hash);
    node_hash(left, right)
}

fn beside(index: u64, start: u64, end: u64, hash: &mut impl FnMut(Node) -> Hash, proof: &mut Vec<Hash>) {
    if end - start == 1 {
        return;
    }
    let middle = start + split(end - start);
    if index < middle {
        beside(index, start, middle, hash, proof);
        proof.push(range(middle, end, hash));
    } else {
        beside(index, middle, end, hash, proof);
        proof.push(range(start, middle, hash));
    }
}

/// `whole` says that the older tree begins at `start` and is known to the verifier by its root.
fn between(from: u64, start: u64, end: u64, whole: bool, hash: &mut impl FnMut(Node) -> Hash, proof: &mut Vec<Hash>) {
    if from == end {
        if !whole {
            proof.push(range(start, end, hash));
        }
        return;
    }
    let middle = start + split(end - start);
    if from <= middle {
        between(from, start, middle, whole, hash, proof);
        proof.push(range(middle, end, hash));
    } else {
        between(from, middle, end, false, hash, proof);
        proof.push(range(start, middle, hash));
    }
}
