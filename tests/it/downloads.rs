use axum::body::Body;
use entity::{
    ids::FileId,
    states::{Coverage, GrantState, RevisionState},
};
use futures::StreamExt as _;
use serde_json::Value;
use time::Duration;
use torv::base::digest::sha256_hex;
use tower::ServiceExt as _;

use crate::support::{Answer, Granted, TestApp, blob_key, on_both};

const CSV: (&str, &str) = ("bridges.csv", "text/csv; charset=utf-8");
const PARQUET: (&str, &str) = ("bridges.parquet", "application/vnd.apache.parquet");
const MIB: usize = 1024 * 1024;

/// Bytes that differ everywhere, so that a wrong slice is a different slice.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 13 & 0xff).unwrap()).collect()
}

async fn with_file(app: &TestApp, name: (&str, &str), bytes: &[u8]) -> (Granted, FileId, String) {
    let granted = app.granted(Coverage::Snapshot, 1).await;
    let file = app.bare_file(granted.listing, 1, RevisionState::Published, name, bytes).await;
    let url = link(app, &granted).await;
    (granted, file, url)
}

async fn files(app: &TestApp, granted: &Granted, query: &str) -> Answer {
    app.as_org(&granted.buyer, "GET", &format!("/api/v1/grants/{}/files{query}", granted.grant)).send().await
}

async fn link(app: &TestApp, granted: &Granted) -> String {
    path_of(&files(app, granted, "").await.expect(200).str("/items/0/url"))
}

/// The address without its host.
fn path_of(url: &str) -> String {
    url.strip_prefix("http://127.0.0.1:8080").expect("our own host").to_owned()
}

async fn ranged(app: &TestApp, url: &str, range: &str) -> Answer {
    app.request("GET", url).header("range", range).send().await
}

async fn deliveries(app: &TestApp, granted: &Granted) -> Vec<Value> {
    app.app.recorder.flush().await;
    let path = format!("/api/v1/grants/{}/deliveries?limit=100", granted.grant);
    let answer = app.as_org(&granted.buyer, "GET", &path).send().await.expect(200);
    answer.json()["items"].as_array().unwrap().clone()
}

