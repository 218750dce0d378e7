//! What is answered, to whom, and that it is what the rows say, but for the noise that the answer states.

use entity::states::{Audience, ListingState};
use sea_orm::{ConnectionTrait as _, EntityTrait as _};
use serde_json::{Value, json};

use super::{ROWS, Trial, counted, level, policy};
use crate::support::{TestApp, TestOrg, on_both};

/// Noise exceeds twice its 95 % bound once in 400 times, and is the same for the same secret.
#[track_caller]
fn is_near(found: &Value, wanted: i64) {
    let (value, error) = (found["value"].as_i64().expect("a count"), found["error_95"].as_i64().expect("an error"));
    assert!((value - wanted).abs() <= 3 * error, "{found} is not near {wanted}");
}

#[track_caller]
fn share_is_near(found: &Value, wanted: i64) {
    let (value, error) = (found["permille"].as_i64().expect("a share"), found["error_95"].as_i64().expect("an error"));
    assert!((value - wanted).abs() <= 3 * error, "{found} is not near {wanted}");
}

#[track_caller]
fn mean_is_near(found: &Value, wanted: f64) {
    let number = |name: &str| found[name].as_str().expect("a decimal").parse::<f64>().expect("a number");
    assert!((number("value") - wanted).abs() <= 3.0 * number("error_95"), "{found} is not near {wanted}");
}

fn mean_level(rows: impl Iterator<Item = i64>) -> f64 {
    let levels: Vec<i64> = rows.filter(|n| n % 5 != 4).map(level).collect();
    let (sum, count) = (levels.iter().sum::<i64>(), i64::try_from(levels.len()).expect("few"));
    f64::from(i32::try_from(sum).expect("small")) / 100.0 / f64::from(i32::try_from(count).expect("small"))
}

async fn named_for(app: &TestApp, trial: &Trial, audience: Audience) {
    let row = entity::listing::ActiveModel {
        id: sea_orm::ActiveValue::Set(trial.listing),
        audience: sea_orm::ActiveValue::Set(audience),
        ..Default::default()
    };
    app.write(async move |tx: &torv::db::Tx| {
        entity::listing::Entity::update(row.clone()).exec(tx.conn()).await.expect("changes");
    })
    .await;
}

