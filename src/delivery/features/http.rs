//! The addresses of the standard, below `/ogc`.

use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    query::{ItemsQuery, next_query},
    service::{self, Collection},
    views::{Base, CRS84},
};
use crate::{
    auth::actor::Recipient,
    delivery::tables,
    error::{Error, Result},
    http::{Json, extract::Ids, middleware::RequestId},
    state::AppState,
};

const CONTENT_CRS: HeaderName = HeaderName::from_static("content-crs");

/// The addresses of the standard.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_features_landing_page))
        .routes(routes!(get_features_conformance))
        .routes(routes!(list_collections))
        .routes(routes!(get_collection))
        .routes(routes!(get_queryables))
        .routes(routes!(list_features))
        .routes(routes!(get_feature))
        // Tools write the address of a landing page either way.
        .route("/ogc/", get(get_features_landing_page))
        .layer(map_response(challenge))
}

/// Tells desktop tools that they may send a password.
async fn challenge(mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED {
        let value = HeaderValue::from_static("Bearer, Basic realm=\"Torv\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

fn base(app: &AppState) -> Base {
    Base(app.config.public_url())
}

/// Shows where everything is: the landing page of OGC API Features.
#[utoipa::path(get, path = "/ogc", tag = "features",
    responses((status = 200, description = "The landing page", body = Value,
        example = json!({"title": "Torv: geodata you hold a grant on", "links": []}))))]
async fn get_features_landing_page(State(app): State<AppState>) -> Json<Value> {
    Json(base(&app).landing())
}

/// Tells which classes of the standard are kept.
#[utoipa::path(get, path = "/ogc/conformance", tag = "features",
    responses((status = 200, description = "The classes", body = Value,
        example = json!({"conformsTo": ["http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core"]}))))]
async fn get_features_conformance() -> Json<Value> {
    let class = |name: &str| format!("http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}");
    Json(json!({"conformsTo": [class("core"), class("geojson")]}))
}

/// Lists the collections you may read: tables with geometry, of the newest version that your grants cover.
///
/// Takes an API key, an access token or the token of a share, as Bearer or as the password of the user `token`
/// (RFC 7617). So do all addresses of features.
#[utoipa::path(get, path = "/ogc/collections", tag = "features", security(("bearer" = []), ("basic" = [])),
    responses((status = 200, description = "The collections", body = Value,
        example = json!({"links": [], "collections": []})),
        (status = 410, description = "The grant of the token has ended")))]
async fn list_collections(State(app): State<AppState>, recipient: Recipient) -> Result<Json<Value>> {
    let all = service::list(&app, &recipient).await?;
    Ok(Json(base(&app).collections(&all)))
}

/// Shows a collection.
#[utoipa::path(get, path = "/ogc/collections/{collection}", tag = "features", security(("bearer" = []), ("basic" = [])),
    params(("collection" = String, Path, description = "Its id")),
    responses((status = 200, description = "The collection", body = Value,
        example = json!({"id": "river_levels_019352f0a1b27c3d:gauges", "itemType": "feature", "links": []})),
        (status = 410, description = "The grant has ended")))]
async fn get_collection(
    State(app): State<AppState>,
    recipient: Recipient,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let one = service::find(&app, &recipient, &id, None).await?;
    Ok(Json(base(&app).one(&one)))
}

/// Describes the properties of a collection, as a JSON Schema.
#[utoipa::path(get, path = "/ogc/collections/{collection}/queryables", tag = "features",
    security(("bearer" = []), ("basic" = [])), params(("collection" = String, Path, description = "Its id")),
    responses((status = 200, description = "The properties", body = Value, content_type = "application/schema+json",
        example = json!({"type": "object", "properties": {"station": {"type": "string"}}})),
        (status = 410, description = "The grant has ended")))]
async fn get_queryables(State(app): State<AppState>, recipient: Recipient, Path(id): Path<String>) -> Result<Response> {
    let one = service::find(&app, &recipient, &id, None).await?;
    let kind = [(header::CONTENT_TYPE, "application/schema+json")];
    Ok((kind, base(&app).queryables(&one).to_string()).into_response())
}

