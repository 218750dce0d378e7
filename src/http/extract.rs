//! Extractors that refuse with a problem document which says where and what to change.

use std::str::FromStr;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    base::digest,
    error::{Error, Problem, Result},
    limits,
};

/// A JSON body, or a JSON response.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        require_json(request.headers())?;
        let body = read_body(request, state, limits::JSON_BODY_BYTES_MAX).await?;
        require_object(&body)?;
        parse_json(&body).map(Self)
    }
}

/// Reads a whole small body, at most `bytes_max`.
///
/// # Errors
/// [`Problem::TooLarge`], or [`Problem::Malformed`] when the client breaks off.
pub async fn read_body<S: Send + Sync>(request: Request, state: &S, bytes_max: usize) -> Result<Bytes> {
    let too_large = || Error::new(Problem::TooLarge, format!("Send at most {bytes_max} bytes here."));
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > bytes_max) {
        return Err(too_large());
    }
    let limited = request.map(|body| axum::body::Body::new(http_body_util::Limited::new(body, bytes_max)));
    Bytes::from_request(limited, state).await.map_err(|rejection| {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            too_large()
        } else {
            Error::new(Problem::Malformed, "The body broke off before its end. Send it again.")
        }
    })
}

fn require_json(headers: &HeaderMap) -> Result<()> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json") {
        return Ok(());
    }
    Err(Error::new(Problem::UnsupportedMediaType, "Send the body as JSON with Content-Type: application/json."))
}

/// Refuses a list: serde would take its items for the fields of an object, in the order of their declaration.
fn require_object(body: &[u8]) -> Result<()> {
    let is_list = body.trim_ascii_start().starts_with(b"[");
    if is_list && is_json(body) { Err(Error::invalid("", "Send a JSON object, not a list.")) } else { Ok(()) }
}

/// Reads JSON; a wrong value is named by its JSON pointer.
///
/// # Errors
/// [`Problem::Malformed`] for text that is not JSON, [`Problem::Invalid`] for JSON of another shape.
pub fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let cause = error.inner();
        match cause.classify() {
            serde_json::error::Category::Data => Error::invalid(pointer(error.path()), sentence(cause)),
            // For an enum, serde_json calls any value but text a syntax error.
            _ if is_json(body) => Error::invalid(pointer(error.path()), "Another kind of value is expected here."),
            _ => Error::new(
                Problem::Malformed,
                format!("The body is not JSON: line {}, column {}.", cause.line(), cause.column()),
            ),
        }
    })?;
    reader.end().map_err(|_| Error::new(Problem::Malformed, "There is more text after the end of the JSON value."))?;
    Ok(value)
}

fn is_json(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

fn sentence(cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}

/// Parameters after the question mark; unknown ones are refused.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let text = parts.uri.query().unwrap_or_default();
        let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(reader).map(Self).map_err(|error| {
            let text = error.inner().to_string();
            let place = match error.path().to_string() {
                place if place == "." => named_parameter(&text).unwrap_or("query").to_owned(),
                place => place,
            };
            Error::invalid(place, format!("{text}."))
        })
    }
}

/// The parameter of "missing field `name`" and "unknown field `name`, …": serde tells it in words only.
fn named_parameter(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("missing field `").or_else(|| text.strip_prefix("unknown field `"))?;
    rest.split('`').next()
}

/// An identifier in the path. What is not an identifier of this kind is not found.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: FromStr + Send> FromRequestParts<S> for Id<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let missing = || Error::not_found("such thing");
        let axum::extract::Path(text) =
            axum::extract::Path::<String>::from_request_parts(parts, state).await.map_err(|_| missing())?;
        text.parse().map(Self).map_err(|_| missing())
    }
}

/// Several path parameters, each parsed; anything unparsable is not found.
#[derive(Debug, Clone, Copy)]
pub struct Ids<A, B>(pub A, pub B);

impl<S: Send + Sync, A: FromStr + Send, B: FromStr + Send> FromRequestParts<S> for Ids<A, B> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let missing = || Error::not_found("such thing");
        let axum::extract::Path((a, b)) =
            axum::extract::Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| missing())?;
        Ok(Self(a.parse().map_err(|_| missing())?, b.parse().map_err(|_| missing())?))
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// The number of rows to fetch.
    ///
    /// # Errors
    /// [`Problem::Invalid`] outside of 1 to [`limits::PAGE_ROWS_MAX`].
    pub fn limit(&self) -> Result<usize> {
        page_limit(self.limit)
    }
}

/// Checks a page size, and fills in the default.
///
/// # Errors
/// [`Problem::Invalid`] outside of 1 to [`limits::PAGE_ROWS_MAX`].
pub fn page_limit(limit: Option<u32>) -> Result<usize> {
    let limit = limit.unwrap_or(limits::PAGE_ROWS_DEFAULT);
    if (1..=limits::PAGE_ROWS_MAX).contains(&limit) {
        return Ok(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Err(Error::invalid("limit", format!("Ask for 1 to {} rows.", limits::PAGE_ROWS_MAX)))
}

/// Reads the cursor of a page, if there is one.
///
/// # Errors
/// [`Problem::Invalid`] for a cursor that this list did not return.
pub fn page_cursor<K: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<K>> {
    let bad =
        |error: crate::base::page::BadCursor| Error::invalid("cursor", format!("{error}. Start without a cursor."));
    cursor.map(crate::base::page::decode_cursor).transpose().map_err(bad)
}

/// The `Idempotency-Key` header, mandatory where it is taken.
#[derive(Debug, Clone)]
pub struct IdempotencyHeader(pub String);

impl IdempotencyHeader {
    /// The key for one operation of one organisation, bound to the request it came with.
    ///
    /// # Errors
    /// Only if the input can't be written as JSON.
    pub fn for_request<T: Serialize>(&self, scope: &str, input: &T) -> Result<crate::db::idempotency::IdempotencyKey> {
        Ok(crate::db::idempotency::IdempotencyKey {
            scope: scope.to_owned(),
            key: self.0.clone(),
            request_hash: digest::canonical_json_sha256(input)?,
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyHeader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let advice = "Send an Idempotency-Key header: 1 to 255 printable ASCII characters, fresh for each new request, \
                      the same when you repeat one.";
        let key = parts.headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let good =
            (1..=limits::IDEMPOTENCY_KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        if good { Ok(Self(key.to_owned())) } else { Err(Error::invalid("Idempotency-Key", advice)) }
    }
}

/// The version a client edits, from `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub i32);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            let advice = "Read it first, and send the ETag you got in an If-Match header.";
            return Err(Error::new(Problem::PreconditionRequired, advice));
        };
        let text = value.to_str().unwrap_or_default().trim().trim_matches('"');
        let stale =
            || Error::new(Problem::EditedMeanwhile, "The If-Match header holds no ETag of this thing. Read it again.");
        text.parse().map(Self).map_err(|_| stale())
    }
}

/// The entity tag of a versioned thing.
pub fn etag(version: i32) -> [(header::HeaderName, String); 1] {
    [(header::ETAG, format!("\"{version}\""))]
}
