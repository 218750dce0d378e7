use entity::{job, row_changes, states::RowChangesState};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use torv::catalog::revisions::rows::{COMPARE_JOB, compare_stored_tables};

use super::{FIRST, RETYPED, SAME_COLUMNS, WIDER};
use crate::support::{Answer, ForSale, TestApp, TestOrg, free, on_both, one_off};

/// Another level for one gauge, one gauge more, and one gone.
const MOVED: &str = "station,level\nAsuwa,1.75\nHino,2\n";
/// Two rows of one gauge.
const TWICE: &str = "station,level\nAsuwa,1.5\nAsuwa,1.6\n";

async fn set_key(app: &TestApp, org: &TestOrg, listing: &str, body: Value) -> Answer {
    app.as_org(org, "PUT", &format!("/api/v1/listings/{listing}/row-keys/levels.csv")).json(&body).send().await
}

async fn keyed(app: &TestApp) -> ForSale {
    let (sale, _) = app.market(&free()).await;
    set_key(app, &sale.provider, &sale.listing, json!({"columns": ["station"]})).await.expect(200);
    app.run_jobs().await;
    sale
}

async fn changes(app: &TestApp, (buyer, grant): &(TestOrg, String), query: &str) -> Answer {
    app.as_org(buyer, "GET", &format!("/api/v1/grants/{grant}/changes?file=levels.csv&{query}")).send().await
}

/// The lines of an answer, the first one first, the others in the order of their text.
fn lines(answer: &Answer) -> Vec<String> {
    let mut lines: Vec<String> = answer.text().lines().map(str::to_owned).collect();
    lines.get_mut(1..).unwrap_or_default().sort_unstable();
    lines
}

/// What is said of the rows of the newest version.
async fn rows(app: &TestApp, listing: &str) -> Value {
    app.changelog(listing, "?limit=1").await["items"][0]["rows"].clone()
}

/// Sets of changes on disk.
fn sets(app: &TestApp) -> usize {
    std::fs::read_dir(app.home.path().join("files").join("row-changes")).map_or(0, |found| found.flatten().count())
}