on_both! {
    async fn a_buyer_lists_what_the_grant_covers_and_downloads_it_unchanged(app) {
        let bytes = pattern(5_000);
        let (granted, file, _) = with_file(app, ("九十九橋.csv", "text/csv"), &bytes).await;
        let listed = files(app, &granted, "").await.expect(200);
        assert_eq!(listed.header("cache-control"), "no-store");
        let item = listed.json()["items"][0].clone();
        assert_eq!(item["id"], file.to_string());
        assert_eq!(item["sha256"], sha256_hex(&bytes));
        assert_eq!(item["size_bytes"], 5_000);
        assert_eq!(item["expires_at"], "2026-11-21T10:10:00Z");

        let answer = app.get(&path_of(item["url"].as_str().unwrap())).await.expect(200);
        assert_eq!(answer.bytes, bytes);
        assert_eq!(answer.header("content-type"), "text/csv");
        assert_eq!(answer.header("content-length"), "5000");
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert_eq!(answer.header("etag"), format!("\"{}\"", sha256_hex(&bytes)));
        assert_eq!(answer.header("last-modified"), "Sat, 21 Nov 2026 10:00:00 GMT");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        assert!(answer.header("repr-digest").starts_with("sha-256=:"), "{}", answer.header("repr-digest"));
        assert!(answer.header("content-disposition").ends_with("filename*=UTF-8''%E4%B9%9D%E5%8D%81%E4%B9%9D%E6%A9%8B.csv"));
    }

    async fn every_form_of_range_is_the_naive_slice_of_the_file(app) {
        for size in [0, 1, 700, MIB, MIB + 1] {
            let bytes = pattern(size);
            let (_, _, url) = with_file(app, PARQUET, &bytes).await;
            let marks = [0, 1, 2, size / 2, size.saturating_sub(1), size, size + 1, size + 262_144];
            for first in marks {
                check_range(app, &url, &bytes, &format!("bytes={first}-"), first..size).await;
                check_range(app, &url, &bytes, &format!("bytes=-{first}"), size.saturating_sub(first)..size).await;
                for last in marks.into_iter().filter(|last| *last >= first) {
                    check_range(app, &url, &bytes, &format!("bytes={first}-{last}"), first..(last + 1).min(size)).await;
                }
            }
        }
    }

    async fn ranges_that_can_not_be_read_and_lists_of_them_get_the_whole_file(app) {
        let bytes = pattern(100);
        let (_, _, url) = with_file(app, CSV, &bytes).await;
        for range in ["bytes=5-2", "bytes=", "bytes=x-", "items=0-5", "bytes=0-1,4-5", "junk"] {
            let answer = ranged(app, &url, range).await.expect(200);
            assert_eq!((answer.bytes, answer.headers.get("content-range")), (bytes.clone(), None), "{range}");
        }
    }

    async fn a_file_beyond_the_memory_limit_comes_whole_and_in_parts(app) {
        let bytes = pattern(5 * MIB + 3);
        let (granted, _, url) = with_file(app, PARQUET, &bytes).await;
        let answer = app.get(&url).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/vnd.apache.parquet");
        assert_eq!(sha256_hex(&answer.bytes), sha256_hex(&bytes));
        let tail = ranged(app, &url, "bytes=-262144").await.expect(206);
        assert_eq!(tail.bytes, bytes[bytes.len() - 262_144..]);
        let across = ranged(app, &url, "bytes=262000-1100000").await.expect(206);
        assert_eq!(across.bytes, bytes[262_000..=1_100_000]);
        let noted = deliveries(app, &granted).await;
        let total: i64 = noted.iter().map(|row| row["bytes_sent"].as_i64().unwrap()).sum();
        assert_eq!(total, i64::try_from(bytes.len() + 262_144 + 838_001).unwrap());
    }

    async fn a_part_is_only_given_of_the_file_the_client_has(app) {
        let bytes = pattern(100);
        let (_, _, url) = with_file(app, CSV, &bytes).await;
        let etag = format!("\"{}\"", sha256_hex(&bytes));
        let with = async |name: &str, value: &str| {
            app.request("GET", &url).header("range", "bytes=10-19").header(name, value).send().await
        };
        for same in [etag.as_str(), "Sat, 21 Nov 2026 10:00:00 GMT"] {
            assert_eq!(with("if-range", same).await.expect(206).bytes, bytes[10..20]);
        }
        for other in ["\"other\"", "Sat, 21 Nov 2026 09:59:59 GMT", &format!("W/{etag}")] {
            assert_eq!(with("if-range", other).await.expect(200).bytes, bytes, "{other}");
        }
        let unchanged = with("if-none-match", &etag).await.expect(304);
        assert_eq!((unchanged.bytes.len(), unchanged.header("etag")), (0, etag.as_str()));
        with("if-modified-since", "Sat, 21 Nov 2026 10:00:00 GMT").await.expect(304);
        with("if-match", "\"other\"").await.expect(412);
        with("if-match", &etag).await.expect(206);
    }

    async fn head_has_the_headers_of_get_and_records_nothing(app) {
        for bytes in [pattern(0), pattern(100), pattern(2 * MIB)] {
            let (granted, _, url) = with_file(app, CSV, &bytes).await;
            let head = app.request("HEAD", &url).header("range", "bytes=0-1").header("x-request-id", "same").send().await;
            assert_eq!((deliveries(app, &granted).await.len(), head.bytes.len()), (0, 0));
            let get = app.request("GET", &url).header("x-request-id", "same").send().await;
            assert_eq!((head.status, head.headers), (get.status, get.headers));
            let etag = format!("\"{}\"", sha256_hex(&bytes));
            assert_eq!(app.request("HEAD", &url).header("if-none-match", etag).send().await.status, 304);
        }
    }

    async fn a_forged_or_tampered_link_is_unknown_and_an_expired_one_gone(app) {
        let (granted, _, url) = with_file(app, CSV, b"a,b\n").await;
        let token = url.split('/').nth(2).unwrap().to_owned();
        for at in (0..token.len()).step_by(7) {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = url.replace(&token, &String::from_utf8(forged).unwrap());
            let answer = app.get(&forged).await.expect(404);
            assert_eq!(answer.header("content-type"), "application/problem+json");
        }
        app.advance(Duration::minutes(10) - Duration::seconds(1));
        app.get(&url).await.expect(200);
        app.advance(Duration::seconds(1));
        let gone = app.get(&url).await.expect(410);
        assert!(gone.str("/detail").contains("/files"), "{}", gone.text());
        app.get(&link(app, &granted).await).await.expect(200);
    }

    async fn a_valid_link_dies_with_its_grant(app) {
        let (granted, _, url) = with_file(app, CSV, b"a,b\n").await;
        app.get(&url).await.expect(200);
        for (state, status) in [(GrantState::Revoked, 403), (GrantState::Ended, 410), (GrantState::Active, 200)] {
            app.set_grant_state(granted.grant, state).await;
            app.get(&url).await.expect(status);
            assert_eq!(app.request("HEAD", &url).send().await.status, status);
            files(app, &granted, "").await.expect(status);
        }
        app.advance(Duration::days(30) - Duration::minutes(5));
        let last = files(app, &granted, "").await.expect(200);
        assert_eq!(last.str("/items/0/expires_at"), "2026-12-21T10:00:00Z", "no link outlives its grant");
        app.advance(Duration::minutes(5));
        files(app, &granted, "").await.expect(410);
    }

    async fn a_snapshot_ends_with_its_revision_and_a_running_grant_follows(app) {
        for (coverage, expected) in [(Coverage::Snapshot, vec![2, 1]), (Coverage::WhileActive, vec![3, 2, 1])] {
            let granted = app.granted(coverage, 2).await;
            for number in [1, 2, 3] {
                app.bare_file(granted.listing, number, RevisionState::Published, CSV, b"a\n").await;
            }
            app.bare_file(granted.listing, 4, RevisionState::Open, CSV, b"a\n").await;
            let (mut seen, mut query) = (Vec::new(), "?limit=1".to_owned());
            loop {
                let page = files(app, &granted, &query).await.expect(200).json();
                seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["revision_number"].as_i64().unwrap()));
                let Some(cursor) = page["next_cursor"].as_str() else { break };
                query = format!("?limit=1&cursor={cursor}");
            }
            assert_eq!(seen, expected);
            let only = files(app, &granted, "?revision=1").await.expect(200).json();
            assert_eq!(only["items"].as_array().unwrap().len(), 1);
        }
    }

    async fn a_stranger_gets_404_not_403(app) {
        let (granted, _, _) = with_file(app, CSV, b"a\n").await;
        let stranger = app.buyer().await;
        for path in ["files", "deliveries"] {
            for org in [&stranger, &granted.provider] {
                app.as_org(org, "GET", &format!("/api/v1/grants/{}/{path}", granted.grant)).send().await.expect(404);
            }
            app.get(&format!("/api/v1/grants/{}/{path}", granted.grant)).await.expect(401);
        }
        for path in ["deliveries", "deliveries/summary"] {
            let path = format!("/api/v1/listings/{}/{path}", granted.listing);
            for org in [&stranger, &granted.buyer] {
                app.as_org(org, "GET", &path).send().await.expect(404);
            }
            app.get(&path).await.expect(401);
        }
        let reader = app.key(&granted.buyer, &["read"]).await;
        let path = format!("/api/v1/grants/{}/files", granted.grant);
        app.request("GET", &path).bearer(&reader).send().await.expect(403);
    }

    async fn a_hostile_name_does_no_harm_in_headers_or_links(app) {
        for name in ["../../etc/passwd", "a\"b\r\nset-cookie: x=1.csv", "..", "%2e%2e%2f", "x\u{202e}vsc.exe", "a/b?c#d"] {
            let (_, _, url) = with_file(app, (name, "text/csv"), b"a\n").await;
            assert_eq!(url.matches('/').count(), 3, "{url}");
            let answer = app.get(&url).await.expect(200);
            assert_eq!(answer.bytes, b"a\n");
            assert!(answer.headers.get("set-cookie").is_none());
            let disposition = answer.header("content-disposition");
            assert!(disposition.starts_with("attachment; filename=\""), "{disposition}");
            assert!(!disposition.contains(['/', '\\', '\n']), "{disposition}");
        }
    }

    async fn each_delivery_is_recorded_with_what_was_really_sent(app) {
        let bytes = pattern(100);
        let (granted, file, url) = with_file(app, CSV, &bytes).await;
        app.request("GET", &url).header("x-request-id", "whole").send().await.expect(200);
        app.request("GET", &url).header("x-request-id", "part").header("range", "bytes=10-").send().await.expect(206);
        ranged(app, &url, "bytes=100-").await.expect(416);
        let mut noted = deliveries(app, &granted).await;
        noted.sort_by_key(|row| row["status"].as_i64());
        let seen: Vec<_> = noted.iter().map(|row| (row["status"].clone(), row["bytes_sent"].clone(), row["range"].clone())).collect();
        assert_eq!(seen, [(200.into(), 100.into(), Value::Null), (206.into(), 90.into(), "bytes=10-99".into())]);
        assert_eq!((&noted[0]["request_id"], &noted[1]["request_id"]), (&"whole".into(), &"part".into()));

        let provider = |path: &str| {
            app.as_org(&granted.provider, "GET", &format!("/api/v1/listings/{}/deliveries{path}", granted.listing))
        };
        let first = provider("?limit=1").send().await.expect(200).json();
        let rest = provider(&format!("?cursor={}", first["next_cursor"].as_str().unwrap())).send().await.expect(200).json();
        assert_eq!(rest["items"].as_array().unwrap().len(), 1);
        assert_eq!(first["items"][0]["organization_id"], granted.buyer.id.to_string());
        let sums = provider("/summary").send().await.expect(200).json();
        assert_eq!(sums["from"], "2026-10-23");
        let row = &sums["items"][0];
        assert_eq!((&row["day"], &row["file_id"]), (&"2026-11-21".into(), &file.to_string().into()));
        assert_eq!((&row["deliveries"], &row["organizations"], &row["bytes_sent"]), (&2.into(), &1.into(), &190.into()));
        assert_eq!(provider("/summary?until=2026-11-20").send().await.expect(200).json()["items"], Value::Array(vec![]));
        provider("/summary?from=2026-11-22").send().await.expect(422);
        provider("/summary?from=2020-01-01").send().await.expect(422);
    }

    async fn a_download_that_is_broken_off_is_recorded_with_what_was_sent(app) {
        let (granted, _, url) = with_file(app, PARQUET, &pattern(5 * MIB)).await;
        let request = axum::http::Request::get(&url).body(Body::empty()).unwrap();
        let response = app.router.clone().oneshot(request).await.unwrap();
        let mut body = response.into_body().into_data_stream();
        let sent = body.next().await.unwrap().unwrap().len() + body.next().await.unwrap().unwrap().len();
        assert!(sent < 5 * MIB, "it comes in pieces");
        drop(body);
        let noted = deliveries(app, &granted).await;
        assert_eq!((noted.len(), &noted[0]["bytes_sent"], &noted[0]["status"]), (1, &sent.into(), &200.into()));
    }

    async fn a_file_that_was_changed_on_disk_is_not_served(app) {
        let bytes = pattern(1_000);
        let (_, file, url) = with_file(app, CSV, &bytes).await;
        let path = app.app.files.local_path(&blob_key(file));
        let mut changed = bytes.clone();
        changed[500] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        app.get(&url).await.expect(500);
        std::fs::write(&path, &bytes[1..]).unwrap();
        app.get(&url).await.expect(500);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(app.get(&url).await.expect(200).bytes, bytes);

        let (_, large, url) = with_file(app, PARQUET, &pattern(2 * MIB)).await;
        std::fs::write(app.app.files.local_path(&blob_key(large)), pattern(MIB)).unwrap();
        app.get(&url).await.expect(500);
        std::fs::remove_file(app.app.files.local_path(&blob_key(large))).unwrap();
        app.get(&url).await.expect(500);
    }

    async fn many_downloads_at_once_are_each_recorded_once(app) {
        let (granted, _, url) = with_file(app, CSV, &pattern(64)).await;
        let all = futures::future::join_all((0..80).map(|_| app.get(&url))).await;
        assert!(all.iter().all(|answer| answer.status == 200));
        assert_eq!(deliveries(app, &granted).await.len(), 80);
    }
}

