//! Debts of providers and write-offs over HTTP.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp,
    ids::{AccountId, LedgerAccountId, OrderId, OrgId, WriteOffId},
    ledger_account,
    states::WriteOffState,
    write_off,
};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use torv_money::receivables::Age;
use utoipa_axum::router::OpenApiRouter;

use super::{
    service::{self, Wanted},
    store,
};
use crate::{
    auth::actor::{Acting, CanFinance, Operating},
    base::{Currency, page::Page},
    error::{Check, Error, Result},
    http::{
        Id, IdempotencyHeader, Json, Query,
        extract::{page_cursor, page_limit},
    },
    ledger::{self, Account},
    limits,
    settlement::currency,
    state::AppState,
};

/// Debts of one account told in one answer; more are summed, and told when these are settled.
const DEBTS_TOLD_MAX: u64 = 500;

/// The operations of debts and write-offs.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(list_receivables))
        .routes(utoipa_axum::routes!(ask_write_off))
        .routes(utoipa_axum::routes!(list_write_offs))
        .routes(utoipa_axum::routes!(approve_write_off))
        .routes(utoipa_axum::routes!(decline_write_off))
}

/// What a provider owes about one order.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5",
    "amount_minor": 8001, "currency": "EUR", "since": "2026-11-30T10:00:00Z", "age_days": "0-30"
}))]
pub struct ReceivableView {
    /// Who owes it.
    pub organization_id: OrgId,
    /// About which order.
    pub order_id: OrderId,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// The currency.
    pub currency: Currency,
    /// Since when something is owed about this order.
    pub since: Timestamp,
    /// How many days that is.
    pub age_days: Age,
}

/// Debts of one currency by age, in minor units.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"currency": "EUR", "age_days": "0-30", "debts": 1, "amount_minor": 8001}))]
pub struct AgeingView {
    /// The currency.
    pub currency: Currency,
    /// How old.
    pub age_days: Age,
    /// How many.
    pub debts: u64,
    /// Their sum.
    pub amount_minor: i64,
}

/// Debts with their ages.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ReceivablesView {
    /// Each debt, the oldest order of each provider first.
    pub debts: Vec<ReceivableView>,
    /// How many more there are.
    pub debts_untold: u64,
    /// Their sums by currency and age.
    pub ageing: Vec<AgeingView>,
}

/// What providers owe, with its age: a provider sees its own, the operator all.
#[utoipa::path(
    get, path = "/receivables", tag = "settlement", security(("bearer" = [])),
    responses((status = 200, description = "The debts", body = ReceivablesView, example = json!({
        "debts": [{"organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5",
            "amount_minor": 8001, "currency": "EUR", "since": "2026-11-30T10:00:00Z", "age_days": "0-30"}],
        "debts_untold": 0,
        "ageing": [{"currency": "EUR", "age_days": "0-30", "debts": 1, "amount_minor": 8001}]
    })))
)]
pub async fn list_receivables(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
) -> Result<Json<ReceivablesView>> {
    let of = (!actor.organization.may_operate).then(|| actor.org_id());
    let (conn, now) = (app.db.read(), app.clock.now());
    let mut debts = Vec::new();
    let accounts = store::debt_accounts(conn, of).await?;
    let ageing = ageing(conn, &accounts, now).await?;
    for row in accounts {
        let Some(organization_id) = row.organization_id else { continue };
        let (account, currency) = (Account::ProviderReceivable(organization_id), currency(&row.currency)?);
        let open = ledger::order_balances(conn, &account, currency, DEBTS_TOLD_MAX).await?;
        let orders: Vec<OrderId> = open.iter().map(|(order, _)| *order).collect();
        let since = store::since(conn, row.id, &orders).await?;
        for (order_id, debt) in open {
            let since = since.get(&order_id).copied().unwrap_or(Timestamp(now));
            let (amount_minor, age_days) = (debt.minor, Age::of(since.0, now));
            debts.push(ReceivableView { organization_id, order_id, amount_minor, currency, since, age_days });
        }
    }
    let all: u64 = ageing.iter().map(|one| one.debts).sum();
    Ok(Json(ReceivablesView { debts_untold: all.saturating_sub(debts.len() as u64), ageing, debts }))
}

/// All debts by currency and age, also those that are not told one by one.
async fn ageing(
    conn: &impl ConnectionTrait,
    accounts: &[ledger_account::Model],
    now: OffsetDateTime,
) -> Result<Vec<AgeingView>> {
    let mut of = BTreeMap::new();
    let ids: Vec<LedgerAccountId> = accounts.iter().map(|row| row.id).collect();
    for one in store::ageing(conn, &ids, now).await? {
        let Some(row) = accounts.iter().find(|row| row.id == one.account) else { continue };
        let sum: &mut (u64, i64) = of.entry((currency(&row.currency)?, one.age)).or_default();
        *sum = (sum.0 + one.debts, sum.1.saturating_add(one.amount_minor));
    }
    let view = |((currency, age_days), (debts, amount_minor))| AgeingView { currency, age_days, debts, amount_minor };
    Ok(of.into_iter().map(view).collect())
}

/// A debt that is to be given up.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5",
    "amount_minor": 8001, "reason": "The provider was wound up."
}))]
pub struct WriteOffIn {
    /// Who owes it.
    pub organization_id: OrgId,
    /// About which order.
    pub order_id: OrderId,
    /// How much, in minor units; all that is open when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 99_999_999)]
    pub amount_minor: Option<i64>,
    /// Why it can't be had.
    #[schema(max_length = 2000)]
    pub reason: String,
}

