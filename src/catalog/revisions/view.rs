//! Revisions, files and profiles as they are shown.

use entity::{
    Timestamp, file,
    ids::{FileId, ListingId, RevisionId},
    revision,
    states::{PersonalData, ProfileState, RevisionState},
};
use serde::Serialize;

use super::{model::shown_policy, store::FileRow, versions::Version};
use crate::{
    catalog::{
        profile::{Profile, SamplePolicy, visible_profile},
        renditions::{RenditionRow, RenditionView},
    },
    error::Result,
};

/// A revision of a listing's data.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "rev_019352f0a1b27c3d8e4f5061728394a5", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "number": 1,
    "state": "published", "note": "First six days.", "created_at": "2026-11-21T10:00:00Z",
    "published_at": "2026-11-21T10:05:00Z", "file_count": 1, "size_bytes": 4096, "version": "1.0.0"
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
    /// Its version, a moment after it was published: major where something a reader relied on is gone or of another
    /// type, minor where something was added, patch where only content changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
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
        "profile_url": "/api/v1/files/fil_019352f0a1b27c3d8e4f5061728394a5/profile", "renditions": []
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
    "created_at": "2026-11-21T10:01:00Z", "time_zone": "Europe/Copenhagen", "crs": "EPSG:25832", "profile_state": "pending",
    "profile_url": "/api/v1/files/fil_019352f0a1b27c3d8e4f5061728394a5/profile",
    "renditions": [{
        "format": "parquet", "state": "making", "media_type": "application/vnd.apache.parquet", "progress_permille": 450
    }]
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
    /// The zone of times that are written without an offset, as its provider states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The system of its coordinates, as its provider states it; that of a rendition is the one that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crs: Option<String>,
    /// Where its profile stands.
    pub profile_state: ProfileState,
    /// Where its profile is.
    pub profile_url: String,
    /// The same content in other formats, made after the revision is published; `GET /grants/{id}/files` has links.
    pub renditions: Vec<RenditionView>,
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
            version: Version::of(&row).map(|version| version.to_string()),
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

impl FileView {
    /// Shows a file with its renditions: to its owner with the reasons of failures.
    pub(super) fn of(row: FileRow, renditions: Vec<RenditionRow>, is_owner: bool) -> Self {
        let renditions = renditions.into_iter().map(|row| RenditionView::of(row, is_owner)).collect();
        Self { renditions, ..row.into() }
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
            time_zone: row.time_zone,
            crs: row.crs,
            profile_state: row.profile_state,
            profile_url: format!("/api/v1/files/{}/profile", row.id),
            renditions: Vec::new(),
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
