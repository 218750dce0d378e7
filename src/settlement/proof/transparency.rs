//! What anybody may fetch: keys, signed heads, and proofs that one tree begins with another.

use entity::{Timestamp, proof_head, proof_key};
use serde::{Deserialize, Serialize};
use torv_receipt::{Hash, KeyId, Signature, TreeHead, merkle};

use super::{heads, nodes::Nodes, store};
use crate::{
    base::digest,
    error::{Error, Result},
    state::AppState,
};

/// A key that tree heads are verified with.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "key_id": "5f1d7a84db00d2fce00b31a7fc73224f", "algorithm": "Ed25519",
    "public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "created_at": "2026-11-21T10:00:00Z", "signs_until": "2027-11-22T10:00:00Z"
}))]
pub struct ProofKeyView {
    /// The first 128 bits of its fingerprint.
    pub key_id: String,
    /// Always `Ed25519`.
    pub algorithm: &'static str,
    /// The raw public key, 64 hexadecimal digits.
    pub public_key: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it signs; what it signed holds for ever.
    pub signs_until: Timestamp,
}

impl From<proof_key::Model> for ProofKeyView {
    fn from(row: proof_key::Model) -> Self {
        let public_key = digest::hex(&row.public_key);
        let (created_at, signs_until) = (row.created_at, row.signs_until);
        Self { key_id: row.key_id, algorithm: "Ed25519", public_key, created_at, signs_until }
    }
}

/// All keys there have ever been: a file of them is what receipts are verified with.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"keys": [{
    "key_id": "5f1d7a84db00d2fce00b31a7fc73224f", "algorithm": "Ed25519",
    "public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "created_at": "2026-11-21T10:00:00Z", "signs_until": "2027-11-22T10:00:00Z"
}]}))]
pub struct ProofKeysView {
    /// The newest first.
    pub keys: Vec<ProofKeyView>,
}

/// A signed head of the public tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "day": "2026-11-21", "size": 1042, "root": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "signed_at": "2026-11-21T23:59:30Z", "key_id": "5f1d7a84db00d2fce00b31a7fc73224f",
    "signature": "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
}))]
pub struct TreeHeadView {
    /// The day it was signed, in UTC.
    pub day: String,
    /// Number of leaves.
    pub size: u64,
    /// The root of the tree, 64 hexadecimal digits.
    pub root: String,
    /// When it was signed.
    pub signed_at: String,
    /// The key that signed it.
    pub key_id: String,
    /// Ed25519 over `torv tree head 1`, a line feed, and the canonical JSON of the other fields.
    pub signature: String,
}

impl TreeHeadView {
    /// The head and its signature.
    ///
    /// # Errors
    /// `Invalid`, when root or signature is not hexadecimal.
    pub fn parse(&self) -> Result<(TreeHead, Signature)> {
        let not_hex = |error: torv_receipt::NotHex| Error::invalid("tree_head", format!("{error}."));
        let head = TreeHead {
            day: self.day.clone(),
            key_id: KeyId(self.key_id.clone()),
            root: self.root.parse().map_err(not_hex)?,
            signed_at: self.signed_at.clone(),
            size: self.size,
        };
        Ok((head, self.signature.parse().map_err(not_hex)?))
    }

    pub(super) fn of(row: &proof_head::Model) -> Result<Self> {
        let (head, signature) = heads::stored(row)?;
        Ok(Self {
            day: head.day,
            size: head.size,
            root: head.root.to_string(),
            signed_at: head.signed_at,
            key_id: head.key_id.0,
            signature: signature.to_string(),
        })
    }
}

/// A proof that the tree of `to` leaves begins with the tree of `from` leaves.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "from": 3, "to": 7, "from_root": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "to_root": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    "proof": ["fd61a03af4f77d870fc21e05e7e80678095c92d808cfb3b5c279ee04c74aca13"]
}))]
pub struct ConsistencyView {
    /// Leaves of the older tree.
    pub from: u64,
    /// Leaves of the newer tree.
    pub to: u64,
    /// Root of the older tree.
    pub from_root: String,
    /// Root of the newer tree.
    pub to_root: String,
    /// The proof of RFC 9162, section 2.1.4.
    pub proof: Vec<String>,
}

/// Proves that the tree of `to` leaves begins with that of `from`; both at most as large as the newest head.
///
/// # Errors
/// `Invalid`, for sizes out of order or beyond the newest head; those of the database.
pub(super) async fn consistency(app: &AppState, from: u64, to: u64) -> Result<ConsistencyView> {
    let newest = store::newest_head(app.db.read()).await?.map_or(0, |head| head.size);
    let largest = u64::try_from(newest).map_err(Error::internal)?;
    if from == 0 || from > to || to > largest {
        let text = format!("Ask for 1 ≤ from ≤ to ≤ {largest}, the size of the newest tree head.");
        return Err(Error::invalid(if from == 0 || from > to { "from" } else { "to" }, text));
    }
    let (from_root, to_root, proof) = Nodes::build(app.db.read(), |mut hash| {
        let roots = (merkle::root(from, &mut hash), merkle::root(to, &mut hash));
        (roots.0, roots.1, merkle::consistency_proof(from, to, &mut hash))
    })
    .await?;
    let proof = proof.iter().map(Hash::to_string).collect();
    Ok(ConsistencyView { from, to, from_root: from_root.to_string(), to_root: to_root.to_string(), proof })
}
