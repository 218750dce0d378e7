//! The addresses of the protocol, below `/delta-sharing`.

use axum::{
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    capabilities::{Capabilities, ResponseFormat},
    changes::{self, Asked},
    log, model,
    service::{self, TableName, Wanted, find_schema, refused},
    views::{OneShareView, SchemaView, SchemasView, ShareView, SharesView, TableQueryIn, TableView, TablesView},
};
use crate::{
    auth::actor::Recipient,
    base::page::Page,
    delivery::tables::{self, Share},
    error::{Error, Problem, Result},
    http::{Json, Query, extract::page_cursor},
    limits,
    state::AppState,
};

const TABLE_VERSION: HeaderName = HeaderName::from_static("delta-table-version");
const CAPABILITIES: HeaderName = HeaderName::from_static("delta-sharing-capabilities");
/// Without a charset: with one, some clients end lines at characters inside of values.
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The addresses of the protocol.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_shares))
        .routes(routes!(get_share))
        .routes(routes!(list_share_schemas))
        .routes(routes!(list_schema_tables))
        .routes(routes!(list_share_tables))
        .routes(routes!(get_table_version))
        .routes(routes!(get_table_metadata))
        .routes(routes!(query_table))
        .routes(routes!(get_table_changes))
}

/// Failures as the protocol knows them: what ended is forbidden, what can't be read malformed. Clients repeat 429 and
/// 5xx for minutes, so nothing that lasts is one.
fn in_its_words(error: Error) -> Error {
    let problem = match error.problem {
        Problem::Gone | Problem::Conflict => Problem::Forbidden,
        Problem::Invalid => Problem::Malformed,
        other => other,
    };
    Error { problem, fields: Vec::new(), ..error }
}

/// Which page of a list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct SharingPage {
    /// Most items of the page.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 4_294_967_295_u64, example = 100)]
    max_results: Option<u32>,
    /// `nextPageToken` of the page before.
    page_token: Option<String>,
}

impl SharingPage {
    fn limit(&self) -> usize {
        let rows = self.max_results.unwrap_or(limits::SHARING_ROWS_DEFAULT).min(limits::SHARING_ROWS_MAX);
        usize::try_from(rows).unwrap_or(usize::MAX)
    }
}

/// Which version of a table.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct VersionQuery {
    /// The version; the newest when absent.
    #[param(minimum = 0, example = 3)]
    version: Option<i64>,
    /// The newest version up to this instant.
    #[param(example = "2026-11-21T10:00:00Z")]
    timestamp: Option<String>,
}

/// From when on.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct SinceQuery {
    /// The first version from this instant on; the newest when absent.
    #[param(example = "2026-11-21T10:00:00Z")]
    starting_timestamp: Option<String>,
}

/// Which changes: from a version or an instant on, which is required, up to a version or an instant.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct ChangesQuery {
    /// The first version whose changes are wanted; 0 for all there ever were.
    #[param(minimum = 0, example = 2)]
    starting_version: Option<i64>,
    /// In place of it: the first version from this instant on.
    #[param(example = "2026-11-21T10:00:00Z")]
    starting_timestamp: Option<String>,
    /// The last version whose changes are wanted; the newest when absent.
    #[param(minimum = 0, example = 4)]
    ending_version: Option<i64>,
    /// In place of it: the newest version up to this instant.
    #[param(example = "2026-11-21T12:00:00Z")]
    ending_timestamp: Option<String>,
}

impl From<ChangesQuery> for Asked {
    fn from(query: ChangesQuery) -> Self {
        let ChangesQuery { starting_version, starting_timestamp, ending_version, ending_timestamp } = query;
        Self { starting_version, starting_timestamp, ending_version, ending_timestamp }
    }
}

impl FromRequestParts<AppState> for TableName {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let path = Path::<(String, String, String)>::from_request_parts(parts, app).await;
        let Path((share, schema, table)) = path.map_err(|_| Error::not_found("table"))?;
        Ok(Self { share, schema, table })
    }
}

