//! Renditions as they are shown with their file.

use entity::states::{RenditionFormat, RenditionState};
use serde::Serialize;

use super::{model::media_type, store::RenditionRow};

/// A file in another format, made by the exchange.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "format": "parquet", "state": "made", "media_type": "application/vnd.apache.parquet", "progress_permille": 1000,
    "size_bytes": 2048, "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "rows": 96,
    "crs": "EPSG:3826"
}))]
pub struct RenditionView {
    /// The format.
    pub format: RenditionFormat,
    /// `pending` and `making` until it is `made`; `failed` with a reason; `not_applicable` where there is no such form.
    pub state: RenditionState,
    /// What downloads carry as `Content-Type`.
    pub media_type: &'static str,
    /// How far it is, in thousandths.
    #[schema(minimum = 0, maximum = 1000)]
    pub progress_permille: i32,
    /// Its size, once made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// SHA-256 of its bytes, once made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its rows, once made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<i64>,
    /// What the coordinates were given in, before they became WGS 84; absent without geometry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crs: Option<String>,
    /// Why there is none; for the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl RenditionView {
    /// Shows a rendition: with the reason of a failure to its owner.
    pub(in crate::catalog) fn of(row: RenditionRow, is_owner: bool) -> Self {
        Self {
            format: row.format,
            state: row.state,
            media_type: media_type(row.format),
            progress_permille: row.progress_permille,
            size_bytes: row.size_bytes,
            sha256: row.sha256,
            rows: row.row_count,
            crs: row.crs,
            reason: row.error.filter(|_| is_owner),
        }
    }
}
