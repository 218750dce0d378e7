//! Receipts for the parties, and what anybody may check them against.

use axum::{
    extract::{Path, State},
    http::header,
    response::IntoResponse,
};
use entity::ids::OrderId;
use serde::{Deserialize, Serialize};
use time::{Date, Duration, macros::format_description};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    receipts, store,
    totals::{self, Period, Total},
    transparency::{self, ConsistencyView, ProofKeyView, ProofKeysView, TreeHeadView},
};
use crate::{
    auth::actor::{Acting, CanRead},
    base::page::Page,
    error::{Error, Result},
    http::{Id, Json, PageQuery, Query, extract::page_cursor},
    limits,
    state::AppState,
};

/// The operations of the public proof.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_order_proof))
        .routes(routes!(list_proof_keys))
        .routes(routes!(list_tree_heads))
        .routes(routes!(get_tree_head))
        .routes(routes!(get_consistency_proof))
        .routes(routes!(get_transparency_totals))
}

/// Which of an order's receipts.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProofQuery {
    /// 1 is the sale; refunds and lost disputes follow in the order of booking.
    #[param(minimum = 1, example = 1)]
    pub number: Option<u16>,
}

/// The receipt of an order as a file, with its place in the public tree; for buyer and providers.
///
/// `torv receipt verify FILE` checks it without asking this exchange anything.
#[utoipa::path(get, path = "/orders/{order_id}/proof", tag = "trade", security(("bearer" = [])),
    params(("order_id" = OrderId, Path, description = "The order"), ProofQuery),
    responses(
        (status = 200, description = "Canonical JSON and a line feed; every byte counts", body = Object, content_type = "application/json",
            example = json!({"format": "torv-receipt/2", "index": 0, "leaf": "9f86d0…", "proof": [], "signature": "e55643…",
                "statement": {"kind": "sale", "order": "ord_019352f0a1b27c3d8e4f5061728394a5", "total_minor": 10001},
                "tree_head": {"day": "2026-11-21", "size": 1}})),
        (status = 409, description = "It is not completed, or no signed head covers it yet")))]
pub async fn get_order_proof(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(order): Id<OrderId>,
    Query(query): Query<ProofQuery>,
) -> Result<impl IntoResponse> {
    let number = query.number.unwrap_or(1);
    if number == 0 {
        return Err(Error::invalid("number", "Events of an order are counted from 1."));
    }
    let request = receipts::Request { order, organization: actor.org_id(), number: usize::from(number) };
    let bytes = receipts::receipt_of(&app, request).await?;
    let name = format!("attachment; filename=\"{order}-{number}.receipt.json\"");
    Ok(([(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, name)], bytes))
}

/// Lists every key that ever signed a tree head: keep the answer, and verify receipts with it.
#[utoipa::path(get, path = "/transparency/keys", tag = "transparency",
    responses((status = 200, description = "The keys", body = ProofKeysView)))]
pub async fn list_proof_keys(State(app): State<AppState>) -> Result<Json<ProofKeysView>> {
    let keys = store::keys(app.db.read()).await?.into_iter().map(ProofKeyView::from).collect();
    Ok(Json(ProofKeysView { keys }))
}

/// Lists the last signed head of each day, newest first.
#[utoipa::path(get, path = "/transparency/tree-heads", tag = "transparency", params(PageQuery),
    responses((status = 200, description = "The heads", body = Page<TreeHeadView>)))]
pub async fn list_tree_heads(
    State(app): State<AppState>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<TreeHeadView>>> {
    let limit = page.limit()?;
    let rows = store::daily_heads(app.db.read(), page_cursor(page.cursor.as_deref())?, limit + 1).await?;
    let Page { items, next_cursor } = Page::from_rows(rows, limit, |row| row.number);
    let items = items.iter().map(TreeHeadView::of).collect::<Result<_>>()?;
    Ok(Json(Page { items, next_cursor }))
}

/// Shows the last signed head of a day, or of all days.
#[utoipa::path(get, path = "/transparency/tree-heads/{day}", tag = "transparency",
    params(("day" = String, Path, description = "`2026-11-21`, or `latest`", example = "latest")),
    responses((status = 200, description = "The head", body = TreeHeadView)))]
pub async fn get_tree_head(State(app): State<AppState>, Path(day): Path<String>) -> Result<Json<TreeHeadView>> {
    let found = if day == "latest" {
        store::newest_head(app.db.read()).await?
    } else {
        store::head_of_day(app.db.read(), &day).await?
    };
    Ok(Json(TreeHeadView::of(&found.ok_or_else(|| Error::not_found("tree head of this day"))?)?))
}

/// Which trees.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConsistencyQuery {
    /// Leaves of the older tree.
    #[param(minimum = 1, example = 1)]
    pub from: u64,
    /// Leaves of the newer tree; at most the size of the newest head.
    #[param(minimum = 1, example = 1)]
    pub to: u64,
}

/// Proves that a newer tree begins with the whole of an older one: nothing was dropped or changed between two heads.
#[utoipa::path(get, path = "/transparency/consistency", tag = "transparency", params(ConsistencyQuery),
    responses((status = 200, description = "The proof", body = ConsistencyView)))]
pub async fn get_consistency_proof(
    State(app): State<AppState>,
    Query(query): Query<ConsistencyQuery>,
) -> Result<Json<ConsistencyView>> {
    transparency::consistency(&app, query.from, query.to).await.map(Json)
}

/// Which totals.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TotalsQuery {
    /// The first day, in UTC; 30 days before `until` without it.
    #[param(format = Date, example = "2026-11-01")]
    pub from: Option<String>,
    /// The last day, included; today without it.
    #[param(format = Date, example = "2026-11-30")]
    pub until: Option<String>,
    /// Added up by day or by month.
    #[serde(default)]
    pub by: Period,
}

/// Totals by period and currency.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"totals": [{
    "period": "2026-11-21", "currency": "EUR", "sales": 12, "gross_minor": 120012, "refunded_minor": 5000, "disputed_minor": 0,
    "providers_minor": 92012, "operator_minor": 23000, "tax_minor": 0
}]}))]
pub struct TotalsView {
    /// Oldest first; a period without an event has no row.
    pub totals: Vec<Total>,
}

/// Shows what was sold through this exchange and who got it, as the leaves of the public tree add up.
#[utoipa::path(get, path = "/transparency/totals", tag = "transparency", params(TotalsQuery),
    responses((status = 200, description = "The totals", body = TotalsView)))]
pub async fn get_transparency_totals(
    State(app): State<AppState>,
    Query(query): Query<TotalsQuery>,
) -> Result<Json<TotalsView>> {
    let day_in = |name: &str, text: Option<String>| text.map(|text| parse_day(name, &text)).transpose();
    let until = day_in("until", query.until)?.unwrap_or_else(|| app.clock.now().date());
    let from = day_in("from", query.from)?.or_else(|| until.checked_sub(Duration::days(30))).unwrap_or(until);
    if !(0..limits::TOTALS_DAYS_MAX).contains(&(until - from).whole_days()) {
        let text = format!("Ask for 1 to {} days, the first before the last.", limits::TOTALS_DAYS_MAX);
        return Err(Error::invalid("from", text));
    }
    Ok(Json(TotalsView { totals: totals::totals(app.db.read(), from, until, query.by).await? }))
}

fn parse_day(name: &str, text: &str) -> Result<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| Error::invalid(name, "A day is written as 2026-11-21."))
}
