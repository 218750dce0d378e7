//! Documents, the VAT summary and the yearly extract over HTTP.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use entity::{
    Timestamp, document,
    ids::{DocumentId, OrderId, OrgId},
    states::{DocumentKind, DocumentLeg},
};
use serde::{Deserialize, Serialize};
use torv_documents::{pdf::Language, ubl};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    dac7, render,
    store::{self, Wanted},
    vat::{self, VatLine},
};
use crate::{
    auth::{
        Actor,
        actor::{Acting, CanFinance, CanRead, Operating, Right},
    },
    base::{Money, page::Page},
    error::{Error, Result},
    http::{
        Id, Json, Query,
        extract::{page_cursor, page_limit},
    },
    settlement::currency,
    state::AppState,
};

/// The operations of documents.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_documents))
        .routes(routes!(get_document))
        .routes(routes!(get_document_pdf))
        .routes(routes!(get_document_ubl))
        .routes(routes!(get_vat_summary))
        .routes(routes!(export_dac7))
}

/// Which documents, and which page of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DocumentsQuery {
    /// Those of an order.
    pub order: Option<OrderId>,
    /// Those of a kind.
    pub kind: Option<DocumentKind>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// An issued document, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "doc_019352f0a1b27c3d8e4f5061728394a5", "kind": "invoice", "leg": "sale", "number": "INV-2026-000001",
    "seller_id": "org_019352f0a1b27c3d8e4f5061728394a5", "buyer_id": "org_019352f0a1b27c3d8e4f5061728394a6",
    "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "net": {"minor": 10001, "currency": "EUR"},
    "tax": {"minor": 2500, "currency": "EUR"}, "payable": {"minor": 12501, "currency": "EUR"}, "tax_country": "DK",
    "language": "en", "issued_at": "2026-11-21T10:00:00Z", "sha256": "5f6a…"
}))]
pub struct DocumentView {
    /// Its id.
    pub id: DocumentId,
    /// What it is.
    pub kind: DocumentKind,
    /// `sale`: what the buyer pays; `share`: what operator and provider settle.
    pub leg: DocumentLeg,
    /// Its number, without gaps for its seller, kind and year.
    pub number: String,
    /// Who supplies.
    pub seller_id: OrgId,
    /// Who is supplied.
    pub buyer_id: OrgId,
    /// The order it is about.
    pub order_id: OrderId,
    /// Without tax.
    pub net: Money,
    /// The tax.
    pub tax: Money,
    /// With tax, and with the rounding of the amount due where it has one.
    pub payable: Money,
    /// Whose tax it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_country: Option<String>,
    /// The language it is shown in without `lang`.
    pub language: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// SHA-256 of the document as canonical JSON (RFC 8785).
    pub sha256: String,
}

impl DocumentView {
    fn of(row: &document::Model) -> Result<Self> {
        let currency = currency(&row.currency)?;
        let money = |minor| Money::new(minor, currency);
        Ok(Self {
            id: row.id,
            kind: row.kind,
            leg: row.leg,
            number: row.number.clone(),
            seller_id: row.seller_id,
            buyer_id: row.buyer_id,
            order_id: row.order_id,
            net: money(row.net_minor),
            tax: money(row.tax_minor),
            payable: money(row.payable_minor),
            tax_country: row.tax_country.clone(),
            language: row.language.clone(),
            issued_at: row.issued_at,
            sha256: row.sha256.clone(),
        })
    }
}

/// An issued document with everything it says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "document": {
        "id": "doc_019352f0a1b27c3d8e4f5061728394a5", "kind": "invoice", "leg": "sale", "number": "INV-2026-000001",
        "seller_id": "org_019352f0a1b27c3d8e4f5061728394a5", "buyer_id": "org_019352f0a1b27c3d8e4f5061728394a6",
        "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "net": {"minor": 10001, "currency": "EUR"},
        "tax": {"minor": 2500, "currency": "EUR"}, "payable": {"minor": 12501, "currency": "EUR"}, "tax_country": "DK",
        "language": "en", "issued_at": "2026-11-21T10:00:00Z", "sha256": "5f6a…"
    },
    "body": {"draft": {"number": "INV-2026-000001"}, "totals": {"gross_minor": 12501}}
}))]
pub struct WholeDocumentView {
    /// What it is.
    pub document: DocumentView,
    /// The document as it was frozen; its canonical JSON has the hash.
    pub body: serde_json::Value,
}

