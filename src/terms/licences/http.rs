//! Licences and licence documents through HTTP.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use entity::{
    Timestamp,
    ids::{LicenceId, OrgId},
    licence,
    states::LicenceKind,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Language, LicenceDocument, Preset, Terms,
    service::{self, Draft},
    store::{self, After},
};
use crate::{
    auth::actor::{Acting, CanEdit, Visitor},
    base::{LangText, page::Page},
    error::{Error, Result},
    http::{Id, Json, PageQuery, Query, extract::page_cursor},
    state::AppState,
};

/// A document never changes behind its hash, so a copy of it never goes stale.
const KEEP_FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// The media type of JSON-LD. Source: IANA media types, `application/ld+json`.
const JSON_LD: &str = "application/ld+json";

/// The operations of this feature.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_licences, create_licence))
        .routes(routes!(preview_licence))
        .routes(routes!(get_licence, archive_licence))
        .routes(routes!(get_licence_document))
        .routes(routes!(get_licence_text))
        .routes(routes!(get_licence_odrl))
}

/// A licence to be written: from a preset, or from full terms with a title.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": {"en": "Harbour sensors, internal use"}, "preset": "internal_use"}))]
pub struct LicenceIn {
    /// The name of the licence; with a preset it may be left out.
    pub title: Option<LangText>,
    /// A ready-made set of terms.
    pub preset: Option<Preset>,
    /// Terms of your own, instead of a preset.
    pub terms: Option<Terms>,
}

impl From<LicenceIn> for Draft {
    fn from(input: LicenceIn) -> Self {
        Self { title: input.title, preset: input.preset, terms: input.terms }
    }
}

/// A licence that offers can point at.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Licence, example = json!({
    "id": "lic_019352f0a1b27c3d8e4f5061728394a5",
    "kind": "open",
    "code": "CC-BY-4.0",
    "title": {"en": "Creative Commons Attribution 4.0 International"},
    "hash": "40c5e3ab1def2dfa623691b927b1b8f45171d3ee7305ff8e102d91a0f60c59f3",
    "document_url": "/api/v1/licence-documents/40c5e3ab1def2dfa623691b927b1b8f45171d3ee7305ff8e102d91a0f60c59f3",
    "created_at": "2026-11-21T10:00:00Z"
}))]
pub struct LicenceView {
    /// Its id.
    pub id: LicenceId,
    /// Open, or written by a provider.
    pub kind: LicenceKind,
    /// SPDX identifier of an open licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The provider whose licence it is; absent for open ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<OrgId>,
    /// Its name by language.
    pub title: LangText,
    /// SHA-256 of the document: what a buyer accepts.
    pub hash: String,
    /// Where the document is.
    pub document_url: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// Since when new offers can't use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
}

impl LicenceView {
    fn of(row: licence::Model) -> Result<Self> {
        Ok(Self {
            id: row.id,
            kind: row.kind,
            code: row.code,
            organization_id: row.organization_id,
            title: serde_json::from_value(row.title)?,
            document_url: document_url(&row.hash),
            hash: row.hash,
            created_at: row.created_at,
            archived_at: row.archived_at,
        })
    }
}

/// The address of the document with this hash.
pub(in crate::terms) fn document_url(hash: &str) -> String {
    format!("/api/v1/licence-documents/{hash}")
}

/// A licence with everything it says.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = LicenceWithDocument, example = json!({
    "licence": {
        "id": "lic_019352f0a1b27c3d8e4f5061728394a5", "kind": "commercial",
        "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "title": {"en": "Data licence for internal use"},
        "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "document_url": "/api/v1/licence-documents/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "created_at": "2026-11-21T10:00:00Z"
    },
    "document": {
        "title": {"en": "Data licence for internal use"},
        "terms": {
            "uses": ["internal", "benchmark"], "redistribution": "none", "derivatives": "internal",
            "attribution": "not_required", "territory": "worldwide",
            "duration": {"fixed": {"months": 12, "after_end": "delete"}}, "seats": "organisation",
            "personal_data": {"level": "none", "re_identification_prohibited": true}, "sublicense": false,
            "affiliates": false, "audit": false, "termination": {"on_breach": {"after_notice": {"cure_days": 30}}},
            "warranty": "as_described"
        },
        "clauses": {"en": [{"heading": "Territory", "text": "This licence applies worldwide."}]},
        "odrl": {"@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", "profile": "urn:torv:odrl-profile:1"},
        "renderer_version": 1
    }
}))]
pub struct LicenceDetail {
    /// The licence.
    pub licence: LicenceView,
    /// What it says, for people and for machines.
    pub document: LicenceDocument,
}

