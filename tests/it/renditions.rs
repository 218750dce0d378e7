//! Files in other formats: made by a job after a revision is published, downloaded under the same grants.

use entity::{
    ids::ListingId,
    rendition,
    states::{Coverage, GrantState, RenditionFormat, RenditionState, RevisionState},
};
use sea_orm::{ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};
use serde_json::{Value, json};
use time::Duration;
use torv::{base::digest::sha256_hex, catalog::renditions};

use crate::support::{Answer, TestApp, TestOrg, on_both};

const CSV: &str =
    "station,level,at,era\nAsuwa,1.25,2021-08-14T08:40,令和3年8月14日\nKuzuryu,0.50,2021-08-14T08:50,令和3年8月15日\n";
const PLACES: &str = "id,TWD97_X,TWD97_Y\n1,302000,2770000\n";

async fn rows(app: &TestApp) -> Vec<rendition::Model> {
    rendition::Entity::find().all(app.app.db.read()).await.unwrap()
}

/// A published revision with one file whose renditions are made; the revision, and a grant of a buyer on it.
async fn published(app: &TestApp, name: &str, body: &'static str) -> (TestOrg, TestOrg, String, entity::ids::GrantId) {
    let (provider, buyer) = (app.provider().await, app.buyer().await);
    let listing = app.draft(&provider, &json!({})).await;
    let revision = app.publish_data(&provider, &listing, name, body).await;
    app.post(&provider, &format!("/api/v1/listings/{listing}/publish")).await.expect(200);
    app.run_jobs().await;
    let listing: ListingId = listing.parse().unwrap();
    let grant = app.bare_grant(&provider, &buyer, listing, Coverage::Snapshot, 1).await;
    (provider, buyer, revision, grant)
}

/// The renditions of the only file of a revision, by format.
async fn shown(app: &TestApp, org: &TestOrg, revision: &str) -> Vec<Value> {
    let answer = app.as_org(org, "GET", &format!("/api/v1/revisions/{revision}")).send().await.expect(200);
    answer.json()["files"][0]["renditions"].as_array().unwrap().clone()
}

fn states(shown: &[Value]) -> Vec<(&str, &str)> {
    shown.iter().map(|one| (one["format"].as_str().unwrap(), one["state"].as_str().unwrap())).collect()
}

async fn links(app: &TestApp, buyer: &TestOrg, grant: entity::ids::GrantId) -> Vec<Value> {
    let answer = app.as_org(buyer, "GET", &format!("/api/v1/grants/{grant}/files")).send().await.expect(200);
    answer.json()["items"][0]["renditions"].as_array().unwrap().clone()
}