on_both! {
    async fn each_kind_of_question_is_answered_from_all_rows(app) {
        let trial = Trial::new(app, &json!({})).await;
        let keys: Vec<String> = (1_500..2_500).map(|n| n.to_string()).collect();
        let answers = trial.answers(app, &json!([
            {"kind": "coverage", "columns": ["level"]},
            {"kind": "gaps", "time_column": "at", "step_seconds": 3_600},
            {"kind": "drift", "column": "level", "time_column": "at"},
            {"kind": "match", "column": "code", "keys": keys},
            {"kind": "aggregate", "sql": "SELECT station, COUNT(*), AVG(level) FROM readings WHERE code < 1800 GROUP BY station"},
            {"kind": "aggregate", "sql": "SELECT SUM(level), COUNT(level) FROM readings"},
        ])).await;
        is_near(&answers[0]["rows"], ROWS);
        share_is_near(&answers[0]["columns"][0]["nulls"], 200);

        assert_eq!(answers[1]["expected"], 90 * 24);
        is_near(&answers[1]["received"], ROWS);
        assert_eq!(answers[1]["missing"].as_i64(), Some(90 * 24 - answers[1]["received"]["value"].as_i64().expect("a count")));

        let months = answers[2]["months"].as_array().expect("months");
        let names: Vec<&Value> = months.iter().map(|month| &month["month"]).collect();
        assert_eq!(names, ["2026-01", "2026-02", "2026-03"]);
        is_near(&months[0]["rows"], 31 * 24);
        mean_is_near(&months[0]["mean"], mean_level(0..31 * 24));

        is_near(&answers[3]["matched"], 500);
        share_is_near(&answers[3]["rate"], 500);

        let groups = answers[4]["groups"].as_array().expect("groups");
        assert_eq!(groups.len(), 2, "{}", answers[4]);
        for (group, n) in groups.iter().zip([0, 1]) {
            assert_eq!(group["key"], json!([format!("gauge {n}")]));
            is_near(&group["figures"][0]["count"], 900);
            mean_is_near(&group["figures"][1]["measure"], mean_level((0..1_800).filter(|row| row % 2 == n)));
        }
        let figures = &answers[5]["groups"][0]["figures"];
        is_near(&figures[0]["count"], ROWS * 4 / 5);
        mean_is_near(&figures[1]["measure"], mean_level(0..ROWS) * 1_600.0);
    }

    async fn asking_again_gives_the_same_answer_to_everybody(app) {
        let trial = Trial::new(app, &json!({})).await;
        let first = trial.ask(app, &trial.buyer, &json!([counted(5)])).await.expect(201).json();
        assert_eq!((&first["questions"], &first["new_questions"]), (&json!(1), &json!(1)));
        let answer = |report: &Value| report["document"]["report"]["questions"][0]["answer"].clone();
        let other_words = json!([{"kind": "aggregate", "sql": "select count(*) from x where code>=5 and code >= 5;"}]);
        let again = trial.ask(app, &trial.buyer, &other_words).await.expect(201).json();
        assert_eq!((&again["new_questions"], answer(&again)), (&json!(0), answer(&first)));
        let other = app.buyer().await;
        let theirs = trial.ask(app, &other, &json!([counted(5)])).await.expect(201).json();
        assert_eq!((&theirs["new_questions"], answer(&theirs)), (&json!(1), answer(&first)), "two learn no more than one");
        // The same file again, in a new revision.
        app.table(trial.listing, 2, "readings.parquet", &crate::trials::readings(ROWS)).await;
        let later = trial.ask(app, &trial.buyer, &json!([counted(5)])).await.expect(201).json();
        assert_eq!((&later["revision_number"], &later["new_questions"]), (&json!(2), &json!(0)));
        assert_eq!(answer(&later), answer(&first));
        app.table(trial.listing, 3, "readings.parquet", &crate::trials::readings(ROWS - 1)).await;
        let changed = trial.ask(app, &trial.buyer, &json!([counted(5)])).await.expect(201).json();
        assert_eq!(changed["new_questions"], 1, "another table is another question");
    }

    async fn a_report_is_kept_and_signed_and_one_changed_byte_breaks_it(app) {
        let trial = Trial::new(app, &json!({})).await;
        let made = trial.ask(app, &trial.buyer, &json!([{"kind": "coverage"}, counted(1)])).await.expect(201);
        assert_eq!(made.header("location"), made.str("/url"));
        let file = app.as_org(&trial.buyer, "GET", &made.str("/url")).send().await.expect(200);
        assert_eq!(file.json(), made.json()["document"]);
        let protection = &file.json()["report"]["protection"];
        assert_eq!((&protection["epsilon_milli"], &protection["buyer_epsilon_milli"], &protection["listing_epsilon_milli"]), (&json!(200), &json!(2_000), &json!(3_000)));
        let keys = app.get("/api/v1/transparency/keys").await.expect(200).bytes;
        let trusted = torv_receipt::TrustedKeys::from_json(&keys).expect("keys");
        torv_receipt::verify_trial_report(&file.bytes, &trusted).expect("holds");
        for at in (0..file.bytes.len()).step_by(7) {
            let mut changed = file.bytes.clone();
            changed[at] ^= 1;
            torv_receipt::verify_trial_report(&changed, &trusted).expect_err("a changed byte");
        }
        app.as_org(&app.buyer().await, "GET", &made.str("/url")).send().await.expect(404);
        app.as_org(&trial.provider, "GET", &made.str("/url")).send().await.expect(404);
        let list = app.as_org(&trial.buyer, "GET", &trial.path("trial-reports")).send().await.expect(200).json();
        assert_eq!((list["items"].as_array().expect("items").len(), &list["items"][0]["id"]), (1, &made.json()["id"]));

        let path = |name: &str| app.home.path().join(name).to_str().expect("text").to_owned();
        for (name, bytes) in [("report.json", &file.bytes), ("torv-keys.json", &keys)] {
            std::fs::write(path(name), bytes).expect("writes");
        }
        let forged = String::from_utf8(file.bytes.clone()).expect("text").replace("\"min_group_size\":10", "\"min_group_size\":11");
        std::fs::write(path("forged.json"), forged).expect("writes");
        let verify = |name: &str| {
            let file = path(name);
            tokio::task::spawn_blocking(move || crate::support::process::run_torv(&["receipt", "verify", &file], &[], ""))
        };
        let said = verify("report.json").await.expect("runs");
        assert_eq!(said.code, Some(0), "{} {}", said.out, said.err);
        for words in ["The report holds.", "epsilon 200/1000 a question, 2000/1000 a buyer's budget of 30 days", "readings.parquet of lst_"] {
            assert!(said.out.contains(words), "{words}: {}", said.out);
        }
        let said = verify("forged.json").await.expect("runs");
        assert_eq!(said.code, Some(1), "{} {}", said.out, said.err);
        assert!(said.out.contains("The report does NOT hold: the signature does not hold for this report."), "{}", said.out);
    }

    async fn nothing_is_answered_unless_the_owner_switches_it_on(app) {
        let granted = app.granted(entity::states::Coverage::Snapshot, 1).await;
        let trial = Trial { provider: granted.provider, buyer: granted.buyer, listing: granted.listing };
        let shown = app.get(&trial.path("trial-policy")).await.expect(200).json();
        assert_eq!((&shown["enabled"], shown.get("questions_left")), (&json!(false), None));
        trial.ask(app, &trial.buyer, &json!([counted(1)])).await.expect(409);
        trial.allow(app, &policy(&json!({}))).await.expect(200);
        trial.ask(app, &trial.buyer, &json!([counted(1)])).await.expect(409);
        app.table(trial.listing, 1, "readings.parquet", &crate::trials::readings(ROWS)).await;
        trial.ask(app, &trial.buyer, &json!([counted(1)])).await.expect(201);
        trial.ask(app, &trial.provider, &json!([counted(1)])).await.expect(403);
        app.force_state(trial.listing, ListingState::Retired).await;
        trial.ask(app, &trial.buyer, &json!([counted(1)])).await.expect(409);
        app.force_state(trial.listing, ListingState::Published).await;
        trial.allow(app, &policy(&json!({"enabled": false}))).await.expect(200);
        trial.ask(app, &trial.buyer, &json!([counted(1)])).await.expect(409);
    }

    async fn a_listing_for_named_organisations_is_not_there_for_others(app) {
        let trial = Trial::new(app, &json!({})).await;
        named_for(app, &trial, Audience::Named).await;
        trial.ask(app, &trial.buyer, &json!([counted(1)])).await.expect(404);
        app.as_org(&trial.buyer, "GET", &trial.path("trial-policy")).send().await.expect(404);
        app.as_org(&trial.buyer, "GET", &trial.path("trial-reports")).send().await.expect(404);
        app.as_org(&trial.buyer, "GET", &trial.path("trial-usage")).send().await.expect(404);
        named_for(app, &trial, Audience::Public).await;
        trial.ask(app, &trial.buyer, &json!([counted(1)])).await.expect(201);
        app.as_org(&trial.buyer, "GET", &trial.path("trial-usage")).send().await.expect(404);
        app.as_org(&trial.buyer, "PUT", &trial.path("trial-policy")).json(&policy(&json!({}))).send().await.expect(404);
    }

    async fn what_can_not_be_asked_is_pointed_at(app) {
        let trial = Trial::new(app, &json!({"kinds": ["coverage", "aggregate", "match"]})).await;
        let keys = |count: i32| (0..count).map(|n| format!("k{n}")).collect::<Vec<_>>();
        for (questions, pointer) in [
            (json!([]), "/questions"),
            (json!((0..11).map(counted).collect::<Vec<_>>()), "/questions"),
            (json!([counted(1), {"kind": "coverage", "columns": ["secret"]}]), "/questions/1/columns"),
            (json!([{"kind": "coverage", "rows": true}]), "/questions/0"),
            (json!([{"kind": "everything"}]), "/questions/0/kind"),
            (json!([{"kind": "gaps", "time_column": "at", "step_seconds": 60}]), "/questions/0/kind"),
            (json!([{"kind": "match", "column": "station", "keys": keys(99)}]), "/questions/0/keys"),
            (json!([{"kind": "match", "column": "secret", "keys": keys(100)}]), "/questions/0/column"),
            (json!([{"kind": "aggregate", "sql": "SELECT * FROM readings"}]), "/questions/0/sql"),
            (json!([{"kind": "aggregate", "sql": "SELECT COUNT(*) FROM readings WHERE secret = 'withheld 1'"}]), "/questions/0/sql"),
        ] {
            let refused = trial.ask(app, &trial.buyer, &questions).await.expect(422);
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{questions}: {}", refused.text());
        }
        let request = app.as_org(&trial.buyer, "POST", &trial.path("trial-reports"));
        request.json(&json!({"questions": [counted(1)]})).send().await.expect(422);
        let request = app.as_org(&trial.buyer, "POST", &trial.path("trial-reports")).header("idempotency-key", "k");
        let refused = request.json(&json!({"file": "other", "questions": [counted(1)]})).send().await.expect(422);
        assert_eq!(refused.json()["errors"][0]["pointer"], "/file");
        let wide = trial.allow(app, &policy(&json!({"epsilon_milli": 1_000, "min_group_size": 2}))).await.expect(422);
        let errors = wide.json();
        let pointers: Vec<&Value> = errors["errors"].as_array().expect("errors").iter().map(|one| &one["pointer"]).collect();
        assert_eq!(pointers, ["/min_group_size", "/epsilon_milli"]);
        let left = app.as_org(&trial.buyer, "GET", &trial.path("trial-policy")).send().await.expect(200).json();
        assert_eq!(left["questions_left"], 10, "what is refused costs nothing");
    }

    async fn the_owner_sees_how_often_what_was_asked(app) {
        let trial = Trial::new(app, &json!({})).await;
        let other: TestOrg = app.buyer().await;
        trial.ask(app, &trial.buyer, &json!([counted(1), counted(2)])).await.expect(201);
        trial.ask(app, &other, &json!([counted(1), {"kind": "coverage"}])).await.expect(201);
        let seen = app.as_org(&trial.provider, "GET", &trial.path("trial-usage")).send().await.expect(200).json();
        let at = app.clock.now().format(&time::format_description::well_known::Rfc3339).expect("a time");
        assert_eq!(seen, json!({"kinds": [
            {"kind": "aggregate", "questions": 3, "organizations": 2, "last_asked_at": at},
            {"kind": "coverage", "questions": 1, "organizations": 1, "last_asked_at": at},
        ]}));
    }

    async fn the_database_refuses_to_change_what_was_answered(app) {
        let trial = Trial::new(app, &json!({})).await;
        trial.ask(app, &trial.buyer, &json!([counted(1)])).await.expect(201);
        let conn = app.home.connect().await;
        for statement in [
            "UPDATE trial_report SET document = ''", "DELETE FROM trial_question",
            "UPDATE trial_question SET cost_milli = 0", "DELETE FROM trial_report",
        ] {
            let refused = conn.execute_unprepared(statement).await.expect_err("append-only");
            assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
        }
        conn.close().await.expect("closes");
    }
}