/// A licence as it would be.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "document": {
        "title": {"en": "Data licence for internal use"},
        "terms": {
            "uses": ["internal", "benchmark"], "redistribution": "none", "derivatives": "internal",
            "attribution": "not_required", "territory": "worldwide",
            "duration": {"fixed": {"months": 12, "after_end": "delete"}}, "seats": "organisation",
            "personal_data": {"level": "none", "re_identification_prohibited": true}, "sublicense": false,
            "affiliates": false, "audit": false, "termination": {"on_breach": {"after_notice": {"cure_days": 30}}},
            "warranty": "as_described"
        },
        "clauses": {"en": [{"heading": "Territory", "text": "This licence applies worldwide."}]},
        "odrl": {"@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", "profile": "urn:torv:odrl-profile:1"},
        "renderer_version": 1
    }
}))]
pub struct LicencePreview {
    /// The SHA-256 it would have.
    pub hash: String,
    /// What it would say.
    pub document: LicenceDocument,
}

/// Lists the open licences, and your own licences before them.
#[utoipa::path(get, path = "/licences", tag = "terms", params(PageQuery), security((), ("bearer" = [])),
    responses((status = 200, description = "A page of licences", body = Page<LicenceView>)))]
pub async fn list_licences(
    State(app): State<AppState>,
    visitor: Visitor,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<LicenceView>>> {
    let (limit, after) = (query.limit()?, page_cursor(query.cursor.as_deref())?);
    let rows = store::page(app.db.read(), visitor.org_id(), after, limit).await?;
    let Page { items, next_cursor } = Page::from_rows(rows, limit, After::row);
    let items = items.into_iter().map(LicenceView::of).collect::<Result<_>>()?;
    Ok(Json(Page { items, next_cursor }))
}

/// Shows an open licence or one of your own. Anyone can read the document of an offer by its hash.
#[utoipa::path(get, path = "/licences/{id}", tag = "terms", params(("id" = LicenceId, Path)), security((), ("bearer" = [])),
    responses((status = 200, description = "The licence", body = LicenceDetail)))]
pub async fn get_licence(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id<LicenceId>,
) -> Result<Json<LicenceDetail>> {
    let row = store::find_shown(app.db.read(), id, visitor.org_id()).await?;
    let row = row.ok_or_else(|| Error::not_found("licence"))?;
    let document = store::find_document(app.db.read(), &row.hash).await?;
    Ok(Json(LicenceDetail { licence: LicenceView::of(row)?, document }))
}

/// Writes a licence of your own from a preset or from full terms.
#[utoipa::path(post, path = "/licences", tag = "terms", request_body = LicenceIn, security(("bearer" = [])),
    responses(
        (status = 201, description = "The licence was written", body = LicenceDetail),
        (status = 409, description = "You have too many licences")
    ))]
pub async fn create_licence(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Json(input): Json<LicenceIn>,
) -> Result<Response> {
    let (row, document) = service::create(&app, actor, input.into()).await?;
    let location = [(header::LOCATION, format!("/api/v1/licences/{}", row.id))];
    let detail = LicenceDetail { licence: LicenceView::of(row)?, document };
    Ok((StatusCode::CREATED, location, Json(detail)).into_response())
}

/// Shows what a licence would say, without keeping it.
#[utoipa::path(post, path = "/licences/preview", tag = "terms", request_body = LicenceIn, security(("bearer" = [])),
    responses((status = 200, description = "The licence as it would be", body = LicencePreview)))]
pub async fn preview_licence(_actor: Acting<CanEdit>, Json(input): Json<LicenceIn>) -> Result<Json<LicencePreview>> {
    let document = Draft::from(input).write()?;
    Ok(Json(LicencePreview { hash: document.hash()?, document }))
}

