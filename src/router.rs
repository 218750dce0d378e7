//! The table of contents of the API: one line per feature.

use axum::{Router, middleware::from_fn};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{
        health,
        middleware::{around, fallback, panicked, security_headers},
        openapi::{ApiDoc, complete},
    },
    settlement,
    state::AppState,
};

/// Every documented operation.
fn operations() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(health::get_liveness))
        .routes(routes!(health::get_readiness))
        .nest("/api/v1", features())
}

/// One line per feature.
fn features() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(settlement::routes())
}

/// The OpenAPI document; needs no state.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = operations().into_openapi();
    complete(&mut document);
    document
}

/// The whole service.
pub fn router(app: AppState) -> Router {
    let (router, _) = operations().split_for_parts();
    let layers = ServiceBuilder::new()
        .layer(from_fn(around))
        .layer(from_fn(security_headers))
        .layer(CatchPanicLayer::custom(panicked));
    router.fallback(fallback).layer(layers).with_state(app)
}
