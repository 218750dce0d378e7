//! Whether a grant opens the door, and what is known of a file that never changes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use entity::{
    ids::{FileId, GrantId, ListingId, MeterId, OrgId},
    states::{Coverage, GrantState, RenditionFormat},
};
use time::OffsetDateTime;

use super::{conditions, names};
use crate::{
    base::digest,
    catalog::revisions::versions::{Held, Release, reaches},
    error::{Error, Problem, Result},
};

/// What is served when the kind of a file is not known.
const UNKNOWN_MEDIA_TYPE: &str = "application/octet-stream";

/// A grant, as far as a download depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::delivery) struct GrantTerms {
    pub(in crate::delivery) id: GrantId,
    pub(in crate::delivery) listing_id: ListingId,
    /// The organisation that holds it.
    pub(in crate::delivery) organization_id: OrgId,
    pub(in crate::delivery) coverage: Coverage,
    /// What breaking changes are held against.
    pub(in crate::delivery) held: Held,
    pub(in crate::delivery) state: GrantState,
    /// It is suspended because a bank decides about the payment.
    pub(in crate::delivery) is_disputed: bool,
    pub(in crate::delivery) starts_at: OffsetDateTime,
    pub(in crate::delivery) ends_at: Option<OffsetDateTime>,
    /// What counts its use.
    pub(in crate::delivery) meter_id: Option<MeterId>,
    /// The file that its slice was cut from. It opens that slice alone, and nothing of the file.
    pub(in crate::delivery) slice_of: Option<FileId>,
}

impl GrantTerms {
    /// Refuses when the grant is not active at `now`. Its last day counts even before the job that ends
    /// grants has come by.
    ///
    /// # Errors
    /// `Forbidden` when it was revoked or has not begun, `Gone` when it has ended.
    pub(in crate::delivery) fn require_active(&self, now: OffsetDateTime) -> Result<()> {
        let ended = self.ends_at.is_some_and(|end| end <= now);
        match self.state {
            GrantState::Revoked => {
                Err(Error::forbidden("Its provider revoked this grant; GET /api/v1/grants/{id} tells its holder why."))
            }
            GrantState::Suspended if self.is_disputed => Err(Error::forbidden(
                "The payment for it is disputed. If the bank decides for the sale, the grant opens again.",
            )),
            GrantState::Suspended => {
                Err(Error::forbidden("A part of the price is overdue. Pay its order, and the grant opens again."))
            }
            GrantState::Active if now < self.starts_at => Err(Error::forbidden("This grant has not begun yet.")),
            GrantState::Active if !ended => Ok(()),
            GrantState::Active | GrantState::Ended => {
                Err(Error::new(Problem::Gone, "This grant has ended. Order again to go on downloading."))
            }
        }
    }

    /// The highest revision it covers, if there is one.
    pub(in crate::delivery) fn last_revision(&self) -> Option<i32> {
        match self.coverage {
            Coverage::Snapshot => Some(self.held.through_revision),
            Coverage::WhileActive => None,
        }
    }

    /// Refuses a grant of a slice, for what delivers whole files, rows of them, or what changed in them.
    ///
    /// # Errors
    /// `Conflict`.
    pub(in crate::delivery) fn require_whole(&self) -> Result<()> {
        if self.slice_of.is_none() {
            return Ok(());
        }
        Err(Error::conflict(
            "This grant is of a slice, which is delivered as files alone: GET /api/v1/grants/{id}/files.",
        ))
    }

    /// True when an active grant covers a published file at `now`; one of a slice covers none. A revision that breaks what the grant was made on is
    /// not covered before its notice is over, or the holder accepts it; whoever delivers anything under a grant asks here.
    pub(super) fn covers(&self, file: &FileFacts, now: OffsetDateTime) -> bool {
        self.slice_of.is_none()
            && self.listing_id == file.listing_id
            && self.last_revision().is_none_or(|last| file.release.number <= last)
            && reaches(self.held, file.release, now)
    }
}

/// A file of a published revision: it never changes, so this may be kept in memory for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileFacts {
    pub(super) id: FileId,
    /// The original, where there is none.
    pub(super) format: Option<RenditionFormat>,
    pub(super) listing_id: ListingId,
    pub(super) release: Release,
    pub(super) blob_key: String,
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
    /// Whole seconds.
    pub(super) last_modified: OffsetDateTime,
    pub(super) headers: FileHeaders,
}

/// The headers every answer about a file has, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileHeaders {
    pub(super) content_type: String,
    pub(super) etag: String,
    pub(super) last_modified: String,
    pub(super) content_disposition: String,
    /// Source: RFC 9530, section 3.
    pub(super) repr_digest: String,
}

impl FileHeaders {
    /// The headers of a file with these facts.
    pub(super) fn new(name: &str, media_type: &str, format: &str, sha256: &str, published_at: OffsetDateTime) -> Self {
        let digest = STANDARD.encode(digest::unhex(sha256).unwrap_or_default());
        Self {
            content_type: content_type(media_type, format).to_owned(),
            etag: format!("\"{sha256}\""),
            last_modified: conditions::http_date(published_at),
            content_disposition: names::content_disposition(name),
            repr_digest: format!("sha-256=:{digest}:"),
        }
    }
}