/// A debt that is to be, or was, given up.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "wof_019352f0a1b27c3d8e4f5061728394a5", "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5",
    "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "state": "asked", "amount_minor": 8001, "currency": "EUR",
    "reason": "The provider was wound up.", "asked_by": "acc_019352f0a1b27c3d8e4f5061728394a5", "asked_at": "2027-03-01T10:00:00Z"
}))]
pub struct WriteOffView {
    /// The write-off.
    pub id: WriteOffId,
    /// Who owes it.
    pub organization_id: OrgId,
    /// About which order.
    pub order_id: OrderId,
    /// Where it stands.
    pub state: WriteOffState,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// The currency.
    pub currency: Currency,
    /// Why it can't be had.
    pub reason: String,
    /// Who asked.
    pub asked_by: AccountId,
    /// When.
    pub asked_at: Timestamp,
    /// Who decided; somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<AccountId>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// A word about the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_note: Option<String>,
}

impl TryFrom<write_off::Model> for WriteOffView {
    type Error = Error;

    fn try_from(row: write_off::Model) -> Result<Self> {
        Ok(Self {
            id: row.id,
            organization_id: row.organization_id,
            order_id: row.order_id,
            state: row.state,
            amount_minor: row.amount_minor,
            currency: currency(&row.currency)?,
            reason: row.reason,
            asked_by: row.asked_by,
            asked_at: row.asked_at,
            decided_by: row.decided_by,
            decided_at: row.decided_at,
            decision_note: row.decision_note,
        })
    }
}

/// Which write-offs, and which page of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WriteOffQuery {
    /// Only in this state.
    pub state: Option<WriteOffState>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A word about a decision.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"note": "The estate has nothing left."}))]
pub struct WriteOffDecisionIn {
    /// For the files.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: Option<String>,
}

/// Asks that a debt be given up; a second person of the operator has to agree.
#[utoipa::path(
    post, path = "/write-offs", tag = "settlement", security(("bearer" = [])), request_body = WriteOffIn,
    params(("Idempotency-Key" = String, Header, description = "Fresh for each new write-off", example = "write-off-1")),
    responses(
        (status = 201, description = "Asked", body = WriteOffView),
        (status = 409, description = "Less is open, or it is above the limit")
    )
)]
pub async fn ask_write_off(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    key: IdempotencyHeader,
    Json(input): Json<WriteOffIn>,
) -> Result<(StatusCode, Json<WriteOffView>)> {
    let mut check = Check::new();
    check.text(&input.reason, limits::NOTE_CHARS_MAX, "/reason");
    let good = input.amount_minor.is_none_or(|minor| (1..=limits::PRICE_MINOR_MAX).contains(&minor));
    check.require(good, "/amount_minor", format!("Choose 1 to {} minor units.", limits::PRICE_MINOR_MAX));
    check.done()?;
    let key = key.for_request(&format!("write_offs:{}", actor.org_id()), &input)?;
    let WriteOffIn { organization_id, order_id, amount_minor, reason } = input;
    let wanted = Wanted { organization: organization_id, order: order_id, amount_minor, reason };
    let row = service::ask_write_off(&app, &actor, wanted, key).await?;
    Ok((StatusCode::CREATED, Json(row.try_into()?)))
}

/// Lists write-offs, the newest first.
#[utoipa::path(
    get, path = "/write-offs", tag = "settlement", params(WriteOffQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of write-offs", body = Page<WriteOffView>))
)]
pub async fn list_write_offs(
    State(app): State<AppState>,
    Operating(_actor, _): Operating<CanFinance>,
    Query(query): Query<WriteOffQuery>,
) -> Result<Json<Page<WriteOffView>>> {
    let limit = page_limit(query.limit)?;
    let before = page_cursor(query.cursor.as_deref())?;
    let rows = store::list(app.db.read(), query.state, before, limit as u64 + 1).await?;
    let views = rows.into_iter().map(WriteOffView::try_from).collect::<Result<_>>()?;
    Ok(Json(Page::from_rows(views, limit, |view: &WriteOffView| view.id)))
}

/// Agrees to a write-off, which books it. Only somebody else than who asked can.
#[utoipa::path(
    post, path = "/write-offs/{id}/approve", tag = "settlement", security(("bearer" = [])),
    params(("id" = WriteOffId, Path, description = "The write-off")), request_body = WriteOffDecisionIn,
    responses(
        (status = 200, description = "Booked", body = WriteOffView),
        (status = 409, description = "You asked for it yourself, it is decided, or less is open by now")
    )
)]
pub async fn approve_write_off(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Id(id): Id<WriteOffId>,
    Json(input): Json<WriteOffDecisionIn>,
) -> Result<Json<WriteOffView>> {
    check_note(&input)?;
    Ok(Json(service::decide_write_off(&app, &actor, id, true, input.note).await?.try_into()?))
}

/// Turns a write-off down: the debt stays. Only somebody else than who asked can.
#[utoipa::path(
    post, path = "/write-offs/{id}/decline", tag = "settlement", security(("bearer" = [])),
    params(("id" = WriteOffId, Path, description = "The write-off")), request_body = WriteOffDecisionIn,
    responses(
        (status = 200, description = "Turned down", body = WriteOffView),
        (status = 409, description = "You asked for it yourself, or it is decided")
    )
)]
pub async fn decline_write_off(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Id(id): Id<WriteOffId>,
    Json(input): Json<WriteOffDecisionIn>,
) -> Result<Json<WriteOffView>> {
    check_note(&input)?;
    Ok(Json(service::decide_write_off(&app, &actor, id, false, input.note).await?.try_into()?))
}

fn check_note(input: &WriteOffDecisionIn) -> Result<()> {
    let mut check = Check::new();
    check.at_most(input.note.as_deref().unwrap_or_default(), limits::NOTE_CHARS_MAX, "/note");
    check.done()
}
