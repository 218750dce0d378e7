//! Usage, budgets and stocks over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::extract::State;
use entity::{
    Timestamp,
    ids::{MeterId, OrgId, SubscriptionId},
    states::MeterKind,
    usage_meter,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    budget,
    record::NewUsage,
    report, store,
    views::{QuotaView, UsageView, quota_view, usage_view},
};
use crate::{
    auth::actor::{Acting, CanBuy, CanEdit, CanRead},
    base::{Money, page::Page},
    error::{Error, Result},
    http::{
        Id, Json, Query,
        extract::{page_cursor, page_limit},
    },
    state::AppState,
    trade::orders::http::Side,
};

/// The routes of usage.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(report_usage, get_usage))
        .routes(routes!(set_budget))
        .routes(routes!(list_quotas))
        .routes(routes!(get_quota))
        .routes(routes!(report_quota_usage))
}

/// Something that was used.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"key": "call-77121", "units": 40, "occurred_at": "2026-11-21T09:58:11Z"}))]
pub struct UsageRecordIn {
    /// What you know it by; it is counted once per subscription.
    #[schema(min_length = 1, max_length = 100)]
    pub key: String,
    /// How many units.
    #[schema(minimum = 1)]
    pub units: i64,
    /// When.
    pub occurred_at: Timestamp,
}

/// A report of usage: counted as a whole or not at all.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"records": [{"key": "call-77121", "units": 40, "occurred_at": "2026-11-21T09:58:11Z"}]}))]
pub struct UsageReportIn {
    /// 1 to 500 records.
    pub records: Vec<UsageRecordIn>,
}

impl UsageReportIn {
    fn items(self) -> Vec<NewUsage> {
        let item =
            |one: UsageRecordIn| NewUsage { source_key: one.key, units: one.units, occurred_at: one.occurred_at.0 };
        self.records.into_iter().map(item).collect()
    }
}

/// What became of a report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"counted": 1, "repeated": 0, "counted_in_a_later_month": 0}))]
pub struct UsageReportView {
    /// New records.
    pub counted: usize,
    /// Records that were reported before; they changed nothing.
    pub repeated: usize,
    /// New records of a month that is billed already: they count in the one that is open.
    pub counted_in_a_later_month: usize,
}

async fn counted(
    app: &AppState,
    actor: &crate::auth::Actor,
    meter: MeterId,
    input: UsageReportIn,
) -> Result<Json<UsageReportView>> {
    let done = report::report(app, actor, meter, input.items()).await?;
    Ok(Json(UsageReportView { counted: done.counted, repeated: done.repeated, counted_in_a_later_month: done.late }))
}

/// Reports rows or events that a subscriber used; to the provider alone. A repeated report changes nothing.
#[utoipa::path(post, path = "/subscriptions/{subscription_id}/usage", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription")), request_body = UsageReportIn,
    responses((status = 200, description = "It is counted", body = UsageReportView),
        (status = 409, description = "Downloads are counted here, a key was used for something else, or all is billed")))]
pub async fn report_usage(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<SubscriptionId>,
    Json(input): Json<UsageReportIn>,
) -> Result<Json<UsageReportView>> {
    counted(&app, &actor, MeterId(id.0), input).await
}

/// Which month.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// Counted from 1; the one that runs when absent.
    #[param(minimum = 1)]
    pub month: Option<i32>,
}

async fn metered(app: &AppState, id: SubscriptionId, org: OrgId) -> Result<usage_meter::Model> {
    let meter = store::find(app.db.read(), MeterId(id.0)).await?;
    let party = |meter: &usage_meter::Model| {
        meter.kind == MeterKind::Metered && (meter.organization_id == org || meter.provider_id == org)
    };
    meter.filter(party).ok_or_else(|| Error::not_found("metered subscription"))
}

/// Shows what was used in a month by day, what it costs, and what it will probably cost, to both parties.
#[utoipa::path(get, path = "/subscriptions/{subscription_id}/usage", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription"), UsageQuery),
    responses((status = 200, description = "The month", body = UsageView)))]
pub async fn get_usage(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<UsageQuery>,
) -> Result<Json<UsageView>> {
    let meter = metered(&app, id, actor.org_id()).await?;
    Ok(Json(usage_view(app.db.read(), &meter, query.month, app.clock.now()).await?))
}

/// The most a month may cost.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"budget": {"minor": 2000, "currency": "EUR"}}))]
pub struct BudgetIn {
    /// Before tax. Leave it out to take the limit away.
    #[serde(default)]
    pub budget: Option<Money>,
}

/// Sets the most a month may cost. Access stops where the next unit would cost more; raising it opens at once.
#[utoipa::path(put, path = "/subscriptions/{subscription_id}/budget", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription")), request_body = BudgetIn,
    responses((status = 200, description = "The month that runs", body = UsageView)))]
pub async fn set_budget(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<SubscriptionId>,
    Json(input): Json<BudgetIn>,
) -> Result<Json<UsageView>> {
    let meter = budget::set_budget(&app, &actor, id, input.budget).await?;
    Ok(Json(usage_view(app.db.read(), &meter, None, app.clock.now()).await?))
}

/// Which stocks to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QuotaQuery {
    /// Units your organisation holds (`buyer`, the default) or delivers (`provider`).
    pub side: Option<Side>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lists units paid ahead, by listing, newest first.
#[utoipa::path(get, path = "/quotas", tag = "trade", security(("bearer" = [])), params(QuotaQuery),
    responses((status = 200, description = "Units", body = Page<QuotaView>)))]
pub async fn list_quotas(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Query(query): Query<QuotaQuery>,
) -> Result<Json<Page<QuotaView>>> {
    let (limit, before) = (page_limit(query.limit)?, page_cursor(query.cursor.as_deref())?);
    let parties = query.side.unwrap_or(Side::Buyer).parties(actor.org_id());
    let rows = store::list_stocks(app.db.read(), parties, before, limit + 1).await?;
    let page = Page::from_rows(rows, limit, |row| row.id);
    let mut items = Vec::with_capacity(page.items.len());
    for meter in &page.items {
        items.push(quota_view(app.db.read(), meter).await?);
    }
    Ok(Json(Page { items, next_cursor: page.next_cursor }))
}

/// Shows the units of a listing that were paid ahead, pack by pack, to both parties.
#[utoipa::path(get, path = "/quotas/{meter_id}", tag = "trade", security(("bearer" = [])),
    params(("meter_id" = MeterId, Path, description = "The units")),
    responses((status = 200, description = "The statement", body = QuotaView)))]
pub async fn get_quota(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<MeterId>,
) -> Result<Json<QuotaView>> {
    let meter = store::find_stock(app.db.read(), id, actor.org_id()).await?;
    let meter = meter.ok_or_else(|| Error::not_found("quota"))?;
    Ok(Json(quota_view(app.db.read(), &meter).await?))
}

/// Reports rows or events that used up units paid ahead; to the provider alone. More than are left is refused whole.
#[utoipa::path(post, path = "/quotas/{meter_id}/usage", tag = "trade", security(("bearer" = [])),
    params(("meter_id" = MeterId, Path, description = "The units")), request_body = UsageReportIn,
    responses((status = 200, description = "It is counted", body = UsageReportView),
        (status = 409, description = "Too few units are left, downloads are counted here, or a key was used for something else")))]
pub async fn report_quota_usage(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<MeterId>,
    Json(input): Json<UsageReportIn>,
) -> Result<Json<UsageReportView>> {
    counted(&app, &actor, id, input).await
}
