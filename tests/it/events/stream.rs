//! Following the log: no gap, no doublet, and an end when the credentials end.

use std::time::Duration as RealDuration;

use axum::body::BodyDataStream;
use entity::states::Coverage;
use futures::StreamExt as _;
use serde_json::Value;
use time::Duration;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::support::{TestApp, on_both};

/// Nothing is this slow.
const PATIENCE: RealDuration = RealDuration::from_secs(90);

/// A stream that is read.
pub struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Stream {
    /// The next event, without comments; nothing when the stream is over.
    pub async fn next(&mut self) -> Option<(i64, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
                if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                    let notice: Value = serde_json::from_str(&data).expect("JSON");
                    assert_eq!(field("event: ").as_deref(), notice["kind"].as_str());
                    return Some((id.parse().expect("a cursor"), notice));
                }
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("something comes")?;
            self.text.push_str(std::str::from_utf8(&chunk.expect("no error")).expect("UTF-8"));
        }
    }

    /// The numbers of the next events, and the cursor of the last one.
    async fn numbers(&mut self, count: usize) -> (Vec<i64>, i64) {
        let (mut numbers, mut last) = (Vec::new(), 0);
        for _ in 0..count {
            let (cursor, notice) = self.next().await.expect("an event");
            assert!(cursor > last && notice["cursor"] == cursor);
            last = cursor;
            numbers.push(notice["data"]["number"].as_i64().expect("a number"));
        }
        (numbers, last)
    }
}

impl TestApp {
    /// Opens a stream; the status when there is none.
    pub async fn follow(&self, token: &str, query: &str, last: Option<i64>) -> Result<Stream, u16> {
        let mut request = axum::http::Request::builder()
            .uri(format!("/api/v1/notices/stream{query}"))
            .header("authorization", format!("Bearer {token}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let request = request.body(axum::body::Body::empty()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("the router never fails");
        if response.status() != 200 {
            return Err(response.status().as_u16());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Stream { body: response.into_body().into_data_stream(), text: String::new() })
    }

    /// Looks at the log for all streams, as a serving process does.
    pub fn look_out(&self) -> CancellationToken {
        let stop = CancellationToken::new();
        self.app.live_notices.clone().start(self.app.db.clone(), stop.clone(), &TaskTracker::new());
        stop
    }
}

on_both! {
    async fn a_stream_goes_on_where_it_broke_off(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let stop = app.look_out();
        app.revisions(granted.listing, [1, 2]).await;
        app.run_jobs().await;
        let mut stream = app.follow(&granted.buyer.key, "?after=0", None).await.expect("a stream");
        assert_eq!(stream.numbers(2).await.0, [1, 2]);
        app.revisions(granted.listing, [3]).await;
        app.run_jobs().await;
        let (numbers, last) = stream.numbers(1).await;
        assert_eq!(numbers, [3]);
        drop(stream);
        app.revisions(granted.listing, [4, 5]).await;
        app.run_jobs().await;
        let mut again = app.follow(&granted.buyer.key, "?after=0", Some(last)).await.expect("a stream");
        app.revisions(granted.listing, [6]).await;
        app.run_jobs().await;
        assert_eq!(again.numbers(3).await.0, [4, 5, 6]);
        let mut fresh = app.follow(&granted.buyer.key, "?lang=da", None).await.expect("a stream");
        app.revisions(granted.listing, [7]).await;
        app.run_jobs().await;
        let (_, notice) = fresh.next().await.expect("an event");
        assert_eq!((&notice["data"]["number"], &notice["title"]), (&7.into(), &"Nye data i »Bridges«".into()));
        stop.cancel();
        assert_eq!(again.numbers(1).await.0, [7]);
        assert_eq!(again.next().await, None, "it ends with its process");
    }

    async fn a_stream_hears_of_what_another_process_tells(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let other = app.sibling().await;
        let stop = app.look_out();
        let mut stream = app.follow(&granted.buyer.key, "", None).await.expect("a stream");
        let mut of_provider = app.follow(&granted.provider.key, "?kind=listing.retired", None).await.expect("a stream");
        for number in 1..=5 {
            other.revisions(granted.listing, [number]).await;
            other.run_jobs().await;
            assert_eq!(stream.numbers(1).await.0, [i64::from(number)]);
        }
        other.happens("listing.retired", granted.listing, serde_json::json!({})).await;
        other.run_jobs().await;
        assert_eq!(of_provider.next().await.map(|(_, notice)| notice["kind"].clone()), Some("listing.retired".into()));
        stop.cancel();
    }

    async fn a_reader_that_is_slow_misses_nothing(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let stop = app.look_out();
        let mut stream = app.follow(&granted.buyer.key, "?after=0", None).await.expect("a stream");
        app.revisions(granted.listing, 1..=350).await;
        app.run_jobs().await;
        let expected: Vec<i64> = (1..=350).collect();
        assert_eq!(stream.numbers(350).await.0, expected);
        stop.cancel();
    }

    async fn a_stream_ends_with_its_credentials(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let stop = app.look_out();
        let (token, ended) = (app.owner(&granted.buyer).await, app.owner(&granted.buyer).await);
        let mut expires = app.follow(&token, "", None).await.expect("a stream");
        let mut logged_out = app.follow(&ended, "", None).await.expect("a stream");
        app.revisions(granted.listing, [1]).await;
        app.run_jobs().await;
        assert_eq!(expires.numbers(1).await.0, [1]);
        assert_eq!(logged_out.numbers(1).await.0, [1]);
        app.request("DELETE", "/api/v1/sessions/current").bearer(&ended).send().await.expect(204);
        app.revisions(granted.listing, [2]).await;
        app.run_jobs().await;
        assert_eq!(expires.numbers(1).await.0, [2]);
        assert_eq!(logged_out.next().await, None);
        app.advance(Duration::seconds(900));
        app.revisions(granted.listing, [3]).await;
        app.run_jobs().await;
        assert_eq!(expires.next().await, None);
        stop.cancel();
    }

    async fn a_reader_has_a_few_streams_and_says_where_to_begin(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let key = &granted.buyer.key;
        let mut open = Vec::new();
        for _ in 0..4 {
            open.push(app.follow(key, "", None).await.expect("a stream"));
        }
        let refused = app.request("GET", "/api/v1/notices/stream").bearer(key).send().await.expect(429);
        assert_eq!(refused.header("retry-after"), "30");
        open.pop();
        assert!(app.follow(key, "", None).await.is_ok(), "a place is given back");
        drop(open);
        for query in ["?after=-1", "?kind=none.such", "?lang=no_such", "?before=1"] {
            assert_eq!(app.follow(key, query, None).await.err(), Some(422), "{query}");
        }
        let nonsense = app.request("GET", "/api/v1/notices/stream").bearer(key).header("last-event-id", "yesterday");
        nonsense.send().await.expect(422);
        assert_eq!(app.follow("garbage", "", None).await.err(), Some(401));
    }
}
