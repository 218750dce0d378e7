//! Downloads of changes over HTTP.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use entity::ids::GrantId;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Content, Counted},
    changes::{self, ChangesWanted},
    http::{CONTENT_SECURITY_POLICY, put},
    names, service,
};
use crate::{
    auth::actor::{Acting, CanBuy},
    catalog::revisions::versions::Version,
    delivery::Delivered,
    error::{Error, Result},
    http::{Id, Query, middleware::RequestId},
    state::AppState,
};

/// The operation that takes as long as its bytes take to come together and go.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(download_changes))
}

/// How changes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum ChangesFormat {
    /// Delimited text with commas and a header.
    #[default]
    Csv,
    /// One JSON object per line.
    Jsonl,
}

/// Which changes.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ChangesQuery {
    /// The file, which has a key: `GET /listings/{id}/row-keys`.
    #[param(example = "levels.csv")]
    file: String,
    /// The version you have.
    #[param(example = "1.2.0")]
    from: String,
    /// The version to get to; the newest that reaches the grant when absent.
    #[param(example = "1.4.0")]
    to: Option<String>,
    /// How to write them; `csv` when absent.
    #[serde(default)]
    #[param(inline)]
    format: ChangesFormat,
}

/// Downloads what changed in the rows of a table between two versions, and nothing else.
///
/// `_change_type` says what became of a row, in the words of Delta's change data feed: `insert`, `update_postimage`
/// (the row as it is now), `delete` (as it was). Take the rows with the same key out of the older table, put all but the
/// deleted ones in, and you have the later table; rows have no order. It is delivered under the same check as whole
/// files, counted and recorded like them. Fields of CSV are as they stand in the file; a field that is missing is empty.
#[utoipa::path(get, path = "/grants/{id}/changes", tag = "delivery", security(("bearer" = [])),
    params(("id" = GrantId, Path, description = "The grant"), ChangesQuery),
    responses(
        (status = 200, description = "The changed rows", body = String, content_type = "text/csv",
            headers(("Torv-From-Version" = String, description = "The version you have"),
                ("Torv-To-Version" = String, description = "The version they lead to: the next `from`"),
                ("Torv-Row-Changes" = String, description = "How many: inserted=1, updated=1, deleted=1")),
            example = "_change_type,station,level\ninsert,Hino,2\nupdate_postimage,Asuwa,1.5\ndelete,Kuzuryu,0.5\n"),
        (status = 403, description = "The grant was revoked, or is suspended"),
        (status = 409, description = "The changes are not known from step to step, the version does not reach the grant yet, \
            or the budget of a metered grant is used up"),
        (status = 410, description = "The grant has ended"),
        (status = 422, description = "No such version")))]
async fn download_changes(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<GrantId>,
    Query(query): Query<ChangesQuery>,
    request_id: axum::Extension<RequestId>,
) -> Result<Response> {
    let (from, to) = (version("from", &query.from)?, query.to.as_deref().map(|to| version("to", to)).transpose()?);
    let wanted = ChangesWanted { name: query.file, from, to, as_csv: query.format == ChangesFormat::Csv };
    let label = label(&wanted);
    let (media_type, changes) =
        (media_type(query.format), changes::put_together(&app, actor.org_id(), id, wanted).await?);
    let metered = service::reserve(&app, &changes.admitted, changes.size_bytes).await?;
    let delivered = Delivered {
        grant_id: changes.admitted.grant_id,
        file_id: changes.admitted.file.id,
        organization_id: changes.admitted.organization_id,
        at: changes.admitted.at,
        status: StatusCode::OK.as_u16(),
        bytes_sent: 0,
        metered,
        format: None,
        range: None,
        request_id: request_id.0.0,
    };
    let body = Counted::new(Content::Stored(changes.pieces), delivered, app.recorder.clone());
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(changes.size_bytes));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    put(headers, header::CONTENT_DISPOSITION, &names::content_disposition(&label));
    let counts = changes.counts;
    let counts = format!("inserted={}, updated={}, deleted={}", counts.inserted, counts.updated, counts.deleted);
    for (name, text) in [
        ("torv-from-version", changes.from.to_string()),
        ("torv-to-version", changes.to.to_string()),
        ("torv-row-changes", counts),
    ] {
        put(headers, header::HeaderName::from_static(name), &text);
    }
    Ok(response)
}

fn version(place: &str, text: &str) -> Result<Version> {
    text.parse().map_err(|error| Error::invalid(place, format!("Here {error}.")))
}

const fn media_type(format: ChangesFormat) -> HeaderValue {
    match format {
        ChangesFormat::Csv => HeaderValue::from_static("text/csv; charset=utf-8"),
        ChangesFormat::Jsonl => HeaderValue::from_static("application/x-ndjson"),
    }
}

/// What the changes are saved as.
fn label(wanted: &ChangesWanted) -> String {
    let stem = wanted.name.rsplit_once('.').map_or(wanted.name.as_str(), |(stem, _)| stem);
    let ending = if wanted.as_csv { "csv" } else { "jsonl" };
    format!("{stem} since {}.{ending}", wanted.from)
}
