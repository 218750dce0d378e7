//! SQL over what grants open.

mod limits;
mod processes;
mod rights;

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use entity::states::Coverage;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{
    Answer, Backend, Bucket, Granted, Home, TestApp, TestOrg, gauges, on_both, parquet, sql::is_built,
};

/// A grant on one table of 100 gauges.
async fn granted(app: &TestApp) -> Granted {
    let granted = app.granted(Coverage::WhileActive, 1).await;
    app.table(granted.listing, 1, "gauges.csv", &gauges(100, 10)).await;
    granted
}

/// A table of rivers for the stations of the gauges.
fn rivers() -> Vec<u8> {
    let stations: Vec<String> = (0..7).map(|n| format!("gauge {n}")).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("station", Arc::new(StringArray::from(stations))),
        ("River", Arc::new(StringArray::from(vec!["Asuwa", "Hino", "Asuwa", "Hino", "Asuwa", "Kuzuryu", "Kuzuryu"]))),
        ("n", Arc::new(Int64Array::from_iter_values(0..7))),
    ];
    parquet(columns, 10, None)
}

async fn ask(app: &TestApp, org: &TestOrg, body: Value) -> Answer {
    app.as_org(org, "POST", "/api/v1/sql").json(&body).send().await
}

/// The answer to a query by the names of the tables.
async fn select(app: &TestApp, org: &TestOrg, sql: &str) -> Answer {
    ask(app, org, json!({"sql": sql})).await
}

/// The kind of problem of an answer.
fn problem(answer: &Answer) -> String {
    answer.str("/type").trim_start_matches("/problems/").to_owned()
}

