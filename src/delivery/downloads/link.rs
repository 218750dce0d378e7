//! Signed links: which file, under which grant, until when.
//!
//! `/d/TOKEN/NAME`, where `TOKEN` is `PAYLOAD.SIGNATURE`. The payload is base64url of grant id, file id
//! (16 bytes each), expiry (8 bytes, seconds since 1970, big-endian), format (a byte, 0 being the original) and whether
//! the file was counted when the link was made (a byte). `NAME` is not signed: it is there for tools that choose a
//! reader by the ending of an address, and is never read back.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use entity::{
    ids::{FileId, GrantId},
    states::RenditionFormat,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::names;
use crate::{
    auth::Secrets,
    error::{Error, Problem, Result},
};

/// Bytes of a payload.
const PAYLOAD_BYTES: usize = 42;
/// Longest token looked at; a good one has 56 + 1 + 64 characters.
const TOKEN_CHARS: usize = 121;

/// What a link says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::delivery) struct Link {
    pub(in crate::delivery) grant_id: GrantId,
    pub(in crate::delivery) file_id: FileId,
    /// The original, where there is none.
    pub(in crate::delivery) format: Option<RenditionFormat>,
    /// The first second at which it no longer holds.
    pub(in crate::delivery) expires_at: OffsetDateTime,
    /// The file was counted when the link was made, as often as it is fetched by it.
    pub(in crate::delivery) is_counted: bool,
}

impl Link {
    /// The address, without the host, that serves the file called `name`.
    pub(in crate::delivery) fn path(&self, secrets: &Secrets, name: &str) -> String {
        let mut payload = [0; PAYLOAD_BYTES];
        payload[..16].copy_from_slice(self.grant_id.0.as_bytes());
        payload[16..32].copy_from_slice(self.file_id.0.as_bytes());
        payload[32..40].copy_from_slice(&self.expires_at.unix_timestamp().to_be_bytes());
        payload[40] = format_byte(self.format);
        payload[41] = u8::from(self.is_counted);
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let signature = secrets.sign_link(&payload);
        format!("/d/{payload}.{signature}/{}", names::in_path(name))
    }

    /// Reads a token that this exchange signed and that still holds.
    ///
    /// # Errors
    /// `NotFound` for one that was not signed here, or changed since; `Gone` for one that has expired.
    pub(super) fn read(token: &str, secrets: &Secrets, now: OffsetDateTime) -> Result<Self> {
        let link = Self::signed(token, secrets).ok_or_else(|| {
            Error::new(Problem::NotFound, "This download link is not one of ours. Check that it was copied whole.")
        })?;
        if now >= link.expires_at {
            let advice = "This download link has expired. Get a fresh one from GET /api/v1/grants/{id}/files.";
            return Err(Error::new(Problem::Gone, advice));
        }
        Ok(link)
    }

    fn signed(token: &str, secrets: &Secrets) -> Option<Self> {
        if token.len() != TOKEN_CHARS {
            return None;
        }
        let (payload, signature) = token.split_once('.')?;
        if !secrets.verify_link(payload, signature) {
            return None;
        }
        let payload: [u8; PAYLOAD_BYTES] = URL_SAFE_NO_PAD.decode(payload).ok()?.try_into().ok()?;
        let (grant, rest) = payload.split_first_chunk::<16>()?;
        let (file, expiry) = rest.split_first_chunk::<16>()?;
        let (expiry, rest) = expiry.split_first_chunk::<8>()?;
        let [format, counted] = *rest.first_chunk::<2>()?;
        let expiry = i64::from_be_bytes(*expiry);
        Some(Self {
            grant_id: GrantId(Uuid::from_bytes(*grant)),
            file_id: FileId(Uuid::from_bytes(*file)),
            format: format_of(format)?,
            expires_at: OffsetDateTime::from_unix_timestamp(expiry).ok()?,
            is_counted: counted == 1,
        })
    }
}

/// The numbers are kept for good, whatever formats are added.
fn format_byte(format: Option<RenditionFormat>) -> u8 {
    match format {
        None => 0,
        Some(RenditionFormat::Parquet) => 1,
        Some(RenditionFormat::Csv) => 2,
        Some(RenditionFormat::Jsonl) => 3,
        Some(RenditionFormat::Geojson) => 4,
        Some(RenditionFormat::Geoparquet) => 5,
        Some(RenditionFormat::Changes) => 6,
    }
}

fn format_of(byte: u8) -> Option<Option<RenditionFormat>> {
    let formats = std::iter::once(None).chain(RenditionFormat::ALL.iter().copied().map(Some));
    formats.into_iter().find(|format| format_byte(*format) == byte)
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-11-21 12:00:00 UTC);

    fn token_of(path: &str) -> String {
        path.split('/').nth(2).unwrap().to_owned()
    }

    fn link() -> Link {
        Link {
            grant_id: GrantId::at(NOON),
            file_id: FileId::at(NOON),
            format: Some(RenditionFormat::Geojson),
            is_counted: false,
            expires_at: NOON + Duration::minutes(10),
        }
    }

    #[test]
    fn a_link_says_what_was_put_in_until_it_expires() {
        let (secrets, link) = (Secrets::from_master("one").unwrap(), link());
        let path = link.path(&secrets, "九十九橋.csv");
        assert!(path.ends_with(".csv") && path.is_ascii(), "{path}");
        let token = token_of(&path);
        let last = link.expires_at - Duration::microseconds(1);
        assert_eq!(Link::read(&token, &secrets, last).unwrap(), link);
        assert_eq!(Link::read(&token, &secrets, link.expires_at).unwrap_err().problem, Problem::Gone);
        let counted = Link { is_counted: true, ..link };
        assert_eq!(Link::read(&token_of(&counted.path(&secrets, "a")), &secrets, last).unwrap(), counted);
    }

    #[test]
    fn each_format_has_a_number_of_its_own() {
        for format in RenditionFormat::ALL.iter().copied().map(Some).chain([None]) {
            assert_eq!(format_of(format_byte(format)), Some(format));
        }
        assert_eq!(format_of(200), None);
    }

    #[test]
    fn a_change_of_any_character_makes_it_unknown_even_when_expired() {
        let secrets = Secrets::from_master("one").unwrap();
        let token = token_of(&link().path(&secrets, "a.csv"));
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'1' { b'0' } else { b'1' };
            let forged = String::from_utf8(forged).unwrap();
            for now in [NOON, NOON + Duration::days(1)] {
                assert_eq!(Link::read(&forged, &secrets, now).unwrap_err().problem, Problem::NotFound, "{at}");
            }
        }
        let other = Secrets::from_master("two").unwrap();
        assert_eq!(Link::read(&token, &other, NOON).unwrap_err().problem, Problem::NotFound);
        for junk in ["", ".", "a.b", "é", &token[1..], &format!("{token}0")] {
            assert_eq!(Link::read(junk, &secrets, NOON).unwrap_err().problem, Problem::NotFound, "{junk}");
        }
    }
}
