//! Exceptions over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp,
    ids::{AccountId, ExceptionId},
    states::{ExceptionClass, ExceptionState},
};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

use super::{
    detect,
    resolve::ResolutionIn,
    service,
    store::{self, Wanted},
    views::{ExceptionDetailView, ExceptionView, view},
};
use crate::{
    auth::actor::{CanFinance, Operating},
    base::{Currency, page::Page},
    error::{Error, Result},
    http::{
        Id, Json, Query,
        extract::{page_cursor, page_limit},
    },
    settlement::reconciliation::Period,
    state::AppState,
};

/// The operations of exceptions.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(list_exceptions))
        .routes(utoipa_axum::routes!(get_exception))
        .routes(utoipa_axum::routes!(detect_exceptions))
        .routes(utoipa_axum::routes!(assign_exception))
        .routes(utoipa_axum::routes!(note_exception))
        .routes(utoipa_axum::routes!(resolve_exception))
        .routes(utoipa_axum::routes!(decide_resolution))
}

/// Which exceptions, and which page of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExceptionQuery {
    /// In this state.
    pub state: Option<ExceptionState>,
    /// Of this class.
    pub class: Option<ExceptionClass>,
    /// In this currency.
    pub currency: Option<Currency>,
    /// Of this owner.
    pub owner: Option<AccountId>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

async fn show(app: &AppState, id: ExceptionId) -> Result<Json<ExceptionDetailView>> {
    let conn = app.db.read();
    let row = store::find(conn, id).await?.ok_or_else(|| Error::not_found("exception"))?;
    Ok(Json(ExceptionDetailView {
        exception: view(row, app.clock.now())?,
        notes: store::notes(conn, id).await?.into_iter().map(Into::into).collect(),
        resolutions: store::resolutions(conn, id).await?.into_iter().map(Into::into).collect(),
    }))
}

/// Lists exceptions, the newest first.
#[utoipa::path(
    get, path = "/settlement/exceptions", tag = "settlement", params(ExceptionQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of exceptions", body = Page<ExceptionView>, example = json!({"items": [{
        "id": "exc_019352f0a1b27c3d8e4f5061728394a5", "class": "statement_gap", "severity": "high",
        "amount_minor": -4200, "currency": "EUR", "account": "main_eur",
        "sentence": "main_eur begins on 2026-11-11 with 58.00 EUR, and the statement before ended with 100.00 EUR. A statement is missing.",
        "state": "open", "occurred_at": "2026-11-11T00:00:00Z", "opened_at": "2026-11-21T10:00:00Z", "age_days": 0
    }]})))
)]
pub async fn list_exceptions(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(query): Query<ExceptionQuery>,
) -> Result<Json<Page<ExceptionView>>> {
    let limit = page_limit(query.limit)?;
    let wanted = Wanted { state: query.state, class: query.class, currency: query.currency, owner: query.owner };
    let rows = store::list(app.db.read(), wanted, page_cursor(query.cursor.as_deref())?, limit as u64 + 1).await?;
    let now = app.clock.now();
    let views = rows.into_iter().map(|row| view(row, now)).collect::<Result<Vec<_>>>()?;
    Ok(Json(Page::from_rows(views, limit, |view| view.id)))
}

/// Shows an exception with its notes and resolutions.
#[utoipa::path(
    get, path = "/settlement/exceptions/{id}", tag = "settlement", security(("bearer" = [])),
    params(("id" = ExceptionId, Path, description = "The exception")),
    responses((status = 200, description = "The exception", body = ExceptionDetailView))
)]
pub async fn get_exception(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Id(id): Id<ExceptionId>,
) -> Result<Json<ExceptionDetailView>> {
    show(&app, id).await
}