/// The stored type; for one that says nothing, the registered type of the format.
///
/// Source: the IANA registry of media types.
fn content_type<'a>(media_type: &'a str, format: &str) -> &'a str {
    let says_something = media_type.contains('/') && !media_type.starts_with(UNKNOWN_MEDIA_TYPE);
    if says_something && media_type.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return media_type;
    }
    match format.to_ascii_lowercase().as_str() {
        "csv" => "text/csv",
        "json" => "application/json",
        "geojson" => "application/geo+json",
        "jsonl" => "application/x-ndjson",
        "parquet" => "application/vnd.apache.parquet",
        "zip" => "application/zip",
        "pdf" => "application/pdf",
        _ => UNKNOWN_MEDIA_TYPE,
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 10:00:00 UTC);

    fn grant() -> GrantTerms {
        GrantTerms {
            id: GrantId::at(NOW),
            listing_id: ListingId::at(NOW),
            organization_id: OrgId::at(NOW),
            coverage: Coverage::Snapshot,
            held: Held { through_revision: 2, major: Some(1) },
            state: GrantState::Active,
            is_disputed: false,
            starts_at: NOW,
            ends_at: Some(NOW + Duration::days(1)),
            meter_id: None,
            slice_of: None,
        }
    }

    fn file(listing_id: ListingId, number: i32) -> FileFacts {
        let reaches_older_at = Some(NOW);
        FileFacts {
            id: FileId::at(NOW),
            format: None,
            listing_id,
            release: Release { number, major: Some(1), reaches_older_at, gives_notice: true },
            blob_key: String::new(),
            size_bytes: 0,
            sha256: String::new(),
            last_modified: NOW,
            headers: FileHeaders::new("a.csv", "text/csv", "csv", "", NOW),
        }
    }

    #[test]
    fn the_door_is_open_from_the_start_until_just_before_the_end() {
        let problem = |grant: &GrantTerms, at| grant.require_active(at).err().map(|error| error.problem);
        let (grant, tick) = (grant(), Duration::microseconds(1));
        assert_eq!(problem(&grant, NOW), None);
        assert_eq!(problem(&grant, NOW - tick), Some(Problem::Forbidden));
        assert_eq!(problem(&grant, NOW + Duration::days(1) - tick), None);
        assert_eq!(problem(&grant, NOW + Duration::days(1)), Some(Problem::Gone));
        assert_eq!(problem(&GrantTerms { ends_at: None, ..grant.clone() }, NOW + Duration::days(9_999)), None);
        assert_eq!(problem(&GrantTerms { state: GrantState::Ended, ..grant.clone() }, NOW), Some(Problem::Gone));
        assert_eq!(problem(&GrantTerms { state: GrantState::Revoked, ..grant }, NOW), Some(Problem::Forbidden));
    }

    #[test]
    fn a_snapshot_covers_its_revisions_and_a_running_grant_the_later_ones_too() {
        let grant = grant();
        let covered = |grant: &GrantTerms| [1, 2, 3].map(|number| grant.covers(&file(grant.listing_id, number), NOW));
        assert_eq!(covered(&grant), [true, true, false]);
        assert_eq!(covered(&GrantTerms { coverage: Coverage::WhileActive, ..grant.clone() }), [true; 3]);
        assert!(!grant.covers(&file(ListingId::at(NOW), 1), NOW), "another listing");
        let sliced = GrantTerms { slice_of: Some(FileId::at(NOW)), ..grant.clone() };
        assert_eq!((covered(&sliced), sliced.require_whole().is_err()), ([false; 3], true));
        let month = Duration::days(30);
        let breaking = |number| {
            let file = file(grant.listing_id, number);
            let release = Release { major: Some(2), reaches_older_at: Some(NOW + month), ..file.release };
            FileFacts { release, ..file }
        };
        let running = GrantTerms { coverage: Coverage::WhileActive, ..grant.clone() };
        assert_eq!([NOW, NOW + month].map(|now| running.covers(&breaking(3), now)), [false, true]);
        assert!(!grant.covers(&breaking(3), NOW + month), "a snapshot never gets it");
    }

    #[test]
    fn the_kind_is_what_was_stored_or_what_the_format_says() {
        assert_eq!(content_type("text/csv; charset=shift_jis", "csv"), "text/csv; charset=shift_jis");
        assert_eq!(content_type("application/octet-stream", "Parquet"), "application/vnd.apache.parquet");
        assert_eq!(content_type("", "geojson"), "application/geo+json");
        assert_eq!(content_type("text/csv\r\nX: y", "?"), "application/octet-stream");
    }

    #[test]
    fn the_digest_of_the_empty_file_is_the_published_one() {
        let headers = FileHeaders::new("a", "text/csv", "csv", &digest::sha256_hex(b""), NOW);
        assert_eq!(headers.repr_digest, "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    }
}
