//! Imports over HTTP.

use std::sync::Arc;

use axum::{body::Body, extract::State, http::StatusCode};
use entity::{
    Timestamp, bank_import,
    ids::{AccountId, BankStatementId},
    states::{BankImportKind, BankImportState},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{FormatName, Request, service, store};
use crate::{
    auth::actor::{Actor, CanFinance, Operating},
    base::page::Page,
    catalog::revisions::pieces,
    error::{Error, Result},
    http::{Id, Json, PageQuery, Query, extract::page_cursor},
    limits,
    settlement::bank::accounts::CsvLayout,
    state::AppState,
};

/// Operations that take as long as their files take to come.
pub fn upload_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(import_bank_statement)).routes(routes!(import_payout_report))
}

/// The other operations of imports.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_bank_statements)).routes(routes!(get_bank_statement))
}

/// The bytes of a file.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary, example = ":20:S1\n:25:DK5000400440116243\n:28C:1/1\n:60F:C260130EUR10,00\n:62F:C260130EUR10,00\n-")]
#[expect(dead_code, reason = "it only describes the body to readers of the document")]
struct BankFileBody(Vec<u8>);

/// How the file is to be read.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// How it is written; without it, its first bytes tell.
    pub format: Option<FormatName>,
    /// The account of a table, by its short name. Other formats name it themselves.
    #[param(example = "main_eur")]
    pub account: Option<String>,
    /// A built-in layout of tables, instead of the account's own.
    pub layout: Option<CsvLayout>,
}

/// An imported file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "bst_019352f0a1b27c3d8e4f5061728394a5", "kind": "statement", "format": "camt053", "state": "imported",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size_bytes": 10240, "lines_read": 31,
    "lines_new": 30, "lines_known": 1, "lines_pending": 0, "created_at": "2026-11-21T10:00:00Z",
    "finished_at": "2026-11-21T10:00:01Z", "booked_at": "2026-11-21T10:00:02Z"
}))]
pub struct BankStatementView {
    /// The import.
    pub id: BankStatementId,
    /// A bank statement, or a payout report.
    pub kind: BankImportKind,
    /// How it was written.
    pub format: String,
    /// Only the lines of imported files count.
    pub state: BankImportState,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Its size in bytes.
    pub size_bytes: i64,
    /// Booked lines, or rows of a report, in the file.
    pub lines_read: i64,
    /// Those of them that were not known.
    pub lines_new: i64,
    /// Those of them that another file, or this one before, had brought in.
    pub lines_known: i64,
    /// Lines that are announced only; they were left out.
    pub lines_pending: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// Who brought it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<AccountId>,
    /// When the whole file was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// When the last of its lines was booked, or set aside for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booked_at: Option<Timestamp>,
}

impl From<bank_import::Model> for BankStatementView {
    fn from(row: bank_import::Model) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            format: row.format,
            state: row.state,
            sha256: row.sha256,
            size_bytes: row.size_bytes,
            lines_read: row.lines_read,
            lines_new: row.lines_new,
            lines_known: row.lines_known,
            lines_pending: row.lines_pending,
            created_at: row.created_at,
            created_by: row.created_by,
            finished_at: row.finished_at,
            booked_at: row.booked_at,
        }
    }
}

/// Keeps the upload in a local file of its own, brings it in, and removes it again.
async fn bring_in(app: &AppState, actor: &Actor, query: ImportQuery, body: Body) -> Result<bank_import::Model> {
    let name = BankStatementId::at(app.clock.now()).to_string();
    let (copy, stored) = app.files.put_scratch(&name, pieces(body), limits::BANK_FILE_BYTES_MAX).await?;
    let request = Request {
        path: copy.path().to_owned(),
        size_bytes: stored.size_bytes,
        sha256: stored.sha256,
        format: query.format,
        account: query.account,
        layout: query.layout,
    };
    // From here on it finishes even if the client hangs up.
    let (app, actor) = (app.clone(), actor.clone());
    let import = async move {
        let outcome = service::import_file(&app, Some(&actor), request, Arc::new(|_| {})).await;
        drop(copy);
        outcome
    };
    tokio::spawn(import).await.map_err(Error::internal)?
}

