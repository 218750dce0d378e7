//! The tree and its proofs against the definition of RFC 9162, written down literally.
#![expect(clippy::expect_used, reason = "a test that can't go on stops and says why")]

use proptest::prelude::*;
use torv_receipt::{
    Hash,
    merkle::{
        Node, completed_by, consistency_proof, empty_root, inclusion_proof, leaf_hash, node_hash, root,
        verify_consistency, verify_inclusion,
    },
};

/// Leaves of the largest tree that is tried whole.
const SIZE_MAX: u64 = 200;
/// Leaves of the largest tree of which every pair is tried.
const PAIR_MAX: u64 = 64;

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

/// Section 2.1.1, on the list of leaves.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        _ => {
            let middle = naive_split(leaves.len());
            node_hash(naive_root(&leaves[..middle]), naive_root(&leaves[middle..]))
        }
    }
}

fn naive_split(count: usize) -> usize {
    let mut power = 1;
    while power * 2 < count {
        power *= 2;
    }
    power
}

/// Section 2.1.3.1.
fn naive_inclusion(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    let (mut proof, other) = if index < left.len() {
        (naive_inclusion(index, left), right)
    } else {
        (naive_inclusion(index - left.len(), right), left)
    };
    proof.push(naive_root(other));
    proof
}

/// Section 2.1.4.1.
fn naive_consistency(from: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if from == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(naive_split(leaves.len()));
    let (mut proof, other) = if from <= left.len() {
        (naive_consistency(from, left, whole), right)
    } else {
        (naive_consistency(from - left.len(), right, false), left)
    };
    proof.push(naive_root(other));
    proof
}

/// The hash of a complete subtree, from the leaves.
fn lookup(leaves: &[Hash]) -> impl FnMut(Node) -> Hash + '_ {
    |node| {
        let start = usize::try_from(node.index << node.level).expect("small");
        naive_root(&leaves[start..start + (1 << node.level)])
    }
}

fn at(index: u64) -> usize {
    usize::try_from(index).expect("small")
}

#[test]
fn the_root_of_every_size_is_the_defined_one() {
    let all = leaves(SIZE_MAX);
    for size in 0..=SIZE_MAX {
        assert_eq!(root(size, &mut lookup(&all)), naive_root(&all[..at(size)]), "{size}");
    }
}

#[test]
fn every_leaf_of_every_size_is_proved_as_defined_and_nothing_else_is() {
    let all = leaves(SIZE_MAX);
    for size in 1..=SIZE_MAX {
        let tree = &all[..at(size)];
        let whole = naive_root(tree);
        for index in 0..size {
            let proof = inclusion_proof(index, size, &mut lookup(&all));
            assert_eq!(proof, naive_inclusion(at(index), tree), "{index} of {size}");
            assert!(verify_inclusion(tree[at(index)], index, size, &proof, whole), "{index} of {size}");
            let other = (index + 1) % size;
            assert!(other == index || !verify_inclusion(tree[at(index)], other, size, &proof, whole));
            assert!(!verify_inclusion(leaf_hash(b"forged"), index, size, &proof, whole));
            assert!(!verify_inclusion(tree[at(index)], index, size, &proof, leaf_hash(b"forged")));
            let longer: Vec<Hash> = proof.iter().copied().chain([whole]).collect();
            assert!(!verify_inclusion(tree[at(index)], index, size, &longer, whole));
            if let Some((_, shorter)) = proof.split_last() {
                assert!(!verify_inclusion(tree[at(index)], index, size, shorter, whole));
            }
        }
        assert!(!verify_inclusion(tree[0], size, size, &[], whole), "outside of the tree");
    }
}

#[test]
fn every_pair_of_sizes_is_proved_as_defined_and_nothing_else_is() {
    let all = leaves(PAIR_MAX);
    let roots: Vec<Hash> = (0..=PAIR_MAX).map(|size| naive_root(&all[..at(size)])).collect();
    for to in 1..=PAIR_MAX {
        for from in 1..=to {
            let proof = consistency_proof(from, to, &mut lookup(&all));
            assert_eq!(proof, naive_consistency(at(from), &all[..at(to)], true), "{from} to {to}");
            let holds = |older: Hash, newer: Hash, proof: &[Hash]| verify_consistency(from, to, older, newer, proof);
            let (older, newer) = (roots[at(from)], roots[at(to)]);
            assert!(holds(older, newer, &proof), "{from} to {to}");
            assert!(!holds(leaf_hash(b"forged"), newer, &proof), "{from} to {to}");
            assert!(!holds(older, leaf_hash(b"forged"), &proof), "{from} to {to}");
            for changed in 0..proof.len() {
                let mut forged = proof.clone();
                forged[changed] = leaf_hash(b"forged");
                assert!(!holds(older, newer, &forged), "{from} to {to}");
                assert!(!holds(older, newer, &proof[..changed]), "{from} to {to}");
            }
        }
        assert!(!verify_consistency(to + 1, to, roots[at(to)], roots[at(to)], &[]));
        assert!(!verify_consistency(0, to, empty_root(), roots[at(to)], &[]));
    }
}

#[test]
fn appending_one_by_one_stores_every_complete_subtree_once() {
    let all = leaves(SIZE_MAX);
    let mut stored = std::collections::HashMap::new();
    for index in 0..SIZE_MAX {
        stored.insert(Node { level: 0, index }, all[at(index)]);
        for node in completed_by(index) {
            let half = |index| stored[&Node { level: node.level - 1, index }];
            let hash = node_hash(half(2 * node.index), half(2 * node.index + 1));
            assert_eq!(stored.insert(node, hash), None, "{node:?}");
        }
        let size = index + 1;
        assert_eq!(root(size, &mut |node| stored[&node]), naive_root(&all[..at(size)]));
    }
}

#[test]
fn a_leaf_can_not_be_taken_for_a_node() {
    let all = leaves(2);
    let both = [all[0].0, all[1].0].concat();
    assert_ne!(leaf_hash(&both), node_hash(all[0], all[1]));
}

proptest! {
    #[test]
    fn any_leaf_of_a_large_tree_is_proved(size in 1_u64..5_000, place in any::<prop::sample::Index>()) {
        let index = place.index(at(size)) as u64;
        let all = leaves(size);
        let proof = inclusion_proof(index, size, &mut lookup(&all));
        prop_assert!(proof.len() <= 13);
        prop_assert!(verify_inclusion(all[at(index)], index, size, &proof, naive_root(&all)));
    }

    #[test]
    fn sizes_near_the_end_of_the_numbers_neither_hang_nor_overflow(from in 1_u64.., more in 0_u64..) {
        let to = from.saturating_add(more);
        let mut hash = |_| empty_root();
        prop_assert!(consistency_proof(from, to, &mut hash).len() <= 65);
        prop_assert!(inclusion_proof(from - 1, to, &mut hash).len() <= 64);
    }
}
