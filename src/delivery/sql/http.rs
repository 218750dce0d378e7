//! The addresses of SQL.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use tokio_util::io::ReaderStream;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    names,
    service::{self, Answer},
    views::{SqlFormat, SqlQueryIn, SqlResultView, SqlTableView, SqlTablesView},
};
use crate::{
    auth::actor::Recipient,
    base::page::encode_cursor,
    error::{Error, Result},
    http::{
        Json,
        extract::{PageQuery, Query, page_cursor},
        middleware::RequestId,
    },
    state::AppState,
};

/// How many rows the result has.
const ROW_COUNT: HeaderName = HeaderName::from_static("torv-row-count");
/// Bytes of a result that are read at once.
const PIECE_BYTES: usize = 256 * 1024;
/// Footers read at once, of tables that nobody asked about before.
const FOOTERS_AT_ONCE: usize = 8;

/// The addresses below `/api/v1`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_sql_tables))
}

/// Those that take as long as a query may.
pub fn query_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(run_sql))
}

/// Where a page goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    from: usize,
}

/// Carries out a query over tables that you hold grants on, without downloading them.
///
/// The result is whole or a problem: nothing is cut off, and nothing is sent before all of it is there. JSON has the
/// values of each row in the order of the columns; in it decimals that a number would round are text, bytes base64,
/// days and times as RFC 3339 writes them. CSV leaves empty what is missing. The result is counted once on each metered
/// grant whose tables it reads, and noted as a delivery of each table. Drop the request to end the query.
#[utoipa::path(post, path = "/sql", tag = "sql", security(("bearer" = [])), request_body = SqlQueryIn,
    responses(
        (status = 200, description = "The result", headers(("Torv-Row-Count" = u64, description = "Rows of the result")),
            content((SqlResultView = "application/json"), (String = "text/csv", example = "station,mean\r\nAsuwa,2.75\r\n"),
                (String = "application/vnd.apache.arrow.stream"))),
        (status = 403, description = "A grant that is named was revoked, or is suspended"),
        (status = 409, description = "The budget or the units of a metered grant are used up"),
        (status = 410, description = "A grant that is named has ended"),
        (status = 422, description = "The query is wrong, or needs more than it may; `type` says which: sql-syntax, \
            sql-unknown-table, sql-unknown-column, sql-not-a-query, sql-failed, sql-out-of-memory, sql-too-slow, \
            sql-too-large, sql-stopped"),
        (status = 429, description = "Your organisation has as many queries under way as it may",
            headers(("Retry-After" = u32, description = "Seconds to wait"))),
        (status = 501, description = "This exchange offers no SQL")))]
async fn run_sql(
    State(app): State<AppState>,
    recipient: Recipient,
    RequestId(request_id): RequestId,
    headers: HeaderMap,
    Json(input): Json<SqlQueryIn>,
) -> Result<Response> {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = input.format.unwrap_or_else(|| SqlFormat::accepted(accepted));
    let answer = service::run(&app, &recipient, &input, format, request_id).await?;
    sent(answer)
}

/// Lists the tables that a query can read without saying which grant opens them: those of your newest 200 open grants.
///
/// Each is of the newest revision that its grant covers.
#[utoipa::path(get, path = "/sql/tables", tag = "sql", security(("bearer" = []), ("basic" = [])), params(PageQuery),
    responses((status = 200, description = "The tables", body = SqlTablesView),
        (status = 410, description = "The grant of the token has ended")))]
async fn list_sql_tables(
    State(app): State<AppState>,
    recipient: Recipient,
    Query(page): Query<PageQuery>,
) -> Result<Json<SqlTablesView>> {
    let (limit, from) = (page.limit()?, page_cursor::<Position>(page.cursor.as_deref())?.map_or(0, |at| at.from));
    let all = names::list(&app, &recipient).await?;
    let end = from.saturating_add(limit);
    let next_cursor = (end < all.len()).then(|| encode_cursor(&Position { from: end }));
    let shown = futures::stream::iter(all.into_iter().skip(from).take(limit).map(|one| {
        let app = app.clone();
        async move {
            let footer = app.tables.footer(&app.files, &one.table.file).await?;
            Ok::<_, Error>(SqlTableView::new(&one, &footer))
        }
    }));
    let items = shown.buffered(FOOTERS_AT_ONCE).try_collect().await?;
    Ok(Json(SqlTablesView { is_offered: app.sql.is_offered(), items, next_cursor }))
}

/// Sends a result from its folder, which is removed when all of it was sent, or nobody takes it any more.
fn sent(answer: Answer) -> Result<Response> {
    let Answer { folder, share, format, rows, bytes } = answer;
    let file = folder.result().map_err(Error::internal)?;
    let pieces = ReaderStream::with_capacity(tokio::fs::File::from_std(file), PIECE_BYTES);
    let held = (folder, share);
    let pieces = pieces.inspect(move |_| {
        let _ = &held;
    });
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept, authorization"));
    headers.insert(ROW_COUNT, HeaderValue::from(rows));
    Ok(response)
}
