//! Revisions, files and profiles as they are shown.

use entity::{
    Timestamp, file,
    ids::{FileId, ListingId, RevisionId},
    revision,
    states::{PersonalData, ProfileState, RevisionState},
};
use serde::Serialize;

use super::{model::shown_policy, store::FileRow};
use crate::{
    catalog::profile::{Profile, SamplePolicy, visible_profile},
    error::Result,
};

/// A revision of a listing's data.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "rev_019352f0a1b27c3d8e4f5061728394a5", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "number": 1,
    "state": "published", "note": "First six days.", "created_at": "2026-11-21T10:00:00Z",
    "published_at": "2026-11-21T10:05:00Z", "file_count": 1, "size_bytes": 4096
}))]
pub struct RevisionView {
    /// Its id.
    pub id: RevisionId,
    /// The listing.
    pub listing_id: ListingId,
    /// Counted from 1 within the listing.
    pub number: i32,
    /// Open, or published for ever.
    pub state: RevisionState,
    /// What changed, in the provider's words.
    pub note: String,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// Its files.
    pub file_count: i32,
    /// The size of all files.
    pub size_bytes: i64,
}

/// A revision with its files.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "rev_019352f0a1b27c3d8e4f5061728394a5", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "number": 1,
    "state": "open", "note": "First six days.", "created_at": "2026-11-21T10:00:00Z", "file_count": 1,
    "size_bytes": 4096,
    "files": [{
        "id": "fil_019352f0a1b27c3d8e4f5061728394a5", "name": "levels.csv", "media_type": "text/csv", "format": "csv",
        "size_bytes": 4096, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "created_at": "2026-11-21T10:01:00Z", "profile_state": "pending",
        "profile_url": "/api/v1/files/fil_019352f0a1b27c3d8e4f5061728394a5/profile"
    }]
}))]
pub struct RevisionDetail {
    /// The revision.
    #[serde(flatten)]
    pub revision: RevisionView,
    /// Its files, by name.
    pub files: Vec<FileView>,
}

/// A file of a revision.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "fil_019352f0a1b27c3d8e4f5061728394a5", "name": "levels.csv", "media_type": "text/csv", "format": "csv",
    "size_bytes": 4096, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "created_at": "2026-11-21T10:01:00Z", "profile_state": "pending",
    "profile_url": "/api/v1/files/fil_019352f0a1b27c3d8e4f5061728394a5/profile"
}))]
pub struct FileView {
    /// Its id.
    pub id: FileId,
    /// Its name.
    pub name: String,
    /// What downloads carry as `Content-Type`.
    pub media_type: String,
    /// What the catalogue filters by.
    pub format: String,
    /// Its size.
    pub size_bytes: i64,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// When it was uploaded.
    pub created_at: Timestamp,
    /// Where its profile stands.
    pub profile_state: ProfileState,
    /// Where its profile is.
    pub profile_url: String,
}

/// What is known of the content of a file.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "file_id": "fil_019352f0a1b27c3d8e4f5061728394a5", "name": "plan.pdf", "state": "unparsable",
    "reason": "PDF documents are listed but not profiled"
}))]
pub struct FileProfileView {
    /// The file.
    pub file_id: FileId,
    /// Its name.
    pub name: String,
    /// `pending` until it was read, then `ready`, or `unparsable` with a reason.
    pub state: ProfileState,
    /// Why there is no profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The profile, without what the owner does not show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// What others are shown; for the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_policy: Option<SamplePolicy>,
}

impl From<revision::Model> for RevisionView {
    fn from(row: revision::Model) -> Self {
        Self {
            id: row.id,
            listing_id: row.listing_id,
            number: row.number,
            state: row.state,
            note: row.note,
            created_at: row.created_at,
            published_at: row.published_at,
            file_count: row.file_count,
            size_bytes: row.size_bytes,
        }
    }
}

impl From<FileRow> for FileView {
    fn from(row: FileRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            media_type: row.media_type,
            format: row.format,
            size_bytes: row.size_bytes,
            sha256: row.sha256,
            created_at: row.created_at,
            profile_state: row.profile_state,
            profile_url: format!("/api/v1/files/{}/profile", row.id),
        }
    }
}

impl FileProfileView {
    /// Shows the profile of `row`: whole to its owner, else what the owner lets be seen.
    pub(super) fn of(row: file::Model, personal_data: PersonalData, is_owner: bool) -> Result<Self> {
        let policy: SamplePolicy = serde_json::from_value(row.sample_policy)?;
        let profile: Option<Profile> = row.profile.map(serde_json::from_value).transpose()?;
        let shown = if is_owner {
            profile
        } else {
            profile.map(|profile| visible_profile(&profile, &shown_policy(policy.clone(), personal_data)))
        };
        Ok(Self {
            file_id: row.id,
            name: row.name,
            state: row.profile_state,
            reason: row.profile_error,
            profile: shown,
            sample_policy: is_owner.then_some(policy),
        })
    }
}