/// Brings in a bank statement: its bytes are the body.
///
/// The file is taken whole or not at all: a wrong balance, a truncated file, an unknown account or another currency
/// changes nothing and is named with its place. Lines that are known are counted and left as they are, so the same
/// file, or one that overlaps, can be sent again. Lines that are only announced are left out.
#[utoipa::path(
    post, path = "/settlement/bank-statements", tag = "settlement", security(("bearer" = [])), params(ImportQuery),
    request_body(content = BankFileBody, content_type = "application/octet-stream",
        description = "A camt.053 or MT940 statement, or a table"),
    responses(
        (status = 201, description = "The whole file is there", body = BankStatementView),
        (status = 409, description = "Another import is bringing in lines of the same account"),
        (status = 413, description = "The file is too large to be uploaded"),
        (status = 422, description = "The file does not hold; `detail` says where and what to change")
    )
)]
pub async fn import_bank_statement(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Query(query): Query<ImportQuery>,
    body: Body,
) -> Result<(StatusCode, Json<BankStatementView>)> {
    Ok((StatusCode::CREATED, Json(bring_in(&app, &actor, query, body).await?.into())))
}

/// Brings in the processor's itemized report on its payouts: its bytes are the body.
///
/// Its rows are compared with the processor's own lines; what differs becomes an exception.
#[utoipa::path(
    post, path = "/settlement/payout-reports", tag = "settlement", security(("bearer" = [])),
    request_body(content = BankFileBody, content_type = "application/octet-stream", description = "The report, as a table",
        example = "automatic_payout_id,balance_transaction_id,currency,gross,fee,net,reporting_category\npo_1,txn_1,eur,100.01,3.20,96.81,charge\n"),
    responses(
        (status = 201, description = "The whole report is there", body = BankStatementView),
        (status = 422, description = "The report does not hold; `detail` says where and what to change")
    )
)]
pub async fn import_payout_report(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    body: Body,
) -> Result<(StatusCode, Json<BankStatementView>)> {
    let query = ImportQuery { format: Some(FormatName::PayoutReport), account: None, layout: None };
    Ok((StatusCode::CREATED, Json(bring_in(&app, &actor, query, body).await?.into())))
}

/// Lists imported files, the newest first; also those that broke off.
#[utoipa::path(
    get, path = "/settlement/bank-statements", tag = "settlement", params(PageQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of imports", body = Page<BankStatementView>, example = json!({"items": [{
        "id": "bst_019352f0a1b27c3d8e4f5061728394a5", "kind": "statement", "format": "mt940", "state": "imported",
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size_bytes": 10240,
        "lines_read": 31, "lines_new": 31, "lines_known": 0, "lines_pending": 0, "created_at": "2026-11-21T10:00:00Z",
        "finished_at": "2026-11-21T10:00:01Z"
    }]})))
)]
pub async fn list_bank_statements(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<BankStatementView>>> {
    let limit = query.limit()?;
    let rows = store::list(app.db.read(), page_cursor(query.cursor.as_deref())?, limit as u64 + 1).await?;
    Ok(Json(Page::from_rows(rows, limit, |row| row.id).map(BankStatementView::from)))
}

/// Shows an imported file.
#[utoipa::path(
    get, path = "/settlement/bank-statements/{id}", tag = "settlement", security(("bearer" = [])),
    params(("id" = BankStatementId, Path, description = "The import")),
    responses((status = 200, description = "The import", body = BankStatementView))
)]
pub async fn get_bank_statement(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Id(id): Id<BankStatementId>,
) -> Result<Json<BankStatementView>> {
    let row = store::find(app.db.read(), id).await?.ok_or_else(|| Error::not_found("bank statement"))?;
    Ok(Json(row.into()))
}
