//! Webhooks in every order, repeated, lost, late and forged: the books end up the same.

use std::collections::BTreeMap;

use entity::{
    ledger_entry,
    states::{EntryKind, InboxState, OrderState},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use time::Duration;
use torv::{adapters::sandbox::SignedWebhook, ledger};

use crate::support::{Delivery, Dice, TestApp, TestOrg, approved, event_id, on_both, one_off, sign};

const VISA: &str = "pm_card_visa";

/// What the sales come to, by purpose of the account, and how many there are: the same in every run,
/// whatever the ids, and whatever the processor's lines have added since.
async fn books(app: &TestApp) -> (BTreeMap<String, i64>, usize) {
    ledger::seal::seal_new_entries(&app.app).await.unwrap();
    app.assert_ledger_is_clean("sealed").await;
    let sales = ledger_entry::Entity::find().filter(ledger_entry::Column::Kind.eq(EntryKind::Sale));
    let sales = sales.all(app.app.db.read()).await.unwrap();
    let mut sums = BTreeMap::new();
    for sale in &sales {
        for (code, minor) in app.postings(sale).await {
            let purpose = if code.starts_with("provider.") { "provider".to_owned() } else { code };
            *sums.entry(purpose).or_default() += minor;
        }
    }
    (sums, sales.len())
}

/// Orders of all kinds whose webhooks are under way: paid at once, later, declined later, held and
/// taken, held and given back, never answered.
async fn busy_market(app: &TestApp) -> (TestOrg, Vec<(String, OrderState)>) {
    let provider = app.provider().await;
    let (listing, buyer) = (app.published(&provider, &json!({})).await, app.buyer().await);
    let direct = app.also_for_sale(&provider, &listing, &one_off(10_001)).await;
    let asked = app.also_for_sale(&provider, &listing, &approved(one_off(333))).await;
    let mut orders = Vec::new();
    for (method, state) in [
        (VISA, OrderState::Completed),
        ("pm_card_delayed", OrderState::Completed),
        ("pm_card_delayed_decline", OrderState::AwaitingPayment),
        ("pm_card_timeout", OrderState::Completed),
        ("pm_card_declined", OrderState::AwaitingPayment),
    ] {
        app.advance(Duration::SECOND);
        app.order(&buyer, &direct, method, Some(method)).await;
        orders.push((app.orders_of(&buyer).await.pop().unwrap(), state));
    }
    for (what, method, state) in [
        ("approve", VISA, OrderState::Completed),
        ("decline", VISA, OrderState::Declined),
        ("approve", "pm_card_delayed", OrderState::Completed),
        ("decline", "pm_card_delayed", OrderState::Declined),
    ] {
        app.advance(Duration::SECOND);
        let id = app.order(&buyer, &asked, &format!("{what}-{method}"), Some(method)).await.expect(201).str("/id");
        app.decide(&provider, &id, what, Some("Because.")).await.expect(200);
        orders.push((id, state));
    }
    app.advance(Duration::seconds(60));
    app.sandbox.tick().await.unwrap();
    (buyer, orders)
}

async fn assert_all_ended(app: &TestApp, orders: &[(String, OrderState)], context: &str) {
    for (id, state) in orders {
        let trace = app.trace(id).await;
        match state {
            OrderState::Completed => trace.assert_sold_once(context),
            state => trace.assert_not_sold(*state, context),
        }
    }
}

/// What every run of [`busy_market`] comes to: three sales of 10 001 and two of 333, split 80 to 20.
fn expected_books() -> (BTreeMap<String, i64>, usize) {
    let (sales, commission) = (3 * 10_001 + 2 * 333, 3 * 2_000 + 2 * 67);
    let sums = [("clearing.payment", sales), ("commission", -commission), ("provider", commission - sales)];
    (sums.map(|(code, sum)| (code.to_owned(), sum)).into(), 5)
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let shorter = permutations(count - 1);
    shorter
        .iter()
        .flat_map(|order| {
            (0..count).map(|at| {
                let mut order = order.clone();
                order.insert(at, count - 1);
                order
            })
        })
        .collect()
}

on_both! {
    async fn every_order_of_the_events_of_a_delayed_hold_ends_the_same(app) {
        let mut checked = 0;
        for order in permutations(3) {
            let (sale, buyer) = app.market(&approved(one_off(10_001))).await;
            let id = app.order(&buyer, &sale, "k", Some("pm_card_delayed")).await.expect(201).str("/id");
            app.advance(Duration::seconds(60));
            app.sandbox.tick().await.unwrap();
            app.decide(&sale.provider, &id, "approve", None).await.expect(200);
            let charge = format!("ch_{}", app.trace(&id).await.payments[0].id.0.simple());
            app.app.payments.capture(&charge).await.unwrap();
            let due = app.due_webhooks().await;
            assert_eq!(due.len(), 3, "processing, authorised, captured");
            for copy in 0..5 {
                for at in &order {
                    app.post_webhook(&due[*at]).await.expect(204);
                }
                app.trace(&id).await.assert_sold_once(&format!("{order:?}, copy {copy}"));
            }
            for webhook in &due {
                app.sandbox.settle_webhook(webhook, true).await.unwrap();
            }
            checked += 1;
        }
        assert_eq!(checked, 6);
    }

    async fn every_order_of_the_events_of_two_delayed_payments_ends_the_same(app) {
        for order in permutations(4) {
            let (sale, buyer) = app.market(&one_off(10_001)).await;
            let bought = app.order(&buyer, &sale, "a", Some("pm_card_delayed")).await.expect(201).str("/id");
            app.advance(Duration::seconds(1));
            let declined = app.order(&buyer, &sale, "b", Some("pm_card_delayed_decline")).await.expect(201).str("/id");
            app.advance(Duration::seconds(60));
            app.sandbox.tick().await.unwrap();
            let due = app.due_webhooks().await;
            assert_eq!(due.len(), 4);
            for at in &order {
                app.post_webhook(&due[*at]).await.expect(204);
            }
            app.trace(&bought).await.assert_sold_once(&format!("{order:?}"));
            app.trace(&declined).await.assert_not_sold(OrderState::AwaitingPayment, &format!("{order:?}"));
            for webhook in &due {
                app.sandbox.settle_webhook(webhook, true).await.unwrap();
            }
        }
    }

    async fn a_busy_market_ends_the_same_in_order(app) {
        let (_, orders) = busy_market(app).await;
        app.deliver_webhooks(Delivery::InOrder).await;
        app.run_jobs().await;
        app.deliver_webhooks(Delivery::InOrder).await;
        assert_all_ended(app, &orders, "in order").await;
        assert_eq!(books(app).await, expected_books());
    }

    async fn a_busy_market_ends_the_same_newest_first(app) {
        let (_, orders) = busy_market(app).await;
        app.deliver_webhooks(Delivery::Reversed).await;
        app.run_jobs().await;
        app.deliver_webhooks(Delivery::Reversed).await;
        assert_all_ended(app, &orders, "reversed").await;
        assert_eq!(books(app).await, expected_books());
    }

    async fn a_busy_market_ends_the_same_shuffled_and_five_times(app) {
        let mut ended = Vec::new();
        for seed in 0..8 {
            eprintln!("shuffled five times, seed {seed}");
            let before = books(app).await;
            let (_, orders) = busy_market(app).await;
            app.deliver_webhooks(Delivery::Shuffled { seed, copies: 5 }).await;
            app.run_jobs().await;
            app.deliver_webhooks(Delivery::Shuffled { seed: seed + 100, copies: 5 }).await;
            ended.extend(orders);
            assert_all_ended(app, &ended, &format!("seed {seed}")).await;
            assert_added(&before, &books(app).await, seed);
        }
    }

    async fn a_busy_market_ends_the_same_though_a_third_is_lost_and_the_rest_is_late(app) {
        for seed in 0..8 {
            eprintln!("30 of 100 lost, seed {seed}");
            let before = books(app).await;
            let (_, orders) = busy_market(app).await;
            let late: Vec<SignedWebhook> = app.due_webhooks().await.into_iter().step_by(4).collect();
            app.deliver_webhooks(Delivery::Lossy { seed, percent: 30 }).await;
            for _ in 0..3 {
                app.advance(Duration::seconds(61));
                app.sandbox.tick().await.unwrap();
                app.run_jobs().await;
                app.deliver_webhooks(Delivery::Lossy { seed: seed + 50, percent: 30 }).await;
            }
            for webhook in &late {
                app.post_event(&webhook.body).await.expect(204);
            }
            assert_all_ended(app, &orders, &format!("seed {seed}")).await;
            assert_added(&before, &books(app).await, seed);
        }
    }

    async fn a_busy_market_ends_the_same_though_every_webhook_is_lost(app) {
        let (_, orders) = busy_market(app).await;
        app.deliver_webhooks(Delivery::Lossy { seed: 0, percent: 100 }).await;
        app.advance(Duration::seconds(61));
        app.run_jobs().await;
        app.run_jobs().await;
        assert!(app.inbox().await.is_empty());
        assert_all_ended(app, &orders, "all lost").await;
        assert_eq!(books(app).await, expected_books());
        app.deliver_webhooks(Delivery::Lossy { seed: 0, percent: 100 }).await;
    }

    async fn copies_that_arrive_at_once_are_handled_once(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", Some("pm_card_delayed")).await.expect(201).str("/id");
        app.advance(Duration::seconds(60));
        app.sandbox.tick().await.unwrap();
        let due = app.due_webhooks().await;
        let copies: Vec<_> = due.iter().cycle().take(40).collect();
        let answers = futures::future::join_all(copies.iter().map(|webhook| app.post_webhook(webhook))).await;
        assert!(answers.iter().all(|answer| answer.status == 204));
        app.run_jobs().await;
        app.trace(&id).await.assert_sold_once("forty at once");
        assert_eq!(app.inbox().await.len(), 2);
    }

    async fn a_forged_webhook_is_refused_and_leaves_nothing(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", Some("pm_card_delayed")).await.expect(201).str("/id");
        app.deliver_webhooks(Delivery::InOrder).await;
        let before = app.inbox().await.len();
        app.advance(Duration::seconds(60));
        app.sandbox.tick().await.unwrap();
        let due = app.due_webhooks().await.remove(0);
        let (body, now) = (due.body.as_str(), app.clock.now().unix_timestamp());
        let tag = due.signature.split_once("v1=").unwrap().1.to_owned();
        let changed = body.replace("10001", "1");
        assert_ne!(changed, body);
        for (what, body, signature) in [
            ("another secret", body, sign("somebody else's secret", now, body)),
            ("a changed body", &changed, due.signature.clone()),
            ("a longer body", &format!("{body} "), due.signature.clone()),
            ("a stale time", body, app.sign(now - 301, body)),
            ("a time to come", body, app.sign(now + 301, body)),
            ("another time than signed", body, format!("t={},v1={tag}", now - 1)),
            ("no time", body, format!("v1={tag}")),
            ("no tag", body, format!("t={now}")),
            ("half a tag", body, format!("t={now},v1={}", &tag[..32])),
            ("an empty tag", body, format!("t={now},v1=")),
            ("no hexadecimal", body, format!("t={now},v1={}", "z".repeat(64))),
            ("another scheme", body, due.signature.replace("v1=", "v0=")),
            ("an empty header", body, String::new()),
        ] {
            let refused = app.post_signed(body, &signature).await;
            assert_eq!(refused.status, 401, "{what}: {}", refused.text());
        }
        app.request("POST", "/api/v1/webhooks/sandbox").body(body.to_owned()).send().await.expect(401);
        app.request("POST", "/api/v1/webhooks/stripe").body(body.to_owned()).send().await.expect(404);
        app.request("POST", "/api/v1/webhooks/sandbox").body(vec![0xff, 0xfe]).send().await.expect(400);
        let huge = "x".repeat(256 * 1024 + 1);
        app.post_event(&huge).await.expect(413);
        assert_eq!(app.inbox().await.len(), before);
        assert_eq!(app.see_order(&buyer, &id).await["state"], "awaiting_payment");
        app.post_webhook(&due).await.expect(204);
        app.trace(&id).await.assert_sold_once("the true one");
    }

    async fn signatures_of_either_secret_hold_while_one_replaces_the_other(app) {
        let body = json!({"id": "evt_1", "type": "charge.unheard_of"}).to_string();
        let now = app.clock.now().unix_timestamp();
        let tag = |signature: String| signature.split_once("v1=").unwrap().1.to_owned();
        let (true_tag, other) = (tag(app.sign(now, &body)), tag(sign("other", now, &body)));
        app.post_signed(&body, &format!("t={now},v1={other},v1={true_tag}")).await.expect(204);
        app.post_signed(&body, &format!("t={now},v0=00,v1={true_tag},v2=junk")).await.expect(204);
        assert_eq!(app.inbox().await.len(), 1);
    }

    async fn an_event_nobody_knows_is_noted_and_does_nothing(app) {
        app.post_event(&json!({"id": "evt_1", "type": "customer.moved"}).to_string()).await.expect(204);
        app.post_event(&json!({"id": "evt_2", "type": "payout.paid", "charge": null, "extra": [1]}).to_string()).await.expect(204);
        let inbox = app.inbox().await;
        let seen: Vec<_> = inbox.iter().map(|row| (row.kind.as_str(), row.state)).collect();
        assert!(seen.iter().all(|(_, state)| *state == InboxState::Processed), "{seen:?}");
        assert_eq!(seen.len(), 2);
    }

    async fn a_signed_webhook_that_can_not_be_read_is_kept_for_a_person(app) {
        app.expect_failures();
        let unreadable = ["{", "[]", "\"text\"", r#"{"id":5,"type":"x"}"#, r#"{"type":"x"}"#,
            r#"{"id":"evt_9","type":"charge.x","charge":{"id":"ch_1"}}"#,
            r#"{"id":"evt_8","type":"charge.melted","charge":{"id":"ch_1","payment_id":"pay_019352f0a1b27c3d8e4f5061728394a5","state":"melted","amount_minor":1,"currency":"EUR"}}"#];
        for body in unreadable {
            for _ in 0..2 {
                app.post_event(body).await.expect(204);
            }
        }
        assert_eq!(app.inbox().await.len(), unreadable.len());
        app.run_jobs().await;
        for _ in 0..12 {
            app.advance(Duration::seconds(600));
            app.run_jobs().await;
        }
        for row in app.inbox().await {
            assert_eq!((row.state, row.kind.as_str()), (InboxState::Dead, "unreadable"));
            assert!(row.error.is_some() && unreadable.contains(&row.body.as_str()));
        }
    }

    async fn a_webhook_about_a_payment_nobody_made_waits_and_books_nothing(app) {
        app.expect_failures();
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", Some(VISA)).await.expect(201).str("/id");
        let due = app.due_webhooks().await.remove(0);
        let known: Value = serde_json::from_str(&due.body).unwrap();
        let with = |event: &str, field: &str, value: Value| {
            let mut body = known.clone();
            body["id"] = json!(event);
            body["charge"][field] = value;
            body.to_string()
        };
        let before = books(app).await;
        let odd = [
            with("evt_nobody", "payment_id", json!("pay_019352f0a1b27c3d8e4f5061728394a5")),
            with("evt_more", "amount_minor", json!(10_002)),
            with("evt_yen", "currency", json!("JPY")),
        ];
        for body in &odd {
            app.post_event(body).await.expect(204);
        }
        for _ in 0..12 {
            app.run_jobs().await;
            app.advance(Duration::seconds(600));
        }
        let states: BTreeMap<String, InboxState> = app.inbox().await.into_iter().map(|row| (row.event_id, row.state)).collect();
        assert!(odd.iter().all(|body| states[&event_id(body)] == InboxState::Dead), "{states:?}");
        assert_eq!(books(app).await, before);
        app.trace(&id).await.assert_sold_once("odd webhooks");
    }

    async fn a_webhook_that_fails_is_tried_for_minutes_not_for_seconds(app) {
        app.expect_failures();
        app.post_event("{").await.expect(204);
        for _ in 0..30 {
            app.run_jobs().await;
        }
        assert_eq!(app.inbox().await[0].state, InboxState::Received, "thirty rounds take fifteen seconds");
        app.advance(Duration::minutes(5));
        for _ in 0..30 {
            app.run_jobs().await;
        }
        assert_eq!(app.inbox().await[0].state, InboxState::Received);
    }

    async fn a_processor_of_many_words_does_not_stop_a_decline(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", Some("pm_card_delayed")).await.expect(201).str("/id");
        let due = app.due_webhooks().await.remove(0);
        let mut body: Value = serde_json::from_str(&due.body).unwrap();
        body["id"] = json!("evt_long");
        body["charge"]["state"] = json!("failed");
        body["charge"]["failure_code"] = json!("c".repeat(100));
        body["charge"]["failure_text"] = json!("ü".repeat(5_000));
        app.post_event(&body.to_string()).await.expect(204);
        let order = app.see_order(&buyer, &id).await;
        assert_eq!(order["payments"][0]["failure_text"], json!("ü".repeat(400)));
        assert_eq!(order["payments"][0]["state"], "failed");
    }

    async fn a_success_after_a_failure_completes_and_a_failure_after_a_success_changes_nothing(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", Some("pm_card_delayed")).await.expect(201).str("/id");
        app.advance(Duration::seconds(60));
        app.sandbox.tick().await.unwrap();
        let due = app.due_webhooks().await;
        let mut failed: Value = serde_json::from_str(&due[1].body).unwrap();
        for (event, captured_before) in [("evt_before", false), ("evt_after", true)] {
            failed["id"] = json!(event);
            failed["charge"]["state"] = json!("failed");
            app.post_event(&failed.to_string()).await.expect(204);
            if captured_before {
                app.trace(&id).await.assert_sold_once("a failure after the success");
            } else {
                assert_eq!(app.see_order(&buyer, &id).await["payments"][0]["state"], "failed");
                app.post_webhook(&due[1]).await.expect(204);
            }
        }
    }

    async fn webhooks_of_many_small_random_histories_end_like_the_processor(app) {
        for seed in 0..12_u64 {
            eprintln!("random history, seed {seed}");
            let mut dice = Dice::new(seed);
            let (sale, buyer) = app.market(&one_off(10_001)).await;
            let methods = [VISA, "pm_card_delayed", "pm_card_delayed_decline", "pm_card_timeout", "pm_card_declined"];
            for step in 0..12 {
                match dice.below(4) {
                    0 | 1 => {
                        let method = methods[usize::try_from(dice.below(5)).unwrap()];
                        app.order(&buyer, &sale, &format!("{seed}-{step}"), Some(method)).await;
                    }
                    2 => { app.deliver_webhooks(Delivery::Lossy { seed: dice.below(1_000), percent: 30 }).await; }
                    _ => {
                        app.advance(Duration::seconds(i64::try_from(dice.below(40)).unwrap()));
                        app.sandbox.tick().await.unwrap();
                    }
                }
            }
            app.let_time_heal().await;
            for id in app.orders_of(&buyer).await {
                let trace = app.trace(&id).await;
                match trace.charge_lines {
                    0 => trace.assert_not_sold(OrderState::AwaitingPayment, &format!("seed {seed}")),
                    _ => trace.assert_sold_once(&format!("seed {seed}")),
                }
            }
        }
    }
}

fn assert_added(before: &(BTreeMap<String, i64>, usize), after: &(BTreeMap<String, i64>, usize), seed: u64) {
    let (sums, entries) = expected_books();
    assert_eq!(after.1, before.1 + entries, "seed {seed}");
    for (code, sum) in sums {
        let was = before.0.get(&code).copied().unwrap_or_default();
        assert_eq!(after.0[&code], was + sum, "{code}, seed {seed}");
    }
}
