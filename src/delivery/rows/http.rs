//! The address of rows.

use std::collections::BTreeMap;

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use entity::ids::{FileId, ListingId};
use serde::Serialize;
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    output::{self, Form},
    query::{Cursor, RowsQuery, name_one},
};
use crate::{
    auth::actor::Recipient,
    base::page::encode_cursor,
    delivery::tables::{self, At, Share, Table},
    error::{Error, Result},
    http::{Id, middleware::RequestId},
    state::AppState,
};

const NEXT_CURSOR: HeaderName = HeaderName::from_static("torv-next-cursor");

/// The addresses below `/api/v1`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_rows))
}

/// Which rows, as the document describes it; [`RowsQuery`] reads it, since columns have names of their own.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only describes the parameters")]
struct RowsParameters {
    /// The table, by the name of its file with or without the ending; may be left out where there is only one.
    #[param(example = "levels")]
    file: Option<String>,
    /// The newest revision up to this number; the newest when absent.
    #[param(minimum = 1, example = 3)]
    revision: Option<i32>,
    /// Columns, separated by commas; all when absent.
    #[param(example = "station,level")]
    columns: Option<String>,
    /// Rows whose geometry meets this box: west,south,east,north in degrees of WGS 84.
    #[param(example = "135.4,35.3,136.9,36.3")]
    bbox: Option<String>,
    /// Sorted by this column, with a hyphen before it the other way round; as in the file when absent. Rows without a
    /// value come last.
    #[param(example = "-level")]
    order: Option<String>,
    /// Rows of the page, 1 to 10,000.
    #[param(minimum = 1, maximum = 10_000, example = 100)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Conditions that all hold, each as `column.operator=value`: `station.eq=Asuwa`, `level.gte=2.5`. The operators
    /// are eq, ne, lt, lte, gt, gte, in (values separated by commas), starts, and null (true or false).
    #[param(style = Form, explode, example = json!({"station.eq": "Asuwa", "level.gte": "2.5"}))]
    filter: Option<BTreeMap<String, String>>,
}

/// A page of rows.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "items": [{"station": "Asuwa", "level": 2.75, "at": "2026-11-21T10:00:00Z"}],
    "file": "levels.parquet", "file_id": "fil_019352f0a1b27c3d8e4f5061728394a5", "revision_number": 3,
    "next_cursor": "eyJyZXZpc2lvbiI6M30"
}))]
struct RowsView {
    /// The rows, each with its columns in the order asked for.
    items: Vec<BTreeMap<String, serde_json::Value>>,
    /// The table's file.
    file: String,
    file_id: FileId,
    /// The revision it is of; the pages of a cursor stay in it.
    revision_number: i32,
    /// Pass it as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Reads rows of a table that you hold a grant on: some columns, some rows, a page at a time.
///
/// As JSON, as lines of JSON or as CSV, by `Accept`; lines and CSV have the cursor in `Torv-Next-Cursor`. Numbers that
/// JSON would round are text, geometries `GeoJSON` in WGS 84, bytes base64. A page ends early when it gets large.
#[utoipa::path(get, path = "/listings/{id}/rows", tag = "delivery", security(("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing"), RowsParameters),
    responses((status = 200, description = "The rows", headers(
            ("Torv-Next-Cursor" = Option<String>, description = "Pass it as `cursor` for the next page")),
            content((RowsView = "application/json"), (String = "application/x-ndjson", example = json!("{\"station\":\"Asuwa\"}\n")),
                (String = "text/csv"))),
        (status = 409, description = "The budget or the units of a metered grant are used up, or there is a grant of a slice alone"),
        (status = 410, description = "The grant has ended")))]
async fn list_rows(
    State(app): State<AppState>,
    recipient: Recipient,
    Id(id): Id<ListingId>,
    RequestId(request_id): RequestId,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response> {
    let query = RowsQuery::read(query.as_deref().unwrap_or_default())?;
    let share = tables::find_listing_share(&app, &recipient, id).await?;
    let table = find_table(&app, &share, &query).await?;
    let footer = app.tables.footer(&app.files, &table.file).await?;
    let scan = query.scan(&footer)?;
    let names: Vec<&str> = scan.columns.iter().map(|column| footer.schema.field(*column).name().as_str()).collect();
    let found = app.tables.scan(&app.files, &table.file, &footer, scan.clone()).await?;
    let number = table.file.number;
    let next = found.rows.last().filter(|_| found.has_more).map(|row| encode_cursor(&Cursor::after(number, row)));
    let mut about = json!({"file": table.file.name, "file_id": table.file.id, "revision_number": number});
    if let Some(next) = &next {
        about["next_cursor"] = json!(next);
    }
    let form = Form::accepted(headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default());
    let body = match form {
        Form::Json => output::json(&names, &found.rows, &about),
        Form::Lines => output::lines(&names, &found.rows),
        Form::Csv => output::csv(&names, &found.rows)?,
    };
    tables::deliver(&app, &share.grant, &table.file, (found.rows.len(), body.len()), request_id).await?;
    Ok(answer(body, form, next.as_deref()))
}

async fn find_table(app: &AppState, share: &Share, query: &RowsQuery) -> Result<Table> {
    let table = match &query.file {
        Some(name) => tables::table_named(app, share, name).await?,
        None => {
            let mut all = tables::list_tables(app, share).await?;
            match (all.pop(), all.is_empty()) {
                (Some(only), true) => only,
                (None, _) => return Err(Error::not_found("table")),
                (Some(last), false) => {
                    let names = all.iter().chain([&last]).map(|table| table.name.as_str());
                    return Err(name_one(names));
                }
            }
        }
    };
    let at = query.cursor()?.map(|cursor| cursor.revision).or(query.revision);
    let Some(number) = at else { return Ok(table) };
    let found = tables::find_version(app, share, &table, At::Version(number)).await?;
    found.ok_or_else(|| Error::invalid("revision", "This table has no revision as old as that."))
}

fn answer(body: String, form: Form, next: Option<&str>) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept, authorization"));
    headers.extend(next.and_then(|next| HeaderValue::from_str(next).ok()).map(|next| (NEXT_CURSOR, next)));
    response
}
