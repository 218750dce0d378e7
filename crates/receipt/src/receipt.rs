//! The file that a party keeps, and its verification.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Hash, KeyId, Signature, TreeHead, TrustedKeys, json::canonical_json, merkle};

/// The format that this crate reads and writes.
pub const FORMAT: &str = "torv-receipt/1";

/// What happened to the money of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It was completed: paid for, or free.
    Sale,
    /// Money went back to the buyer; the amounts are negative.
    Refund,
    /// A dispute took money back; the amounts are negative.
    Dispute,
}

impl Kind {
    /// Its word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
        }
    }
}

/// One thing that was bought, with its split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What.
    pub listing: String,
    /// Who sold it.
    pub provider: String,
    /// SHA-256 of the licence document that was accepted.
    pub licence_hash: String,
    /// The price before tax, in minor units.
    pub price_minor: i64,
    /// What of it the provider receives; with its tax, where the provider is the seller.
    pub provider_minor: i64,
    /// What of it the operator keeps.
    pub operator_minor: i64,
    /// Tax on top of the price.
    pub tax_minor: i64,
}

/// What the exchange says about one event, and what the leaf is the hash of. Amounts are minor units of
/// one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// What happened.
    pub kind: Kind,
    /// The event's name, once for ever.
    pub event: String,
    /// The order.
    pub order: String,
    /// Who bought.
    pub buyer: String,
    /// When it happened, RFC 3339 in UTC.
    pub closed_at: String,
    /// ISO 4217.
    pub currency: String,
    /// What the buyer paid, or got back.
    pub total_minor: i64,
    /// What of it belongs to the providers.
    pub providers_minor: i64,
    /// What of it belongs to the operator.
    pub operator_minor: i64,
    /// What of it is tax that the operator owes.
    pub tax_minor: i64,
    /// What was bought; empty where a part of it was taken back.
    pub lines: Vec<Line>,
    /// 32 random bytes, so that the leaf tells nothing to those who guess.
    pub salt: Hash,
}

impl Statement {
    /// What the tree holds of it.
    ///
    /// # Errors
    /// Only if it can't be written as JSON.
    pub fn leaf(&self) -> Result<Hash, serde_json::Error> {
        Ok(merkle::leaf_hash(canonical_json(self)?.as_bytes()))
    }

    /// True when the parts add up to the whole, and the lines to the parts.
    pub fn adds_up(&self) -> bool {
        let sum = |part: fn(&Line) -> i64| self.lines.iter().map(|line| i128::from(part(line))).sum::<i128>();
        let parts = i128::from(self.providers_minor) + i128::from(self.operator_minor) + i128::from(self.tax_minor);
        let of_lines = sum(|line| line.provider_minor) == i128::from(self.providers_minor)
            && sum(|line| line.operator_minor) == i128::from(self.operator_minor)
            && sum(|line| line.price_minor) + sum(|line| line.tax_minor) == i128::from(self.total_minor);
        parts == i128::from(self.total_minor) && (self.lines.is_empty() || of_lines)
    }
}

/// The file: a statement, its place in the tree, and the signed head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`FORMAT`].
    pub format: String,
    /// What happened.
    pub statement: Statement,
    /// The hash of the statement, as the tree holds it.
    pub leaf: Hash,
    /// Its place, from 0.
    pub index: u64,
    /// The hashes beside the way from the leaf to the root.
    pub proof: Vec<Hash>,
    /// The head whose tree it is in.
    pub tree_head: TreeHead,
    /// The signature over the head.
    pub signature: Signature,
}

impl Receipt {
    /// The file's bytes: canonical JSON and a line feed. A receipt has no other form.
    ///
    /// # Errors
    /// Only if it can't be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(format!("{}\n", canonical_json(self)?).into_bytes())
    }
}

/// A receipt that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What happened.
    pub statement: Statement,
    /// Its place in the tree, from 0.
    pub index: u64,
    /// The signed head that covers it.
    pub tree_head: TreeHead,
}

/// Why a receipt does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is not JSON of a receipt.
    Unreadable(String),
    /// It is of a format that is not known here.
    UnknownFormat(String),
    /// It is not written the one way that a receipt is written.
    NotCanonical,
    /// The parts don't add up to the whole.
    DoesNotAddUp,
    /// The leaf is not the hash of the statement.
    OtherLeaf,
    /// The proof does not lead from the leaf to the root.
    NotInTree,
    /// The head names a key that is not trusted.
    UnknownKey(KeyId),
    /// The signature is not one of the key over the head.
    BadSignature,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "this is no receipt: {why}"),
            Self::UnknownFormat(format) => write!(f, "the format {format:?} is not known; expected {FORMAT:?}"),
            Self::NotCanonical => f.write_str("the file was changed: a receipt is canonical JSON and a line feed"),
            Self::DoesNotAddUp => f.write_str("the split does not add up to what was paid"),
            Self::OtherLeaf => f.write_str("the statement was changed: the leaf is the hash of another one"),
            Self::NotInTree => f.write_str("the proof does not lead from the leaf to the signed root"),
            Self::UnknownKey(id) => write!(f, "the tree head is signed with the key {id}, which is not trusted"),
            Self::BadSignature => f.write_str("the signature does not hold for this tree head"),
        }
    }
}

impl std::error::Error for Why {}

/// Verifies the bytes of a receipt with keys that the caller trusts; nothing else is asked.
///
/// # Errors
/// [`Why`], at the first thing that does not hold.
pub fn verify(receipt: &[u8], keys: &TrustedKeys) -> Result<Verified, Why> {
    let unreadable = |error: serde_json::Error| Why::Unreadable(error.to_string());
    let parsed: Receipt = serde_json::from_slice(receipt).map_err(unreadable)?;
    if parsed.format != FORMAT {
        return Err(Why::UnknownFormat(parsed.format));
    }
    if parsed.to_bytes().map_err(unreadable)? != receipt {
        return Err(Why::NotCanonical);
    }
    if !parsed.statement.adds_up() {
        return Err(Why::DoesNotAddUp);
    }
    if parsed.statement.leaf().map_err(unreadable)? != parsed.leaf {
        return Err(Why::OtherLeaf);
    }
    let Receipt { statement, leaf, index, proof, tree_head, signature, .. } = parsed;
    if !merkle::verify_inclusion(leaf, index, tree_head.size, &proof, tree_head.root) {
        return Err(Why::NotInTree);
    }
    if !keys.holds(&tree_head.key_id) {
        return Err(Why::UnknownKey(tree_head.key_id));
    }
    if !keys.have_signed(&tree_head, &signature) {
        return Err(Why::BadSignature);
    }
    Ok(Verified { statement, index, tree_head })
}
