//! The addresses of downloads and of what is known about them.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use entity::ids::{GrantId, ListingId};
use serde::Deserialize;
use time::{Date, Duration};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::Counted,
    conditions::{self, Asked, Decision, Validators},
    service::{self, Admitted, FilesWanted},
    store,
    views::{DeliveryDayView, DeliverySummaryView, DeliveryView, GrantFileView},
};
use crate::{
    auth::actor::{Acting, CanBuy, CanRead},
    base::page::Page,
    delivery::{Delivered, OtherSender},
    error::{Check, Error, Problem, Result},
    http::{
        Id, Json, PageQuery, Query,
        extract::{Ids, page_cursor, page_limit},
        middleware::RequestId,
    },
    limits,
    state::AppState,
};

/// Source: RFC 9530.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// Source: nginx, `ngx_http_proxy_module`; the web server sends the file at this path instead of our body.
const X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");
/// Headers that compare with our `ETag` or `Last-Modified` and are not settled before anything is sent.
const OF_OUR_VALIDATORS: [HeaderName; 3] = [header::IF_RANGE, header::IF_MATCH, header::IF_UNMODIFIED_SINCE];
/// A browser keeps a copy for itself, and asks whether the grant still holds before it uses it again.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("private, no-cache");
/// A page among the files can't run scripts under our name.
pub(super) const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
/// Days of a summary when none are asked for.
const SUMMARY_DAYS_DEFAULT: i64 = 30;

/// The addresses below `/api/v1`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_grant_files))
        .routes(routes!(list_grant_deliveries))
        .routes(routes!(list_listing_deliveries))
        .routes(routes!(get_listing_delivery_summary))
}

/// The addresses that links lead to, at the root.
pub fn link_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(download_file, probe_file))
}

/// Which files of a grant.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct GrantFilesQuery {
    /// Only files of the revision with this number.
    #[param(minimum = 1, example = 3)]
    revision: Option<i32>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the files a grant covers, newest revision first, each with a download link.
///
/// Of a slice that is one: what was cut out, as Parquet and in other formats.
///
/// A link holds for ten minutes (`auth.download_link_seconds`) or until the grant ends; list again for
/// fresh ones. It works without credentials, so hand it only to tools that may have the data.
#[utoipa::path(get, path = "/grants/{id}/files", tag = "delivery", security(("bearer" = [])),
    params(("id" = GrantId, Path, description = "The grant"), GrantFilesQuery),
    responses((status = 200, description = "The files, with links", body = Page<GrantFileView>),
        (status = 409, description = "The slice that was granted is being cut out, or could not be: see GET /api/v1/grants/{id}"),
        (status = 410, description = "The grant has ended")))]
async fn list_grant_files(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<GrantId>,
    Query(query): Query<GrantFilesQuery>,
) -> Result<([(HeaderName, &'static str); 1], Json<Page<GrantFileView>>)> {
    let mut check = Check::new();
    check.require(query.revision.is_none_or(|number| number >= 1), "revision", "Revisions are counted from 1.");
    check.done()?;
    let wanted = FilesWanted {
        revision_number: query.revision,
        after: page_cursor(query.cursor.as_deref())?,
        limit: page_limit(query.limit)?,
    };
    let page = service::list_linked_files(&app, actor.org_id(), id, wanted).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(page.map(GrantFileView::from))))
}

/// Lists what was delivered under a grant, newest first, to the organisation that holds it.
#[utoipa::path(get, path = "/grants/{id}/deliveries", tag = "delivery", security(("bearer" = [])),
    params(("id" = GrantId, Path, description = "The grant"), PageQuery),
    responses((status = 200, description = "The deliveries", body = Page<DeliveryView>)))]