/// What an actor may see: documents of its own organisation, and all for the operator's finance.
fn visible_to(actor: &Actor) -> Wanted {
    let all = actor.organization.may_operate && actor.may(Right::Finance);
    Wanted { party: (!all).then(|| actor.org_id()), order: None, kind: None, before: None }
}

/// Lists documents that the organisation issued or received, the newest first; the operator sees all.
#[utoipa::path(get, path = "/documents", tag = "settlement", params(DocumentsQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of documents", body = Page<DocumentView>, example = json!({"items": [{
        "id": "doc_019352f0a1b27c3d8e4f5061728394a5", "kind": "invoice", "leg": "sale", "number": "INV-2026-000001",
        "seller_id": "org_019352f0a1b27c3d8e4f5061728394a5", "buyer_id": "org_019352f0a1b27c3d8e4f5061728394a6",
        "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "net": {"minor": 10001, "currency": "EUR"},
        "tax": {"minor": 2500, "currency": "EUR"}, "payable": {"minor": 12501, "currency": "EUR"}, "tax_country": "DK",
        "language": "en", "issued_at": "2026-11-21T10:00:00Z", "sha256": "5f6a…"
    }]}))))]
pub async fn list_documents(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Query(query): Query<DocumentsQuery>,
) -> Result<Json<Page<DocumentView>>> {
    let limit = page_limit(query.limit)?;
    let before = page_cursor(query.cursor.as_deref())?;
    let wanted = Wanted { order: query.order, kind: query.kind, before, ..visible_to(&actor) };
    let rows = store::list(app.db.read(), wanted, limit as u64 + 1).await?;
    let views = rows.iter().map(DocumentView::of).collect::<Result<Vec<_>>>()?;
    Ok(Json(Page::from_rows(views, limit, |view| view.id)))
}

/// Shows a document as it was frozen.
#[utoipa::path(get, path = "/documents/{document_id}", tag = "settlement", security(("bearer" = [])),
    params(("document_id" = DocumentId, Path, description = "The document")),
    responses((status = 200, description = "The document", body = WholeDocumentView)))]
pub async fn get_document(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<DocumentId>,
) -> Result<Json<WholeDocumentView>> {
    let row = store::find(app.db.read(), id, visible_to(&actor)).await?;
    render::read(&row)?;
    Ok(Json(WholeDocumentView { document: DocumentView::of(&row)?, body: serde_json::from_str(&row.body)? }))
}

/// In which language.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PdfQuery {
    /// `en`, `da`, `ja` or `zh-Hant`; without it the buyer's own, or English.
    #[param(max_length = 16, example = "da")]
    pub lang: Option<String>,
}

/// Renders a document as PDF: the same bytes each time.
#[utoipa::path(get, path = "/documents/{document_id}/pdf", tag = "settlement", security(("bearer" = [])),
    params(("document_id" = DocumentId, Path, description = "The document"), PdfQuery),
    responses((status = 200, description = "The document", body = Vec<u8>, content_type = "application/pdf")))]
pub async fn get_document_pdf(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<DocumentId>,
    Query(query): Query<PdfQuery>,
) -> Result<Response> {
    let row = store::find(app.db.read(), id, visible_to(&actor)).await?;
    let language = requested_language(query.lang.as_deref(), &row.language)?;
    let name = row.number.clone();
    let rendering = tokio::task::spawn_blocking(move || render::as_pdf(&row, language));
    let bytes = rendering.await.map_err(Error::internal)??;
    Ok(attachment(bytes, "application/pdf", &format!("{name}.pdf")))
}

/// The language asked for, or `default`.
///
/// # Errors
/// `Invalid` for one without a translation.
pub(in crate::settlement) fn requested_language(asked: Option<&str>, default: &str) -> Result<Language> {
    let Some(tag) = asked else { return Ok(render::language_of(default)) };
    Language::from_tag(tag).ok_or_else(|| Error::invalid("lang", "Choose en, da, ja or zh-Hant."))
}

