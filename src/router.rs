//! The table of contents of the API: one line per feature.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    response::Redirect,
    routing::get,
};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    catalog::{listings, revisions},
    delivery::{downloads, features, rows, sharing, sql, storage, trials},
    http::{
        health,
        middleware::{around, fallback, panicked, security_headers, shed_load},
        openapi::{ApiDoc, complete},
        problems,
    },
    notify,
    people::{
        accounts, api_keys, audit, invitations, members, organizations, payout_accounts, sessions, signing_keys,
        tax_profiles,
    },
    settlement,
    state::AppState,
    terms::{licences, offers},
    trade,
};

/// Operations that answer also when there is too much to do, so that nobody restarts what is only busy.
fn health_checks() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(health::get_liveness)).routes(routes!(health::get_readiness))
}

/// Operations that end within the time limit of requests.
fn requests() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(problems::list_problems))
        .routes(routes!(problems::get_problem))
        .merge(signing_keys::routes())
        .nest("/api/v1", features())
        .nest("/delta-sharing", sharing::routes())
        .merge(features::routes())
}

/// Operations that take as long as their files take to come or go.
fn streams() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(downloads::http::link_routes()).nest(
        "/api/v1",
        downloads::changes_http::routes()
            .merge(sql::query_routes())
            .merge(revisions::upload_routes())
            .merge(settlement::bank::imports::upload_routes())
            .merge(notify::stream_routes()),
    )
}

/// One line per feature.
fn features() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(listings::routes())
        .merge(revisions::routes())
        .merge(revisions::versions::routes())
        .merge(revisions::rows::routes())
        .merge(trade::orders::http::routes())
        .merge(trade::payments::http::routes())
        .merge(trade::grants::http::routes())
        .merge(trade::slices::http::routes())
        .merge(trade::refunds::http::routes())
        .merge(trade::disputes::http::routes())
        .merge(trade::fees::http::routes())
        .merge(trade::coupons::http::routes())
        .merge(trade::methods::http::routes())
        .merge(trade::subscriptions::http::routes())
        .merge(trade::usage::http::routes())
        .merge(accounts::routes())
        .merge(sessions::routes())
        .merge(organizations::routes())
        .merge(tax_profiles::routes())
        .merge(payout_accounts::routes())
        .merge(members::routes())
        .merge(invitations::routes())
        .merge(api_keys::routes())
        .merge(audit::routes())
        .merge(downloads::http::routes())
        .merge(storage::routes())
        .merge(sharing::profile_routes())
        .merge(rows::routes())
        .merge(sql::routes())
        .merge(trials::routes())
        .merge(licences::routes())
        .merge(offers::routes())
        .merge(settlement::routes())
        .merge(notify::routes())
}

/// The OpenAPI document; needs no state.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = OpenApiRouter::with_openapi(ApiDoc::openapi())
        .merge(health_checks())
        .merge(requests())
        .merge(streams())
        .into_openapi();
    complete(&mut document);
    document
}

/// The document at `/openapi.json`, and pages about it at `/docs` that load nothing from elsewhere.
fn docs() -> Router {
    let config = Config::default().validator_url("none").try_it_out_enabled(true).persist_authorization(false);
    let pages: Router = SwaggerUi::new("/docs").url("/openapi.json", openapi()).config(config).into();
    pages.route("/", get(|| async { Redirect::to("/docs/") }))
}

/// The whole service.
pub fn router(app: AppState) -> Router {
    let server = &app.config.server;
    let seconds = Duration::from_secs(server.request_timeout_seconds);
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, seconds);
    let places = Arc::new(Semaphore::new(server.concurrent_requests_max.min(Semaphore::MAX_PERMITS)));
    let limited = requests().layer(timeout).merge(streams()).layer(from_fn_with_state(places, shed_load));
    let (router, _) = limited.merge(health_checks()).split_for_parts();
    let router = router.with_state(app).merge(docs());
    let layers = ServiceBuilder::new()
        .layer(from_fn(around))
        .layer(from_fn(security_headers))
        .layer(CatchPanicLayer::custom(panicked));
    router.fallback(fallback).layer(layers)
}
