//! What people and programs see of files and deliveries.

use entity::{
    Timestamp, delivery,
    ids::{DeliveryId, FileId, GrantId, OrgId, RevisionId},
    states::RenditionFormat,
};
use serde::Serialize;
use time::{Date, Duration, OffsetDateTime};

use super::{
    service::LinkedFile,
    store::{DayRow, FileRow},
};
use crate::catalog::renditions::{Rendition, media_type, name_in};

/// A file a grant covers, with a link to download it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "fil_019352f0a1b27c3d8e4f5061728394a5", "revision_id": "rev_019352f0a1b27c3d8e4f5061728394a5",
    "revision_number": 3, "name": "levels.csv", "media_type": "text/csv", "format": "csv", "size_bytes": 48213,
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "published_at": "2026-11-20T08:00:00Z",
    "url": "https://exchange.example/d/AZNS8KGyfD2OT1BhcoOUpQ.6f2c/levels.csv", "expires_at": "2026-11-21T10:10:00Z",
    "renditions": [{
        "format": "parquet", "name": "levels.parquet", "media_type": "application/vnd.apache.parquet",
        "size_bytes": 9120, "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "rows": 1030, "url": "https://exchange.example/d/AZNS8KGyfD2OT1BhcoOUpQE.6f2c/levels.parquet"
    }]
}))]
pub(super) struct GrantFileView {
    id: FileId,
    revision_id: RevisionId,
    /// Counts from 1 within the listing.
    revision_number: i32,
    name: String,
    /// What a download sends as `Content-Type`.
    media_type: String,
    format: String,
    size_bytes: u64,
    /// 64 hexadecimal digits; compare it after the download.
    sha256: String,
    published_at: Timestamp,
    /// The zone of times that are written without an offset, as the provider states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    /// The system of coordinates, as the provider states it; that of a rendition is the one that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    crs: Option<String>,
    /// Downloads the file, without credentials, until `expires_at`.
    url: String,
    /// When the links stop working.
    expires_at: Timestamp,
    /// The same content in other formats, as far as they are made.
    renditions: Vec<GrantRenditionView>,
}

/// A file in another format, with a link to download it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "format": "parquet", "name": "levels.parquet", "media_type": "application/vnd.apache.parquet", "size_bytes": 9120,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "rows": 1030,
    "url": "https://exchange.example/d/AZNS8KGyfD2OT1BhcoOUpQE.6f2c/levels.parquet"
}))]
pub(super) struct GrantRenditionView {
    format: RenditionFormat,
    /// What it is saved as.
    name: String,
    /// What a download sends as `Content-Type`.
    media_type: &'static str,
    size_bytes: u64,
    /// 64 hexadecimal digits; compare it after the download.
    sha256: String,
    rows: u64,
    /// What the coordinates were given in, before they became WGS 84; absent without geometry.
    #[serde(skip_serializing_if = "Option::is_none")]
    crs: Option<String>,
    /// Downloads it, without credentials, until `expires_at` of the file.
    url: String,
}

impl GrantRenditionView {
    fn of(rendition: Rendition, url: String, file_name: &str) -> Self {
        Self {
            format: rendition.format,
            name: name_in(rendition.format, file_name),
            media_type: media_type(rendition.format),
            size_bytes: rendition.size_bytes,
            sha256: rendition.sha256,
            rows: rendition.rows,
            crs: rendition.crs,
            url,
        }
    }
}

impl From<LinkedFile> for GrantFileView {
    fn from(LinkedFile { file, url, expires_at, renditions }: LinkedFile) -> Self {
        let published_at = Timestamp(file.published_at());
        let FileRow { id, revision_id, number, name, format, sha256, time_zone, crs, .. } = file.clone();
        let facts = file.facts();
        let renditions =
            renditions.into_iter().map(|(rendition, url)| GrantRenditionView::of(rendition, url, &name)).collect();
        Self {
            id,
            revision_id,
            revision_number: number,
            name,
            media_type: facts.headers.content_type,
            format,
            size_bytes: facts.size_bytes,
            sha256,
            published_at,
            time_zone,
            crs,
            url,
            expires_at: Timestamp(expires_at),
            renditions,
        }
    }
}

/// One download, whole or in part.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "dlv_019352f0a1b27c3d8e4f5061728394a5", "grant_id": "grt_019352f0a1b27c3d8e4f5061728394a5",
    "file_id": "fil_019352f0a1b27c3d8e4f5061728394a5", "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5",
    "at": "2026-11-21T10:00:00Z", "status": 206, "bytes_sent": 262144, "range": "bytes=0-262143",
    "request_id": "req_5d1f0a9be3c4"
}))]
pub(super) struct DeliveryView {
    id: DeliveryId,
    grant_id: GrantId,
    file_id: FileId,
    /// The format it was downloaded in; absent for the original.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<RenditionFormat>,
    /// Who downloaded.
    organization_id: OrgId,
    at: Timestamp,
    /// 200 for the whole file or for rows of it, 206 for a part, 307 for an address at the store of files.
    status: i32,
    /// Bytes handed to the connection; less than the file or the part when the client went away. With 307 the bytes
    /// asked for.
    bytes_sent: i64,
    /// The part, both ends included, or how many rows were read (`rows=100`); absent for the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl From<delivery::Model> for DeliveryView {
    fn from(row: delivery::Model) -> Self {
        Self {
            id: row.id,
            grant_id: row.grant_id,
            file_id: row.file_id,
            format: row.format,
            organization_id: row.organization_id,
            at: row.at,
            status: row.status,
            bytes_sent: row.bytes_sent,
            range: row.range,
            request_id: row.request_id,
        }
    }
}

/// What was delivered of a listing over some days.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct DeliverySummaryView {
    /// The first day (UTC).
    pub(super) from: Date,
    /// The last day (UTC), included.
    pub(super) until: Date,
    /// One row for each day and file with deliveries, newest day first.
    pub(super) items: Vec<DeliveryDayView>,
}

/// What was delivered of one file on one day.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "day": "2026-11-21", "file_id": "fil_019352f0a1b27c3d8e4f5061728394a5", "file_name": "levels.csv",
    "revision_number": 3, "deliveries": 41, "organizations": 2, "bytes_sent": 1976733
}))]
pub(super) struct DeliveryDayView {
    /// In UTC.
    day: Date,
    file_id: FileId,
    file_name: String,
    revision_number: i32,
    /// Answers with bytes of the file; a tool may fetch one file in many parts.
    deliveries: i64,
    /// Different organisations that downloaded.
    organizations: i64,
    bytes_sent: i64,
}

impl From<DayRow> for DeliveryDayView {
    fn from(row: DayRow) -> Self {
        Self {
            day: OffsetDateTime::UNIX_EPOCH.date().saturating_add(Duration::days(row.day)),
            file_id: row.file_id,
            file_name: row.name,
            revision_number: row.number,
            deliveries: row.deliveries,
            organizations: row.organizations,
            bytes_sent: row.bytes_sent,
        }
    }
}
