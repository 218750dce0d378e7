//! Saved means of payment over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp,
    ids::{AccountId, SavedMethodId},
    saved_method,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{service, store};
use crate::{
    auth::actor::{Acting, CanBuy},
    error::{Check, Result},
    http::{Id, IdempotencyHeader, Json},
    state::AppState,
    trade::payments,
};

/// The routes of saved means of payment.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(save_payment_method, list_payment_methods))
        .routes(routes!(remove_payment_method))
}

/// A means of payment to be kept.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"payment_method": "pm_card_visa", "consent": true}))]
pub struct SavedMethodIn {
    /// The processor's token for it; never a card number.
    #[schema(max_length = 120)]
    pub payment_method: String,
    /// You agree to `consent_text` of the answer: charges without asking each time.
    pub consent: bool,
}

/// A means of payment that is kept for you.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "pmt_019352f0a1b27c3d8e4f5061728394a5", "label": "visa ···· 4242", "consent_text": "You keep this means of payment …",
    "consented_by": "acc_019352f0a1b27c3d8e4f5061728394a5", "consented_at": "2026-11-21T10:00:00Z"
}))]
pub struct SavedMethodView {
    /// Its id.
    pub id: SavedMethodId,
    /// How you recognise it.
    pub label: String,
    /// What you agreed to.
    pub consent_text: String,
    /// Who agreed, if a person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consented_by: Option<AccountId>,
    /// When.
    pub consented_at: Timestamp,
}

impl From<saved_method::Model> for SavedMethodView {
    fn from(row: saved_method::Model) -> Self {
        Self {
            id: row.id,
            label: row.label.unwrap_or_default(),
            consent_text: row.consent_text,
            consented_by: row.consented_by,
            consented_at: row.created_at,
        }
    }
}

/// The means of payment that are kept for you.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"items": [{"id": "pmt_019352f0a1b27c3d8e4f5061728394a5", "label": "visa ···· 4242",
    "consent_text": "You keep this means of payment …", "consented_at": "2026-11-21T10:00:00Z"}]}))]
pub struct SavedMethodsView {
    /// Newest first.
    pub items: Vec<SavedMethodView>,
}

/// Keeps a means of payment for charges without you. The token goes to the processor; only a label comes back.
#[utoipa::path(post, path = "/payment-methods", tag = "trade", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "Fresh for each means, the same to repeat one")),
    request_body = SavedMethodIn,
    responses((status = 201, description = "It is kept", body = SavedMethodView),
        (status = 402, description = "The processor refused it; try another one")))]
pub async fn save_payment_method(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    key: IdempotencyHeader,
    Json(input): Json<SavedMethodIn>,
) -> Result<(StatusCode, Json<SavedMethodView>)> {
    payments::http::check_method(&input.payment_method)?;
    let mut check = Check::new();
    check.require(input.consent, "/consent", "It can only be kept with your consent: send true.");
    check.done()?;
    let key = key.for_request(&format!("payment-methods:{}", actor.org_id()), &input)?;
    let kept = service::save(&app, &actor, &input.payment_method, key).await?;
    Ok((StatusCode::CREATED, Json(kept.into())))
}

/// Lists the means of payment that are kept for you, newest first.
#[utoipa::path(get, path = "/payment-methods", tag = "trade", security(("bearer" = [])),
    responses((status = 200, description = "What is kept", body = SavedMethodsView)))]
pub async fn list_payment_methods(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
) -> Result<Json<SavedMethodsView>> {
    let rows = store::list(app.db.read(), actor.org_id()).await?;
    Ok(Json(SavedMethodsView { items: rows.into_iter().map(SavedMethodView::from).collect() }))
}

/// Removes a means of payment that no subscription is charged on.
#[utoipa::path(delete, path = "/payment-methods/{saved_method_id}", tag = "trade", security(("bearer" = [])),
    params(("saved_method_id" = SavedMethodId, Path, description = "The means of payment")),
    responses((status = 204, description = "It is not charged any more"),
        (status = 409, description = "A subscription is charged on it")))]
pub async fn remove_payment_method(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<SavedMethodId>,
) -> Result<StatusCode> {
    service::remove(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
