//! Receivers that fail: again and again, in order, and in the end a dead letter.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use entity::states::Coverage;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{on_both, receiver::Says};

/// Longer than the longest wait with its spread.
const TWO_DAYS: Duration = Duration::days(2);

on_both! {
    async fn a_receiver_that_was_down_gets_everything_in_order(app) {
        let (one, two) = (app.granted(Coverage::Snapshot, 1).await, app.granted(Coverage::Snapshot, 1).await);
        app.bare_grant(&two.provider, &one.buyer, two.listing, Coverage::Snapshot, 1).await;
        let hook = app.hook(&one.buyer, &json!({})).await;
        let up = Arc::new(AtomicBool::new(false));
        let is_up = up.clone();
        hook.receiver.answer(move |_| Says::status(if is_up.load(Ordering::SeqCst) { 200 } else { 500 }));
        app.revisions(one.listing, 1..=5).await;
        app.revisions(two.listing, 11..=15).await;
        app.run_jobs().await;
        for seconds in [6, 331, 1_981] {
            app.advance(Duration::seconds(seconds));
            app.run_jobs().await;
        }
        assert_eq!(hook.receiver.got().len(), 8, "the first of each listing, four times; what follows waits");
        up.store(true, Ordering::SeqCst);
        app.revisions(one.listing, [6]).await;
        app.run_jobs().await;
        assert_eq!(hook.receiver.got().len(), 8, "nothing overtakes what waits for its next try");
        let before = hook.receiver.got().len();
        app.advance(Duration::hours(3));
        app.run_jobs().await;
        let numbers: Vec<i64> = hook.receiver.data("number")[before..].iter().filter_map(Value::as_i64).collect();
        let of = |range: std::ops::RangeInclusive<i64>| numbers.iter().copied().filter(|one| range.contains(one)).collect::<Vec<_>>();
        assert_eq!((of(1..=6), of(11..=15)), ((1..=6).collect(), (11..=15).collect()));
        assert_eq!(app.see_hook(&hook, "").await.json().get("failing_since"), None, "it is well again");
        assert_eq!(app.deliveries(&hook, "pending").await, Vec::<Value>::new());
    }

    async fn a_failing_listing_does_not_hold_up_another(app) {
        let (one, two) = (app.granted(Coverage::Snapshot, 1).await, app.granted(Coverage::Snapshot, 1).await);
        app.bare_grant(&two.provider, &one.buyer, two.listing, Coverage::Snapshot, 1).await;
        let hook = app.hook(&one.buyer, &json!({})).await;
        let poison = json!(one.listing);
        hook.receiver.answer(move |got| Says::status(if got.json()["data"]["listing_id"] == poison { 422 } else { 200 }));
        app.revisions(one.listing, [1, 2]).await;
        app.revisions(two.listing, [11, 12]).await;
        app.run_jobs().await;
        let mut numbers: Vec<i64> = hook.receiver.data("number").iter().filter_map(Value::as_i64).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 11, 12]);
        assert_eq!(app.deliveries(&hook, "pending").await.len(), 2);
    }

    async fn after_its_last_try_a_delivery_is_a_dead_letter_that_can_be_sent_by_hand(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        let refused = Arc::new(AtomicUsize::new(0));
        let count = refused.clone();
        hook.receiver.answer(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0..10 => Says { status: 500, body: "no ".repeat(1_000), ..Says::default() },
            _ => Says::status(200),
        });
        app.revisions(granted.listing, [1, 2]).await;
        for _ in 0..10 {
            app.run_jobs().await;
            app.advance(Duration::hours(27));
            // Ten days of failing would switch it off.
            app.patch_endpoint(&hook, &json!({"enabled": true})).await;
        }
        app.run_jobs().await;
        let dead = app.deliveries(&hook, "dead").await;
        assert_eq!((dead.len(), &dead[0]["attempts"], &dead[0]["last_status"]), (1, &json!(10), &json!(500)));
        assert_eq!(hook.receiver.data("number").last(), Some(&json!(2)), "what follows is sent");
        let id = dead[0]["id"].as_str().unwrap();
        let log = app.see_hook(&hook, &format!("/deliveries/{id}")).await.expect(200).json();
        let attempts = log["log"].as_array().unwrap();
        assert_eq!(attempts.len(), 10);
        assert_eq!(attempts[9]["number"], 10);
        let answer = attempts[0]["answer"].as_str().unwrap();
        assert_eq!((answer.len(), answer.starts_with("no no ")), (1_024, true), "the first KiB");
        assert!(!log.to_string().contains("whsec_"));
        app.post_to(&hook, &format!("/deliveries/{id}/retry")).await.expect(202);
        app.run_jobs().await;
        assert_eq!(hook.receiver.data("number").last(), Some(&json!(1)));
        app.post_to(&hook, &format!("/deliveries/{id}/retry")).await.expect(409);
        assert_eq!(app.deliveries(&hook, "dead").await, Vec::<Value>::new());
    }

    async fn what_waits_for_its_next_try_can_be_sent_at_once(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        hook.receiver.answer(|_| Says::status(503));
        app.revisions(granted.listing, [1]).await;
        app.run_jobs().await;
        hook.receiver.answer(|_| Says::status(204));
        let waiting = app.deliveries(&hook, "pending").await;
        app.post_to(&hook, &format!("/deliveries/{}/retry", waiting[0]["id"].as_str().unwrap())).await.expect(202);
        app.run_jobs().await;
        assert_eq!(app.deliveries(&hook, "delivered").await.len(), 1);
    }

    async fn a_receiver_that_asks_for_time_gets_it(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        let headers = vec![("retry-after", "7200".to_owned())];
        hook.receiver.answer(move |_| Says { status: 429, headers: headers.clone(), ..Says::default() });
        app.revisions(granted.listing, [1]).await;
        app.run_jobs().await;
        app.advance(Duration::seconds(7_199));
        app.run_jobs().await;
        assert_eq!(hook.receiver.got().len(), 1);
        app.advance(Duration::seconds(1));
        app.run_jobs().await;
        assert_eq!(hook.receiver.got().len(), 2);
    }

    async fn who_says_gone_is_left_alone_and_the_owner_is_told(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        hook.receiver.answer(|_| Says::status(410));
        app.revisions(granted.listing, [1, 2]).await;
        app.run_jobs().await;
        app.advance(TWO_DAYS);
        app.run_jobs().await;
        assert_eq!(hook.receiver.got().len(), 1);
        let endpoint = app.see_hook(&hook, "").await.expect(200).json();
        assert_eq!((&endpoint["enabled"], &endpoint["disabled_reason"]), (&json!(false), &json!("gone")));
        let told = app.notices_of(&granted.buyer).await;
        let last = told.last().expect("a notice");
        assert_eq!(last["kind"], "webhook_endpoint.disabled");
        assert_eq!(last["data"], json!({"webhook_endpoint_id": hook.id, "reason": "gone"}));
    }

    async fn who_fails_for_days_is_switched_off_and_the_owner_is_told(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        hook.receiver.answer(|_| Says::status(500));
        for number in 1..=5 {
            app.revisions(granted.listing, [number]).await;
            app.run_jobs().await;
            app.advance(Duration::hours(30));
        }
        app.run_jobs().await;
        let endpoint = app.see_hook(&hook, "").await.expect(200).json();
        assert_eq!((&endpoint["enabled"], &endpoint["disabled_reason"]), (&json!(false), &json!("failing")));
        assert!(app.told_kinds(&granted.buyer).await.contains(&"webhook_endpoint.disabled".to_owned()));
        let sent = hook.receiver.got().len();
        app.advance(TWO_DAYS);
        app.run_jobs().await;
        assert_eq!(hook.receiver.got().len(), sent);
        hook.receiver.answer(|_| Says::status(200));
        app.patch_endpoint(&hook, &json!({"enabled": true})).await;
        app.run_jobs().await;
        assert_eq!(hook.receiver.data("number").last(), Some(&json!(5)), "what waited goes on");
    }

    async fn nobody_at_the_address_is_a_failure_with_a_reason(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        app.patch_endpoint(&hook, &json!({"url": "http://127.0.0.1:9/"})).await;
        app.revisions(granted.listing, [1]).await;
        app.run_jobs().await;
        let waiting = app.deliveries(&hook, "pending").await;
        let log = app.see_hook(&hook, &format!("/deliveries/{}", waiting[0]["id"].as_str().unwrap())).await.expect(200).json();
        assert_eq!((&log["log"][0]["failure"], log["log"][0].get("status")), (&json!("connection"), None));
    }

    async fn what_is_done_is_forgotten_after_a_month(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({"kinds": ["revision.published"]})).await;
        app.revisions(granted.listing, 1..=3).await;
        app.run_jobs().await;
        app.advance(Duration::days(30));
        app.run_jobs().await;
        assert_eq!(app.deliveries(&hook, "delivered").await.len(), 3);
        app.advance(Duration::seconds(1));
        app.run_jobs().await;
        assert_eq!(app.deliveries(&hook, "delivered").await.len(), 0);
        assert!(app.notices_of(&granted.buyer).await.len() >= 3, "notices stay");
    }
}