/// Which period to look through.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}))]
pub struct DetectionIn {
    /// From when, included; from the beginning without it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Until when, excluded; until now without it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// Looks through orders, processor lines, reports, payouts and statements of a period now.
///
/// It runs by itself after each import and every hour, over the last two months. What was found before is not opened
/// twice; what is not found any more closes itself.
#[utoipa::path(
    post, path = "/settlement/exception-detections", tag = "settlement", security(("bearer" = [])),
    request_body = DetectionIn, responses((status = 204, description = "Looked through"))
)]
pub async fn detect_exceptions(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Json(input): Json<DetectionIn>,
) -> Result<StatusCode> {
    detect::detect_now(&app, Period::new(&app, input.from, input.until)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is to look after an exception.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"owner": "acc_019352f0a1b27c3d8e4f5061728394a5"}))]
pub struct AssignIn {
    /// A member of the operator; nobody without it.
    pub owner: Option<AccountId>,
}

/// Gives an exception to somebody, or back to nobody.
#[utoipa::path(
    put, path = "/settlement/exceptions/{id}/owner", tag = "settlement", security(("bearer" = [])),
    params(("id" = ExceptionId, Path, description = "The exception")), request_body = AssignIn,
    responses((status = 200, description = "The exception", body = ExceptionDetailView), (status = 409, description = "It is resolved"))
)]
pub async fn assign_exception(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Id(id): Id<ExceptionId>,
    Json(input): Json<AssignIn>,
) -> Result<Json<ExceptionDetailView>> {
    service::assign(&app, &actor, id, input.owner).await?;
    show(&app, id).await
}

/// A note to be written.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "The bank looks for it."}))]
pub struct NoteIn {
    /// What it says.
    #[schema(max_length = 2000)]
    pub text: String,
}

/// Appends a note to an exception; notes are never changed.
#[utoipa::path(
    post, path = "/settlement/exceptions/{id}/notes", tag = "settlement", security(("bearer" = [])),
    params(("id" = ExceptionId, Path, description = "The exception")), request_body = NoteIn,
    responses((status = 201, description = "The exception with the note", body = ExceptionDetailView))
)]
pub async fn note_exception(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Id(id): Id<ExceptionId>,
    Json(input): Json<NoteIn>,
) -> Result<(StatusCode, Json<ExceptionDetailView>)> {
    service::note(&app, &actor, id, input.text).await?;
    Ok((StatusCode::CREATED, show(&app, id).await?))
}

/// Settles an exception: by naming what explains it, by booking it to where it belongs, or because it does not matter.
///
/// A posting above the operator's limit waits for a second person.
#[utoipa::path(
    post, path = "/settlement/exceptions/{id}/resolutions", tag = "settlement", security(("bearer" = [])),
    params(("id" = ExceptionId, Path, description = "The exception")), request_body = ResolutionIn,
    responses(
        (status = 201, description = "Settled, or asked for", body = ExceptionDetailView),
        (status = 409, description = "It is resolved, or waits for a second person")
    )
)]
pub async fn resolve_exception(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Id(id): Id<ExceptionId>,
    Json(input): Json<ResolutionIn>,
) -> Result<(StatusCode, Json<ExceptionDetailView>)> {
    service::resolve(&app, &actor, id, input).await?;
    Ok((StatusCode::CREATED, show(&app, id).await?))
}

/// A second person's word.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"agree": true}))]
pub struct DecisionIn {
    /// Carry it out, or refuse it.
    pub agree: bool,
}

/// Agrees to a resolution that somebody else asked for, or refuses it.
#[utoipa::path(
    post, path = "/settlement/exceptions/{id}/decision", tag = "settlement", security(("bearer" = [])),
    params(("id" = ExceptionId, Path, description = "The exception")), request_body = DecisionIn,
    responses(
        (status = 200, description = "The exception", body = ExceptionDetailView),
        (status = 403, description = "You asked for it yourself"), (status = 409, description = "Nothing waits for you")
    )
)]
pub async fn decide_resolution(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Id(id): Id<ExceptionId>,
    Json(input): Json<DecisionIn>,
) -> Result<Json<ExceptionDetailView>> {
    service::decide(&app, &actor, id, input.agree).await?;
    show(&app, id).await
}
