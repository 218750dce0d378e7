//! The ledger export over HTTP, streamed.

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use super::{Export, Format};
use crate::{
    auth::actor::{CanFinance, Operating},
    error::Result,
    http::Query,
    state::AppState,
};

/// The operations of exports.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(utoipa_axum::routes!(export_ledger))
}

/// In which format.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// The format.
    #[param(example = "beancount")]
    pub format: Format,
}

/// Writes the whole ledger in a format that accounting programs read.
///
/// It ends with the balance of every account, which the reading program checks.
#[utoipa::path(
    get, path = "/settlement/ledger-export", tag = "settlement", params(ExportQuery), security(("bearer" = [])),
    responses((status = 200, description = "The ledger, as text", content(
        (String = "text/plain", example = "2026-11-21 * \"sale\" \"order:ord_019352f0a1b27c3d8e4f5061728394a5:sale\"\n"),
        (String = "text/csv", example = "entry_id,seq,posted_at\r\n")
    )))
)]
pub async fn export_ledger(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(query): Query<ExportQuery>,
) -> Result<Response> {
    let format = query.format;
    let pieces = futures::stream::try_unfold((app, Export::new(format)), |(app, mut export)| async move {
        let piece = export.next(&app).await?;
        Ok::<_, crate::Error>(piece.map(|text| (Bytes::from(text), (app, export))))
    });
    let file = format!("attachment; filename=\"ledger.{}\"", format.extension());
    let headers = [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, file)];
    Ok((headers, Body::from_stream(pieces)).into_response())
}
