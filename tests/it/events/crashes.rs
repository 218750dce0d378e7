//! Processes that die, are slow, or do the same at the same time: nothing is lost and nothing overtakes.

use entity::states::Coverage;
use serde_json::{Value, json};
use time::Duration;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::{TestApp, on_both, process::wait_for, receiver::Says};

/// The first time that each number came, in order.
fn firsts(numbers: &[Value]) -> Vec<i64> {
    let mut seen = Vec::new();
    for number in numbers.iter().filter_map(Value::as_i64) {
        if !seen.contains(&number) {
            seen.push(number);
        }
    }
    seen
}

on_both! {
    async fn a_crash_at_any_step_loses_nothing_and_changes_no_order(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        let (mut at, mut number) = (0, 0);
        loop {
            app.revisions(granted.listing, [number + 1, number + 2]).await;
            number += 2;
            app.app.db.faults().arm(at);
            let _ = torv::notify::fan_out(&app.app).await;
            let _ = torv::notify::deliver_due(&app.app).await;
            let (steps, failed) = app.app.db.faults().disarm();
            // Whoever died holds its lane until the lease runs out.
            app.advance(Duration::seconds(91));
            app.run_jobs().await;
            let expected: Vec<i64> = (1..=i64::from(number)).collect();
            assert_eq!(firsts(&hook.receiver.data("number")), expected, "step {at}: {:?}", steps.get(at));
            assert_eq!(app.deliveries(&hook, "pending").await, Vec::<Value>::new());
            if !failed {
                break;
            }
            at += 1;
        }
        assert!(at >= 15, "only {at} steps");
        app.assert_log_is_whole().await;
    }

    async fn processes_share_the_work_and_send_everything_once(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let second = app.granted(Coverage::Snapshot, 1).await;
        app.bare_grant(&second.provider, &granted.buyer, second.listing, Coverage::Snapshot, 1).await;
        let hook = app.hook(&granted.buyer, &json!({})).await;
        let others = [app.sibling().await, app.sibling().await];
        app.revisions(granted.listing, 1..=60).await;
        app.revisions(second.listing, 101..=160).await;
        let work = async |one: &TestApp| {
            for _ in 0..30 {
                let _ = torv::notify::fan_out(&one.app).await;
                let _ = torv::notify::deliver_due(&one.app).await;
            }
        };
        tokio::join!(work(app), work(&others[0]), work(&others[1]));
        app.run_jobs().await;
        let numbers: Vec<i64> = hook.receiver.data("number").iter().filter_map(Value::as_i64).collect();
        let (one, two): (Vec<i64>, Vec<i64>) = numbers.into_iter().partition(|number| *number < 100);
        assert_eq!((one, two), ((1..=60).collect(), (101..=160).collect()));
    }

    async fn a_receiver_that_hangs_holds_up_nobody_else(app) {
        let granted = app.granted(Coverage::Snapshot, 1).await;
        let slow = app.hook(&granted.buyer, &json!({})).await;
        slow.receiver.answer(|_| Says { hangs: true, ..Says::status(200) });
        let quick = app.hook(&granted.provider, &json!({})).await;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        torv::notify::Courier::new(app.app.clone()).start(stop.clone(), &tasks);
        for number in 1..=5 {
            app.revisions(granted.listing, [number]).await;
            torv::notify::fan_out(&app.app).await.expect("tells");
            wait_for("the quick one", async || (quick.receiver.got().len() == usize::try_from(number).ok()?).then_some(())).await;
        }
        assert_eq!(slow.receiver.got().len(), 1, "the first one hangs, and the others wait for it");
        stop.cancel();
        slow.receiver.answer(|_| Says::status(200));
        // Its attempt ends when the patience with it does.
        tasks.close();
        tasks.wait().await;
        app.advance(Duration::seconds(91));
        app.run_jobs().await;
        assert_eq!(firsts(&slow.receiver.data("number")), [1, 2, 3, 4, 5]);
    }
}
