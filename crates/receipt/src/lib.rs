//! Receipts of an exchange, with a proof that anyone can verify offline.
//!
//! Every sale, and everything that later takes back a part of one, is a [`Statement`]. Its canonical
//! JSON is a leaf of one Merkle tree that only grows. The exchange signs the tree's root as a
//! [`TreeHead`] and publishes it, so it can neither drop a sale, nor change one, nor show two people
//! two histories, without a proof of that being left in somebody's hands. A [`Receipt`] is the file a
//! party keeps: the statement, its place in the tree, and the signed head. [`verify()`] needs that file and
//! the exchange's public keys, nothing else.
//!
//! The tree shows outsiders hashes only; each statement holds 32 random bytes, so that nobody can
//! find out what is in a leaf by trying. So does each line, and of a line the leaf holds the hash only: a
//! provider's receipt of a bundle proves the whole sale, and shows of the others' lines nothing.
//!
//! Source: RFC 9162 (Certificate Transparency 2.0), section 2.1, for the tree and both proofs;
//! RFC 8032 for the signature; RFC 8785 for canonical JSON, of values without fractions.

mod hash;
mod head;
mod json;
pub mod merkle;
mod receipt;
mod trial;

pub use hash::{Hash, NotHex};
pub use head::{BadKeys, KeyId, Signature, TreeHead, TrustedKeys};
pub use json::canonical_json;
pub use receipt::{Entry, FORMAT_1, FORMAT_2, HiddenLine, Kind, Line, Receipt, Statement, Verified, Why, verify};
pub use trial::{TRIAL_FORMAT, TrialReport, is_trial_report, verify_trial_report};
