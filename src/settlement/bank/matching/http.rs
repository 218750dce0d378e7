//! Bank lines and what explains them, over HTTP.

use std::collections::HashMap;

use axum::extract::State;
use entity::{
    bank_line, bank_match,
    ids::{BankLineId, BankStatementId, OrderId},
    states::{BankLineState, MatchRule, MatchSubject},
};
use serde::{Deserialize, Serialize};
use time::Date;
use utoipa_axum::router::OpenApiRouter;

use super::{super::days::day_of, store};
use crate::{
    auth::actor::{CanFinance, Operating},
    base::{Currency, page::Page},
    error::{Error, Result},
    http::{
        Id, Json, Query,
        extract::{page_cursor, page_limit},
    },
    settlement::currency,
    state::AppState,
};

/// The operations of bank lines.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(utoipa_axum::routes!(list_bank_lines)).routes(utoipa_axum::routes!(get_bank_line))
}

/// Which lines, and which page of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BankLineQuery {
    /// Lines of this account.
    #[param(example = "main_eur")]
    pub account: Option<String>,
    /// Lines in this state.
    pub state: Option<BankLineState>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A part of a bank line and what explains it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"rule": "trace_id", "subject": "payout", "bank_payout_id": "txn_1", "amount_minor": 168000}))]
pub struct BankMatchView {
    /// The rule that explained it.
    pub rule: MatchRule,
    /// What it is booked against.
    pub subject: MatchSubject,
    /// The processor's line of the payout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_payout_id: Option<String>,
    /// The order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Minor units of the line; the parts sum to it.
    pub amount_minor: i64,
}

/// A booked line of a bank statement.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "bln_019352f0a1b27c3d8e4f5061728394a5", "import_id": "bst_019352f0a1b27c3d8e4f5061728394a5",
    "account": "main_eur", "booked_on": "2026-11-20", "amount_minor": 168000, "currency": "EUR", "is_reversal": false,
    "end_to_end_id": "po_5d41402abc4b", "state": "matched",
    "matches": [{"rule": "trace_id", "subject": "payout", "bank_payout_id": "txn_1", "amount_minor": 168000}]
}))]
pub struct BankLineView {
    /// The line.
    pub id: BankLineId,
    /// The import that brought it in.
    pub import_id: BankStatementId,
    /// The account's short name.
    pub account: String,
    /// The day it was entered into the account.
    #[schema(value_type = String, format = Date)]
    pub booked_on: Date,
    /// Minor units; received is positive.
    pub amount_minor: i64,
    /// The currency.
    pub currency: Currency,
    /// It takes back an earlier line.
    pub is_reversal: bool,
    /// The bank's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_reference: Option<String>,
    /// The payer's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_to_end_id: Option<String>,
    /// The other side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty_name: Option<String>,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remittance: Option<String>,
    /// Where it stands.
    pub state: BankLineState,
    /// What explains it; empty before it is booked.
    pub matches: Vec<BankMatchView>,
}

fn view(row: bank_line::Model, parts: Vec<bank_match::Model>) -> Result<BankLineView> {
    let part = |row: bank_match::Model| BankMatchView {
        rule: row.rule,
        subject: row.subject,
        bank_payout_id: row.bank_payout_id,
        order_id: row.order_id,
        amount_minor: row.amount_minor,
    };
    Ok(BankLineView {
        id: row.id,
        import_id: row.import_id,
        account: row.account,
        booked_on: day_of(row.booked_on),
        amount_minor: row.amount_minor,
        currency: currency(&row.currency)?,
        is_reversal: row.is_reversal,
        bank_reference: row.bank_reference,
        end_to_end_id: row.end_to_end_id,
        counterparty_name: row.counterparty_name,
        remittance: row.remittance,
        state: row.state,
        matches: parts.into_iter().map(part).collect(),
    })
}

/// Lists bank lines with what explains them, the oldest booking day first.
#[utoipa::path(
    get, path = "/settlement/bank-lines", tag = "settlement", params(BankLineQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of lines", body = Page<BankLineView>, example = json!({"items": [{
        "id": "bln_019352f0a1b27c3d8e4f5061728394a5", "import_id": "bst_019352f0a1b27c3d8e4f5061728394a5",
        "account": "main_eur", "booked_on": "2026-11-20", "amount_minor": 168000, "currency": "EUR",
        "is_reversal": false, "end_to_end_id": "po_5d41402abc4b", "state": "matched",
        "matches": [{"rule": "trace_id", "subject": "payout", "bank_payout_id": "txn_1", "amount_minor": 168000}]
    }]})))
)]
pub async fn list_bank_lines(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(query): Query<BankLineQuery>,
) -> Result<Json<Page<BankLineView>>> {
    let limit = page_limit(query.limit)?;
    let after = page_cursor(query.cursor.as_deref())?;
    let conn = app.db.read();
    let rows = store::list_lines(conn, query.account.as_deref(), query.state, after, limit as u64 + 1).await?;
    let page = Page::from_rows(rows, limit, |row| (row.booked_on.micros(), row.id));
    let ids: Vec<BankLineId> = page.items.iter().map(|row| row.id).collect();
    let mut parts: HashMap<BankLineId, Vec<bank_match::Model>> = HashMap::new();
    for part in store::parts_of_all(conn, &ids).await? {
        parts.entry(part.line_id).or_default().push(part);
    }
    let views = page.items.into_iter().map(|row| {
        let parts = parts.remove(&row.id).unwrap_or_default();
        view(row, parts)
    });
    Ok(Json(Page { items: views.collect::<Result<_>>()?, next_cursor: page.next_cursor }))
}

/// Shows a bank line with what explains it.
#[utoipa::path(
    get, path = "/settlement/bank-lines/{id}", tag = "settlement", security(("bearer" = [])),
    params(("id" = BankLineId, Path, description = "The line")),
    responses((status = 200, description = "The line", body = BankLineView))
)]
pub async fn get_bank_line(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Id(id): Id<BankLineId>,
) -> Result<Json<BankLineView>> {
    let row = store::find_line(app.db.read(), id).await?.ok_or_else(|| Error::not_found("bank line"))?;
    let parts = store::parts_of(app.db.read(), id).await?;
    Ok(Json(view(row, parts)?))
}