async fn list_grant_deliveries(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<GrantId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<DeliveryView>>> {
    let (limit, before, conn) = (query.limit()?, page_cursor(query.cursor.as_deref())?, app.db.read());
    let grant = store::find_grant(conn, actor.org_id(), id).await?.ok_or_else(|| Error::not_found("grant"))?;
    let rows = store::list_deliveries_of_grant(conn, grant.id, before, limit).await?;
    Ok(Json(Page::from_rows(rows, limit, |row| row.id).map(DeliveryView::from)))
}

/// Lists what was delivered of a listing under all its grants, newest first, to its provider.
#[utoipa::path(get, path = "/listings/{id}/deliveries", tag = "delivery", security(("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing"), PageQuery),
    responses((status = 200, description = "The deliveries", body = Page<DeliveryView>)))]
async fn list_listing_deliveries(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<ListingId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<DeliveryView>>> {
    let (limit, before, conn) = (query.limit()?, page_cursor(query.cursor.as_deref())?, app.db.read());
    if !store::has_listing(conn, actor.org_id(), id).await? {
        return Err(Error::not_found("listing"));
    }
    let rows = store::list_deliveries_of_listing(conn, id, before, limit).await?;
    Ok(Json(Page::from_rows(rows, limit, |row| row.id).map(DeliveryView::from)))
}

/// Which days to sum up.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DaysQuery {
    /// The first day (UTC); 30 days up to `until` when absent.
    #[param(example = "2026-11-01")]
    from: Option<Date>,
    /// The last day (UTC), included; today when absent.
    #[param(example = "2026-11-30")]
    until: Option<Date>,
}

impl DaysQuery {
    fn days(&self, today: Date) -> Result<(Date, Date)> {
        let until = self.until.unwrap_or(today);
        let default = until.saturating_sub(Duration::days(SUMMARY_DAYS_DEFAULT - 1));
        let from = self.from.unwrap_or(default);
        if from <= until && (until - from).whole_days() < limits::DELIVERY_SUMMARY_DAYS_MAX {
            return Ok((from, until));
        }
        let advice = format!("Ask for 1 to {} days, the first one in from.", limits::DELIVERY_SUMMARY_DAYS_MAX);
        Err(Error::invalid("from", advice))
    }
}

/// Sums up what was delivered of a listing by day and file, newest day first, to its provider.
///
/// At most 5,000 rows; ask for fewer days when a listing has more.
#[utoipa::path(get, path = "/listings/{id}/deliveries/summary", tag = "delivery", security(("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing"), DaysQuery),
    responses((status = 200, description = "The sums", body = DeliverySummaryView)))]
async fn get_listing_delivery_summary(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<ListingId>,
    Query(query): Query<DaysQuery>,
) -> Result<Json<DeliverySummaryView>> {
    let (from, until) = query.days(app.clock.now().date())?;
    if !store::has_listing(app.db.read(), actor.org_id(), id).await? {
        return Err(Error::not_found("listing"));
    }
    let rows = store::sum_deliveries(app.db.read(), id, (from, until)).await?;
    let items = rows.into_iter().map(DeliveryDayView::from).collect();
    Ok(Json(DeliverySummaryView { from, until, items }))
}

