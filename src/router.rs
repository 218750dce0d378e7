//! The table of contents of the API: one line per feature.

use axum::{Router, middleware::from_fn, response::Redirect, routing::get};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    catalog::{listings, revisions},
    delivery::downloads,
    http::{
        health,
        middleware::{around, fallback, panicked, security_headers},
        openapi::{ApiDoc, complete},
        problems,
    },
    people::{accounts, api_keys, audit, invitations, members, organizations, sessions, signing_keys},
    settlement,
    state::AppState,
    terms::{licences, offers},
    trade,
};

/// Every documented operation.
fn operations() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(health::get_liveness))
        .routes(routes!(health::get_readiness))
        .routes(routes!(problems::list_problems))
        .routes(routes!(problems::get_problem))
        .merge(signing_keys::routes())
        .merge(downloads::http::link_routes())
        .nest("/api/v1", features())
}

/// One line per feature.
fn features() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(listings::routes())
        .merge(revisions::routes())
        .merge(trade::orders::http::routes())
        .merge(trade::payments::http::routes())
        .merge(trade::grants::http::routes())
        .merge(trade::fees::http::routes())
        .merge(accounts::routes())
        .merge(sessions::routes())
        .merge(organizations::routes())
        .merge(members::routes())
        .merge(invitations::routes())
        .merge(api_keys::routes())
        .merge(audit::routes())
        .merge(downloads::http::routes())
        .merge(licences::routes())
        .merge(offers::routes())
        .merge(settlement::routes())
}

/// The OpenAPI document; needs no state.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = operations().into_openapi();
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
    let (router, _) = operations().split_for_parts();
    let router = router.with_state(app).merge(docs());
    let layers = ServiceBuilder::new()
        .layer(from_fn(around))
        .layer(from_fn(security_headers))
        .layer(CatchPanicLayer::custom(panicked));
    router.fallback(fallback).layer(layers)
}
