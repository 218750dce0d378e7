//! From the outbox to a notice for everybody whom an event concerns.

use std::collections::BTreeSet;

use entity::{notice, states::Coverage};
use sea_orm::{EntityTrait as _, QueryOrder as _};
use serde_json::json;
use time::Duration;
use torv::db::outbox::{self, News};

use crate::support::{Backend, TestApp, on_both, one_off};

impl TestApp {
    pub async fn log(&self) -> Vec<notice::Model> {
        notice::Entity::find().order_by_asc(notice::Column::Cursor).all(self.app.db.read()).await.expect("readable")
    }

    /// Asserts that cursors have no gap, and that nobody is told of anything twice.
    pub async fn assert_log_is_whole(&self) -> usize {
        let log = self.log().await;
        let cursors: Vec<i64> = log.iter().map(|notice| notice.cursor).collect();
        let expected: Vec<i64> = (1..).take(log.len()).collect();
        assert_eq!(cursors, expected);
        let pairs: BTreeSet<_> = log.iter().map(|notice| (notice.event_id, notice.organization_id)).collect();
        assert_eq!(pairs.len(), log.len());
        log.len()
    }
}

on_both! {
    async fn a_purchase_and_new_data_are_told_to_those_whom_they_concern(app) {
        let (sale, buyer) = app.market(&one_off(1_000)).await;
        let stranger = app.buyer().await;
        app.advance(Duration::seconds(1));
        app.order(&buyer, &sale, "one", Some("pm_card_visa")).await.expect(201);
        app.publish_data(&sale.provider, &sale.listing, "more.csv", "a\n1\n").await;
        app.run_jobs().await;
        // The file it was bought with is gone from the new revision, which breaks who reads it.
        let expected = ["order.completed", "revision.published", "revision.breaking"];
        assert_eq!(app.told_kinds(&buyer).await, expected);
        let mut of_buyer = app.notices_of(&buyer).await;
        of_buyer.retain(|notice| notice["kind"] != "revision.versioned");
        assert_eq!(of_buyer[0]["listing_id"], json!(sale.listing));
        assert!(of_buyer[0]["order_id"].as_str().is_some_and(|id| id.starts_with("ord_")));
        assert!(of_buyer[0]["data"].get("total_minor").is_none(), "sums are read where rights are checked");
        assert_eq!(of_buyer[1]["data"]["number"], 2);
        let of_provider = app.told_kinds(&sale.provider).await;
        assert!(of_provider.contains(&"order.completed".to_owned()), "{of_provider:?}");
        assert!(of_provider.contains(&"revision.published".to_owned()), "{of_provider:?}");
        assert_eq!(app.told_kinds(&stranger).await, Vec::<String>::new());
        app.assert_log_is_whole().await;
    }

    async fn a_listing_that_is_retired_is_told_to_its_holders_and_a_private_offer_is_not(app) {
        let (sale, buyer) = app.market(&one_off(1_000)).await;
        let friend = app.buyer().await;
        app.advance(Duration::seconds(1));
        app.order(&buyer, &sale, "one", Some("pm_card_visa")).await.expect(201);
        let until = entity::Timestamp(app.clock.now() + Duration::days(300));
        let private = json!({
            "kind": "one_off", "price": {"minor": 500, "currency": "EUR"}, "valid_until": until,
            "plan": {"private_to": friend.id},
        });
        app.also_for_sale(&sale.provider, &sale.listing, &private).await;
        app.also_for_sale(&sale.provider, &sale.listing, &one_off(2_000)).await;
        app.run_jobs().await;
        assert_eq!(app.told_kinds(&buyer).await, ["order.completed", "offer.published"]);
        assert_eq!(app.told_kinds(&friend).await, ["offer.published"]);
        assert_eq!(app.notices_of(&friend).await[0]["data"]["price"]["minor"], 500);
        let of_buyer = app.notices_of(&buyer).await;
        let offer = of_buyer.iter().find(|notice| notice["kind"] == "offer.published").expect("the offer");
        assert_eq!(offer["data"]["price"]["minor"], 2_000);
        app.post(&sale.provider, &format!("/api/v1/listings/{}/retire", sale.listing)).await.expect(200);
        app.run_jobs().await;
        assert_eq!(app.told_kinds(&buyer).await.last().map(String::as_str), Some("listing.retired"));
    }

    async fn a_crowd_of_holders_is_told_in_steps_and_a_crash_between_them_loses_nothing(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        app.crowd(&granted, 1_203).await;
        app.revisions(granted.listing, [2, 3]).await;
        for at in 0..40 {
            app.app.db.faults().arm(at);
            let _ = torv::notify::fan_out(&app.app).await;
            app.app.db.faults().disarm();
        }
        app.app.db.faults().arm(usize::MAX);
        while torv::notify::fan_out(&app.app).await.expect("tells") > 0 {}
        app.app.db.faults().disarm();
        assert_eq!(app.assert_log_is_whole().await, 2 * 1_205, "the owner, the buyer and the crowd");
        let order = app.log().await;
        let first: BTreeSet<_> = order[..1_205].iter().map(|notice| notice.event_id).collect();
        assert_eq!(first.len(), 1, "one event after the other");
    }

    async fn the_steps_are_of_bounded_size(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        app.crowd(&granted, 1_203).await;
        app.revisions(granted.listing, [2]).await;
        let mut steps = Vec::new();
        loop {
            let before = app.log().await.len();
            if torv::notify::fan_out(&app.app).await.expect("tells") == 0 {
                break;
            }
            steps.push(app.log().await.len() - before);
        }
        assert_eq!(steps.iter().sum::<usize>(), 1_205);
        assert!(steps.len() >= 3 && steps.iter().all(|step| *step <= 500), "{steps:?}");
    }

    async fn processes_that_tell_at_the_same_time_tell_everybody_once(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let others = [app.sibling().await, app.sibling().await];
        app.crowd(&granted, 600).await;
        app.revisions(granted.listing, 1..=20).await;
        let work = async |one: &TestApp| {
            for _ in 0..40 {
                let _ = torv::notify::fan_out(&one.app).await;
            }
        };
        tokio::join!(work(app), work(&others[0]), work(&others[1]));
        app.run_jobs().await;
        assert_eq!(app.assert_log_is_whole().await, 20 * 602);
    }

    async fn what_commits_late_is_not_passed_by_a_reader(app) {
        // SQLite has one writer: nothing commits late there.
        if app.backend == Backend::Sqlite {
            return;
        }
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let (written, go_on) = (std::sync::Arc::new(tokio::sync::Notify::new()), std::sync::Arc::new(tokio::sync::Notify::new()));
        let (db, now, listing) = (app.app.db.clone(), app.clock.now(), granted.listing);
        let late = {
            let (written, go_on) = (written.clone(), go_on.clone());
            tokio::spawn(async move {
                db.write("test.late", move |tx| {
                    let (written, go_on) = (written.clone(), go_on.clone());
                    async move {
                        let payload = json!({"listing_id": listing, "number": 1});
                        let news = News { topic: listing.to_string(), kind: "revision.published", payload };
                        outbox::append(&tx, vec![news], now).await?;
                        written.notify_one();
                        go_on.notified().await;
                        Ok(((), tx))
                    }
                })
                .await
            })
        };
        written.notified().await;
        app.revisions(granted.listing, [2]).await;
        app.run_jobs().await;
        let seen = app.notices_of(&granted.buyer).await;
        assert_eq!(seen.len(), 1);
        let cursor = seen[0]["cursor"].as_i64().expect("a cursor");
        go_on.notify_one();
        late.await.expect("no panic").expect("it commits");
        app.run_jobs().await;
        let path = format!("/api/v1/notices?after={cursor}");
        let later = app.as_org(&granted.buyer, "GET", &path).send().await.expect(200).json();
        assert_eq!(later["items"][0]["data"]["number"], 1, "{later}");
    }

    async fn the_log_can_not_be_changed(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        app.revisions(granted.listing, [2]).await;
        app.run_jobs().await;
        for table in ["news", "notice"] {
            for statement in [format!("UPDATE {table} SET kind = 'x'"), format!("DELETE FROM {table}")] {
                use sea_orm::ConnectionTrait as _;
                let refused = app.app.db.read().execute_unprepared(&statement).await;
                assert!(refused.is_err_and(|error| error.to_string().contains("append-only")), "{statement}");
            }
        }
    }

    async fn a_kind_that_nobody_is_told_of_blocks_nothing(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        app.happens("test.unknown", granted.listing, json!({})).await;
        app.revisions(granted.listing, [2]).await;
        app.run_jobs().await;
        assert_eq!(app.told_kinds(&granted.buyer).await, ["revision.published"]);
    }

    async fn a_listing_of_nobody_else_is_told_to_its_owner_alone(app) {
        let provider = app.provider().await;
        let listing = app.published(&provider, &json!({})).await;
        app.run_jobs().await;
        assert!(app.notices_of(&provider).await.iter().all(|notice| notice["listing_id"] == json!(listing)));
        assert!(app.told_kinds(&provider).await.contains(&"listing.published".to_owned()));
    }
}