/// Which features, as the document describes it; [`ItemsQuery`] reads it, since properties have names of their own.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only describes the parameters")]
struct ItemsParameters {
    /// Features of the page; more than 10,000 are not given.
    #[param(minimum = 1, example = 100)]
    limit: Option<u32>,
    /// Features that meet this box: west,south,east,north in degrees of WGS 84.
    #[param(example = "135.4,35.3,136.9,36.3")]
    bbox: Option<String>,
    /// Features of this instant or interval, by the first column of times.
    #[param(example = "2026-11-21T10:00:00Z/..")]
    datetime: Option<String>,
    /// From the link to the next page.
    page: Option<String>,
}

/// Lists features of a collection, a page at a time, as `GeoJSON`; `next` among the links leads on.
///
/// A parameter with the name of a property keeps the features that have this value.
#[utoipa::path(get, path = "/ogc/collections/{collection}/items", tag = "features",
    security(("bearer" = []), ("basic" = [])),
    params(("collection" = String, Path, description = "Its id"), ItemsParameters),
    responses((status = 200, description = "The features", body = Value, content_type = "application/geo+json",
        headers(("Content-Crs" = String, description = "Longitude and latitude of WGS 84")),
        example = json!({"type": "FeatureCollection", "numberReturned": 0, "links": [], "features": []})),
        (status = 409, description = "The budget or the units of a metered grant are used up"),
        (status = 410, description = "The grant has ended")))]
async fn list_features(
    State(app): State<AppState>,
    recipient: Recipient,
    Path(id): Path<String>,
    RequestId(request_id): RequestId,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let query = query.unwrap_or_default();
    let wanted = ItemsQuery::read(&query)?;
    let one = service::find(&app, &recipient, &id, wanted.page.map(|(revision, _)| revision)).await?;
    let scan = wanted.scan(&one.footer, one.geometry)?;
    let found = app.tables.scan(&app.files, &one.table.file, &one.footer, scan).await?;
    let after = found.rows.last().filter(|_| found.has_more).map(|row| row.number + 1);
    let next = after.map(|row| next_query(&query, one.table.file.number, row));
    let at = app.clock.now().format(&Rfc3339).unwrap_or_default();
    let body = base(&app).items(&one, &found.rows, &at, &query, next.as_deref());
    deliver(&app, &one, found.rows.len(), body, request_id).await
}

/// Shows one feature.
#[utoipa::path(get, path = "/ogc/collections/{collection}/items/{feature}", tag = "features",
    security(("bearer" = []), ("basic" = [])),
    params(("collection" = String, Path, description = "The collection"),
        ("feature" = u64, Path, description = "Its place in the file, from 0")),
    responses((status = 200, description = "The feature", body = Value, content_type = "application/geo+json",
        headers(("Content-Crs" = String, description = "Longitude and latitude of WGS 84")),
        example = json!({"type": "Feature", "id": 7, "geometry": null, "properties": {}, "links": []})),
        (status = 409, description = "The budget or the units of a metered grant are used up"),
        (status = 410, description = "The grant has ended")))]
async fn get_feature(
    State(app): State<AppState>,
    recipient: Recipient,
    Ids(id, number): Ids<String, u64>,
    RequestId(request_id): RequestId,
) -> Result<Response> {
    let one = service::find(&app, &recipient, &id, None).await?;
    let wanted = ItemsQuery::from_row(one.table.file.number, number);
    let scan = tables::scan::Scan { limit: 1, ..wanted.scan(&one.footer, one.geometry)? };
    let found = app.tables.scan(&app.files, &one.table.file, &one.footer, scan).await?;
    let row = found.rows.first().filter(|row| row.number == number).ok_or_else(|| Error::not_found("feature"))?;
    deliver(&app, &one, 1, base(&app).item(&one, row), request_id).await
}

async fn deliver(app: &AppState, one: &Collection, rows: usize, body: String, request_id: String) -> Result<Response> {
    tables::deliver(app, &one.share.grant, &one.table.file, (rows, body.len()), request_id).await?;
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/geo+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.extend(HeaderValue::from_str(&format!("<{CRS84}>")).ok().map(|crs| (CONTENT_CRS, crs)));
    Ok(response)
}
