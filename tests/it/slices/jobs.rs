//! The jobs behind slices: they fail at every step and go on, several processes share them, and a failure is told.

use entity::{slice_task, states::RenditionState};
use sea_orm::{ActiveValue::Set, EntityTrait as _, IntoActiveModel as _};
use serde_json::json;
use time::Duration;
use torv::trade::slices;

use super::{ROWS, buy, by_row, files, lines, market, miscount, quote, seen, tasks};
use crate::support::{TestApp, on_both};

/// Blobs of slices on disk, whatever the database says, and what was left of making them.
fn leftovers(app: &TestApp) -> (usize, usize) {
    fn count(dir: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
    }
    (count(&app.home.path().join("files/slices")), count(&app.home.path().join("scratch")))
}

/// Where the Parquet file of a first attempt is stored.
fn half_stored(id: entity::ids::SliceId) -> String {
    let id = id.to_string();
    format!("slices/{}/{id}-1.parquet", &id[id.len() - 2..])
}

on_both! {
    async fn a_failure_at_any_step_costs_an_attempt_and_nothing_else(app) {
        let (sale, buyer) = market(app, by_row()).await;
        for step in 0.. {
            let (_, grant) = buy(app, &sale, &buyer, &json!({"area": [12.0, 55.0, 13.0, 56.0]}), &format!("k{step}")).await;
            app.app.db.faults().arm(step);
            while slices::make_due(&app.app).await.is_ok_and(|made| made > 0) {}
            let (steps, failed) = app.app.db.faults().disarm();
            app.clock.advance(Duration::hours(2));
            app.run_jobs().await;
            let made = tasks(app).await;
            assert!(made.iter().all(|task| task.state == RenditionState::Made), "{steps:?}");
            let kept: usize = made.iter().map(|task| task.files.as_ref().unwrap().as_array().unwrap().len()).sum();
            assert_eq!(leftovers(app), (kept, 0), "failed at {steps:?}");
            assert!(!lines(app, &files(app, &buyer, grant).await.expect(200).json()).await.is_empty());
            let told = app.told_kinds(&buyer).await.into_iter().filter(|kind| kind == "slice.ready").count();
            assert_eq!(told, step + 1, "each is told once: {steps:?}");
            if !failed {
                break;
            }
        }
    }

    async fn several_processes_cut_each_slice_once(app) {
        let (sale, buyer) = market(app, by_row()).await;
        for number in 0..4 {
            buy(app, &sale, &buyer, &json!({"columns": ["level"]}), &format!("k{number}")).await;
        }
        let sibling = app.sibling().await;
        let run = async |app: &TestApp| while slices::make_due(&app.app).await.unwrap() > 0 {};
        tokio::join!(run(app), run(&sibling), run(app));
        let made = tasks(app).await;
        assert!(made.iter().all(|task| task.state == RenditionState::Made && task.attempts == 1), "{made:?}");
        assert_eq!(made.len(), 5, "an index and four slices");
    }

    async fn a_killed_process_costs_an_attempt(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let (_, grant) = buy(app, &sale, &buyer, &json!({"columns": ["level"]}), "k").await;
        let waiting = tasks(app).await.into_iter().find(|task| task.grant_id == Some(grant)).unwrap();
        // As a process leaves it that was killed in the middle.
        let lease = entity::Timestamp(app.clock.now() + Duration::minutes(2));
        let half = [format!("scratch/{}-1.parquet", waiting.id), format!("files/{}#1", half_stored(waiting.id))];
        for path in half.map(|name| app.home.path().join(name)) {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"half").unwrap();
        }
        let mut row = waiting.into_active_model();
        (row.state, row.attempts, row.lease_until) = (Set(RenditionState::Making), Set(1), Set(Some(lease)));
        app.write(async move |tx: &torv::db::Tx| {
            slice_task::Entity::update(row).exec(tx.conn()).await.unwrap();
        }).await;
        app.run_jobs().await;
        assert_eq!(seen(app, &buyer, grant).await["slice"]["state"], "preparing");
        app.clock.advance(Duration::minutes(3));
        app.run_jobs().await;
        assert_eq!(seen(app, &buyer, grant).await["slice"]["state"], "ready");
        assert_eq!(leftovers(app), (1 + 4, 0), "the index, and the formats of the slice");
    }

    async fn what_kills_each_process_is_given_up_and_told(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let (_, grant) = buy(app, &sale, &buyer, &json!({"columns": ["level"]}), "k").await;
        let waiting = tasks(app).await.into_iter().find(|task| task.grant_id == Some(grant)).unwrap();
        let lease = entity::Timestamp(app.clock.now() - Duration::minutes(2));
        let mut row = waiting.into_active_model();
        (row.state, row.attempts, row.lease_until) = (Set(RenditionState::Making), Set(6), Set(Some(lease)));
        app.write(async move |tx: &torv::db::Tx| {
            slice_task::Entity::update(row).exec(tx.conn()).await.unwrap();
        }).await;
        app.run_jobs().await;
        assert_eq!(seen(app, &buyer, grant).await["slice"]["state"], "failed");
        assert!(app.told_kinds(&buyer).await.contains(&"slice.failed".to_owned()));
    }

    async fn a_slice_of_other_rows_than_were_counted_is_never_handed_out(app) {
        let (sale, buyer) = market(app, by_row()).await;
        let (_, grant) = buy(app, &sale, &buyer, &json!({"columns": ["level"]}), "k").await;
        miscount(app, grant, 7).await;
        app.run_jobs().await;
        for org in [&buyer, &sale.provider] {
            let told = seen(app, org, grant).await;
            assert_eq!(told["slice"]["state"], "failed");
            assert!(told["slice"]["reason"].as_str().unwrap().contains("not those that were counted"));
        }
        assert!(files(app, &buyer, grant).await.expect(409).text().contains("refund"));
        assert_eq!(leftovers(app).1, 0);
        let operator = app.operator().await;
        let failed = app.as_org(&operator, "GET", "/api/v1/slices/failures").send().await.expect(200).json();
        assert_eq!((&failed["items"][0]["grant_id"], failed["items"].as_array().unwrap().len()), (&json!(grant), 1));
        // The operator mends the cause, and has it made after all.
        let id: entity::ids::SliceId = failed["items"][0]["id"].as_str().unwrap().parse().unwrap();
        let path = format!("/api/v1/slices/{id}/retry");
        miscount(app, grant, ROWS).await;
        app.post(&operator, &path).await.expect(204);
        app.post(&operator, &path).await.expect(409);
        app.run_jobs().await;
        assert_eq!(seen(app, &buyer, grant).await["slice"]["state"], "ready");
        assert_eq!(app.audited(&id.to_string()).await, ["slice.retry"]);
    }

    async fn a_time_column_that_is_none_is_told_at_the_quote(app) {
        let rule = json!({"per": "row", "price_minor": 1, "per_units": 1, "floor_minor": 100, "time_column": "name"});
        let (sale, _) = market(app, rule).await;
        let period = json!({"period": {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}});
        let refused = quote(app, &sale, &period).await.expect(409);
        assert!(refused.text().contains("holds no times"), "{}", refused.text());
    }

    async fn what_is_stored_for_slices_is_known_to_the_store(app) {
        let (sale, buyer) = market(app, by_row()).await;
        buy(app, &sale, &buyer, &json!({"columns": ["level"]}), "k").await;
        app.run_jobs().await;
        app.clock.advance(Duration::days(3));
        let known: Vec<String> = tasks(app).await.iter().flat_map(|task| {
            let files: Vec<slices::SliceFile> = serde_json::from_value(task.files.clone().unwrap()).unwrap();
            files.into_iter().map(|file| file.blob_key)
        }).collect();
        let orphans = torv::delivery::storage::find_orphans(&app.app, |_| {}).await.unwrap();
        assert!(known.iter().all(|key| !format!("{:?}", orphans.found).contains(key.as_str())), "{orphans:?}");
    }
}
