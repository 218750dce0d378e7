//! The bytes of an upload on their way in: never whole in memory, never waited for without an end.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::try_unfold};

use super::model::sha256_of_hex;
use crate::{
    error::{Error, Problem, Result},
    limits,
};

/// What the headers of an upload announce.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Announced {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Length` in bytes.
    pub size_bytes: Option<u64>,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: Option<String>,
}

impl Announced {
    /// Reads `Content-Type`, `Content-Length`, and the digest of `X-Content-SHA256`, `Content-Digest` or `Digest`.
    ///
    /// Source: RFC 9530 (`sha-256=:base64:`); RFC 3230 (`SHA-256=base64`) for older clients.
    ///
    /// # Errors
    /// [`Problem::Invalid`] for a digest that can't be read.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let sha256 = if let Some(value) = headers.get("x-content-sha256") {
            Some(sha256_of_hex(value.to_str().unwrap_or_default())?)
        } else {
            let digest = text("content-digest").map(|value| ("Content-Digest", value));
            digest
                .or_else(|| text("digest").map(|value| ("Digest", value)))
                .map(sha256_of_digest)
                .transpose()?
                .flatten()
        };
        Ok(Self {
            content_type: text(header::CONTENT_TYPE.as_str()).map(str::to_owned),
            size_bytes: text(header::CONTENT_LENGTH.as_str()).and_then(|value| value.parse().ok()),
            sha256,
        })
    }
}

/// The SHA-256 among the digests of a header; nothing if it only has others.
fn sha256_of_digest((name, value): (&'static str, &str)) -> Result<Option<String>> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut digests = value.split(',').filter_map(|digest| digest.trim().split_once('='));
    let Some((_, digest)) = digests.find(|(algorithm, _)| algorithm.eq_ignore_ascii_case("sha-256")) else {
        return Ok(None);
    };
    let bytes = STANDARD.decode(digest.trim_matches(':')).ok().filter(|bytes| bytes.len() == 32);
    let bytes = bytes.ok_or_else(|| Error::invalid(name, "Write sha-256=, then the 32 bytes in base64."))?;
    Ok(Some(crate::base::digest::hex(&bytes)))
}

/// The pieces of `body`; an error when the client breaks off or says nothing for too long.
pub(crate) fn pieces(body: Body) -> impl Stream<Item = Result<Bytes>> + Send + Unpin {
    let idle = Duration::from_secs(limits::UPLOAD_IDLE_SECONDS_MAX);
    Box::pin(try_unfold(body.into_data_stream(), move |mut body| async move {
        let Ok(piece) = tokio::time::timeout(idle, body.next()).await else {
            let detail = format!("No byte came for {} seconds. Send the file again.", idle.as_secs());
            return Err(Error::new(Problem::Malformed, detail));
        };
        let broken =
            |cause| Error::new(Problem::Malformed, "The upload broke off. Send the file again.").because(cause);
        Ok(piece.transpose().map_err(broken)?.map(|piece| (piece, body)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const BASE64: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn announced(name: &'static str, value: &str) -> Result<Option<String>> {
        let headers = HeaderMap::from_iter([(name.parse().expect("a name"), value.parse().expect("a value"))]);
        Announced::of(&headers).map(|announced| announced.sha256)
    }

    #[test]
    fn three_headers_tell_the_same_digest() {
        for (name, value) in [
            ("x-content-sha256", HEX.to_uppercase()),
            ("content-digest", format!("sha-512=:AAAA:, sha-256=:{BASE64}:")),
            ("digest", format!("SHA-256={BASE64}")),
        ] {
            assert_eq!(announced(name, &value).ok().flatten().as_deref(), Some(HEX), "{name}");
        }
    }

    #[test]
    fn a_digest_that_cannot_be_read_is_refused_and_an_unknown_one_ignored() {
        assert!(announced("x-content-sha256", "abc").is_err());
        assert!(announced("content-digest", "sha-256=:AAAA:").is_err());
        assert_eq!(announced("digest", "md5=AAAA").ok(), Some(None));
    }
}
