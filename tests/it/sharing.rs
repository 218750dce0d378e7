//! Delta Sharing as its clients speak it, with a test for each of their traps.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray, UInt32Array};
use entity::states::{Coverage, GrantState, Role};
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Answer, Granted, PARQUET, TestApp, gauges, on_both, parquet};

const CAPABILITIES: &str = "delta-sharing-capabilities";

/// A grant that keeps its revisions open, with one table.
async fn shared(app: &TestApp) -> (Granted, Share) {
    let granted = app.granted(Coverage::WhileActive, 1).await;
    app.table(granted.listing, 1, "levels.parquet", &gauges(10, 100)).await;
    let share = Share::of(app, &granted).await;
    (granted, share)
}

/// What a profile file says, and where the table is.
struct Share {
    token: String,
    name: String,
    schema: String,
}

impl Share {
    async fn of(app: &TestApp, granted: &Granted) -> Self {
        let token = issue(app, granted).await.expect(201).str("/bearerToken");
        let path = format!("/api/v1/grants/{}/share-profile", granted.grant);
        let told = app.as_org(&granted.buyer, "GET", &path).send().await.expect(200);
        Self { token, name: told.str("/share"), schema: told.str("/schema") }
    }

    async fn get(&self, app: &TestApp, path: &str) -> Answer {
        app.request("GET", &format!("/delta-sharing{path}")).bearer(&self.token).send().await
    }

    fn table(&self, name: &str) -> String {
        format!("/delta-sharing/shares/{}/schemas/{}/tables/{name}", self.name, self.schema)
    }

    async fn query(&self, app: &TestApp, capabilities: Option<&str>, body: &Value) -> Answer {
        let mut request = app.request("POST", &format!("{}/query", self.table("levels"))).bearer(&self.token);
        if let Some(capabilities) = capabilities {
            request = request.header(CAPABILITIES, capabilities);
        }
        request.json(body).send().await
    }
}