/// The rules a receiver asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UblProfile {
    /// The European norm.
    #[default]
    En16931,
    /// Peppol BIS Billing 3.0, or Self-Billing 3.0.
    Peppol,
    /// What German authorities ask for.
    Xrechnung,
}

/// In which profile.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UblQuery {
    /// The profile.
    #[serde(default)]
    pub profile: UblProfile,
}

/// Writes a document as UBL 2.1: the same bytes each time.
#[utoipa::path(get, path = "/documents/{document_id}/ubl", tag = "settlement", security(("bearer" = [])),
    params(("document_id" = DocumentId, Path, description = "The document"), UblQuery),
    responses(
        (status = 200, description = "The document", content(
            (String = "application/xml", example = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"))),
        (status = 409, description = "The profile has no form for it; the detail says what is missing")))]
pub async fn get_document_ubl(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<DocumentId>,
    Query(query): Query<UblQuery>,
) -> Result<Response> {
    let row = store::find(app.db.read(), id, visible_to(&actor)).await?;
    let profile = match query.profile {
        UblProfile::En16931 => ubl::Profile::En16931,
        UblProfile::Peppol => ubl::Profile::PeppolBis3,
        UblProfile::Xrechnung => ubl::Profile::XRechnung,
    };
    let bytes = render::as_ubl(&row, profile)?;
    Ok(attachment(bytes, "application/xml", &format!("{}.xml", row.number)))
}

/// A file to be saved under `name`, which holds only letters, digits, dots and dashes.
pub(in crate::settlement) fn attachment(bytes: Vec<u8>, kind: &'static str, name: &str) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], bytes).into_response()
}

/// Which period.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VatQuery {
    /// From when, included; from the beginning without it.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-10-01T00:00:00Z")]
    pub from: Option<Timestamp>,
    /// Until when, excluded; until now without it.
    #[param(value_type = Option<String>, format = DateTime, example = "2027-01-01T00:00:00Z")]
    pub until: Option<Timestamp>,
}

/// What the operator owes each country.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"lines": [{
    "country": "DK", "output": {"minor": 2500, "currency": "EUR"}, "input": {"minor": 0, "currency": "EUR"},
    "payable": {"minor": 2500, "currency": "EUR"}
}]}))]
pub struct VatSummaryView {
    /// One for each country and currency.
    pub lines: Vec<VatLine>,
}

/// Sums the tax that the operator owes, by country and currency, from the ledger's accounts for it.
#[utoipa::path(get, path = "/settlement/vat", tag = "settlement", params(VatQuery), security(("bearer" = [])),
    responses((status = 200, description = "The summary", body = VatSummaryView)))]
pub async fn get_vat_summary(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(query): Query<VatQuery>,
) -> Result<Json<VatSummaryView>> {
    let from = query.from.unwrap_or(Timestamp::from_micros(0));
    let until = query.until.unwrap_or(Timestamp(app.clock.now() + time::Duration::milliseconds(1)));
    if from >= until {
        return Err(Error::invalid("until", "Choose an end that comes after the beginning."));
    }
    Ok(Json(VatSummaryView { lines: vat::summary(app.db.read(), from, until).await? }))
}

/// Which year.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct YearQuery {
    /// The calendar year.
    #[param(minimum = 2020, maximum = 2100, example = 2026)]
    pub year: i32,
}

/// Writes each provider's year in the manner of DAC7: consideration, fees and sales by quarter, and what is not known yet.
///
/// It is evidence for a filing, not the filing. The column `missing` names gaps of the due diligence.
#[utoipa::path(get, path = "/settlement/dac7", tag = "settlement", params(YearQuery), security(("bearer" = [])),
    responses((status = 200, description = "The extract", content(
        (String = "text/csv", example = "year,seller_id,seller_type\n2026,org_019352f0a1b27c3d8e4f5061728394a5,entity\n")
    ))))]
pub async fn export_dac7(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(query): Query<YearQuery>,
) -> Result<Response> {
    let bytes = dac7::extract(&app, query.year).await?;
    Ok(attachment(bytes, "text/csv; charset=utf-8", &format!("dac7-{}.csv", query.year)))
}
