//! Balances and statements over HTTP.

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use entity::{Timestamp, ids::OrgId};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::{
    csv::Writing,
    letter,
    model::{BalanceView, StatementView},
    service::{self, Wanted},
};
use crate::{
    auth::actor::{Acting, CanFinance},
    base::Currency,
    error::{Error, Result},
    http::{Json, Query},
    settlement::documents::{attachment, requested_language},
    state::AppState,
};

/// The operations of statements.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(get_settlement_balance))
        .routes(utoipa_axum::routes!(get_statement))
}

/// What the organisation acted for is owed and was paid.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"balances": [{
    "currency": "EUR", "pending_minor": 4000, "payable_minor": 8001, "in_payout_minor": 0, "paid_out_minor": 12000
}]}))]
pub struct BalancesView {
    /// One for each currency it ever earned in.
    pub balances: Vec<BalanceView>,
}

/// Tells what the organisation is owed and was paid, by currency.
#[utoipa::path(
    get, path = "/settlement/balance", tag = "settlement", security(("bearer" = [])),
    responses((status = 200, description = "The balances", body = BalancesView, example = json!({"balances": [{
        "currency": "EUR", "pending_minor": 4000, "payable_minor": 8001, "in_payout_minor": 0, "paid_out_minor": 12000
    }]})))
)]
pub async fn get_settlement_balance(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
) -> Result<Json<BalancesView>> {
    Ok(Json(BalancesView { balances: service::balances(&app, actor.org_id()).await? }))
}

/// How a statement is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatementFormat {
    /// One document, at most 5 000 lines.
    #[default]
    Json,
    /// A table with running balances, streamed, of any length.
    Csv,
    /// A letter in one currency, at most 5 000 lines.
    Pdf,
}

/// Which statement.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatementQuery {
    /// From when, included; from the beginning without it.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    pub from: Option<Timestamp>,
    /// Until when, excluded; until now without it.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    pub until: Option<Timestamp>,
    /// Whose; the operator may name any organisation, others only their own.
    pub organization: Option<OrgId>,
    /// How it is written.
    #[serde(default)]
    pub format: StatementFormat,
    /// The currency of a PDF; the only one without it.
    #[param(value_type = Option<String>, example = "EUR")]
    pub currency: Option<Currency>,
    /// The language of a PDF: `en`, `da`, `ja` or `zh-Hant`.
    #[param(example = "en")]
    pub lang: Option<String>,
}

/// Shows how what is owed came about over a period: sales, ends of holds, payouts, by time of booking.
#[utoipa::path(
    get, path = "/settlement/statements", tag = "settlement", params(StatementQuery), security(("bearer" = [])),
    responses((status = 200, description = "The statement", content(
        (StatementView = "application/json"),
        (Vec<u8> = "application/pdf"),
        (String = "text/csv", example = "currency,at,kind\r\nEUR,2026-11-01T00:00:00Z,opening\r\n")
    )))
)]
pub async fn get_statement(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Query(query): Query<StatementQuery>,
) -> Result<Response> {
    let organization = match query.organization {
        Some(other) if other != actor.org_id() && !actor.organization.may_operate => {
            return Err(Error::not_found("organisation"));
        }
        asked => asked.unwrap_or_else(|| actor.org_id()),
    };
    let from = query.from.unwrap_or(Timestamp::from_micros(0));
    let until = query.until.unwrap_or(Timestamp(app.clock.now() + time::Duration::milliseconds(1)));
    let wanted = Wanted::new(organization, from, until)?;
    if query.format == StatementFormat::Json {
        return Ok(Json(service::statement(&app, wanted).await?).into_response());
    }
    if query.format == StatementFormat::Pdf {
        let language = requested_language(query.lang.as_deref(), "en")?;
        let bytes = letter::as_pdf(&app, wanted, query.currency, language).await?;
        return Ok(attachment(bytes, "application/pdf", "statement.pdf"));
    }
    let pieces = futures::stream::try_unfold((app, Writing::new(wanted)), |(app, mut writing)| async move {
        let piece = writing.next(&app).await?;
        Ok::<_, Error>(piece.map(|text| (Bytes::from(text), (app, writing))))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"statement.csv\""),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}
