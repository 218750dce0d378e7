//! The public halves, for whoever wants to verify our tokens.
//!
//! Source: RFC 7517 (JWK sets), RFC 8037 (Ed25519 as `OKP`).

use axum::{extract::State, http::header, response::IntoResponse};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;

use super::service;
use crate::{auth::token::TokenKey, error::Result, http::Json, state::AppState};

/// Verifiers may keep the set for five minutes; an unknown `kid` is their sign to ask again.
const CACHE_CONTROL: &str = "public, max-age=300";

/// The operations of signing keys, at the root as verifiers expect.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(utoipa_axum::routes!(get_jwks))
}

/// The keys that verify access tokens.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"keys": [{
    "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "sig_1",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
}]}))]
pub struct JwkSet {
    /// The newest first.
    pub keys: Vec<Jwk>,
}

/// One public key.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Jwk {
    /// Always `OKP`.
    pub kty: &'static str,
    /// Always `Ed25519`.
    pub crv: &'static str,
    /// Always `EdDSA`.
    pub alg: &'static str,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// The `kid` in the header of the tokens it signed.
    pub kid: String,
    /// The public key, base64url without padding.
    pub x: String,
}

impl From<&TokenKey> for Jwk {
    fn from(key: &TokenKey) -> Self {
        let x = URL_SAFE_NO_PAD.encode(&key.public);
        Self { kty: "OKP", crv: "Ed25519", alg: "EdDSA", usage: "sig", kid: key.kid.clone(), x }
    }
}

/// Publishes the keys that verify access tokens.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "operations",
    responses((status = 200, description = "A JWK set", body = JwkSet,
        headers(("cache-control" = String, description = "How long it may be kept"))))
)]
pub async fn get_jwks(State(app): State<AppState>) -> Result<impl IntoResponse> {
    service::refresh_ring(&app).await?;
    let keys = app.tokens.ring().iter().map(Jwk::from).collect();
    Ok(([(header::CACHE_CONTROL, CACHE_CONTROL)], Json(JwkSet { keys })))
}
