//! Rows of a table, a page at a time.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use entity::states::{Coverage, GrantState};
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Answer, Granted, TestApp, gauges, on_both, parquet};

/// A grant on one table of 100 gauges, ten to a row group.
async fn granted(app: &TestApp) -> Granted {
    let granted = app.granted(Coverage::WhileActive, 1).await;
    app.table(granted.listing, 1, "gauges.parquet", &gauges(100, 10)).await;
    granted
}

async fn rows(app: &TestApp, granted: &Granted, query: &str) -> Answer {
    let path = format!("/api/v1/listings/{}/rows{query}", granted.listing);
    app.as_org(&granted.buyer, "GET", &path).send().await
}

/// The numbers of the rows of an answer.
fn numbers(answer: &Answer) -> Vec<i64> {
    answer.json()["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|row| row["number"].as_i64().expect("a number"))
        .collect()
}

/// The value that row `n` of the gauges has in a column, as the table was made.
fn level(n: i64) -> Option<i64> {
    (n % 5 != 4).then_some(n * 25 - 50)
}

on_both! {
    async fn rows_come_with_their_values_as_json_has_them(app) {
        let granted = granted(app).await;
        let answer = rows(app, &granted, "?limit=2").await.expect(200);
        let page = answer.json();
        assert_eq!((&page["file"], &page["revision_number"]), (&json!("gauges.parquet"), &json!(1)));
        assert_eq!(page["items"][1], json!({
            "number": 1, "station": "gauge 1", "level": -0.25, "PM2.5 (µg/m³)": 0.25, "at": "2025-11-21T08:10:00Z",
            "geometry": {"type": "Point", "coordinates": [1.0, 36.0]},
        }));
        let text = answer.text();
        assert!(text.find("\"number\"") < text.find("\"geometry\""), "in the order of the columns: {text}");
    }

    async fn every_filter_gives_what_a_naive_one_gives(app) {
        let granted = granted(app).await;
        let check = async |query: &str, naive: &dyn Fn(i64) -> bool| {
            let answer = rows(app, &granted, &format!("?limit=1000&{query}")).await.expect(200);
            let expected: Vec<i64> = (0..100).filter(|n| naive(*n)).collect();
            assert_eq!(numbers(&answer), expected, "{query}");
        };
        check("number.eq=37", &|n| n == 37).await;
        check("number.in=5,50,500", &|n| [5, 50].contains(&n)).await;
        check("number.gte=20&number.lt=31", &|n| (20..31).contains(&n)).await;
        check("number.ne=0", &|n| n != 0).await;
        check("station.eq=gauge%203&number.gt=50", &|n| n % 7 == 3 && n > 50).await;
        check("station.starts=gauge", &|_| true).await;
        check("level.gte=2.5", &|n| level(n).is_some_and(|level| level >= 250)).await;
        check("level.lt=-0.25", &|n| level(n).is_some_and(|level| level < -25)).await;
        check("level.ne=1", &|n| level(n).is_some_and(|level| level != 100)).await;
        check("level.null=true", &|n| level(n).is_none()).await;
        check("level.null=false&number.lte=3", &|n| n <= 3 && level(n).is_some()).await;
        check("PM2.5%20(%C2%B5g/m%C2%B3).gt=24", &|n| n > 96).await;
        check("at.gte=2025-11-21T09:00:00%2B01:00&at.lt=2025-11-21T08:30:00", &|n| n < 3).await;
        check("bbox=10,35,12.5,37", &|n| (10..=12).contains(&n)).await;
        check("bbox=95,35,5,37", &|n| n >= 95 || n <= 5).await;
        check("bbox=10,0,12,1", &|_| false).await;
    }

    async fn pages_follow_each_other_in_every_order(app) {
        let granted = granted(app).await;
        let mut by_level: Vec<i64> = (0..100).collect();
        by_level.sort_by_key(|n| (level(*n).is_none(), level(*n), *n));
        let mut falling: Vec<i64> = (0..100).collect();
        falling.sort_by_key(|n| (level(*n).is_none(), level(*n).map(|level| -level), *n));
        let mut by_station: Vec<i64> = (0..100).filter(|n| *n >= 30).collect();
        by_station.sort_by_key(|n| (n % 7, *n));
        for (query, expected) in [
            ("", (0..100).collect()), ("&order=level", by_level), ("&order=-level", falling),
            ("&order=station&number.gte=30", by_station), ("&level.gte=2.5&columns=number,level", (0..100).filter(|n| level(*n).is_some_and(|l| l >= 250)).collect()),
        ] {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let answer = rows(app, &granted, &format!("?limit=7{query}{cursor}")).await.expect(200);
                seen.extend(numbers(&answer));
                match answer.json()["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
                assert!(seen.len() <= 100, "pages without end");
            }
            assert_eq!(seen, expected, "{query}");
        }
    }

    async fn pages_stay_in_the_revision_they_began_in(app) {
        let granted = granted(app).await;
        let first = rows(app, &granted, "?limit=60").await.expect(200).str("/next_cursor");
        app.advance(Duration::hours(1));
        app.table(granted.listing, 2, "gauges.parquet", &gauges(10, 10)).await;
        let rest = rows(app, &granted, &format!("?limit=60&cursor={first}")).await.expect(200);
        assert_eq!((numbers(&rest), &rest.json()["revision_number"]), ((60..100).collect(), &json!(1)));
        assert_eq!(numbers(&rows(app, &granted, "").await.expect(200)).len(), 10);
        assert_eq!(numbers(&rows(app, &granted, "?revision=1&limit=1000").await.expect(200)).len(), 100);
    }

    async fn the_answer_comes_in_the_form_that_is_asked_for(app) {
        let granted = granted(app).await;
        let path = format!("/api/v1/listings/{}/rows?limit=2&columns=station,level,geometry", granted.listing);
        let with = async |accept: &str| app.as_org(&granted.buyer, "GET", &path).header("accept", accept).send().await.expect(200);
        let csv = with("text/csv").await;
        assert_eq!(csv.text().lines().next(), Some("station,level,geometry"));
        assert!(csv.text().lines().nth(1).unwrap().starts_with("gauge 0,-0.5,\"{\"\"coordinates"), "{}", csv.text());
        let lines = with("application/x-ndjson").await;
        let read: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read[0]["station"], "gauge 0");
        assert!(!lines.header("torv-next-cursor").is_empty() && lines.header("torv-next-cursor") == csv.header("torv-next-cursor"));
        assert_eq!(with("text/html,*/*").await.header("content-type"), "application/json");
    }

    async fn what_is_wrong_is_said_of_each_parameter(app) {
        let granted = granted(app).await;
        for (query, pointer) in [
            ("?colour.eq=red", "colour.eq"), ("?number.eq=red", "number.eq"), ("?level.gte=1.234", "level.gte"),
            ("?number.like=1", "number.like"), ("?at.eq=noon", "at.eq"), ("?columns=number,colour", "columns"),
            ("?order=colour", "order"), ("?order=geometry", "order"), ("?bbox=1,2,3", "bbox"), ("?limit=0", "limit"),
            ("?limit=10001", "limit"), ("?cursor=junk", "cursor"), ("?revision=0", "revision"), ("?colour=red", "colour"),
            ("?geometry.eq=x", "geometry.eq"), ("?number.starts=1", "number.starts"), ("?level.null=maybe", "level.null"),
        ] {
            let refused = rows(app, &granted, query).await.expect(422);
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{query}: {}", refused.text());
        }
        assert_eq!(rows(app, &granted, "?file=other").await.status, 404);
    }

    async fn a_table_is_named_where_there_are_several(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let columns: Vec<(&str, ArrayRef)> = vec![("n", Arc::new(Int64Array::from(vec![1])))];
        app.table(granted.listing, 1, "levels 1.parquet", &parquet(columns.clone(), 10, None)).await;
        for name in ["?file=levels_1", "?file=levels%201.parquet", ""] {
            rows(app, &granted, name).await.expect(200);
        }
        assert_eq!(rows(app, &granted, "?bbox=1,2,3,4").await.expect(422).json()["errors"][0]["pointer"], "bbox");
    }

    async fn only_an_open_grant_reads_rows(app) {
        let granted = granted(app).await;
        let stranger = app.buyer().await;
        let path = format!("/api/v1/listings/{}/rows", granted.listing);
        app.as_org(&stranger, "GET", &path).send().await.expect(404);
        app.as_org(&granted.provider, "GET", &path).send().await.expect(404);
        app.get(&path).await.expect(401);
        for (state, status) in [(GrantState::Revoked, 403), (GrantState::Suspended, 403), (GrantState::Ended, 410)] {
            app.set_grant_state(granted.grant, state).await;
            assert_eq!(rows(app, &granted, "").await.status, status, "{state:?}");
        }
    }

    async fn what_was_read_is_recorded(app) {
        let granted = granted(app).await;
        let bytes = rows(app, &granted, "?limit=3").await.expect(200).bytes.len();
        app.app.recorder.flush().await;
        let path = format!("/api/v1/grants/{}/deliveries", granted.grant);
        let noted = app.as_org(&granted.buyer, "GET", &path).send().await.expect(200).json()["items"][0].clone();
        assert_eq!((&noted["bytes_sent"], &noted["range"]), (&json!(bytes), &json!("rows=3")));
    }

    async fn a_page_ends_early_when_it_gets_large(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        // One value of a mebibyte in a dictionary, which each of 64 rows repeats.
        let text = "x".repeat(1024 * 1024);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("number", Arc::new(Int64Array::from_iter_values(0..64))),
            ("text", Arc::new(StringArray::from(vec![text.as_str(); 64]))),
        ];
        app.table(granted.listing, 1, "large.parquet", &parquet(columns, 64, None)).await;
        for order in ["", "&order=-number"] {
            let answer = rows(app, &granted, &format!("?limit=64{order}")).await.expect(200);
            let count = numbers(&answer).len();
            assert!((1..=10).contains(&count) && answer.json()["next_cursor"].is_string(), "{count} rows");
        }
        assert_eq!(numbers(&rows(app, &granted, "?limit=64&columns=number").await.expect(200)).len(), 64);
    }
}
