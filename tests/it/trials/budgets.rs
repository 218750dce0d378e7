//! What may be asked in a month: by one, by all together, at once, and again.

use entity::trial_question;
use sea_orm::EntityTrait as _;
use serde_json::json;
use time::Duration;

use super::{Trial, counted, policy};
use crate::support::{TestApp, on_both};

async fn questions(app: &TestApp) -> Vec<trial_question::Model> {
    trial_question::Entity::find().all(app.app.db.read()).await.expect("readable")
}

on_both! {
    async fn a_budget_ends_and_comes_back(app) {
        let trial = Trial::new(app, &json!({"questions_max": 3})).await;
        trial.ask(app, &trial.buyer, &json!([counted(1), counted(2)])).await.expect(201);
        app.advance(Duration::days(10));
        let refused = trial.ask(app, &trial.buyer, &json!([counted(3), counted(4)])).await.expect(429);
        assert_eq!(refused.header("retry-after"), (20 * 86_400).to_string());
        assert!(refused.text().contains("There is room from 2026-12-21T10:00:00Z on"), "{}", refused.text());
        trial.ask(app, &trial.buyer, &json!([counted(3)])).await.expect(201);
        trial.ask(app, &trial.buyer, &json!([counted(4)])).await.expect(429);
        trial.ask(app, &trial.buyer, &json!([counted(1), counted(2), counted(3)])).await.expect(201);
        let many = json!([counted(4), counted(5), counted(6), counted(7)]);
        let never = trial.ask(app, &trial.buyer, &many).await.expect(422);
        assert!(never.text().contains("at most 3"), "{}", never.text());
        app.advance(Duration::days(20));
        trial.ask(app, &trial.buyer, &json!([counted(4), counted(5)])).await.expect(201);
        trial.ask(app, &trial.buyer, &json!([counted(6)])).await.expect(429);
    }

    async fn all_together_ask_no_more_than_the_owner_allows(app) {
        let trial = Trial::new(app, &json!({"questions_max": 3, "listing_questions_max": 4})).await;
        let other = app.buyer().await;
        trial.ask(app, &trial.buyer, &json!([counted(1), counted(2), counted(3)])).await.expect(201);
        trial.ask(app, &other, &json!([counted(1), counted(2)])).await.expect(201);
        let left = app.as_org(&other, "GET", &trial.path("trial-policy")).send().await.expect(200).json();
        assert_eq!((&left["questions_left"], &left["listing_questions_left"]), (&json!(1), &json!(1)));
        trial.ask(app, &other, &json!([counted(4)])).await.expect(201);
        let third = app.buyer().await;
        let refused = trial.ask(app, &third, &json!([counted(5)])).await.expect(429);
        assert!(refused.text().contains("all organisations together"), "{}", refused.text());
        trial.ask(app, &third, &json!([counted(4)])).await.expect(201);
    }

    async fn of_those_who_race_for_the_last_question_one_is_answered(app) {
        let trial = Trial::new(app, &json!({"questions_max": 1})).await;
        let other = app.sibling().await;
        let racing = (0..8).map(|n| {
            let (app, trial) = (if n % 2 == 0 { app } else { &other }, &trial);
            async move { trial.ask(app, &trial.buyer, &json!([counted(n)])).await.status }
        });
        let mut answers = futures::future::join_all(racing).await;
        answers.sort_unstable();
        assert_eq!(answers, [201, 429, 429, 429, 429, 429, 429, 429]);
        assert_eq!(questions(app).await.len(), 1, "those who lost have left nothing");
    }

    async fn a_repeated_request_is_answered_once(app) {
        let trial = Trial::new(app, &json!({"questions_max": 1})).await;
        let asked = json!([counted(1)]);
        let racing = (0..6).map(|_| trial.ask_once(app, &trial.buyer, &asked, "one"));
        let all = futures::future::join_all(racing).await;
        let ids: std::collections::BTreeSet<String> = all.into_iter().map(|answer| answer.expect(201).str("/id")).collect();
        assert_eq!(ids.len(), 1);
        app.table(trial.listing, 2, "readings.parquet", &crate::trials::readings(10)).await;
        let late = trial.ask_once(app, &trial.buyer, &asked, "one").await.expect(201);
        assert!(ids.contains(&late.str("/id")), "also after the table has changed, and with nothing left");
        trial.ask_once(app, &trial.buyer, &json!([counted(2)]), "one").await.expect(409);
        assert_eq!(questions(app).await.len(), 1);
    }

    async fn a_policy_that_changes_counts_what_was_asked_under_the_one_before(app) {
        let trial = Trial::new(app, &json!({"questions_max": 10, "epsilon_milli": 100})).await;
        trial.ask(app, &trial.buyer, &json!([counted(1), counted(2), counted(3), counted(4)])).await.expect(201);
        // Four questions of ε 0.1 took 0.4; two of 0.3 are 0.6.
        let changed = policy(&json!({"questions_max": 2, "epsilon_milli": 300}));
        trial.allow(app, &changed).await.expect(200);
        let left = app.as_org(&trial.buyer, "GET", &trial.path("trial-policy")).send().await.expect(200).json();
        assert_eq!(left["questions_left"], 0);
        trial.ask(app, &trial.buyer, &json!([counted(1)])).await.expect(429);
    }
}
