//! The file that a party keeps, and its verification.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Hash, KeyId, Signature, TreeHead, TrustedKeys, json::canonical_json, merkle};

/// The format in which a leaf is the hash of the whole statement, so that nothing of it can be left out.
pub const FORMAT_1: &str = "torv-receipt/1";
/// The format in which a leaf holds of each line its hash only, so that a line can be hidden from a reader.
pub const FORMAT_2: &str = "torv-receipt/2";

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
    /// 32 random bytes, so that a hidden line can't be found out by trying; none in [`FORMAT_1`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Hash>,
}

impl Line {
    /// What is shown of it to those it does not concern.
    ///
    /// # Errors
    /// Only if it can't be written as JSON.
    pub fn hidden(&self) -> Result<Hash, serde_json::Error> {
        Ok(merkle::line_hash(canonical_json(self)?.as_bytes()))
    }
}

/// A line as a reader may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// It concerns the reader.
    Open(Line),
    /// It is another provider's.
    Hidden(HiddenLine),
}

/// A line that does not concern the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HiddenLine {
    /// [`Line::hidden`].
    pub hidden: Hash,
}

impl Entry {
    /// The line, where it is shown.
    pub const fn open(&self) -> Option<&Line> {
        match self {
            Self::Open(line) => Some(line),
            Self::Hidden(_) => None,
        }
    }

    fn to_hidden(&self) -> Result<Self, serde_json::Error> {
        Ok(match self {
            Self::Open(line) => Self::Hidden(HiddenLine { hidden: line.hidden()? }),
            Self::Hidden(line) => Self::Hidden(*line),
        })
    }
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
    pub lines: Vec<Entry>,
    /// 32 random bytes, so that the leaf tells nothing to those who guess.
    pub salt: Hash,
}

impl Statement {
    /// The format whose leaf it has: a line without a salt is one of [`FORMAT_1`].
    pub fn format(&self) -> &'static str {
        let is_salted = |line: &Line| line.salt.is_some();
        if self.lines.iter().all(|entry| entry.open().is_none_or(is_salted)) { FORMAT_2 } else { FORMAT_1 }
    }

    /// True when every line is written as `format` demands; a statement without lines fits both.
    fn is_of(&self, format: &str) -> bool {
        let is_old = |entry: &Entry| entry.open().is_some_and(|line| line.salt.is_none());
        self.lines.iter().all(|entry| is_old(entry) == (format == FORMAT_1))
    }

    /// What the tree holds of it. Hiding lines does not change it, in [`FORMAT_2`].
    ///
    /// # Errors
    /// Only if it can't be written as JSON.
    pub fn leaf(&self) -> Result<Hash, serde_json::Error> {
        if self.format() == FORMAT_1 {
            return Ok(merkle::leaf_hash(canonical_json(self)?.as_bytes()));
        }
        Ok(merkle::leaf_hash(canonical_json(&self.for_reader(|_| false)?)?.as_bytes()))
    }

    /// The statement with all lines hidden that do not concern the reader. One of [`FORMAT_1`] stays as it is: its
    /// leaf could not be computed without them.
    ///
    /// # Errors
    /// Only if a line can't be written as JSON.
    pub fn for_reader(&self, concerns: impl Fn(&Line) -> bool) -> Result<Self, serde_json::Error> {
        if self.format() == FORMAT_1 {
            return Ok(self.clone());
        }
        let shown = |entry: &Entry| match entry.open().is_some_and(&concerns) {
            true => Ok(entry.clone()),
            false => entry.to_hidden(),
        };
        let lines = self.lines.iter().map(shown).collect::<Result<_, _>>()?;
        Ok(Self { lines, ..self.clone() })
    }

    /// The lines that are shown.
    pub fn open_lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter_map(Entry::open)
    }

    /// True when the parts add up to the whole, and the lines to the parts; lines of which some are hidden can't
    /// be summed, and may only not exceed the parts.
    pub fn adds_up(&self) -> bool {
        let sum = |part: fn(&Line) -> i64| self.open_lines().map(|line| i128::from(part(line))).sum::<i128>();
        let parts = i128::from(self.providers_minor) + i128::from(self.operator_minor) + i128::from(self.tax_minor);
        let of_lines = [
            (sum(|line| line.provider_minor), self.providers_minor),
            (sum(|line| line.operator_minor), self.operator_minor),
            (sum(|line| line.price_minor) + sum(|line| line.tax_minor), self.total_minor),
        ];
        let all_open = self.open_lines().count() == self.lines.len();
        let lines_fit = of_lines.into_iter().all(|(of_lines, part)| {
            let part = i128::from(part);
            if all_open { of_lines == part } else { of_lines <= part }
        });
        parts == i128::from(self.total_minor) && (self.lines.is_empty() || lines_fit)
    }
}

/// The file: a statement, its place in the tree, and the signed head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`FORMAT_1`] or [`FORMAT_2`].
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
    /// Its lines are not those of its format.
    MixedFormats,
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
            Self::UnknownFormat(format) => {
                write!(f, "the format {format:?} is not known; expected {FORMAT_1:?} or {FORMAT_2:?}")
            }
            Self::MixedFormats => f.write_str("its lines are not written as its format demands"),
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
    if ![FORMAT_1, FORMAT_2].contains(&parsed.format.as_str()) {
        return Err(Why::UnknownFormat(parsed.format));
    }
    if !parsed.statement.is_of(&parsed.format) {
        return Err(Why::MixedFormats);
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
