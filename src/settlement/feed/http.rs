//! The money feed over HTTP.

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use entity::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::{FeedRow, FileFormat, Wanted},
    service::{self, Download},
};
use crate::{
    auth::actor::{Acting, Actor, CanFinance},
    base::page::encode_cursor,
    error::{Error, Result},
    http::{Json, Query, extract::page_cursor},
    ledger::Place,
    limits,
    state::AppState,
};

/// The operations of the feed.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_money_feed)).routes(routes!(download_money_feed))
}

/// Which rows of the feed, and how many.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// Rows of the page, 1 to 1000; 100 without it.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; it stays good for ever.
    pub cursor: Option<String>,
    /// Booked from then on.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    pub booked_from: Option<Timestamp>,
    /// What was booked by then, this time included. The answer for a time ten minutes ago never changes any more.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    pub as_of: Option<Timestamp>,
    /// Effective from then on.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    pub effective_from: Option<Timestamp>,
    /// Effective before then.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    pub effective_until: Option<Timestamp>,
}

/// Which rows, and in which format.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FeedFileQuery {
    /// The format.
    #[serde(default)]
    pub format: FileFormat,
    /// Booked from then on.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    pub booked_from: Option<Timestamp>,
    /// What was booked by then, this time included.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    pub as_of: Option<Timestamp>,
    /// Effective from then on.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    pub effective_from: Option<Timestamp>,
    /// Effective before then.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    pub effective_until: Option<Timestamp>,
}

/// A page of the feed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"items": [{
    "seal_number": 7, "seal_index": 3, "seq": 1, "entry_id": "ent_019352f0a1b27c3d8e4f5061728394a5", "kind": "sale",
    "source": "order:ord_019352f0a1b27c3d8e4f5061728394a5:sale", "account": "commission", "class": "income",
    "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": -2000, "amount": "-20.00", "currency": "EUR",
    "effective_at": "2026-11-21T10:00:00Z", "booked_at": "2026-11-21T10:00:01Z"
}], "next_cursor": "WzcsMywxXQ"}))]
pub struct FeedPage {
    /// The rows, in the order of the feed.
    pub items: Vec<FeedRow>,
    /// Where to go on, now or when there is more: also at the end of the feed. Absent while it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Reads the money feed: one row for each posting, in an order to which rows are only ever added at the end.
///
/// Keep `next_cursor`, and ask with it again: no row is skipped and none comes twice. The operator reads all
/// accounts, a provider or buyer its own.
#[utoipa::path(get, path = "/settlement/feed", tag = "settlement", params(FeedQuery), security(("bearer" = [])),
    responses((status = 200, description = "A page", body = FeedPage)))]
pub async fn read_money_feed(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Query(query): Query<FeedQuery>,
) -> Result<Json<FeedPage>> {
    let limit = query.limit.unwrap_or(limits::FEED_ROWS_DEFAULT);
    if !(1..=limits::FEED_ROWS_MAX).contains(&limit) {
        return Err(Error::invalid("limit", format!("Ask for 1 to {} rows.", limits::FEED_ROWS_MAX)));
    }
    let after: Option<Place> = page_cursor(query.cursor.as_deref())?;
    let wanted = Wanted {
        organization: own_accounts(&actor),
        booked_from: query.booked_from,
        as_of: query.as_of,
        effective_from: query.effective_from,
        effective_until: query.effective_until,
    };
    wanted.check(Timestamp(app.clock.now()))?;
    let items = service::page(&app, &wanted, after, u64::from(limit)).await?;
    let next_cursor = items.last().map(FeedRow::place).or(after).map(|place| encode_cursor(&place));
    Ok(Json(FeedPage { items, next_cursor }))
}

/// Downloads a range of the money feed as one file, streamed.
#[utoipa::path(get, path = "/settlement/feed/file", tag = "settlement", params(FeedFileQuery), security(("bearer" = [])),
    responses((status = 200, description = "The rows, with the fields of `FeedRow` as columns", content(
        (String = "text/csv", example = "seal_number,seal_index,seq,entry_id\r\n"),
        (Vec<u8> = "application/vnd.apache.parquet")
    ))))]
pub async fn download_money_feed(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Query(query): Query<FeedFileQuery>,
) -> Result<Response> {
    let format = query.format;
    let wanted = Wanted {
        organization: own_accounts(&actor),
        booked_from: query.booked_from,
        as_of: query.as_of,
        effective_from: query.effective_from,
        effective_until: query.effective_until,
    };
    wanted.check(Timestamp(app.clock.now()))?;
    let download = Download::new(format, wanted)?;
    let pieces = futures::stream::try_unfold((app, download), |(app, mut download)| async move {
        let piece = download.next(&app).await?;
        Ok::<_, Error>(piece.map(|bytes| (Bytes::from(bytes), (app, download))))
    });
    let file = format!("attachment; filename=\"money-feed.{}\"", format.extension());
    let headers = [(header::CONTENT_TYPE, format.media_type().to_owned()), (header::CONTENT_DISPOSITION, file)];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Whose accounts the actor may see: all of them as the operator, else those of its organisation.
fn own_accounts(actor: &Actor) -> Option<entity::ids::OrgId> {
    (!actor.organization.may_operate).then(|| actor.org_id())
}