async fn download(app: &TestApp, link: &Value) -> Answer {
    let url = link["url"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").expect("our own host").to_owned();
    app.get(&url).await
}

/// Blobs of renditions on disk, whatever the database says, and what was left of making them.
fn leftovers(app: &TestApp) -> (usize, usize) {
    fn count(dir: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
    }
    (count(&app.home.path().join("files/renditions")), count(&app.home.path().join("scratch")))
}

on_both! {
    async fn a_table_is_offered_in_every_format_it_has_a_form_in(app) {
        let (provider, buyer, revision, grant) = published(app, "levels.csv", CSV).await;
        let shown = shown(app, &provider, &revision).await;
        assert_eq!(states(&shown), [("parquet", "made"), ("csv", "made"), ("jsonl", "made"),
            ("geojson", "not_applicable"), ("geoparquet", "not_applicable")]);
        assert_eq!(shown[0]["rows"], 2);
        let links = links(app, &buyer, grant).await;
        let parquet = download(app, &links[0]).await.expect(200);
        assert_eq!(parquet.header("content-type"), "application/vnd.apache.parquet");
        assert_eq!(parquet.header("etag"), format!("\"{}\"", shown[0]["sha256"].as_str().unwrap()));
        assert_eq!(sha256_hex(&parquet.bytes), links[0]["sha256"].as_str().unwrap());
        assert!(parquet.header("content-disposition").contains("levels.parquet"));
        assert!(parquet.bytes.starts_with(b"PAR1") && parquet.bytes.ends_with(b"PAR1"));
        let csv = download(app, &links[1]).await.expect(200);
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(String::from_utf8(csv.bytes).unwrap(), CSV, "it is clean CSV already: the original itself");
        let lines = download(app, &links[2]).await.expect(200);
        assert_eq!(lines.header("content-type"), "application/x-ndjson");
        let first = String::from_utf8(lines.bytes).unwrap().lines().next().unwrap().to_owned();
        let expected = json!({"station": "Asuwa", "level": 1.25, "at": "2021-08-14T08:40", "era": "2021-08-14",
            "era_original": "令和3年8月14日"});
        assert_eq!(serde_json::from_str::<Value>(&first).unwrap(), expected);
    }

    async fn a_rendition_comes_in_parts_and_is_counted_like_a_file(app) {
        let (_, buyer, _, grant) = published(app, "levels.csv", CSV).await;
        let links = links(app, &buyer, grant).await;
        let whole = download(app, &links[0]).await.expect(200).bytes;
        let url = links[0]["url"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap().to_owned();
        let tail = app.request("GET", &url).header("range", "bytes=-8").send().await.expect(206);
        assert_eq!(tail.bytes, whole[whole.len() - 8..]);
        app.request("HEAD", &url).send().await.expect(200);
        app.app.recorder.flush().await;
        let path = format!("/api/v1/grants/{grant}/deliveries");
        let noted = app.as_org(&buyer, "GET", &path).send().await.expect(200).json();
        let noted = noted["items"].as_array().unwrap();
        assert!(noted.iter().all(|row| row["format"] == "parquet"), "{noted:?}");
        let mut sent: Vec<i64> = noted.iter().map(|row| row["bytes_sent"].as_i64().unwrap()).collect();
        sent.sort_unstable();
        assert_eq!(sent, [8, i64::try_from(whole.len()).unwrap()]);
    }

    async fn a_rendition_ends_with_its_grant(app) {
        let (_, buyer, _, grant) = published(app, "levels.csv", CSV).await;
        let links = links(app, &buyer, grant).await;
        app.set_grant_state(grant, GrantState::Revoked).await;
        download(app, &links[0]).await.expect(403);
        app.set_grant_state(grant, GrantState::Active).await;
        download(app, &links[0]).await.expect(200);
        app.clock.advance(Duration::minutes(11));
        download(app, &links[0]).await.expect(410);
    }

    async fn geometry_is_offered_in_wgs84_with_its_source_named(app) {
        let (provider, buyer, revision, grant) = published(app, "places.csv", PLACES).await;
        let shown = shown(app, &provider, &revision).await;
        assert!(states(&shown).iter().all(|(_, state)| *state == "made"), "{shown:?}");
        assert_eq!(shown[4]["crs"], "EPSG:3826");
        assert_eq!(shown[4]["sha256"], shown[0]["sha256"], "the Parquet file is GeoParquet: one file, two names");
        let links = links(app, &buyer, grant).await;
        let document = download(app, &links[3]).await.expect(200);
        assert_eq!(document.header("content-type"), "application/geo+json");
        let at = document.json()["features"][0]["geometry"]["coordinates"].clone();
        let (longitude, latitude) = (at[0].as_f64().unwrap(), at[1].as_f64().unwrap());
        assert!((longitude - 121.515_308_4).abs() < 1e-6 && (latitude - 25.037_228_2).abs() < 1e-6, "{at}");
    }

    async fn a_provider_reads_why_there_is_none_and_others_do_not(app) {
        let (provider, _, revision, _) = published(app, "broken.json", "{\"a\": 1").await;
        let mine = shown(app, &provider, &revision).await;
        assert!(states(&mine).iter().all(|(_, state)| *state == "failed"), "{mine:?}");
        assert!(mine[0]["reason"].as_str().unwrap().contains("ends in the middle"), "{mine:?}");
        let theirs = app.get(&format!("/api/v1/revisions/{revision}")).await.expect(200).json();
        assert_eq!(theirs["files"][0]["renditions"][0]["state"], "failed");
        assert_eq!(theirs["files"][0]["renditions"][0]["reason"], Value::Null);
    }

    async fn documents_have_no_renditions(app) {
        let (provider, buyer, revision, grant) = published(app, "plan.pdf", "%PDF-1.7").await;
        let shown = shown(app, &provider, &revision).await;
        assert!(states(&shown).iter().all(|(_, state)| *state == "not_applicable"), "{shown:?}");
        assert!(links(app, &buyer, grant).await.is_empty());
    }

    async fn other_rooms_find_the_parquet_file_with_its_columns(app) {
        published(app, "levels.csv", CSV).await;
        let file = rows(app).await[0].file_id;
        let parquet = renditions::find_parquet(app.app.db.read(), file).await.unwrap().expect("it is made");
        let columns: Vec<(&str, &Value)> = parquet.columns.iter().map(|column| (column.name.as_str(), &column.kind)).collect();
        assert_eq!(columns, [("station", &json!("string")), ("level", &json!("decimal(18,2)")), ("at", &json!("timestamp")),
            ("era", &json!("date")), ("era_original", &json!("string"))]);
        assert_eq!((parquet.rows, parquet.crs.as_deref()), (2, None));
        assert_eq!(parquet.columns[2].source_zone.as_deref(), Some("unstated"));
    }

    async fn files_published_before_there_were_renditions_get_them(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let file = app.bare_file(granted.listing, 1, RevisionState::Published, ("a.csv", "text/csv"), CSV.as_bytes()).await;
        app.bare_file(granted.listing, 2, RevisionState::Open, ("b.csv", "text/csv"), CSV.as_bytes()).await;
        assert_eq!(renditions::plan_missing(&app.app).await.unwrap(), 1);
        assert_eq!(renditions::plan_missing(&app.app).await.unwrap(), 0);
        app.run_jobs().await;
        assert!(renditions::find_parquet(app.app.db.read(), file).await.unwrap().is_some());
    }

    async fn a_failure_at_any_step_costs_an_attempt_and_nothing_else(app) {
        let org = app.provider().await;
        for step in 0.. {
            let listing = app.draft(&org, &json!({})).await;
            app.publish_data(&org, &listing, "levels.csv", CSV).await;
            app.app.db.faults().arm(step);
            while renditions::make_due(&app.app).await.is_ok_and(|made| made > 0) {}
            let (steps, failed) = app.app.db.faults().disarm();
            app.clock.advance(Duration::hours(2));
            app.run_jobs().await;
            let rows = rows(app).await;
            assert!(rows.iter().all(|row| !matches!(row.state, RenditionState::Pending | RenditionState::Making)), "{steps:?}");
            let mut keys: Vec<&String> = rows.iter().filter_map(|row| row.blob_key.as_ref()).collect();
            keys.retain(|key| key.starts_with("renditions/"));
            for key in &keys {
                assert!(app.app.files.local_path(key).exists(), "{steps:?}");
            }
            assert_eq!(leftovers(app), (keys.len(), 0), "failed at {steps:?}");
            if !failed {
                break;
            }
        }
    }

    async fn what_kills_each_process_that_makes_it_is_given_up(app) {
        let org = app.provider().await;
        let listing = app.draft(&org, &json!({})).await;
        app.publish_data(&org, &listing, "levels.csv", CSV).await;
        let parquet = rows(app).await.into_iter().find(|row| row.format == RenditionFormat::Parquet).unwrap();
        std::fs::write(app.home.path().join(format!("scratch/{}-6", parquet.id)), b"half").unwrap();
        let lease = entity::Timestamp(app.clock.now() - Duration::seconds(1));
        let mut row = parquet.into_active_model();
        (row.state, row.attempts, row.lease_until) = (Set(RenditionState::Making), Set(6), Set(Some(lease)));
        app.write(async move |tx: &torv::db::Tx| {
            rendition::Entity::update(row).exec(tx.conn()).await.unwrap();
        }).await;
        app.run_jobs().await;
        let rows = rows(app).await;
        assert!(rows.iter().all(|row| row.state == RenditionState::Failed), "what would come of it fails with it: {rows:?}");
        assert_eq!(leftovers(app), (0, 0));
    }

    async fn several_processes_share_the_work_and_make_each_once(app) {
        let org = app.provider().await;
        let listing = app.draft(&org, &json!({})).await;
        let revision = app.open_revision(&org, &listing).await;
        for number in 0..4 {
            app.upload(&org, &revision, &format!("{number}.csv"), CSV).await.expect(201);
        }
        app.post(&org, &format!("/api/v1/revisions/{revision}/publish")).await.expect(200);
        let siblings = futures::future::join_all((0..3).map(|_| app.sibling())).await;
        let work = siblings.iter().map(|sibling| async {
            // Two in a row without work: what others are busy with may make more due.
            let mut idle = 0;
            while idle < 20 {
                let made = renditions::make_due(&sibling.app).await.unwrap();
                idle = if made == 0 { idle + 1 } else { 0 };
                tokio::task::yield_now().await;
            }
        });
        futures::future::join_all(work).await;
        app.run_jobs().await;
        let rows = rows(app).await;
        assert!(rows.iter().all(|row| row.attempts <= 1), "{rows:?}");
        let made = |format| rows.iter().filter(|row| row.format == format && row.state == RenditionState::Made).count();
        assert_eq!((made(RenditionFormat::Parquet), made(RenditionFormat::Jsonl)), (4, 4));
    }
}