/// Lists the shares that are open to you, newest first: one for each grant.
///
/// Takes the token of a share profile, which sees its own share alone, or an API key or access token with the right to
/// download. So do all addresses of Delta Sharing.
#[utoipa::path(get, path = "/shares", tag = "sharing", security(("bearer" = [])), params(SharingPage),
    responses((status = 200, description = "The shares", body = SharesView)))]
async fn list_shares(
    State(app): State<AppState>,
    recipient: Recipient,
    Query(page): Query<SharingPage>,
) -> Result<Json<SharesView>> {
    let before = page_cursor(page.page_token.as_deref()).map_err(in_its_words)?;
    let shares = tables::list_shares(&app, &recipient, before, page.limit()).await.map_err(in_its_words)?;
    Ok(Json(shares.into()))
}

/// Shows a share.
#[utoipa::path(get, path = "/shares/{share}", tag = "sharing", security(("bearer" = [])),
    params(("share" = String, Path, description = "Its name, in any case")),
    responses((status = 200, description = "The share", body = OneShareView)))]
async fn get_share(
    State(app): State<AppState>,
    recipient: Recipient,
    Path(share): Path<String>,
) -> Result<Json<OneShareView>> {
    let share = tables::find_share(&app, &recipient, &share).await.map_err(in_its_words)?;
    Ok(Json(OneShareView { share: ShareView::from(share) }))
}

/// Lists the schemas of a share: its provider.
#[utoipa::path(get, path = "/shares/{share}/schemas", tag = "sharing", security(("bearer" = [])),
    params(("share" = String, Path, description = "Its name, in any case"), SharingPage),
    responses((status = 200, description = "The one schema", body = SchemasView)))]
async fn list_share_schemas(
    State(app): State<AppState>,
    recipient: Recipient,
    Path(share): Path<String>,
    Query(page): Query<SharingPage>,
) -> Result<Json<SchemasView>> {
    let share = tables::find_share(&app, &recipient, &share).await.map_err(in_its_words)?;
    let one = SchemaView { name: share.schema, share: share.name };
    Ok(Json(SchemasView { items: std::iter::once(one).take(page.limit()).collect() }))
}

/// Lists the tables of a schema: the files of its newest revision that have columns.
#[utoipa::path(get, path = "/shares/{share}/schemas/{schema}/tables", tag = "sharing", security(("bearer" = [])),
    params(("share" = String, Path, description = "The share"), ("schema" = String, Path, description = "The schema"),
        SharingPage),
    responses((status = 200, description = "The tables", body = TablesView)))]
async fn list_schema_tables(
    State(app): State<AppState>,
    recipient: Recipient,
    Path((share, schema)): Path<(String, String)>,
    Query(page): Query<SharingPage>,
) -> Result<Json<TablesView>> {
    let share = find_schema(&app, &recipient, &share, &schema).await.map_err(in_its_words)?;
    page_of_tables(&app, &share, &page).await.map(Json)
}

/// Lists all tables of a share.
#[utoipa::path(get, path = "/shares/{share}/all-tables", tag = "sharing", security(("bearer" = [])),
    params(("share" = String, Path, description = "The share"), SharingPage),
    responses((status = 200, description = "The tables", body = TablesView)))]
async fn list_share_tables(
    State(app): State<AppState>,
    recipient: Recipient,
    Path(share): Path<String>,
    Query(page): Query<SharingPage>,
) -> Result<Json<TablesView>> {
    let share = tables::find_share(&app, &recipient, &share).await.map_err(in_its_words)?;
    page_of_tables(&app, &share, &page).await.map(Json)
}

async fn page_of_tables(app: &AppState, share: &Share, page: &SharingPage) -> Result<TablesView> {
    let after: Option<String> = page_cursor(page.page_token.as_deref()).map_err(in_its_words)?;
    let mut all = tables::list_tables(app, share).await?;
    if let Some(after) = after {
        let seen = all.iter().position(|table| table.name == after).map_or(all.len(), |at| at + 1);
        all.drain(..seen);
    }
    let tables = Page::from_rows(all, page.limit(), |table| table.name.clone());
    Ok(tables.map(|table| TableView::of(share, table)).into())
}