on_both! {
    async fn a_query_is_answered_in_the_format_that_is_asked_for(app) {
        if !is_built() { return }
        let granted = granted(app).await;
        let sql = "SELECT station, max(level) AS highest FROM gauges WHERE number < 10 GROUP BY station ORDER BY station LIMIT 2";
        let answer = select(app, &granted.buyer, sql).await.expect(200);
        assert_eq!(answer.json(), json!({
            "columns": [{"name": "station", "type": "text"}, {"name": "highest", "type": "decimal(10,2)"}],
            "rows": [["gauge 0", 1.25], ["gauge 1", 1.5]], "row_count": 2,
        }));
        assert_eq!((answer.header("torv-row-count"), answer.header("content-length")), ("2", answer.bytes.len().to_string().as_str()));
        let request = app.as_org(&granted.buyer, "POST", "/api/v1/sql").header("accept", "text/csv").json(&json!({"sql": sql}));
        let csv = request.send().await.expect(200);
        assert_eq!((csv.text(), csv.header("content-type")), ("station,highest\r\ngauge 0,1.25\r\ngauge 1,1.50\r\n".into(), "text/csv; charset=utf-8; header=present"));
        let arrow = ask(app, &granted.buyer, json!({"sql": sql, "format": "arrow"})).await.expect(200);
        assert_eq!((arrow.header("content-type"), &arrow.bytes[..4]), ("application/vnd.apache.arrow.stream", &[0xff; 4][..]));
        assert!(crate::support::sql::folders(app.home.path()).is_empty(), "nothing stays behind");
    }

    async fn tables_are_named_as_the_list_says(app) {
        if !is_built() { return }
        let granted = granted(app).await;
        // Grants are listed by age.
        app.advance(Duration::minutes(1));
        let other = app.granted(Coverage::WhileActive, 1).await;
        app.bare_grant(&other.provider, &granted.buyer, other.listing, Coverage::WhileActive, 1).await;
        app.table(other.listing, 1, "Rivers 2026.csv", &rivers()).await;
        let listed = app.as_org(&granted.buyer, "GET", "/api/v1/sql/tables").send().await.expect(200).json();
        assert_eq!((&listed["is_offered"], listed["items"].as_array().unwrap().len()), (&json!(true), 2));
        let rivers = &listed["items"][0];
        assert_eq!((&rivers["name"], &rivers["row_count"], &rivers["revision_number"]), (&json!("\"Rivers_2026\""), &json!(7), &json!(1)));
        assert_eq!(rivers["columns"][1], json!({"name": "River", "type": "text"}));
        let name = |at: usize, key: &str| listed["items"][at][key].as_str().unwrap().to_owned();
        for (rivers, gauges) in [(name(0, "name"), name(1, "name")), (name(0, "full_name"), name(1, "full_name"))] {
            let sql = format!("SELECT r.River, count(*) FROM {gauges} g JOIN {rivers} r ON r.station = g.station GROUP BY r.River ORDER BY 2 DESC, 1");
            let rows = select(app, &granted.buyer, &sql).await.expect(200).json()["rows"].clone();
            assert_eq!(rows, json!([["Asuwa", 43], ["Hino", 29], ["Kuzuryu", 28]]), "{sql}");
        }
        // Two tables of one name are known by their full names alone, and by those that a query gives them.
        app.table(other.listing, 2, "gauges.csv", &gauges(5, 10)).await;
        let refused = select(app, &granted.buyer, "SELECT count(*) FROM gauges").await.expect(422);
        assert_eq!(problem(&refused), "sql-unknown-table");
        let own = json!({"sql": "SELECT (SELECT count(*) FROM a) AS a, (SELECT count(*) FROM \"b c\") AS b", "tables": {
            "a": {"grant": granted.grant}, "b c": {"grant": granted.grant, "file": "gauges.csv"}}});
        assert_eq!(ask(app, &granted.buyer, own).await.expect(200).json()["rows"], json!([[100, 100]]));
    }

    async fn the_list_has_pages(app) {
        let granted = granted(app).await;
        // Grants are listed by age.
        app.advance(Duration::minutes(1));
        let other = app.granted(Coverage::WhileActive, 1).await;
        app.bare_grant(&other.provider, &granted.buyer, other.listing, Coverage::WhileActive, 1).await;
        app.table(other.listing, 1, "rivers.csv", &rivers()).await;
        let get = async |query: &str| app.as_org(&granted.buyer, "GET", &format!("/api/v1/sql/tables{query}")).send().await;
        let first = get("?limit=1").await.expect(200).json();
        let next = first["next_cursor"].as_str().unwrap();
        let second = get(&format!("?limit=1&cursor={next}")).await.expect(200).json();
        assert_eq!((&first["items"][0]["file"], &second["items"][0]["file"]), (&json!("rivers.csv"), &json!("gauges.csv")));
        assert!(second.get("next_cursor").is_none());
        get("?limit=0").await.expect(422);
        get("?cursor=junk").await.expect(422);
    }

    async fn what_is_wrong_with_a_query_is_a_problem_of_its_own(app) {
        if !is_built() { return }
        let granted = granted(app).await;
        for (sql, kind) in [
            ("SELEC 1 FROM gauges", "sql-syntax"),
            ("SELECT * FROM lakes", "sql-unknown-table"),
            ("SELECT * FROM '/etc/passwd'", "sql-unknown-table"),
            ("SELECT Station FROM gauges", "sql-unknown-column"),
            ("DROP TABLE gauges", "sql-not-a-query"),
            ("COPY gauges TO 'x.csv'", "sql-not-a-query"),
            ("EXPLAIN SELECT * FROM gauges", "sql-not-a-query"),
            ("SELECT 1 / (number - 1) FROM gauges", "sql-failed"),
        ] {
            let refused = select(app, &granted.buyer, sql).await.expect(422);
            assert_eq!(problem(&refused), kind, "{sql}: {}", refused.text());
            assert_eq!(refused.json()["errors"][0]["pointer"], "/sql");
            assert!(!refused.text().contains(&*app.home.path().to_string_lossy()), "{}", refused.text());
        }
        for (body, pointer) in [
            (json!({"sql": " "}), "/sql"),
            (json!({"sql": format!("SELECT {}", "1".repeat(100_000))}), "/sql"),
            (json!({"sql": "SELECT 1", "format": "xml"}), "/format"),
            (json!({"sql": "SELECT 1", "tables": {"": {"grant": granted.grant}}}), "/tables/"),
            (json!({"sql": "SELECT 1", "tables": {"a\nb": {"grant": granted.grant}}}), "/tables/a\nb"),
            (json!({"sql": "SELECT 1", "table": {}}), "/table"),
        ] {
            let refused = ask(app, &granted.buyer, body).await.expect(422);
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{}", refused.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_in_a_bucket_are_fetched_for_a_query() {
    if !is_built() {
        return;
    }
    let (bucket, home) = (Bucket::start().await, Home::fresh(Backend::Sqlite).await.unwrap());
    let app = TestApp::start(home, |config| {
        bucket.keep_files_of(config);
        config.sql.spill_mib = 1;
    })
    .await;
    let granted = granted(&app).await;
    let rows = select(&app, &granted.buyer, "SELECT count(*), sum(number) FROM gauges").await.expect(200);
    assert_eq!(rows.json()["rows"], json!([[100, 4_950]]));
    assert!(crate::support::sql::folders(app.home.path()).is_empty(), "nothing stays behind");
    // Larger than what is fetched for one query.
    let text: Vec<String> =
        (0..60_000).map(|n: u64| format!("{:032x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![("text", Arc::new(StringArray::from(text)))];
    app.table(granted.listing, 2, "large.csv", &parquet(columns, 60_000, None)).await;
    let refused = select(&app, &granted.buyer, "SELECT count(*) FROM large").await.expect(422);
    assert_eq!(problem(&refused), "sql-out-of-memory");
}