/// Archives a licence of your own: new offers can't use it, those that have it keep it.
#[utoipa::path(delete, path = "/licences/{id}", tag = "terms", params(("id" = LicenceId, Path)), security(("bearer" = [])),
    responses((status = 204, description = "It is archived")))]
pub async fn archive_licence(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<LicenceId>,
) -> Result<StatusCode> {
    service::archive(&app, actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// SHA-256 of a document as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone)]
pub struct DocumentHash(String);

impl std::str::FromStr for DocumentHash {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 64 && text.bytes().all(digit) { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

/// Returns the document a buyer accepts: its SHA-256 is the hash asked for, today and years later.
#[utoipa::path(get, path = "/licence-documents/{hash}", tag = "terms",
    params(("hash" = String, Path, description = "SHA-256 of the document", pattern = "^[0-9a-f]{64}$")),
    responses(
        (status = 200, description = "The document, byte for byte as it was hashed", body = LicenceDocument),
        (status = 304, description = "Your copy is the document")
    ))]
pub async fn get_licence_document(
    State(app): State<AppState>,
    Id(DocumentHash(hash)): Id<DocumentHash>,
    headers: HeaderMap,
) -> Result<Response> {
    let text = store::find_document_text(app.db.read(), &hash).await?;
    Ok(unchanging(&headers, &hash, "application/json", text))
}

/// In which language a licence is read.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TextQuery {
    /// A language tag; `en`, `zh-Hant`, `ja` and `da` are written. English without it.
    #[param(example = "zh-Hant")]
    pub lang: Option<String>,
}

/// Returns a licence as text for people.
#[utoipa::path(get, path = "/licence-documents/{hash}/text", tag = "terms",
    params(("hash" = String, Path, description = "SHA-256 of the document", pattern = "^[0-9a-f]{64}$"), TextQuery),
    responses(
        (status = 200, description = "Title and numbered clauses", body = String, content_type = "text/plain"),
        (status = 304, description = "Your copy is the text")
    ))]
pub async fn get_licence_text(
    State(app): State<AppState>,
    Id(DocumentHash(hash)): Id<DocumentHash>,
    Query(query): Query<TextQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let unwritten = || Error::invalid("lang", "Licences are written in en, zh-Hant, ja and da.");
    let language =
        query.lang.as_deref().map_or(Ok(Language::En), |tag| Language::for_tag(tag).ok_or_else(unwritten))?;
    let document = store::find_document(app.db.read(), &hash).await?;
    let tag = format!("{hash}-{}", language.tag());
    let mut response = unchanging(&headers, &tag, "text/plain; charset=utf-8", document.plain_text(language));
    response.headers_mut().insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    Ok(response)
}

/// Returns a licence as an ODRL policy of type `Set`, in JSON-LD.
#[utoipa::path(get, path = "/licence-documents/{hash}/odrl", tag = "terms",
    params(("hash" = String, Path, description = "SHA-256 of the document", pattern = "^[0-9a-f]{64}$")),
    responses(
        (status = 200, description = "The policy", body = Object, content_type = "application/ld+json", example = json!({
            "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", "uid": "urn:torv:terms:sha256:40c5",
            "permission": [{"target": "urn:torv:odrl-profile:1:licensed-data", "action": "use"}]
        })),
        (status = 304, description = "Your copy is the policy")
    ))]
pub async fn get_licence_odrl(
    State(app): State<AppState>,
    Id(DocumentHash(hash)): Id<DocumentHash>,
    headers: HeaderMap,
) -> Result<Response> {
    let document = store::find_document(app.db.read(), &hash).await?;
    Ok(unchanging(&headers, &format!("{hash}-odrl"), JSON_LD, document.odrl.to_string()))
}

/// An answer that may be kept for ever, or 304 for a client that has it.
///
/// Source: RFC 9110, sections 13.1.2 and 15.4.5; RFC 8246 for `immutable`.
fn unchanging(request: &HeaderMap, tag: &str, kind: &'static str, text: String) -> Response {
    let etag = format!("\"{tag}\"");
    let known = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|list| list.split(',')).map(|one| one.trim().trim_start_matches("W/"));
    let fresh = known.into_iter().any(|one| one == "*" || one == etag);
    let mut response = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], Body::from(text)).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, KEEP_FOR_EVER);
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}