/// Tells the newest version of a table, in a header.
#[utoipa::path(get, path = "/shares/{share}/schemas/{schema}/tables/{table}/version", tag = "sharing",
    security(("bearer" = [])),
    params(("share" = String, Path, description = "The share"), ("schema" = String, Path, description = "The schema"),
        ("table" = String, Path, description = "The table"), SinceQuery),
    responses((status = 200, description = "The version",
        headers(("Delta-Table-Version" = i32, description = "The number of the revision")))))]
async fn get_table_version(
    State(app): State<AppState>,
    recipient: Recipient,
    name: TableName,
    Query(since): Query<SinceQuery>,
) -> Result<Response> {
    let found = service::find_version(&app, &recipient, &name, since.starting_timestamp.as_deref()).await;
    let version = found.map_err(in_its_words)?;
    Ok([(TABLE_VERSION, HeaderValue::from(version))].into_response())
}

/// Describes a table: its protocol and its columns, one JSON value per line.
#[utoipa::path(get, path = "/shares/{share}/schemas/{schema}/tables/{table}/metadata", tag = "sharing",
    security(("bearer" = [])),
    params(("share" = String, Path, description = "The share"), ("schema" = String, Path, description = "The schema"),
        ("table" = String, Path, description = "The table"), VersionQuery,
        ("delta-sharing-capabilities" = Option<String>, Header, description = "What the client understands",
            example = "responseformat=delta,parquet")),
    responses((status = 200, description = "The description", body = String, content_type = "application/x-ndjson",
        headers(("Delta-Table-Version" = i32, description = "The number of the revision")),
        example = json!("{\"protocol\":{\"minReaderVersion\":1}}\n{\"metaData\":{…}}\n"))))]
async fn get_table_metadata(
    State(app): State<AppState>,
    recipient: Recipient,
    name: TableName,
    Query(VersionQuery { version, timestamp }): Query<VersionQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let found = service::find(&app, &recipient, &name, &Wanted { version, timestamp }).await.map_err(in_its_words)?;
    let (facts, told) = (found.facts(), told(&headers));
    let format = told.format(found.is_plain());
    Ok(lines(facts.version, format, false, &model::head(format, &facts)))
}

/// Hands out a table: its description, and its file with a short-lived link, one JSON value per line.
///
/// Of a metered grant the file is counted here, once however often it is asked for and fetched. `predicateHints`,
/// `jsonPredicateHints` and `limitHint` may be sent; they are hints, and one file holds the whole table.
///
/// With `startingVersion` the answer follows the table from that version on, as readers of streams do: each version is an
/// `add` of its file and a `remove` of the one it took the place of, and a version with other columns begins with its
/// `metaData`. `changes` tells the same row by row, where the table has a key.
#[utoipa::path(post, path = "/shares/{share}/schemas/{schema}/tables/{table}/query", tag = "sharing",
    security(("bearer" = [])), request_body = TableQueryIn,
    params(("share" = String, Path, description = "The share"), ("schema" = String, Path, description = "The schema"),
        ("table" = String, Path, description = "The table"),
        ("delta-sharing-capabilities" = Option<String>, Header, description = "What the client understands",
            example = "responseformat=delta,parquet")),
    responses((status = 200, description = "The description and the file", body = String,
        content_type = "application/x-ndjson",
        headers(("Delta-Table-Version" = i32, description = "The number of the revision")),
        example = json!("{\"protocol\":{\"minReaderVersion\":1}}\n{\"metaData\":{…}}\n{\"file\":{…}}\n"))))]
async fn query_table(
    State(app): State<AppState>,
    recipient: Recipient,
    name: TableName,
    headers: HeaderMap,
    Json(query): Json<TableQueryIn>,
) -> Result<Response> {
    if let Some(from) = query.starting_version {
        if query.version.is_some() || query.timestamp.is_some() {
            return Err(refused("Ask for one version or for those from startingVersion on, not for both."));
        }
        return follow_table(&app, &recipient, &name, (from, query.ending_version), told(&headers)).await;
    }
    let wanted = Wanted { version: query.version, timestamp: query.timestamp };
    let found = service::find(&app, &recipient, &name, &wanted).await.map_err(in_its_words)?;
    let (facts, told) = (found.facts(), told(&headers));
    let format = told.format(found.is_plain());
    let file = found.hand_out(&app).await.map_err(in_its_words)?;
    let mut values = model::head(format, &facts);
    values.push(model::file(format, &facts, &file));
    if told.wants_end {
        values.push(model::end(file.expires_at));
    }
    Ok(lines(facts.version, format, told.wants_end, &values))
}