/// Downloads a file by its signed link; whole, or one range of it.
///
/// Takes no credentials: the link is the right, and the grant behind it is checked on every request.
/// `Range` takes one range, also a suffix (`bytes=-262144`); a list of ranges is answered with the whole
/// file. `If-Range`, `If-None-Match`, `If-Match` and the two date conditions are honoured. `Repr-Digest` and
/// `ETag` carry the SHA-256 of the whole file. What was sent is recorded for buyer and provider.
#[utoipa::path(get, path = "/d/{token}/{name}", tag = "delivery",
    params(
        ("token" = String, Path, description = "From `url` of `GET /api/v1/grants/{id}/files`"),
        ("name" = String, Path, description = "A label for tools that go by the ending; not checked", example = "levels.csv"),
        ("Range" = Option<String>, Header, description = "One range of bytes", example = "bytes=-262144"),
        ("If-Range" = Option<String>, Header, description = "Give the range only of this ETag or Last-Modified"),
        ("If-None-Match" = Option<String>, Header, description = "Answer 304 when the file has one of these ETags")),
    responses(
        (status = 200, description = "The whole file", body = String, content_type = "*/*",
            headers(("ETag" = String, description = "SHA-256, quoted"), ("Repr-Digest" = String, description = "SHA-256, RFC 9530"),
                ("Content-Disposition" = String, description = "attachment, with the file's name"))),
        (status = 206, description = "The range asked for", body = String, content_type = "*/*",
            headers(("Content-Range" = String, description = "bytes FIRST-LAST/SIZE"))),
        (status = 304, description = "The copy you have is the file"),
        (status = 307, description = "The same at the store of files, for a minute; send `Range` there too",
            headers(("Location" = String, description = "A signed address"))),
        (status = 403, description = "The grant was revoked, or is suspended"),
        (status = 404, description = "Not a link of this exchange"),
        (status = 409, description = "The budget or the units of a metered grant are used up"),
        (status = 410, description = "The link has expired, or the grant has ended"),
        (status = 412, description = "The file is not the one named in If-Match"),
        (status = 416, description = "The file has no such range; Content-Range tells its size")))]
async fn download_file(
    State(app): State<AppState>,
    Ids(token, _): Ids<String, String>,
    request_id: axum::Extension<RequestId>,
    headers: HeaderMap,
) -> Result<Response> {
    let admitted = service::admit(&app, &token).await?;
    let size = admitted.file.size_bytes;
    let (status, range, content_range) = match decide(&headers, &admitted, true) {
        Decision::Whole => (StatusCode::OK, 0..size, None),
        Decision::Part { first, last } => {
            (StatusCode::PARTIAL_CONTENT, first..last + 1, Some(format!("bytes {first}-{last}/{size}")))
        }
        refused => return Ok(without_content(refused, &admitted)),
    };
    let metered = service::reserve(&app, &admitted, range.end - range.start).await?;
    // Whoever else sends it knows neither our ETag nor our time, so what depends on them is sent from here.
    if !OF_OUR_VALIDATORS.iter().any(|name| headers.contains_key(name))
        && let Some(other_sender) = service::other_sender(&app, &admitted.file).await?
    {
        let bytes_sent = range.end - range.start;
        let response = by_other(&other_sender, &admitted);
        let status = if response.status().is_redirection() { response.status() } else { status };
        app.recorder.record(Delivered { metered, bytes_sent, ..delivered(&admitted, status, &range, request_id.0.0) });
        return Ok(response);
    }
    let content = service::open(&app, &admitted.file, range.clone()).await?;
    let delivered = Delivered { metered, ..delivered(&admitted, status, &range, request_id.0.0) };
    let body = Counted::new(content, delivered, app.recorder.clone());
    let mut response = (status, Body::from_stream(body)).into_response();
    put_headers(response.headers_mut(), &admitted, range.end - range.start);
    if let Some(content_range) = content_range {
        put(response.headers_mut(), header::CONTENT_RANGE, &content_range);
    }
    Ok(response)
}

/// Tells what a download would answer, without the file and without recording anything.
///
/// `Range` has no meaning here (RFC 9110, section 14.2) and is not looked at.
#[utoipa::path(head, path = "/d/{token}/{name}", tag = "delivery",
    params(("token" = String, Path, description = "As for GET"), ("name" = String, Path, description = "As for GET")),
    responses((status = 200, description = "The headers of the whole file"),
        (status = 304, description = "The copy you have is the file"),
        (status = 403, description = "The grant was revoked"),
        (status = 410, description = "The link has expired, or the grant has ended"),
        (status = 412, description = "The file is not the one named in If-Match")))]
async fn probe_file(
    State(app): State<AppState>,
    Ids(token, _): Ids<String, String>,
    headers: HeaderMap,
) -> Result<Response> {
    let admitted = service::admit(&app, &token).await?;
    match decide(&headers, &admitted, false) {
        Decision::Whole => {
            let mut response = StatusCode::OK.into_response();
            put_headers(response.headers_mut(), &admitted, admitted.file.size_bytes);
            Ok(response)
        }
        refused => Ok(without_content(refused, &admitted)),
    }
}

