//! Trials over HTTP.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use entity::ids::{ListingId, TrialReportId};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    policy::TrialPolicyIn,
    service, store,
    views::{TrialPolicyView, TrialQuestionsIn, TrialReportCard, TrialReportView, TrialUsageView},
};
use crate::{
    auth::actor::{Acting, CanBuy, CanEdit, CanRead, Visitor},
    base::page::Page,
    catalog::listings,
    error::{Error, Result},
    http::{
        Id, Json, PageQuery, Query,
        extract::{IdempotencyHeader, page_cursor},
    },
    state::AppState,
};

/// The operations on trials.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_trial_policy, set_trial_policy))
        .routes(routes!(create_trial_report, list_trial_reports))
        .routes(routes!(get_trial_report))
        .routes(routes!(get_trial_usage))
}

/// Shows what may be asked about the tables of a listing before a purchase, and what is left of it for you.
#[utoipa::path(get, path = "/listings/{id}/trial-policy", tag = "delivery", security((), ("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing")),
    responses((status = 200, description = "The policy; switched off where its owner has said nothing", body = TrialPolicyView)))]
async fn get_trial_policy(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id<ListingId>,
) -> Result<Json<TrialPolicyView>> {
    listings::find_visible(app.db.read(), id, visitor.org_id()).await?;
    service::show_policy(&app, id, visitor.org_id()).await.map(Json)
}

/// Sets what may be asked about the tables of a listing before a purchase: which columns, how often, how exactly.
///
/// Answers are differentially private: each question has its ε, and a buyer's budget is a number of questions. Ranges
/// are your own words about a column: take them from what is known, not from the rows.
#[utoipa::path(put, path = "/listings/{id}/trial-policy", tag = "delivery", security(("bearer" = [])),
    request_body = TrialPolicyIn, params(("id" = ListingId, Path, description = "The listing")),
    responses((status = 200, description = "The policy", body = TrialPolicyView)))]
async fn set_trial_policy(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<ListingId>,
    Json(input): Json<TrialPolicyIn>,
) -> Result<Json<TrialPolicyView>> {
    let owner = actor.org_id();
    service::set_policy(&app, actor, id, input).await?;
    service::show_policy(&app, id, Some(owner)).await.map(Json)
}

/// Asks questions about the real rows of a table before buying it, and gets a signed report of the answers.
///
/// Counts and sums carry noise whose width the answer states; groups that are too small are left out. A question that
/// you asked before about the same rows gets the same answer and does not count. Keys for `match` are forgotten when
/// the answer is made. `torv receipt verify FILE` checks the report without asking this exchange anything.
#[utoipa::path(post, path = "/listings/{id}/trial-reports", tag = "delivery", security(("bearer" = [])),
    request_body = TrialQuestionsIn,
    params(("id" = ListingId, Path, description = "The listing"),
        ("Idempotency-Key" = String, Header, description = "Fresh for each report, the same to repeat one")),
    responses((status = 201, description = "The report", body = TrialReportView,
            headers(("Location" = String, description = "Where the signed file is"))),
        (status = 409, description = "The owner answers no questions, there is no table, or the policy has just changed"),
        (status = 429, description = "Too few questions are left; the answer says when there are more",
            headers(("Retry-After" = u32, description = "Seconds to wait")))))]
async fn create_trial_report(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<ListingId>,
    key: IdempotencyHeader,
    Json(input): Json<TrialQuestionsIn>,
) -> Result<Response> {
    let report = TrialReportView::of(service::ask(&app, &actor, id, input, &key).await?)?;
    let location = [(header::LOCATION, report.url().to_owned())];
    Ok((StatusCode::CREATED, location, Json(report)).into_response())
}

/// Lists your organisation's trial reports about a listing, newest first.
#[utoipa::path(get, path = "/listings/{id}/trial-reports", tag = "delivery", security(("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing"), PageQuery),
    responses((status = 200, description = "One page of reports", body = Page<TrialReportCard>)))]
async fn list_trial_reports(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<ListingId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<TrialReportCard>>> {
    let (limit, before, owner) = (query.limit()?, page_cursor(query.cursor.as_deref())?, actor.org_id());
    listings::find_visible(app.db.read(), id, Some(owner)).await?;
    let rows = store::list(app.db.read(), id, owner, before, limit + 1).await?;
    Ok(Json(Page::from_rows(rows, limit, |row| row.id).map(TrialReportCard::from)))
}

/// A trial report of your organisation as a file: canonical JSON and a line feed, signed by the exchange.
#[utoipa::path(get, path = "/trial-reports/{id}", tag = "delivery", security(("bearer" = [])),
    params(("id" = TrialReportId, Path, description = "The report")),
    responses((status = 200, description = "The signed file; every byte counts", body = Object, content_type = "application/json",
        example = json!({"format": "torv-trial-report/1", "key_id": "5f1d7a84db00d2fce00b31a7fc73224f",
            "report": {"file": "levels.csv", "questions": []}, "signature": "e55643…"}))))]
async fn get_trial_report(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<TrialReportId>,
) -> Result<impl IntoResponse> {
    let row = store::find(app.db.read(), id, actor.org_id()).await?.ok_or_else(|| Error::not_found("trial report"))?;
    let name = format!("attachment; filename=\"{id}.json\"");
    Ok(([(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, name)], row.document))
}

/// Shows the owner of a listing how often which kinds of questions were asked; not by whom, and with no key.
#[utoipa::path(get, path = "/listings/{id}/trial-usage", tag = "delivery", security(("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing")),
    responses((status = 200, description = "Counts by kind", body = TrialUsageView)))]
async fn get_trial_usage(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<ListingId>,
) -> Result<Json<TrialUsageView>> {
    service::require_owner(app.db.read(), id, actor.org_id()).await?;
    Ok(Json(TrialUsageView::of(store::usage(app.db.read(), id).await?)))
}