async fn follow_table(
    app: &AppState,
    recipient: &Recipient,
    name: &TableName,
    range: (i64, Option<i64>),
    told: Capabilities,
) -> Result<Response> {
    let log = log::find(app, recipient, name, range).await.map_err(in_its_words)?;
    let format = told.format(log.is_plain());
    let (mut values, links_end) = log.hand_out(app, format).await.map_err(in_its_words)?;
    if told.wants_end {
        values.push(model::end(links_end));
    }
    Ok(lines(log.from(), format, told.wants_end, &values))
}

/// Hands out what changed in a table, row by row, version by version: of tables whose provider named a key.
///
/// Each version is a file with the rows that it changed: `_change_type` says `insert`, `update_preimage`,
/// `update_postimage` or `delete`; readers add `_commit_version` and `_commit_timestamp` from its line. The first version
/// of a table is the table itself, as an `add`. Columns are told as the last version has them; one that a file lacks is
/// null in it. Of a metered grant each file is counted here, once however often it is asked for and fetched. While a file
/// is being made the answer is 503, which clients repeat by themselves.
#[utoipa::path(get, path = "/shares/{share}/schemas/{schema}/tables/{table}/changes", tag = "sharing",
    security(("bearer" = [])),
    params(("share" = String, Path, description = "The share"), ("schema" = String, Path, description = "The schema"),
        ("table" = String, Path, description = "The table"), ChangesQuery,
        ("delta-sharing-capabilities" = Option<String>, Header, description = "What the client understands",
            example = "responseformat=parquet")),
    responses(
        (status = 200, description = "The description, and a file for each version that changed rows", body = String,
            content_type = "application/x-ndjson",
            headers(("Delta-Table-Version" = i32, description = "The first version that was asked for")),
            example = json!("{\"protocol\":{\"minReaderVersion\":1}}\n{\"metaData\":{…}}\n{\"cdf\":{\"url\":\"https://exchange.example/d/AZNS8KGyfD2OT1BhcoOUpQY.6f2c/levels_changes.parquet?X-Amz-Signature=in-path\",\"id\":\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\",\"partitionValues\":{},\"size\":1204,\"timestamp\":1795255200000,\"version\":2,\"expirationTimestamp\":1795255800000}}\n")),
        (status = 400, description = "No key is known of this table, it has no such versions, or what one of them changed is \
            not known; the detail says which, and what to ask instead")))]
async fn get_table_changes(
    State(app): State<AppState>,
    recipient: Recipient,
    name: TableName,
    Query(query): Query<ChangesQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let feed = changes::find(&app, &recipient, &name, &query.into()).await.map_err(in_its_words)?;
    let (facts, told) = (feed.facts(), told(&headers));
    let format = told.format(feed.is_plain());
    let (files, links_end) = feed.hand_out(&app).await.map_err(in_its_words)?;
    let mut values = model::head(format, &facts);
    values.extend(files.iter().map(|file| model::change(format, file)));
    if told.wants_end {
        values.push(model::end(links_end));
    }
    Ok(lines(facts.version, format, told.wants_end, &values))
}

fn told(headers: &HeaderMap) -> Capabilities {
    Capabilities::read(headers.get(CAPABILITIES).and_then(|value| value.to_str().ok()))
}

fn lines(version: i32, format: ResponseFormat, with_end: bool, values: &[Value]) -> Response {
    let end = if with_end { ";includeendstreamaction=true" } else { "" };
    let told = HeaderValue::from_str(&format!("responseformat={}{end}", format.word()));
    let mut response = model::lines(values).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, NDJSON);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(TABLE_VERSION, HeaderValue::from(version));
    headers.extend(told.ok().map(|told| (CAPABILITIES, told)));
    response
}
