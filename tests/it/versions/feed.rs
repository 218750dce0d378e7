//! What changed from version to version, as clients of Delta Sharing read it; with a test for each of their traps.

use std::{
    fs::{self, File},
    sync::Arc,
};

use entity::{
    rendition,
    states::{RenditionFormat, StorageFindingKind},
    storage_finding,
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use time::Duration;
use torv::{
    catalog::revisions::rows::plan_missing_files,
    delivery::storage::{find_orphans, scrub_all},
};
use torv_tables::convert::{Options, TextFormat, Watch, from_parquet};

use super::{FIRST, RETYPED, SAME_COLUMNS};
use crate::support::{Answer, ForSale, PARQUET, TestApp, TestOrg, free, on_both, one_off};

/// Another level for one gauge, one gauge more, and one gone.
const MOVED: &str = "station,level\nAsuwa,1.75\nHino,2\n";
/// Two rows of one gauge.
const TWICE: &str = "station,level\nAsuwa,1.5\nAsuwa,1.6\n";
/// One column more, with places, days and values that are missing.
const PLACES: &str =
    "station,level,seen,lon,lat\nAsuwa,1.25,2026-11-21,136.25,36.0625\nHino,,2026-11-21,,\nKuzuryu,0.5,,136.5,36.5\n";
/// The same with one place moved, one day told, and one row gone.
const PLACES_MOVED: &str = "station,level,seen,lon,lat\nAsuwa,1.25,2026-11-21,136.75,36.0625\nHino,,2026-11-22,,\n";
/// Whole numbers where there were fractions.
const WHOLE: &str = "station,level\nAsuwa,3\nHino,4\n";
const DELTA: Option<&str> = Some("responseformat=delta;readerfeatures=deletionvectors");

/// A table that a buyer has a running grant on, and whose rows have a key.
struct Fed {
    sale: ForSale,
    held: (TestOrg, String),
}

async fn set_key(app: &TestApp, sale: &ForSale, columns: Value) {
    let path = format!("/api/v1/listings/{}/row-keys/levels.csv", sale.listing);
    app.as_org(&sale.provider, "PUT", &path).json(&json!({"columns": columns})).send().await.expect(200);
    app.run_jobs().await;
}

async fn fed(app: &TestApp) -> Fed {
    let (sale, _) = app.market(&free()).await;
    set_key(app, &sale, json!(["station"])).await;
    let held = app.take(&sale, "k").await;
    app.run_jobs().await;
    Fed { sale, held }
}

/// Where a table is, of the only share that a buyer has.
async fn table(app: &TestApp, buyer: &TestOrg) -> String {
    let get = async |path: &str| app.as_org(buyer, "GET", path).send().await.expect(200);
    let share = get("/delta-sharing/shares").await.str("/items/0/name");
    let schema = get(&format!("/delta-sharing/shares/{share}/schemas")).await.str("/items/0/name");
    format!("/delta-sharing/shares/{share}/schemas/{schema}/tables/levels")
}

async fn ask(app: &TestApp, (buyer, _): &(TestOrg, String), query: &str, capabilities: Option<&str>) -> Answer {
    let path = format!("{}/changes?{query}", table(app, buyer).await);
    let mut request = app.as_org(buyer, "GET", &path);
    if let Some(capabilities) = capabilities {
        request = request.header("delta-sharing-capabilities", capabilities);
    }
    request.send().await
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn path_of(url: &Value) -> String {
    url.as_str().and_then(|url| url.strip_prefix("http://127.0.0.1:8080")).expect("our own address").to_owned()
}

/// The rows of a Parquet file as CSV, the header first, the others in the order of their text.
fn rows_of(app: &TestApp, bytes: &[u8]) -> Vec<String> {
    let (source, out) = (app.home.path().join("feed.parquet"), app.home.path().join("feed.csv"));
    fs::write(&source, bytes).unwrap();
    let file = File::create(&out).unwrap();
    let watch = Arc::new(Watch::default());
    from_parquet(&File::open(&source).unwrap(), TextFormat::Csv, file, &Options::default(), &watch).unwrap();
    let text = fs::read_to_string(&out).unwrap();
    let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
    rows.get_mut(1..).unwrap_or_default().sort_unstable();
    rows
}

/// The rows of each file of an answer in the Parquet format, by version, without the header.
async fn told(app: &TestApp, answer: &Answer) -> Vec<(i64, Vec<String>)> {
    let mut told = Vec::new();
    for line in &lines(answer)[2..] {
        let (whole, cdf) = (line.get("add"), line.get("cdf"));
        let file = whole.or(cdf).expect("a file of a table or of changes");
        let fetched = app.get(&path_of(&file["url"])).await.expect(200);
        assert_eq!(file["size"], fetched.bytes.len(), "{file}");
        assert_eq!(fetched.header("content-type"), PARQUET);
        let rows = rows_of(app, &fetched.bytes);
        assert_eq!(rows[0].contains("_change_type"), cdf.is_some(), "a whole table has no such column: {rows:?}");
        told.push((file["version"].as_i64().unwrap(), rows[1..].to_vec()));
    }
    told
}

on_both! {
    async fn each_version_tells_the_rows_it_changed_as_they_were_and_as_they_are(app) {
        let Fed { sale, held } = fed(app).await;
        for body in [FIRST, SAME_COLUMNS, SAME_COLUMNS, MOVED] {
            app.advance(Duration::hours(1));
            app.release(&sale, body).await;
        }
        let answer = ask(app, &held, "startingVersion=0", None).await.expect(200);
        assert_eq!(answer.header("delta-sharing-capabilities"), "responseformat=parquet");
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let seen = told(app, &answer).await;
        let rows = |all: &[&str]| all.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>();
        assert_eq!(seen, [
            (1, rows(&["Asuwa,1.25"])),
            (2, rows(&["Kuzuryu,0.5,insert"])),
            (3, rows(&["Asuwa,1.25,update_preimage", "Asuwa,1.5,update_postimage", "Kuzuryu,0.5,update_preimage",
                "Kuzuryu,0.75,update_postimage"])),
            (5, rows(&["Asuwa,1.5,update_preimage", "Asuwa,1.75,update_postimage", "Hino,2,insert", "Kuzuryu,0.75,delete"])),
        ], "the fourth has the same bytes as the third");
        let told = lines(&answer);
        assert_eq!(told[1]["metaData"]["configuration"], json!({"delta.enableChangeDataFeed": "true"}));
        let timestamps: Vec<i64> =
            told[3..].iter().map(|line| line["cdf"]["timestamp"].as_i64().unwrap() - told[2]["add"]["timestamp"].as_i64().unwrap()).collect();
        assert_eq!(timestamps, [3_600_000, 7_200_000, 14_400_000], "in milliseconds");

        let part = ask(app, &held, "startingVersion=3&endingVersion=4", None).await.expect(200);
        assert_eq!((part.header("delta-table-version"), lines(&part).len()), ("3", 3));
        assert_eq!(lines(&part)[2]["cdf"]["id"], told[4]["cdf"]["id"], "the same file has the same id");
        let none = ask(app, &held, "startingVersion=4&endingVersion=4", None).await.expect(200);
        assert_eq!(lines(&none).len(), 2, "nothing changed in it");
        let newest = ask(app, &held, "startingTimestamp=2026-11-21T13:30:00Z&includeHistoricalMetadata=True", None).await.expect(200);
        assert_eq!(newest.header("delta-table-version"), "5");
        let until = ask(app, &held, "startingVersion=1&endingTimestamp=2026-11-21T11:59:59Z", None).await.expect(200);
        assert_eq!(lines(&until).iter().skip(2).map(|line| line["cdf"]["version"].as_i64()).collect::<Vec<_>>(), [None, Some(2)]);
    }

    /// Trap: a reader of Delta takes the first version asked for as the beginning of the log, and finds the columns there.
    async fn the_delta_format_has_actions_of_a_log_that_begins_where_it_was_asked_for(app) {
        let Fed { sale, held } = fed(app).await;
        app.release(&sale, FIRST).await;
        for (start, whole) in [(0, true), (1, true), (2, false)] {
            let answer = ask(app, &held, &format!("startingVersion={start}"), DELTA).await.expect(200);
            assert_eq!(answer.header("delta-sharing-capabilities"), "responseformat=delta");
            let told = lines(&answer);
            assert_eq!(told[0]["protocol"]["deltaProtocol"], json!({"minReaderVersion": 1, "minWriterVersion": 4}));
            assert_eq!((&told[1]["metaData"]["version"], told.len()), (&json!(start), 3 + usize::from(whole)), "{told:?}");
            let configuration = &told[1]["metaData"]["deltaMetadata"]["configuration"];
            assert_eq!(configuration, &json!({"delta.enableChangeDataFeed": "true"}));
            if whole {
                assert_eq!(told[2]["file"]["deltaSingleAction"]["add"]["dataChange"], true);
            }
            let last = &told.last().unwrap()["file"];
            let cdc = &last["deltaSingleAction"]["cdc"];
            assert_eq!((&last["version"], &cdc["dataChange"], &cdc["partitionValues"]), (&json!(2), &json!(false), &json!({})));
            let path = path_of(&cdc["path"]);
            assert!(path.contains("levels_changes.parquet?X-Amz-Signature="), "a link that looks signed: {path}");
            let tail = app.request("GET", &path).header("range", "bytes=-4").send().await.expect(206);
            assert_eq!(tail.bytes, b"PAR1", "the kind of link that tables have");
        }
    }

    /// Trap: an `endStreamAction` that was not asked for is a `KeyError` in the client.
    async fn the_end_of_the_feed_is_only_told_to_who_asks(app) {
        let Fed { held, .. } = fed(app).await;
        let plain = ask(app, &held, "startingVersion=1", None).await.expect(200);
        assert!(!plain.text().contains("endStreamAction"));
        let asked = ask(app, &held, "startingVersion=1", Some("responseformat=parquet;includeEndStreamAction=true")).await.expect(200);
        assert!(lines(&asked).last().unwrap()["endStreamAction"]["minUrlExpirationTimestamp"].is_i64());
    }

    async fn types_places_and_missing_values_are_those_of_the_table(app) {
        let Fed { sale, held } = fed(app).await;
        app.release(&sale, PLACES).await;
        app.release(&sale, PLACES_MOVED).await;
        let answer = ask(app, &held, "startingVersion=3", None).await.expect(200);
        let seen = told(app, &answer).await;
        let rows = &seen[0].1;
        assert_eq!(rows.len(), 5, "{rows:?}");
        let starts = ["Asuwa,1.25,2026-11-21,136.25,", "Asuwa,1.25,2026-11-21,136.75,", "Hino,,2026-11-21,,,,", "Hino,,2026-11-22,,,,", "Kuzuryu,0.5"];
        for (row, start) in rows.iter().zip(starts) {
            assert!(row.starts_with(start), "{row}");
        }
        assert!(rows[0].contains("136.25 36.0625") && rows[1].contains("136.75 36.0625"), "a shape is in it: {rows:?}");
        let schema: Value = serde_json::from_str(lines(&answer)[1]["metaData"]["schemaString"].as_str().unwrap()).unwrap();
        let kinds: Vec<_> = schema["fields"].as_array().unwrap().iter().map(|field| field["type"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["string", "decimal(18,2)", "date", "double", "double", "binary"]);

        // What came later is null before: the version of the range's end tells the columns.
        let wider = ask(app, &held, "startingVersion=1", None).await.expect(200);
        assert_eq!(told(app, &wider).await.len(), 3);
        let narrow = ask(app, &held, "startingVersion=1&endingVersion=1", None).await.expect(200);
        assert!(!narrow.text().contains("geometry"), "{}", narrow.text());
    }

    async fn numbers_that_get_more_digits_widen_the_column_and_other_kinds_are_refused(app) {
        let Fed { sale, held } = fed(app).await;
        app.release(&sale, WHOLE).await;
        app.release(&sale, MOVED).await;
        let answer = ask(app, &held, "startingVersion=1", DELTA).await.expect(200);
        let schema = lines(&answer)[1]["metaData"]["deltaMetadata"]["schemaString"].as_str().unwrap().to_owned();
        assert!(schema.contains("decimal(22,2)"), "it holds whole numbers of any size, and the fractions: {schema}");
        app.release(&sale, RETYPED).await;
        let path = format!("/api/v1/grants/{}/accept-version", held.1);
        app.as_org(&held.0, "POST", &path).json(&json!({"major": 2})).send().await.expect(200);
        let refused = ask(app, &held, "startingVersion=4", None).await.expect(400);
        let detail = refused.str("/detail");
        assert!(detail.contains("\"level\"") && detail.contains("from version 5 on"), "{detail}");
        let apart = ask(app, &held, "startingVersion=2&endingVersion=3", None).await.expect(200);
        assert_eq!(lines(&apart).len(), 4);
    }

    async fn versions_that_there_are_not_are_refused_with_what_there_is(app) {
        let Fed { sale, held } = fed(app).await;
        app.advance(Duration::hours(1));
        app.release(&sale, FIRST).await;
        for (query, said) in [
            ("", "startingVersion"),
            ("endingVersion=2", "startingVersion"),
            ("startingVersion=1&startingTimestamp=2026-11-21T10:00:00Z", "not both"),
            ("startingVersion=1&endingVersion=2&endingTimestamp=2026-11-21T10:00:00Z", "not both"),
            ("startingVersion=3", "newest version of this table is 2"),
            ("startingVersion=1&endingVersion=3", "newest version of this table is 2"),
            ("startingVersion=0&endingVersion=0", "first version of this table is 1"),
            ("startingVersion=2&endingVersion=1", "lies between"),
            ("startingVersion=-1", "0 or more"),
            ("startingVersion=99999999999", "0 or more"),
            ("startingTimestamp=2026-11-21T11:00:01Z", "as new as"),
            ("startingTimestamp=2026-11-21T10:30:00Z&endingTimestamp=2026-11-21T10:40:00Z", "lies between"),
            ("startingVersion=1&endingTimestamp=2026-11-21T09:00:00Z", "first version of this table is 1"),
            ("startingTimestamp=yesterday", "timestamp"),
        ] {
            let answer = ask(app, &held, query, None).await.expect(400);
            assert!(answer.str("/detail").contains(said), "{query}: {}", answer.text());
        }
        assert!(matches!(ask(app, &held, "startingVersion=x", None).await.status, 400 | 422));
        ask(app, &held, "startingTimestamp=2020-01-01T00:00:00Z", None).await.expect(200);
    }

    async fn a_version_that_does_not_reach_a_grant_has_no_changes_for_it(app) {
        let Fed { sale, held } = fed(app).await;
        let bought = app.also_for_sale(&sale.provider, &sale.listing, &one_off(500)).await;
        let buyer = app.buyer().await;
        let grant = app.order(&buyer, &bought, "k", Some("pm_card_visa")).await.expect(201).str("/grant_id");
        let snapshot = (buyer, grant);
        app.release(&sale, FIRST).await;
        app.release(&sale, RETYPED).await;
        let files = async |held: &(TestOrg, String), query: &str| lines(&ask(app, held, query, None).await.expect(200)).len() - 2;
        assert_eq!((files(&held, "startingVersion=1").await, files(&snapshot, "startingVersion=1").await), (2, 1));
        for query in ["startingVersion=3", "startingVersion=1&endingVersion=3"] {
            let answer = ask(app, &held, query, None).await.expect(400);
            assert!(answer.str("/detail").contains("newest version of this table is 2"), "held back: {}", answer.text());
        }
        ask(app, &snapshot, "startingVersion=2", None).await.expect(400);
        let stranger = (app.buyer().await, held.1.clone());
        let path = format!("{}/changes?startingVersion=1", table(app, &held.0).await);
        app.as_org(&stranger.0, "GET", &path).send().await.expect(404);
    }

    async fn a_revoked_grant_gets_no_changes_and_its_links_are_closed(app) {
        let Fed { sale, held } = fed(app).await;
        app.release(&sale, FIRST).await;
        let path = format!("{}/changes?startingVersion=2", table(app, &held.0).await);
        let answer = app.as_org(&held.0, "GET", &path).send().await.expect(200);
        let link = path_of(&lines(&answer)[2]["cdf"]["url"]);
        app.get(&link).await.expect(200);
        let revoke = format!("/api/v1/grants/{}/revoke", held.1);
        app.as_org(&sale.provider, "POST", &revoke).json(&json!({"reason": "Passed on."})).send().await.expect(200);
        app.as_org(&held.0, "GET", &path).send().await.expect(403);
        app.get(&link).await.expect(403);
    }

    async fn a_table_without_a_key_says_what_its_provider_must_do(app) {
        let (sale, _) = app.market(&free()).await;
        let held = app.take(&sale, "k").await;
        app.run_jobs().await;
        let answer = ask(app, &held, "startingVersion=0", None).await.expect(400);
        let detail = answer.str("/detail");
        assert!(detail.contains("not enabled") && detail.contains("row-keys/levels.csv"), "{detail}");
        let path = format!("{}/metadata", table(app, &held.0).await);
        let metadata = async || app.as_org(&held.0, "GET", &path).send().await.expect(200).text().contains("enableChangeDataFeed");
        assert!(!metadata().await);
        set_key(app, &sale, json!(["station"])).await;
        assert!(metadata().await);
    }

    async fn a_step_that_is_not_known_is_named_and_the_others_are_not_lost(app) {
        let Fed { sale, held } = fed(app).await;
        for body in [TWICE, FIRST, SAME_COLUMNS] {
            app.release(&sale, body).await;
        }
        let answer = ask(app, &held, "startingVersion=1", None).await.expect(400);
        let detail = answer.str("/detail");
        assert!(detail.contains("version 2") && detail.contains("not unique") && detail.contains("from version 3 on"), "{detail}");
        let after = ask(app, &held, "startingVersion=4", None).await.expect(200);
        assert_eq!(lines(&after).len(), 3);
    }

    /// Trap: clients repeat 503 by themselves, and give up at once on anything below 500.
    async fn changes_that_are_being_prepared_are_worth_another_try(app) {
        let Fed { sale, held } = fed(app).await;
        app.release(&sale, FIRST).await;
        let path = format!("/api/v1/listings/{}/row-keys/levels.csv", sale.listing);
        let key = json!({"columns": ["station", "level"]});
        app.as_org(&sale.provider, "PUT", &path).json(&key).send().await.expect(200);
        let waits = ask(app, &held, "startingVersion=2", None).await.expect(503);
        assert_eq!(waits.header("retry-after"), "2");
        app.run_jobs().await;
        ask(app, &held, "startingVersion=2", None).await.expect(200);
    }

    async fn a_changed_key_makes_the_files_anew_and_removes_the_old_ones(app) {
        let Fed { sale, held } = fed(app).await;
        app.release(&sale, SAME_COLUMNS).await;
        let made = async || {
            let found = rendition::Entity::find().filter(rendition::Column::Format.eq(RenditionFormat::Changes));
            found.all(app.app.db.read()).await.unwrap()
        };
        let before = made().await;
        let link = path_of(&lines(&ask(app, &held, "startingVersion=2", None).await.expect(200))[2]["cdf"]["url"]);
        app.get(&link).await.expect(200);
        set_key(app, &sale, json!(["station", "level"])).await;
        let after = made().await;
        assert_eq!((before.len(), after.len(), before[0].id == after[0].id), (1, 1, false));
        let gone = app.app.files.local_path(before[0].blob_key.as_deref().unwrap());
        assert!(!gone.exists(), "nothing refers to it");
        let seen = told(app, &ask(app, &held, "startingVersion=2", None).await.expect(200)).await;
        assert_eq!(seen[0].1, ["Asuwa,1.25,delete", "Asuwa,1.5,insert", "Kuzuryu,0.75,insert"]);
        let fetched = app.get(&link).await.expect(200);
        assert!(rows_of(app, &fetched.bytes).contains(&"Asuwa,1.25,delete".to_owned()), "not what was kept of the old one");
        let path = format!("/api/v1/listings/{}/row-keys/levels.csv", sale.listing);
        app.as_org(&sale.provider, "DELETE", &path).send().await.expect(204);
        assert_eq!(made().await, []);
        app.get(&link).await.expect(404);
        ask(app, &held, "startingVersion=2", None).await.expect(400);
    }

    async fn files_of_changes_are_no_renditions_and_are_kept_like_them(app) {
        let Fed { sale, held } = fed(app).await;
        let revision = app.release(&sale, FIRST).await;
        let shown = app.get(&format!("/api/v1/revisions/{revision}")).await.expect(200).json();
        let path = format!("/api/v1/grants/{}/files", held.1);
        let listed = app.as_org(&held.0, "GET", &path).send().await.expect(200).json();
        for renditions in [&shown["files"][0]["renditions"], &listed["items"][0]["renditions"]] {
            let formats: Vec<_> = renditions.as_array().unwrap().iter().map(|one| one["format"].clone()).collect();
            assert!(!formats.is_empty() && !formats.contains(&json!("changes")), "{formats:?}");
        }
        let link = path_of(&lines(&ask(app, &held, "startingVersion=2", None).await.expect(200))[2]["cdf"]["url"]);
        app.get(&link).await.expect(200);
        app.app.recorder.flush().await;
        let path = format!("/api/v1/grants/{}/deliveries", held.1);
        let noted = app.as_org(&held.0, "GET", &path).send().await.expect(200).json();
        assert_eq!(noted["items"][0]["format"], "changes");

        let row = rendition::Entity::find().filter(rendition::Column::Format.eq(RenditionFormat::Changes));
        let row = row.one(app.app.db.read()).await.unwrap().unwrap();
        let (key, scrubbed) = (row.blob_key.clone().unwrap(), scrub_all(&app.app, 0, |_, _| {}).await.unwrap());
        assert_eq!((scrubbed.damaged, scrubbed.missing), (0, 0));
        fs::write(app.app.files.local_path(&key), b"PAR1").unwrap();
        assert_eq!(scrub_all(&app.app, 0, |_, _| {}).await.unwrap().damaged, 1);
        let found = storage_finding::Entity::find().all(app.app.db.read()).await.unwrap();
        assert_eq!((found[0].kind, found[0].format), (StorageFindingKind::Damaged, Some(RenditionFormat::Changes)));

        app.clock.advance(Duration::days(3));
        let orphans = async || find_orphans(&app.app, |_| {}).await.unwrap().found.into_iter().map(|one| one.name).collect::<Vec<_>>();
        assert!(!orphans().await.contains(&key));
        let id = row.id;
        app.app.db.write("test.forget", move |tx| async move {
            rendition::Entity::delete_by_id(id).exec(tx.conn()).await?;
            Ok(((), tx))
        }).await.unwrap();
        assert!(orphans().await.contains(&key), "what nothing refers to is found");
        assert_eq!(plan_missing_files(&app.app).await.unwrap(), 1, "changes that were known before there were files");
        app.run_jobs().await;
        ask(app, &held, "startingVersion=2", None).await.expect(200);
    }
}
