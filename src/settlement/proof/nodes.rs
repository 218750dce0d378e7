//! Hashes of complete subtrees, read for a proof or made while leaves are appended.

use std::collections::HashMap;

use sea_orm::ConnectionTrait;
use torv_receipt::{Hash, merkle, merkle::Node};

use super::store;
use crate::error::{Error, Result};

/// Hashes by their place.
#[derive(Debug, Clone, Default)]
pub struct Nodes(HashMap<Node, Hash>);

impl Nodes {
    /// Reads the hashes that `build` asks for, then builds with them.
    ///
    /// `build` runs twice: to learn what is asked for, and with the answers. A tree of any size is
    /// proved from a few rows for each of its levels, in one statement.
    ///
    /// # Errors
    /// Internal, when a node is not there; those of the database.
    pub async fn build<T>(conn: &impl ConnectionTrait, build: impl Fn(&mut dyn FnMut(Node) -> Hash) -> T) -> Result<T> {
        let mut wanted = Vec::new();
        build(&mut |node| {
            wanted.push(node);
            merkle::empty_root()
        });
        let nodes = Self::load(conn, &wanted).await?;
        Ok(build(&mut |node| nodes.0.get(&node).copied().unwrap_or_else(merkle::empty_root)))
    }

    /// The nodes that `size` leaves end with: the right edge, which new leaves complete further.
    ///
    /// # Errors
    /// As [`Nodes::build`].
    pub async fn edge(conn: &impl ConnectionTrait, size: u64) -> Result<Self> {
        Self::load(conn, &edge_of(size)).await
    }

    /// Forgets everything but the right edge of `size` leaves, so that a walk over all leaves needs little memory.
    pub fn keep_edge(&mut self, size: u64) {
        let edge = edge_of(size);
        self.0.retain(|node, _| edge.contains(node));
    }

    async fn load(conn: &impl ConnectionTrait, wanted: &[Node]) -> Result<Self> {
        let mut found = HashMap::with_capacity(wanted.len());
        for row in store::nodes(conn, wanted).await? {
            let node = Node {
                level: u32::try_from(row.level).map_err(Error::internal)?,
                index: u64::try_from(row.position).map_err(Error::internal)?,
            };
            found.insert(node, row.hash.parse().map_err(Error::internal)?);
        }
        match wanted.iter().find(|node| !found.contains_key(node)) {
            None => Ok(Self(found)),
            Some(lost) => Err(Error::internal(format!("the node {lost:?} of the public tree is missing"))),
        }
    }

    /// Adds the leaf at `index` and every node it completes; returns them, lowest first. The ones to its
    /// left must be here.
    ///
    /// # Errors
    /// Internal, when one is not.
    pub fn append(&mut self, index: u64, leaf: Hash) -> Result<Vec<(Node, Hash)>> {
        let mut fresh = vec![(Node { level: 0, index }, leaf)];
        let mut right = leaf;
        for node in merkle::completed_by(index) {
            let beside = Node { level: node.level - 1, index: 2 * node.index };
            let lost = || Error::internal(format!("the node {beside:?} of the public tree is missing"));
            right = merkle::node_hash(*self.0.get(&beside).ok_or_else(lost)?, right);
            fresh.push((node, right));
        }
        self.0.extend(fresh.iter().copied());
        Ok(fresh)
    }

    /// The root of the first `size` leaves, whose edge is here.
    pub fn root(&self, size: u64) -> Hash {
        merkle::root(size, &mut |node| self.0.get(&node).copied().unwrap_or_else(merkle::empty_root))
    }
}

/// The complete subtrees that the first `size` leaves are made of: one for each set bit.
fn edge_of(size: u64) -> Vec<Node> {
    let set = (0..u64::BITS).filter(|level| size >> level & 1 == 1);
    set.map(|level| Node { level, index: (size >> level) - 1 }).collect()
}
