//! Following the log over HTTP, by server-sent events.

use std::{collections::VecDeque, convert::Infallible};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use entity::ids::OrgId;
use futures::stream;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    http::NoticeView,
    live::{Following, Woken},
    service,
    store::{self, From as Start},
};
use crate::{
    auth::actor::CanRead,
    error::{Error, Result},
    http::{Query, credentials::Lasting},
    limits,
    state::AppState,
};

/// The header a client names the last event in that it has got.
///
/// Source: the HTML standard, section 9.2.4 (`Last-Event-ID`).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells proxies that would collect what they pass on to let it through.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The operation that takes as long as its client likes.
pub fn stream_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(stream_notices))
}

/// What to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NoticeStreamQuery {
    /// Begin after this cursor, where no `Last-Event-ID` says so; at the end of the log without either.
    #[param(minimum = 0)]
    pub after: Option<i64>,
    /// Only of this kind.
    #[param(max_length = 64)]
    pub kind: Option<String>,
    /// The language of titles: en, da, zh-Hant or ja; your own where you don't say.
    #[param(max_length = 16)]
    pub lang: Option<String>,
}

/// One event of the stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the stream writes")]
pub struct NoticeEvent {
    /// The cursor of the notice.
    id: String,
    /// The kind of the notice.
    event: String,
    /// The notice as JSON, as `GET /api/v1/notices` lists it.
    data: String,
}

/// Follows what the organisation you act for is told, as server-sent events: `id` is the cursor, `event` the kind, `data` the
/// notice. Come back with `Last-Event-ID` and nothing is missed. The stream ends when your credentials do.
#[utoipa::path(get, path = "/notices/stream", tag = "notices", security(("bearer" = [])),
    params(NoticeStreamQuery,
           ("Last-Event-ID" = Option<i64>, Header, description = "The `id` of the last event you have got")),
    responses((status = 200, description = "Events, and a comment every 15 seconds", body = NoticeEvent,
               content_type = "text/event-stream",
               example = json!({"id": "4711", "event": "revision.published", "data": "{\"cursor\": 4711}"})),
              (status = 429, description = "You have as many streams open as you may",
               headers(("Retry-After" = u32, description = "Seconds to wait")))))]
pub async fn stream_notices(
    State(app): State<AppState>,
    lasting: Lasting<CanRead>,
    headers: HeaderMap,
    Query(query): Query<NoticeStreamQuery>,
) -> Result<Response> {
    let actor = lasting.still(&app).await?;
    service::visible(&actor, query.kind.as_deref())?;
    let language = service::language(&app, &actor, query.lang).await?;
    let (organization, reader) = (actor.org_id(), service::reader(&actor)?);
    let cursor = match last_event(&headers)?.or(query.after) {
        Some(cursor) if cursor >= 0 => cursor,
        Some(_) => return Err(Error::invalid("after", "Give the cursor of a notice, or 0.")),
        None => store::newest(app.db.read(), organization).await?,
    };
    let following = app.live_notices.follow(organization, reader)?;
    let kind = query.kind;
    let reading =
        Reading { app, lasting, following, organization, kind, language, cursor, held: VecDeque::new(), is_new: true };
    let events = stream::unfold(reading, |mut reading| async move {
        let event = reading.next().await?;
        Some((Ok::<Event, Infallible>(event), reading))
    });
    let mut response = Sse::new(events).into_response();
    response.headers_mut().insert(NO_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

fn last_event(headers: &HeaderMap) -> Result<Option<i64>> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let cursor = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let refused = || Error::invalid("Last-Event-ID", "Send the id of an event of this stream.");
    cursor.map(Some).ok_or_else(refused)
}

/// A stream as far as it has come. It holds a page of the log at most; a reader that is slow to take it waits for itself.
struct Reading {
    app: AppState,
    lasting: Lasting<CanRead>,
    following: Following,
    organization: OrgId,
    kind: Option<String>,
    language: String,
    cursor: i64,
    held: VecDeque<Event>,
    is_new: bool,
}

impl Reading {
    /// The next event or heartbeat; nothing when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.held.pop_front() {
                return Some(event);
            }
            if !self.read_on().await? {
                match self.following.wait().await {
                    Woken::Closed => return None,
                    Woken::News => {}
                    Woken::Silence => {
                        self.lasting.still(&self.app).await.ok()?;
                        return Some(Event::default().comment("still here"));
                    }
                }
            }
        }
    }

    /// Reads the next page; false when there is none yet, and nothing when the credentials don't hold any more.
    async fn read_on(&mut self) -> Option<bool> {
        if std::mem::take(&mut self.is_new) {
            // Something at once, so that a client knows that it is heard.
            self.held.push_back(Event::default().comment("following"));
        }
        let actor = self.lasting.still(&self.app).await.ok()?;
        let kinds = service::visible(&actor, self.kind.as_deref()).ok()?;
        if actor.org_id() != self.organization {
            return None;
        }
        let (from, most) = (Start::After(self.cursor), limits::NOTICES_HELD_PER_STREAM_MAX);
        let rows = store::list(self.app.db.read(), self.organization, kinds, from, most).await.ok()?;
        for row in rows {
            self.cursor = row.cursor;
            let (id, kind) = (row.cursor.to_string(), row.kind.clone());
            let notice = NoticeView::of(row, &self.language).ok()?;
            self.held.push_back(Event::default().id(id).event(kind).json_data(notice).ok()?);
        }
        Some(!self.held.is_empty())
    }
}