async fn issue(app: &TestApp, granted: &Granted) -> Answer {
    let person = app.member(&granted.buyer, Role::Buyer).await;
    let path = format!("/api/v1/grants/{}/share-profile", granted.grant);
    app.request("POST", &path).bearer(person).send().await
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// The address of the file in an answer, without its host.
fn file_of(answer: &Answer) -> String {
    let all = lines(answer);
    let file = &all.last().expect("lines")["file"];
    let url = file["url"].as_str().or_else(|| file["deltaSingleAction"]["add"]["path"].as_str());
    url.and_then(|url| url.strip_prefix("http://127.0.0.1:8080")).expect("our own address").to_owned()
}

on_both! {
    async fn a_profile_leads_from_the_share_to_the_bytes_of_the_table(app) {
        let bytes = gauges(10, 100);
        let (granted, share) = shared(app).await;
        let shares = share.get(app, "/shares").await.expect(200).json();
        assert_eq!(shares["items"], json!([{"name": share.name, "id": granted.grant.to_string()}]));
        assert_eq!(share.get(app, &format!("/shares/{}", share.name)).await.expect(200).json()["share"], shares["items"][0]);
        let schemas = share.get(app, &format!("/shares/{}/schemas", share.name)).await.expect(200).json();
        assert_eq!(schemas["items"], json!([{"name": share.schema, "share": share.name}]));
        let of_schema = format!("/shares/{}/schemas/{}/tables", share.name, share.schema);
        for path in [&of_schema, &format!("/shares/{}/all-tables", share.name)] {
            let tables = share.get(app, path).await.expect(200).json();
            assert_eq!((&tables["items"][0]["name"], &tables["items"][1]), (&json!("levels"), &Value::Null));
        }
        let answer = share.query(app, None, &json!({"limitHint": 3, "jsonPredicateHints": "{}", "unheardOf": 1})).await.expect(200);
        assert_eq!(answer.header("delta-table-version"), "1");
        assert_eq!(answer.header(CAPABILITIES), "responseformat=parquet");
        let told = lines(&answer);
        assert_eq!(told[0], json!({"protocol": {"minReaderVersion": 1}}));
        assert_eq!((&told[1]["metaData"]["format"], told.len()), (&json!({"provider": "parquet"}), 3));
        assert_eq!(told[2]["file"]["size"], bytes.len());
        let file = app.get(&file_of(&answer)).await.expect(200);
        assert_eq!((file.bytes, file.headers["content-type"].to_str().unwrap()), (bytes, PARQUET));
    }

    async fn the_columns_are_told_as_delta_writes_them(app) {
        let (_, share) = shared(app).await;
        let answer = app.request("GET", &format!("{}/metadata", share.table("LEVELS"))).bearer(&share.token).send().await.expect(200);
        assert_eq!(answer.header("delta-table-version"), "1");
        let schema: Value = serde_json::from_str(lines(&answer)[1]["metaData"]["schemaString"].as_str().unwrap()).unwrap();
        let told: Vec<_> = schema["fields"].as_array().unwrap().iter().map(|field| (field["name"].clone(), field["type"].clone())).collect();
        let expected = [
            ("number", "long"), ("station", "string"), ("level", "decimal(10,2)"), ("PM2.5 (µg/m³)", "double"),
            ("at", "timestamp"), ("geometry", "binary"),
        ];
        assert_eq!(told, expected.map(|(name, kind)| (json!(name), json!(kind))));
    }

    /// Trap: a client that reads both formats is better served with Delta, which fetches a file once.
    async fn the_delta_format_is_preferred_and_one_format_is_honoured(app) {
        let (_, share) = shared(app).await;
        for (asked, given) in [
            ("responseformat=delta,parquet;readerfeatures=deletionvectors", "delta"),
            ("responseformat=parquet", "parquet"),
            ("responseformat=delta", "delta"),
            ("responseformat=orc", "parquet"),
        ] {
            let answer = share.query(app, Some(asked), &json!({})).await.expect(200);
            assert_eq!(answer.header(CAPABILITIES), format!("responseformat={given}"), "{asked}");
            let file = &lines(&answer)[2]["file"];
            assert_eq!(file["deltaSingleAction"]["add"].is_object(), given == "delta", "{file}");
            app.get(&file_of(&answer)).await.expect(200);
        }
    }

    /// Trap: a reader of Delta takes an address for remote only when it looks like one that an object store signed.
    async fn links_look_signed_and_are_no_file_of_this_machine(app) {
        let (_, share) = shared(app).await;
        let answer = share.query(app, Some("responseformat=delta"), &json!({})).await.expect(200);
        assert!(file_of(&answer).contains("?X-Amz-Signature="), "{}", answer.text());
    }

    /// Trap: unsigned columns fail in readers of Delta, so such a file is told as Parquet where there is a choice.
    async fn a_file_with_unsigned_columns_is_told_as_parquet(app) {
        let granted = app.granted(Coverage::WhileActive, 1).await;
        let columns: Vec<(&str, ArrayRef)> = vec![("n", Arc::new(UInt32Array::from(vec![1, 2])))];
        app.table(granted.listing, 1, "levels.parquet", &parquet(columns, 10, None)).await;
        let share = Share::of(app, &granted).await;
        let answer = share.query(app, Some("responseformat=delta,parquet"), &json!({})).await.expect(200);
        assert_eq!(answer.header(CAPABILITIES), "responseformat=parquet");
    }

    /// Trap: an `endStreamAction` that was not asked for is a `KeyError` in the client.
    async fn the_end_of_the_stream_is_only_told_to_who_asks(app) {
        let (_, share) = shared(app).await;
        let answer = share.query(app, Some("responseformat=parquet"), &json!({})).await.expect(200);
        assert!(!answer.text().contains("endStreamAction"));
        let asked = share.query(app, Some("responseformat=parquet;includeEndStreamAction=true"), &json!({})).await.expect(200);
        assert_eq!(asked.header(CAPABILITIES), "responseformat=parquet;includeendstreamaction=true");
        assert!(lines(&asked).last().unwrap()["endStreamAction"]["minUrlExpirationTimestamp"].is_i64());
    }

    /// Trap: clients end lines at U+2028, U+2029 and U+0085 when the answer names a charset.
    async fn odd_line_ends_in_names_do_not_end_lines(app) {
        let granted = app.granted(Coverage::WhileActive, 1).await;
        let columns: Vec<(&str, ArrayRef)> = vec![("a\u{2028}b\u{2029}c\u{85}d", Arc::new(Int64Array::from(vec![1])))];
        app.table(granted.listing, 1, "levels.parquet", &parquet(columns, 10, None)).await;
        let share = Share::of(app, &granted).await;
        for format in ["delta", "parquet"] {
            let answer = share.query(app, Some(&format!("responseformat={format}")), &json!({})).await.expect(200);
            assert!(!answer.text().contains(['\u{2028}', '\u{2029}', '\u{85}']), "{}", answer.text());
            assert_eq!(answer.header("content-type"), "application/x-ndjson");
            let schema = lines(&answer)[1].to_string();
            assert!(schema.contains("b") && lines(&answer).len() == 3, "{schema}");
        }
    }

    /// Trap: `share.schema.table` is split at the dots.
    async fn names_have_no_dots_and_keep_other_scripts(app) {
        let granted = app.granted(Coverage::WhileActive, 1).await;
        let columns: Vec<(&str, ArrayRef)> = vec![("測站", Arc::new(StringArray::from(vec!["台北"])))];
        app.table(granted.listing, 1, "河川.水位 v1.2#.parquet", &parquet(columns, 10, None)).await;
        let share = Share::of(app, &granted).await;
        let tables = share.get(app, &format!("/shares/{}/all-tables", share.name)).await.expect(200).json();
        assert_eq!(tables["items"][0]["name"], "河川_水位_v1_2");
        assert!(![&share.name, &share.schema].iter().any(|name| name.contains(['.', '#', '/', '?'])));
        let path = share.table("%E6%B2%B3%E5%B7%9D_%E6%B0%B4%E4%BD%8D_v1_2");
        app.request("GET", &format!("{path}/metadata")).bearer(&share.token).send().await.expect(200);
    }

    async fn a_version_is_a_revision_and_can_be_asked_for_by_number_and_by_time(app) {
        let (granted, share) = shared(app).await;
        app.advance(Duration::hours(1));
        app.table(granted.listing, 3, "levels.parquet", &gauges(20, 100)).await;
        app.advance(Duration::hours(1));
        let version = async |query: &str| {
            let path = format!("{}/version{query}", share.table("levels"));
            app.request("GET", &path).bearer(&share.token).send().await
        };
        assert_eq!(version("").await.expect(200).header("delta-table-version"), "3");
        for (since, expected) in [("2026-11-21T09:00:00Z", "1"), ("2026-11-21T10:30:00Z", "3"), ("2026-11-21T11:00:00Z", "3")] {
            let answer = version(&format!("?startingTimestamp={since}")).await.expect(200);
            assert_eq!(answer.header("delta-table-version"), expected, "{since}");
        }
        version("?startingTimestamp=2026-11-21T11:00:01Z").await.expect(400);
        version("?startingTimestamp=yesterday").await.expect(400);
        let sizes = [gauges(10, 100).len(), gauges(20, 100).len()];
        for (body, number) in [
            (json!({}), 3), (json!({"version": 1}), 1), (json!({"version": 2}), 1), (json!({"version": 3}), 3),
            (json!({"timestamp": "2026-11-21T10:59:59Z"}), 1), (json!({"timestamp": "2026-11-21T11:00:00+00:00"}), 3),
        ] {
            let answer = share.query(app, None, &body).await.expect(200);
            assert_eq!(answer.header("delta-table-version"), number.to_string(), "{body}");
            assert_eq!(lines(&answer)[2]["file"]["size"], sizes[usize::from(number == 3)], "{body}");
        }
        for body in [
            json!({"version": 4}), json!({"version": 0}), json!({"version": -1}), json!({"timestamp": "2026-11-21T09:59:59Z"}),
            json!({"timestamp": "x"}), json!({"version": 1, "timestamp": "2026-11-21T10:00:00Z"}),
        ] {
            share.query(app, None, &body).await.expect(400);
        }
    }

    async fn a_stream_follows_the_table_file_by_file(app) {
        let (granted, share) = shared(app).await;
        app.table(granted.listing, 3, "levels.parquet", &gauges(20, 100)).await;
        let wider: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let wider = parquet(vec![("gauge", wider.clone()), ("level_mm", wider)], 100, None);
        app.table(granted.listing, 4, "levels.parquet", &wider).await;
        // What each line tells: its kind and its version.
        let told = |answer: &Answer| -> Vec<(String, i64)> {
            let of = |line: &Value| {
                let (kind, told) = line.as_object().and_then(|line| line.iter().next()).expect("one key");
                let action = told["deltaSingleAction"].as_object().and_then(|action| action.keys().next());
                (action.unwrap_or(kind).clone(), told["version"].as_i64().unwrap_or(-1))
            };
            lines(answer).iter().skip(1).map(of).collect()
        };
        let named = |all: &[(&str, i64)]| -> Vec<(String, i64)> {
            all.iter().map(|(kind, version)| ((*kind).to_owned(), *version)).collect()
        };
        for (body, head, expected) in [
            (json!({"startingVersion": 0}), "0", vec![("metaData", 0), ("add", 1), ("remove", 3), ("add", 3),
                ("metaData", 4), ("remove", 4), ("add", 4)]),
            (json!({"startingVersion": 1, "endingVersion": 2}), "1", vec![("metaData", 1), ("add", 1)]),
            (json!({"startingVersion": 2, "endingVersion": 2}), "2", vec![("metaData", 2)]),
            (json!({"startingVersion": 2, "endingVersion": 3}), "2", vec![("metaData", 2), ("remove", 3), ("add", 3)]),
            (json!({"startingVersion": 4, "endingVersion": 9}), "4", vec![("metaData", 4), ("remove", 4), ("add", 4)]),
        ] {
            for capabilities in [None, Some("responseformat=delta")] {
                let answer = share.query(app, capabilities, &body).await.expect(200);
                assert_eq!(answer.header("delta-table-version"), head, "{body}");
                assert_eq!(told(&answer), named(&expected), "{body} {capabilities:?}");
            }
        }
        let answer = share.query(app, None, &json!({"startingVersion": 3, "endingVersion": 3})).await.expect(200);
        let [_, _, gone, new] = <[Value; 4]>::try_from(lines(&answer)).expect("four lines");
        for (line, bytes) in [(&gone["remove"], gauges(10, 100)), (&new["add"], gauges(20, 100))] {
            let path = line["url"].as_str().and_then(|url| url.strip_prefix("http://127.0.0.1:8080")).expect("ours");
            let fetched = app.request("GET", path).send().await.expect(200);
            assert!(fetched.bytes == bytes, "{line}");
        }
        for body in [
            json!({"startingVersion": 5}), json!({"startingVersion": -1}), json!({"startingVersion": 3, "endingVersion": 2}),
            json!({"startingVersion": 0, "endingVersion": 0}), json!({"startingVersion": 1, "version": 1}),
            json!({"startingVersion": 1, "timestamp": "2026-11-21T10:00:00Z"}),
        ] {
            share.query(app, None, &body).await.expect(400);
        }
    }

    async fn a_snapshot_does_not_see_later_versions(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        app.table(granted.listing, 1, "levels.parquet", &gauges(10, 100)).await;
        app.table(granted.listing, 2, "levels.parquet", &gauges(20, 100)).await;
        let share = Share::of(app, &granted).await;
        assert_eq!(share.query(app, None, &json!({})).await.expect(200).header("delta-table-version"), "1");
        share.query(app, None, &json!({"version": 2})).await.expect(400);
        share.query(app, None, &json!({"startingVersion": 2})).await.expect(400);
        let answer = share.query(app, None, &json!({"startingVersion": 0})).await.expect(200);
        assert_eq!(lines(&answer).len(), 3, "its one version");
    }

    async fn pages_of_tables_follow_each_other(app) {
        let granted = app.granted(Coverage::WhileActive, 1).await;
        let columns: Vec<(&str, ArrayRef)> = vec![("n", Arc::new(Int64Array::from(vec![1])))];
        app.table(granted.listing, 1, "a.parquet", &parquet(columns, 10, None)).await;
        let share = Share::of(app, &granted).await;
        let list = async |query: &str| share.get(app, &format!("/shares/{}/all-tables{query}", share.name)).await;
        assert_eq!(list("?maxResults=0").await.expect(200).json()["items"], json!([]));
        let one = list("?maxResults=1").await.expect(200).json();
        assert_eq!((&one["items"][0]["name"], &one["nextPageToken"]), (&json!("a"), &Value::Null));
        list("?pageToken=junk").await.expect(400);
        let shares = share.get(app, "/shares?maxResults=1").await.expect(200).json();
        assert_eq!(shares["items"].as_array().unwrap().len(), 1);
    }

    /// Trap: clients repeat 429 and 5xx for minutes, so what lasts is another 4xx.
    async fn what_lasts_is_refused_for_good(app) {
        let (granted, share) = shared(app).await;
        let status = async |path: &str| share.get(app, path).await.status;
        for unknown in ["/shares/none", "/shares/none_0123456789abcdef", "/shares/none/all-tables"] {
            assert_eq!(status(unknown).await, 404, "{unknown}");
        }
        assert_eq!(status(&format!("/shares/{}/schemas/other/tables", share.name)).await, 404);
        assert_eq!(app.request("GET", &format!("{}/metadata", share.table("other"))).bearer(&share.token).send().await.status, 404);
        app.request("GET", "/delta-sharing/shares").bearer("torv_key_unknown").send().await.expect(401);
        let own = format!("/shares/{}", share.name);
        for state in [GrantState::Revoked, GrantState::Suspended, GrantState::Ended] {
            app.set_grant_state(granted.grant, state).await;
            assert_eq!((status("/shares").await, status(&own).await), (403, 403), "{state:?}");
            share.query(app, None, &json!({})).await.expect(403);
        }
        app.set_grant_state(granted.grant, GrantState::Active).await;
        assert_eq!(status(&own).await, 200);
        app.advance(Duration::days(30));
        assert_eq!((status("/shares").await, status(&own).await), (403, 403));
    }

    /// Trap: a revoked grant closes links that were handed out before.
    async fn a_link_stops_with_its_grant(app) {
        let (granted, share) = shared(app).await;
        let file = file_of(&share.query(app, None, &json!({})).await.expect(200));
        app.get(&file).await.expect(200);
        app.set_grant_state(granted.grant, GrantState::Revoked).await;
        app.get(&file).await.expect(403);
    }

    async fn changes_are_refused_in_the_words_of_the_protocol(app) {
        let (_, share) = shared(app).await;
        let path = format!("{}/changes?startingVersion=1", share.table("levels"));
        let refused = app.request("GET", &path).bearer(&share.token).send().await.expect(400);
        assert!(refused.str("/detail").contains("Change data feed is not enabled on table"), "{}", refused.text());
    }

    async fn a_token_opens_its_grant_and_nothing_else(app) {
        let (granted, share) = shared(app).await;
        let other = app.bare_grant(&granted.provider, &granted.buyer, granted.listing, Coverage::WhileActive, 1).await;
        let path = format!("/api/v1/grants/{other}/share-profile");
        let name = app.as_org(&granted.buyer, "GET", &path).send().await.expect(200).str("/share");
        assert_eq!(share.get(app, &format!("/shares/{name}")).await.status, 404);
        let all = app.request("GET", "/delta-sharing/shares").bearer(&granted.buyer.key).send().await.expect(200).json();
        assert_eq!(all["items"].as_array().unwrap().len(), 2, "an API key sees all shares of its organisation");
        for (method, path) in [
            ("GET", format!("/api/v1/grants/{}/files", granted.grant)),
            ("GET", format!("/api/v1/listings/{}", granted.listing)),
            ("GET", "/api/v1/grants".to_owned()),
            ("GET", "/api/v1/listings".to_owned()),
            ("POST", "/api/v1/orders".to_owned()),
        ] {
            app.request(method, &path).bearer(&share.token).send().await.expect(401);
        }
    }

    async fn a_token_is_rotated_revoked_and_never_kept(app) {
        let (granted, share) = shared(app).await;
        let fresh = issue(app, &granted).await.expect(201);
        assert_eq!(fresh.header("cache-control"), "no-store");
        assert!(fresh.header("content-disposition").contains(".share\""), "{}", fresh.header("content-disposition"));
        let profile = fresh.json();
        assert_eq!((&profile["shareCredentialsVersion"], &profile["endpoint"]), (&json!(1), &json!("http://127.0.0.1:8080/delta-sharing")));
        assert_eq!(profile["expirationTime"], "2026-12-21T10:00:00Z", "the end of the grant");
        assert_eq!(share.get(app, "/shares").await.status, 401, "the one before stops at once");
        let second = Share { token: fresh.str("/bearerToken"), ..share };
        assert_eq!(second.get(app, "/shares").await.status, 200);
        let path = format!("/api/v1/grants/{}/share-profile", granted.grant);
        let told = app.as_org(&granted.buyer, "GET", &path).send().await.expect(200);
        assert!(told.json()["token"]["id"].is_string() && !told.text().contains(&second.token));
        app.as_org(&granted.buyer, "DELETE", &path).send().await.expect(204);
        assert_eq!(second.get(app, "/shares").await.status, 401);
        app.as_org(&granted.buyer, "DELETE", &path).send().await.expect(404);
        app.as_org(&granted.buyer, "POST", &path).send().await.expect(403);
    }

    async fn tools_that_only_know_passwords_send_the_token_as_one(app) {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let (granted, share) = shared(app).await;
        let basic = |user: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")));
        let get = async |value: String| app.request("GET", "/delta-sharing/shares").header("authorization", value).send().await.status;
        assert_eq!(get(basic("token", &share.token)).await, 200);
        assert_eq!(get(basic("token", &granted.buyer.key)).await, 200);
        for bad in [basic("someone", &share.token), basic("token", ""), basic("token", "junk"), "Basic ?".to_owned()] {
            assert_eq!(get(bad).await, 401);
        }
        let path = format!("{}/query", share.table("levels"));
        let post = app.request("POST", &path).header("authorization", basic("token", &share.token)).json(&json!({}));
        assert_eq!(post.send().await.status, 401, "a browser's credentials change nothing");
    }
}