/// The answer that leaves the sending to somebody else. What a web server sends is taken for sent in full.
fn by_other(other_sender: &OtherSender, admitted: &Admitted) -> Response {
    match other_sender {
        OtherSender::Bucket(url) => {
            let headers = [(header::LOCATION, url.as_str()), (header::CACHE_CONTROL, "no-store")];
            (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
        }
        // It takes the range from the request by itself.
        OtherSender::WebServer(path) => {
            let mut response = StatusCode::OK.into_response();
            put_file_headers(response.headers_mut(), admitted);
            put(response.headers_mut(), X_ACCEL_REDIRECT, path);
            response
        }
    }
}

fn decide(headers: &HeaderMap, admitted: &Admitted, is_get: bool) -> Decision {
    let one = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let list = |name: &HeaderName| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>();
        (!values.is_empty()).then(|| values.join(","))
    };
    let (if_match, if_none_match) = (list(&header::IF_MATCH), list(&header::IF_NONE_MATCH));
    let asked = Asked {
        if_match: if_match.as_deref(),
        if_none_match: if_none_match.as_deref(),
        if_modified_since: one(header::IF_MODIFIED_SINCE),
        if_unmodified_since: one(header::IF_UNMODIFIED_SINCE),
        range: if is_get { one(header::RANGE) } else { None },
        if_range: one(header::IF_RANGE),
    };
    let file = &admitted.file;
    let etag = &file.headers.etag;
    conditions::decide(&asked, Validators { etag, last_modified: file.last_modified, size_bytes: file.size_bytes })
}

fn delivered(admitted: &Admitted, status: StatusCode, range: &std::ops::Range<u64>, request_id: String) -> Delivered {
    let part = range.end - range.start < admitted.file.size_bytes || status == StatusCode::PARTIAL_CONTENT;
    Delivered {
        grant_id: admitted.grant_id,
        file_id: admitted.file.id,
        format: admitted.file.format,
        organization_id: admitted.organization_id,
        at: admitted.at,
        status: status.as_u16(),
        bytes_sent: 0,
        metered: None,
        range: part.then(|| format!("bytes={}-{}", range.start, range.end - 1)),
        request_id,
    }
}

/// 304, 412 and 416.
fn without_content(decision: Decision, admitted: &Admitted) -> Response {
    let size = admitted.file.size_bytes;
    match decision {
        Decision::NotModified => {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            put_validators(response.headers_mut(), admitted);
            response
        }
        Decision::Failed => Error::new(Problem::EditedMeanwhile, "The file is not the one you named.").into_response(),
        Decision::Whole | Decision::Part { .. } | Decision::Unsatisfiable => {
            let advice = format!("The file has {size} bytes, numbered from 0. Ask for a range inside.");
            let mut response = Error::new(Problem::RangeNotSatisfiable, advice).into_response();
            put(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
            response
        }
    }
}

fn put_validators(headers: &mut HeaderMap, admitted: &Admitted) {
    let file = &admitted.file.headers;
    put(headers, header::ETAG, &file.etag);
    put(headers, header::LAST_MODIFIED, &file.last_modified);
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
}

fn put_headers(headers: &mut HeaderMap, admitted: &Admitted, length_bytes: u64) {
    put_file_headers(headers, admitted);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length_bytes));
}

fn put_file_headers(headers: &mut HeaderMap, admitted: &Admitted) {
    let file = &admitted.file.headers;
    put_validators(headers, admitted);
    put(headers, header::CONTENT_TYPE, &file.content_type);
    put(headers, header::CONTENT_DISPOSITION, &file.content_disposition);
    put(headers, REPR_DIGEST, &file.repr_digest);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
}

pub(super) fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}