async fn check_range(app: &TestApp, url: &str, bytes: &[u8], range: &str, expected: std::ops::Range<usize>) {
    let (answer, size) = (ranged(app, url, range).await, bytes.len());
    let whole_of_nothing = size == 0 && range.starts_with("bytes=-") && range != "bytes=-0";
    if whole_of_nothing {
        assert_eq!((answer.status, answer.bytes.len()), (200, 0), "{range} of nothing");
    } else if expected.is_empty() {
        assert_eq!(answer.status, 416, "{range} of {size}");
        assert_eq!(answer.header("content-range"), format!("bytes */{size}"));
    } else {
        assert_eq!(answer.status, 206, "{range} of {size}");
        assert!(answer.bytes == bytes[expected.clone()], "{range} of {size}");
        assert_eq!(answer.header("content-range"), format!("bytes {}-{}/{size}", expected.start, expected.end - 1));
        assert_eq!(answer.header("content-length"), expected.len().to_string());
    }
}

#[test]
fn the_description_has_every_operation_with_its_failures() {
    let document = serde_json::to_value(torv::router::openapi()).unwrap();
    for (path, method) in [
        ("/d/{token}/{name}", "get"),
        ("/d/{token}/{name}", "head"),
        ("/api/v1/grants/{id}/files", "get"),
        ("/api/v1/grants/{id}/deliveries", "get"),
        ("/api/v1/listings/{id}/deliveries", "get"),
        ("/api/v1/listings/{id}/deliveries/summary", "get"),
    ] {
        let operation = &document["paths"][path][method];
        assert_eq!(operation["tags"], serde_json::json!(["delivery"]), "{method} {path}");
        assert!(operation["responses"]["404"].is_object(), "{method} {path}");
    }
    assert!(document["paths"]["/d/{token}/{name}"]["get"]["responses"]["416"].is_object());
}
