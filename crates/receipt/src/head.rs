//! Signed tree heads, and the keys they are verified with.

use std::{fmt, str::FromStr};

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Hash, NotHex,
    hash::{hex, unhex},
    json::canonical_json,
};

/// What the signed text begins with, so that a signature made for anything else is none for a head.
const SIGNED_PREFIX: &str = "torv tree head 1\n";
/// What a key's fingerprint is computed over, before the key.
const KEY_PREFIX: &[u8] = b"torv log key 1\n";
/// Hexadecimal digits of a key id: 128 bits of the fingerprint.
const KEY_ID_DIGITS: usize = 32;
/// Bytes of an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;

/// Names a public key: the first 128 bits of its fingerprint, so that an id can't be given to another key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

impl KeyId {
    /// The id of a raw Ed25519 public key.
    pub fn of(public_key: &[u8; 32]) -> Self {
        let fingerprint = Hash::of(&[KEY_PREFIX, public_key]).to_string();
        Self(fingerprint[..KEY_ID_DIGITS].to_owned())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the exchange says about its tree at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeHead {
    /// The day it was signed, in UTC, `2026-11-21`.
    pub day: String,
    /// The key that signed it.
    pub key_id: KeyId,
    /// The root of the tree.
    pub root: Hash,
    /// When it was signed, RFC 3339 in UTC.
    pub signed_at: String,
    /// Number of leaves.
    pub size: u64,
}

impl TreeHead {
    /// The bytes that are signed.
    pub fn message(&self) -> Vec<u8> {
        // A head holds texts and whole numbers, which always have a canonical form.
        format!("{SIGNED_PREFIX}{}", canonical_json(self).unwrap_or_default()).into_bytes()
    }
}

/// An Ed25519 signature, 128 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; SIGNATURE_BYTES]);

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for Signature {
    type Err = NotHex;

    fn from_str(text: &str) -> Result<Self, NotHex> {
        unhex(text).map(Self)
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a file of keys can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadKeys {
    /// It is not JSON of the expected shape.
    Shape(String),
    /// There is no key in it.
    Empty,
    /// A key is not an Ed25519 public key.
    NotAKey(KeyId),
    /// The id is not the fingerprint of the key beside it.
    WrongId(KeyId),
}

impl fmt::Display for BadKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(why) => write!(f, "this is no file of keys: {why}"),
            Self::Empty => f.write_str("there is no key in this file"),
            Self::NotAKey(id) => write!(f, "the key {id} is no Ed25519 public key of 64 hexadecimal digits"),
            Self::WrongId(id) => write!(f, "the key called {id} has another fingerprint: the file was changed"),
        }
    }
}

impl std::error::Error for BadKeys {}

#[derive(Deserialize)]
struct KeyFile {
    keys: Vec<KeyEntry>,
}

#[derive(Deserialize)]
struct KeyEntry {
    key_id: KeyId,
    public_key: String,
}

/// The public keys that the verifier trusts: those an exchange publishes, kept in a file of one's own.
#[derive(Debug, Clone, Default)]
pub struct TrustedKeys(Vec<(KeyId, VerifyingKey)>);

impl TrustedKeys {
    /// Reads `{"keys": [{"key_id": "…", "public_key": "…"}]}`, as `GET /transparency/keys` answers;
    /// further fields are ignored.
    ///
    /// # Errors
    /// [`BadKeys`]: one bad key refuses the whole file.
    pub fn from_json(text: &[u8]) -> Result<Self, BadKeys> {
        let file: KeyFile = serde_json::from_slice(text).map_err(|error| BadKeys::Shape(error.to_string()))?;
        let mut keys = Vec::with_capacity(file.keys.len());
        for entry in file.keys {
            let not_a_key = || BadKeys::NotAKey(entry.key_id.clone());
            let bytes: [u8; 32] = unhex(&entry.public_key).map_err(|_| not_a_key())?;
            let key = VerifyingKey::from_bytes(&bytes).map_err(|_| not_a_key())?;
            if KeyId::of(&bytes) != entry.key_id {
                return Err(BadKeys::WrongId(entry.key_id));
            }
            keys.push((entry.key_id, key));
        }
        if keys.is_empty() { Err(BadKeys::Empty) } else { Ok(Self(keys)) }
    }

    /// Their ids.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.0.iter().map(|(id, _)| id)
    }

    /// True when `id` is trusted.
    pub fn holds(&self, id: &KeyId) -> bool {
        self.ids().any(|known| known == id)
    }

    /// True when the trusted key that `head` names has signed it.
    pub fn have_signed(&self, head: &TreeHead, signature: &Signature) -> bool {
        self.have_signed_bytes(&head.key_id, &head.message(), signature)
    }

    /// True when the trusted key `id` has signed `message`.
    pub(crate) fn have_signed_bytes(&self, id: &KeyId, message: &[u8], signature: &Signature) -> bool {
        let Some((_, key)) = self.0.iter().find(|(known, _)| known == id) else { return false };
        // Strict: of the several encodings that the plain equation accepts, only the canonical one.
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(message, &signature).is_ok()
    }
}
