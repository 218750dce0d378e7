//! SHA-256 as the exchange writes it: 64 lower-case hexadecimal digits.

use std::fmt::Write as _;

use aws_lc_rs::digest::{Context, SHA256, digest};
use serde::Serialize;

/// SHA-256 of `bytes`, as 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// SHA-256 of a value's canonical JSON: object keys sorted, no white space.
///
/// Source: RFC 8785 for values without floating-point numbers, which is all that is hashed here.
///
/// # Errors
/// When the value can't be written as JSON (a map with keys that are not text).
pub fn canonical_json_sha256<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    Ok(sha256_hex(canonical_json(value)?.as_bytes()))
}

/// The canonical JSON text itself, as it was hashed.
///
/// # Errors
/// As [`canonical_json_sha256`].
pub fn canonical_json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    // `serde_json::Map` keeps its keys sorted unless `preserve_order` is on; sort to be sure.
    serde_json::to_string(&sorted(serde_json::to_value(value)?))
}

fn sorted(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.into_iter().collect();
            pairs.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            Value::Object(pairs.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of hexadecimal `text`, or nothing if it is not hexadecimal.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// A SHA-256 that is fed piece by piece, for streams.
#[derive(Clone)]
pub struct Sha256(Context);

impl Sha256 {
    /// An empty digest.
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces, as 64 hexadecimal digits.
    pub fn finish_hex(self) -> String {
        hex(self.0.finish().as_ref())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_empty_text_has_the_published_digest() {
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Sha256::new().finish_hex(), sha256_hex(b""));
    }

    #[test]
    fn key_order_does_not_change_the_digest() {
        let one = json!({"b": {"y": 1, "x": [2, 3]}, "a": "é"});
        let two = json!({"a": "é", "b": {"x": [2, 3], "y": 1}});
        assert_eq!(canonical_json(&one).ok(), canonical_json(&two).ok());
        assert_eq!(canonical_json(&one).ok().as_deref(), Some(r#"{"a":"é","b":{"x":[2,3],"y":1}}"#));
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        assert_eq!(unhex("00ff7f").as_deref(), Some(&[0, 255, 127][..]));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("zz"), None);
    }
}
