use entity::{
    file, outbox, revision_version,
    states::{ProfileState, RevisionState},
};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::json;
use time::Duration;
use torv::catalog::revisions::{profile_stored_file, versions::assign_due};

use super::{FIRST, RETYPED, SAME_COLUMNS, WIDER, texts};
use crate::support::{TestApp, TestOrg, free, on_both};

async fn preview(app: &TestApp, org: &TestOrg, revision: &str) -> serde_json::Value {
    let path = format!("/api/v1/revisions/{revision}/version-preview");
    app.as_org(org, "GET", &path).send().await.expect(200).json()
}

on_both! {
    async fn a_revision_gets_the_version_that_its_changes_call_for(app) {
        let (sale, _) = app.market(&free()).await;
        for body in [FIRST, SAME_COLUMNS, WIDER, RETYPED, FIRST] {
            app.release(&sale, body).await;
        }
        // The first revision came with the listing; a table of numbers that was promised as text breaks nobody.
        assert_eq!(app.version_numbers(&sale.listing).await, ["2.0.1", "2.0.0", "1.1.0", "1.0.2", "1.0.1", "1.0.0"].map(str::to_owned));
    }

    async fn the_changelog_says_what_changed_by_column_and_since_when(app) {
        let (sale, _) = app.market(&free()).await;
        for body in [WIDER, RETYPED] {
            app.release(&sale, body).await;
        }
        let log = app.changelog(&sale.listing, "").await;
        let newest = &log["items"][0];
        assert_eq!((&newest["version"], &newest["step"], &newest["revision_number"]), (&json!("2.0.0"), &json!("major"), &json!(3)));
        assert_eq!(newest["reaches_older_grants_at"], "2026-12-21T10:00:00Z");
        assert_eq!(newest["changes"], json!([
            {"step": "major", "kind": "column_removed", "file": "levels.csv", "column": "remark", "from": "text"},
            {"step": "major", "kind": "column_retyped", "file": "levels.csv", "column": "level", "from": "decimal", "to": "text"},
            {"step": "patch", "kind": "content_changed", "file": "levels.csv"},
        ]));
        assert_eq!(log["items"][1]["changes"][0], json!(
            {"step": "minor", "kind": "column_added", "file": "levels.csv", "column": "remark", "to": "text"}
        ));
        assert!(log["items"][1].get("reaches_older_grants_at").is_none() && log["items"][2]["changes"] == json!([]));

        assert_eq!(texts(&app.changelog(&sale.listing, "?since=1.0.0").await, "version"), ["2.0.0", "1.1.0"]);
        let first = app.changelog(&sale.listing, "?limit=2").await;
        let cursor = first["next_cursor"].as_str().unwrap();
        assert_eq!(texts(&app.changelog(&sale.listing, &format!("?limit=2&cursor={cursor}")).await, "version"), ["1.0.0"]);
        for (query, place) in [("since=9.0.0", "since"), ("since=two", "since"), ("limit=0", "limit"), ("cursor=x", "cursor")] {
            let answer = app.get(&format!("/api/v1/listings/{}/changelog?{query}", sale.listing)).await.expect(422);
            assert_eq!(answer.str("/errors/0/pointer"), place);
        }
        let revisions = app.get(&format!("/api/v1/listings/{}/revisions", sale.listing)).await.expect(200).json();
        assert_eq!(texts(&revisions, "version"), ["2.0.0", "1.1.0", "1.0.0"]);
    }

    async fn the_news_tell_a_breaking_version_with_the_day_it_reaches_older_grants(app) {
        let (sale, _) = app.market(&free()).await;
        app.release(&sale, RETYPED).await;
        let news = app.news(&sale.listing).await;
        let told: Vec<&str> = news.iter().map(|(kind, _)| kind.as_str()).filter(|kind| kind.starts_with("revision.")).collect();
        assert_eq!(told, ["revision.published", "revision.published", "revision.versioned", "revision.versioned", "revision.breaking"]);
        let (_, breaking) = news.iter().find(|(kind, _)| kind == "revision.breaking").unwrap();
        assert_eq!((&breaking["version"], &breaking["changes_total"]), (&json!("2.0.0"), &json!(2)));
        assert_eq!(breaking["reaches_older_grants_at"], "2026-12-21T10:00:00Z");
        assert_eq!(breaking["changes"][0]["kind"], "column_retyped");
    }

    async fn its_owner_sees_before_publishing_which_version_it_would_be(app) {
        let (sale, _) = app.market(&free()).await;
        app.run_jobs().await;
        let revision = app.open_revision(&sale.provider, &sale.listing).await;
        assert_eq!(preview(app, &sale.provider, &revision).await["ready"], false, "it has no file yet");
        app.upload(&sale.provider, &revision, "levels.csv", RETYPED).await.expect(201);
        let waits = preview(app, &sale.provider, &revision).await;
        assert_eq!((&waits["ready"], &waits["pending_files"]), (&json!(false), &json!(["levels.csv"])));
        app.run_jobs().await;
        let breaks = preview(app, &sale.provider, &revision).await;
        assert_eq!((&breaks["previous"], &breaks["version"], &breaks["step"]), (&json!("1.0.0"), &json!("2.0.0"), &json!("major")));
        assert_eq!(breaks["reaches_older_grants_at"], "2026-12-21T10:00:00Z");
        app.upload(&sale.provider, &revision, "levels.csv", WIDER).await.expect(200);
        app.run_jobs().await;
        let adds = preview(app, &sale.provider, &revision).await;
        assert_eq!((&adds["version"], adds.get("reaches_older_grants_at")), (&json!("1.1.0"), None));
        let path = format!("/api/v1/revisions/{revision}/version-preview");
        let stranger = app.provider().await;
        app.as_org(&stranger, "GET", &path).send().await.expect(404);
        app.post(&sale.provider, &format!("/api/v1/revisions/{revision}/publish")).await.expect(200);
        app.run_jobs().await;
        assert_eq!(app.version_numbers(&sale.listing).await[0], "1.1.0", "as it was told");
        app.as_org(&sale.provider, "GET", &path).send().await.expect(409);
    }

    async fn several_processes_give_each_revision_one_version(app) {
        let (sale, _) = app.market(&free()).await;
        for _ in 0..3 {
            app.publish_data(&sale.provider, &sale.listing, "levels.csv", SAME_COLUMNS).await;
        }
        let sibling = app.sibling().await;
        while assign_due(&app.app).await.unwrap() == 0 {
            torv::jobs::run_due(&app.app).await.unwrap();
        }
        for _ in 0..5 {
            let (one, other) = futures::join!(assign_due(&app.app), assign_due(&sibling.app));
            one.unwrap();
            other.unwrap();
        }
        let kept = revision_version::Entity::find().count(app.app.db.read()).await.unwrap();
        assert_eq!((kept, app.version_numbers(&sale.listing).await.len()), (4, 4));
        let told = outbox::Entity::find().all(app.app.db.read()).await.unwrap();
        assert_eq!(told.iter().filter(|one| one.kind == "revision.versioned").count(), 4);
    }

    async fn a_failure_at_any_step_gives_a_version_whole_or_not_at_all(app) {
        let (sale, _) = app.market(&free()).await;
        app.run_jobs().await;
        app.publish_data(&sale.provider, &sale.listing, "levels.csv", RETYPED).await;
        for row in file::Entity::find().all(app.app.db.read()).await.unwrap() {
            profile_stored_file(&app.app, row.id).await.unwrap();
        }
        for step in 0.. {
            app.app.db.faults().arm(step);
            let outcome = assign_due(&app.app).await;
            let (_, failed) = app.app.db.faults().disarm();
            let kept = revision_version::Entity::find().count(app.app.db.read()).await.unwrap();
            let news = app.news(&sale.listing).await.iter().filter(|(kind, _)| kind == "revision.breaking").count();
            assert_eq!(app.version_numbers(&sale.listing).await.len(), usize::try_from(kept).unwrap(), "step {step}");
            assert_eq!(u64::try_from(news).unwrap() + 1, kept, "step {step}");
            if !failed {
                outcome.unwrap();
                break;
            }
        }
        app.run_jobs().await;
        assert_eq!(app.version_numbers(&sale.listing).await, ["2.0.0", "1.0.0"].map(str::to_owned));
    }

    async fn a_file_that_is_never_profiled_does_not_keep_its_revision_waiting_for_ever(app) {
        let (sale, _) = app.market(&free()).await;
        app.run_jobs().await;
        app.publish_data(&sale.provider, &sale.listing, "levels.csv", SAME_COLUMNS).await;
        let pending = file::Entity::find().all(app.app.db.read()).await.unwrap();
        assert_eq!(pending.iter().filter(|file| file.profile_state == ProfileState::Pending).count(), 1);
        app.advance(Duration::hours(23));
        assert_eq!(assign_due(&app.app).await.unwrap(), 0);
        app.advance(Duration::hours(1));
        assert_eq!(assign_due(&app.app).await.unwrap(), 1);
        assert_eq!(app.version_numbers(&sale.listing).await[0], "2.0.0", "nobody knows what is in it, so it is announced");
    }

    async fn what_was_published_before_there_were_versions_gets_them_without_being_taken_away(app) {
        use entity::states::Coverage;
        let granted = app.granted(Coverage::WhileActive, 1).await;
        for (number, body) in [(1, FIRST), (2, RETYPED)] {
            app.bare_file(granted.listing, number, RevisionState::Published, ("levels.csv", "text/csv"), body.as_bytes()).await;
        }
        let held = (granted.buyer.clone(), granted.grant.to_string());
        assert_eq!(app.gets(&held).await, [2, 1]);
        // No job was queued to read them, so they count as unreadable a day later.
        app.advance(Duration::days(1));
        app.run_jobs().await;
        assert_eq!(app.version_numbers(&granted.listing.to_string()).await.len(), 2);
        assert_eq!(app.gets(&held).await, [2, 1]);
        assert!(app.news(&granted.listing.to_string()).await.is_empty(), "that is no news");
    }
}