on_both! {
    async fn changes_alone_turn_what_a_buyer_has_into_the_newest(app) {
        let sale = keyed(app).await;
        let held = app.take(&sale, "k").await;
        app.release(&sale, FIRST).await;
        app.release(&sale, SAME_COLUMNS).await;
        app.release(&sale, MOVED).await;
        assert_eq!(rows(app, &sale.listing).await, json!([{
            "file": "levels.csv", "key": ["station"], "state": "ready", "inserted": 1, "updated": 1, "deleted": 1
        }]));
        // 1.0.1 came with Kuzuryu, which is gone again: it is no change since 1.0.0.
        let answer = changes(app, &held, "from=1.0.0").await.expect(200);
        assert_eq!(lines(&answer), ["_change_type,station,level", "insert,Hino,2", "update_postimage,Asuwa,1.75"]);
        assert_eq!((answer.header("torv-from-version"), answer.header("torv-to-version")), ("1.0.0", "1.0.3"));
        assert_eq!(answer.header("torv-row-changes"), "inserted=1, updated=1, deleted=0");
        assert_eq!(answer.header("content-length"), answer.bytes.len().to_string());
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"levels since 1.0.0.csv\"");

        let answer = changes(app, &held, "from=1.0.1&to=1.0.3&format=jsonl").await.expect(200);
        let mut parsed: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        parsed.sort_by_key(Value::to_string);
        assert_eq!(parsed, [
            json!({"_change_type": "delete", "station": "Kuzuryu", "level": "0.75"}),
            json!({"_change_type": "insert", "station": "Hino", "level": "2"}),
            json!({"_change_type": "update_postimage", "station": "Asuwa", "level": "1.75"}),
        ]);
        let none = changes(app, &held, "from=1.0.3").await.expect(200);
        assert_eq!(none.text(), "_change_type,station,level\n", "nothing is new");

        app.app.recorder.flush().await;
        let path = format!("/api/v1/grants/{}/deliveries", held.1);
        let delivered = app.as_org(&held.0, "GET", &path).send().await.expect(200).json();
        let sent: Vec<_> = delivered["items"].as_array().unwrap().iter().map(|one| &one["bytes_sent"]).collect();
        assert_eq!(sent.len(), 3, "recorded like whole files");
        assert!(sent.contains(&&json!(none.bytes.len())), "{sent:?}");
    }

    async fn changes_are_delivered_under_the_same_rule_as_files(app) {
        let sale = keyed(app).await;
        let (old, running) = (app.take(&sale, "old").await, app.take(&sale, "running").await);
        app.release(&sale, SAME_COLUMNS).await;
        app.release(&sale, RETYPED).await;
        let answer = changes(app, &old, "from=1.0.0").await.expect(200);
        assert_eq!(answer.header("torv-to-version"), "1.0.1", "the newest that reaches it");
        changes(app, &old, "from=1.0.0&to=2.0.0").await.expect(409);
        changes(app, &old, "from=2.0.0").await.expect(409);
        let path = format!("/api/v1/grants/{}/accept-version", old.1);
        app.as_org(&old.0, "POST", &path).json(&json!({"major": 2})).send().await.expect(200);
        let answer = changes(app, &old, "from=1.0.0&to=2.0.0").await.expect(200);
        assert_eq!(lines(&answer), ["_change_type,station,level", "insert,Kuzuryu,low", "update_postimage,Asuwa,high"]);

        let stranger = (app.buyer().await, old.1.clone());
        changes(app, &stranger, "from=1.0.0").await.expect(404);
        let path = format!("/api/v1/grants/{}/revoke", running.1);
        app.as_org(&sale.provider, "POST", &path).json(&json!({"reason": "Passed on."})).send().await.expect(200);
        changes(app, &running, "from=1.0.0").await.expect(403);
        for (query, place) in [("from=9.0.0", "from"), ("from=1", "from"), ("from=1.0.0&to=9.0.0", "to"), ("from=1.0.1&to=1.0.0", "to")] {
            assert_eq!(changes(app, &old, query).await.expect(422).str("/errors/0/pointer"), place, "{query}");
        }
        let path = format!("/api/v1/grants/{}/changes?file=other.csv&from=1.0.0", old.1);
        app.as_org(&old.0, "GET", &path).send().await.expect(404);
    }

    async fn a_snapshot_gets_the_changes_up_to_what_it_covers(app) {
        let sale = keyed(app).await;
        app.release(&sale, SAME_COLUMNS).await;
        let bought = app.also_for_sale(&sale.provider, &sale.listing, &one_off(500)).await;
        let buyer = app.buyer().await;
        let grant = app.order(&buyer, &bought, "k", Some("pm_card_visa")).await.expect(201).str("/grant_id");
        app.release(&sale, MOVED).await;
        let held = (buyer, grant);
        assert_eq!(changes(app, &held, "from=1.0.0").await.expect(200).header("torv-to-version"), "1.0.1");
        changes(app, &held, "from=1.0.0&to=1.0.2").await.expect(409);
    }

    async fn a_key_that_is_not_unique_gives_no_changes_and_the_reason_is_told(app) {
        let sale = keyed(app).await;
        let held = app.take(&sale, "k").await;
        app.release(&sale, TWICE).await;
        let said = rows(app, &sale.listing).await;
        assert_eq!((&said[0]["state"], said[0].get("inserted")), (&json!("unavailable"), None));
        assert!(said[0]["reason"].as_str().unwrap().contains("rows 1 and 2 have the same"), "{said}");
        app.release(&sale, SAME_COLUMNS).await;
        let answer = changes(app, &held, "from=1.0.0").await.expect(409);
        assert!(answer.str("/detail").contains("not unique"), "{}", answer.text());
        assert_eq!(sets(app), 0, "nothing is kept of what could not be compared");
        app.release(&sale, MOVED).await;
        changes(app, &held, "from=1.0.2").await.expect(200);
    }

    async fn a_table_can_not_be_published_without_the_columns_of_its_key(app) {
        let sale = keyed(app).await;
        for (columns, place) in [
            (json!([]), "/columns"), (json!(["gauge"]), "/columns/0"), (json!(["station", "station"]), "/columns/1"),
        ] {
            let answer = set_key(app, &sale.provider, &sale.listing, json!({"columns": columns})).await.expect(422);
            assert_eq!(answer.str("/errors/0/pointer"), place);
        }
        let stranger = app.provider().await;
        set_key(app, &stranger, &sale.listing, json!({"columns": ["station"]})).await.expect(404);
        let revision = app.open_revision(&sale.provider, &sale.listing).await;
        app.upload(&sale.provider, &revision, "levels.csv", "gauge,level\nAsuwa,1\n").await.expect(201);
        app.run_jobs().await;
        let publish = format!("/api/v1/revisions/{revision}/publish");
        let answer = app.post(&sale.provider, &publish).await.expect(409);
        assert!(answer.str("/detail").contains("no column \"station\""), "{}", answer.text());
        app.upload(&sale.provider, &revision, "levels.csv", WIDER).await.expect(200);
        app.run_jobs().await;
        app.post(&sale.provider, &publish).await.expect(200);
        let keys = app.get(&format!("/api/v1/listings/{}/row-keys", sale.listing)).await.expect(200).json();
        assert_eq!((&keys["items"][0]["file"], &keys["items"][0]["columns"]), (&json!("levels.csv"), &json!(["station"])));
    }

    async fn a_key_that_is_set_later_or_changed_compares_the_revisions_there_are(app) {
        let (sale, _) = app.market(&free()).await;
        let held = app.take(&sale, "k").await;
        app.release(&sale, FIRST).await;
        app.release(&sale, FIRST).await;
        assert_eq!(rows(app, &sale.listing).await, json!([]));
        let answer = changes(app, &held, "from=1.0.0").await.expect(409);
        assert!(answer.str("/detail").contains("no key"), "{}", answer.text());
        set_key(app, &sale.provider, &sale.listing, json!({"columns": ["station"]})).await.expect(200);
        let waits = changes(app, &held, "from=1.0.0").await.expect(409);
        assert!(waits.str("/detail").contains("still being compared"), "{}", waits.text());
        app.run_jobs().await;
        let by_station = lines(&changes(app, &held, "from=1.0.0").await.expect(200));
        assert_eq!(by_station, ["_change_type,station,level", "insert,Kuzuryu,0.5"]);
        assert_eq!(sets(app), 1, "the same bytes need no set");
        app.release(&sale, SAME_COLUMNS).await;
        set_key(app, &sale.provider, &sale.listing, json!({"columns": ["station", "level"]})).await.expect(200);
        app.run_jobs().await;
        let said = rows(app, &sale.listing).await;
        assert_eq!((&said[0]["inserted"], &said[0]["updated"], &said[0]["deleted"]), (&json!(2), &json!(0), &json!(2)));
        assert_eq!(sets(app), 2, "those under the old key are gone");
        let path = format!("/api/v1/listings/{}/row-keys/levels.csv", sale.listing);
        app.as_org(&sale.provider, "DELETE", &path).send().await.expect(204);
        app.as_org(&sale.provider, "DELETE", &path).send().await.expect(404);
        changes(app, &held, "from=1.0.0").await.expect(409);
        assert_eq!(sets(app), 0);
    }

    async fn a_failure_at_any_step_of_a_comparison_keeps_it_whole_or_not_at_all(app) {
        let sale = keyed(app).await;
        app.release(&sale, FIRST).await;
        set_key(app, &sale.provider, &sale.listing, json!({"columns": ["station"]})).await.expect(200);
        let jobs = job::Entity::find().filter(job::Column::Kind.eq(COMPARE_JOB)).all(app.app.db.read()).await.unwrap();
        let payload = jobs.last().unwrap().payload.clone();
        for step in 0.. {
            app.app.db.faults().arm(step);
            let outcome = compare_stored_tables(&app.app, payload.clone()).await;
            let (_, failed) = app.app.db.faults().disarm();
            let found = row_changes::Entity::find().all(app.app.db.read()).await.unwrap();
            let ready: Vec<_> = found.iter().filter(|row| row.state == RowChangesState::Ready).collect();
            for row in &ready {
                let path = app.app.files.local_path(row.blob_key.as_deref().unwrap());
                assert_eq!(std::fs::metadata(path).unwrap().len(), row.size_bytes.unsigned_abs(), "step {step}");
            }
            if !failed {
                outcome.unwrap();
                assert_eq!(ready.len(), 1);
                break;
            }
        }
        app.run_jobs().await;
        let held = app.take(&sale, "k").await;
        changes(app, &held, "from=1.0.0").await.expect(200);
    }
}
