//! Files are brought in whole or not at all, once, whatever happens in between.

use entity::{
    bank_import, bank_line,
    states::{BankImportState, BankLineState},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde_json::json;
use time::{Duration, macros::date};

use super::{
    records::{Written, bank_line as entry, statement},
    writers::Entry,
};
use crate::support::{TestApp, TestOrg, on_both, sales::money};

fn days(count: i64) -> Vec<Entry> {
    let day = |number: i64| date!(2026 - 11 - 02) + Duration::days(number % 10);
    let mut lines: Vec<Entry> = (0..count)
        .map(|number| {
            entry(day(number), 100 + number, &format!("B{number}"), Some(&format!("E2E-{number}")), "Transfer")
        })
        .collect();
    lines.sort_by_key(|line| line.booking_date);
    lines
}

/// More lines than are booked in one transaction.
const LONG: u64 = 2_400;

/// Every hundredth is explained by nothing, four settle three payouts, one of them twice, and the others are charges.
fn long() -> Vec<Entry> {
    let day = date!(2026 - 11 - 03);
    let line = |number: u64| {
        let reference = format!("B{number}");
        let payout = [(1, 0), (1_201, 1), (50, 2), (2_350, 2)].into_iter().find(|(line, _)| *line == number);
        match payout {
            Some((_, payout)) => {
                entry(day, 70_001 + payout, &reference, Some(&format!("po_{payout}_reference")), "Payout")
            }
            None if number.is_multiple_of(100) => entry(day, 4_200, &reference, None, "A transfer of somebody"),
            None => entry(day, -250, &reference, None, "Monthly fee"),
        }
    };
    (0..LONG).map(line).collect()
}

async fn count_in(app: &TestApp, state: BankLineState) -> u64 {
    let lines = bank_line::Entity::find().filter(bank_line::Column::State.eq(state));
    lines.count(app.app.db.read()).await.expect("counts")
}

async fn stored(app: &TestApp) -> u64 {
    bank_line::Entity::find().count(app.app.db.read()).await.expect("counts")
}

async fn seen(app: &TestApp, operator: &TestOrg) -> usize {
    let answer = app.as_org(operator, "GET", "/api/v1/settlement/bank-lines?limit=100").send().await.expect(200);
    answer.json()["items"].as_array().expect("items").len()
}

on_both! {
    async fn a_file_that_comes_again_or_overlaps_adds_only_what_is_new(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let first = statement(Written::Camt08, 0, &days(30)[..20]);
        let made = app.import_statement(&operator, first.clone()).await.expect(201).json();
        assert_eq!((made["lines_new"].as_i64(), made["lines_known"].as_i64(), &made["format"]), (Some(20), Some(0), &json!("camt053")));
        let again = app.import_statement(&operator, first).await.expect(201).json();
        assert_eq!((again["lines_new"].as_i64(), again["lines_known"].as_i64()), (Some(0), Some(20)));
        let same_in_mt940 = statement(Written::Mt940, 0, &days(30));
        let wider = app.import_statement(&operator, same_in_mt940).await.expect(201).json();
        assert_eq!((wider["lines_new"].as_i64(), wider["lines_known"].as_i64(), &wider["format"]), (Some(10), Some(20), &json!("mt940")));
        app.run_jobs().await;
        assert_eq!(seen(app, &operator).await, 30);
        assert_eq!(app.exceptions(&operator, "&class=unexplained_bank_line").await.len(), 30);
        assert_eq!(app.exceptions(&operator, "&class=statement_gap").await.len(), 0);
    }

    async fn a_file_that_does_not_hold_changes_nothing_and_says_where(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let good = String::from_utf8(statement(Written::Mt940, 0, &days(5))).expect("text");
        let camt = String::from_utf8(statement(Written::Camt08, 0, &days(5))).expect("text");
        let closing = good.lines().find(|line| line.starts_with(":62F:")).expect("a closing balance");
        let cases = [
            ("wrong total", good.replace(closing, ":62F:C260131EUR1,00"), "line"),
            ("truncated", camt[..camt.len() / 2].to_owned(), "line"),
            ("foreign currency", good.replace("EUR", "USD"), "in USD"),
            ("unknown account", good.replace("DK5000400440116243", "DE88990000010000004711"), "Open that account first"),
            ("malformed", good.replace(":61:", ":61:x"), "line"),
            ("no statement", "%PDF-1.7 nothing to read".to_owned(), "camt.053"),
        ];
        for (what, file, says) in cases {
            let answer = app.import_statement(&operator, file.into_bytes()).await.expect(422);
            assert!(answer.str("/detail").contains(says), "{what}: {}", answer.text());
        }
        assert_eq!(stored(app).await, 0);
        assert_eq!(bank_import::Entity::find().count(app.app.db.read()).await.expect("counts"), 0);
        let path = "/api/v1/settlement/bank-statements";
        let table = statement(Written::Csv, 0, &days(2));
        app.as_org(&operator, "POST", path).body(table).send().await.expect(422);
        app.as_org(&operator, "POST", &format!("{path}?account=nobody")).body(good).send().await.expect(422);
    }

    async fn an_import_survives_every_crash_and_is_never_half_seen(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let file = statement(Written::Camt02, 0, &days(40));
        let mut at = 0;
        loop {
            app.app.db.faults().arm(at);
            let answer = app.import_statement(&operator, file.clone()).await;
            let (steps, failed) = app.app.db.faults().disarm();
            let shown = seen(app, &operator).await;
            assert!(shown == 0 || shown == 40, "{shown} lines after {:?}", steps.get(at));
            if !failed {
                answer.expect(201);
                break;
            }
            at += 1;
            app.advance(Duration::minutes(2));
        }
        assert!(at >= 8, "{at} steps");
        app.advance(Duration::minutes(2));
        app.run_jobs().await;
        assert_eq!((seen(app, &operator).await, stored(app).await), (40, 40));
        let left: Vec<_> = bank_import::Entity::find().all(app.app.db.read()).await.expect("reads");
        assert!(left.iter().all(|row| matches!(row.state, BankImportState::Imported | BankImportState::Removed)), "{left:?}");
    }

    async fn what_a_killed_import_left_is_removed_before_the_next(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        // Killed after the rows were written: neither the end nor the removal happens.
        let file = statement(Written::Camt02, 0, &days(40));
        app.app.db.faults().arm(6);
        app.import_statement(&operator, file.clone()).await;
        app.app.db.faults().disarm();
        app.write(async |tx| {
            use sea_orm::ConnectionTrait as _;
            let sql = "UPDATE bank_import SET state = 'importing' WHERE state <> 'imported'";
            tx.conn().execute_unprepared(sql).await.expect("updates");
            let sql = "UPDATE bank_account SET importing = (SELECT id FROM bank_import WHERE state = 'importing')";
            tx.conn().execute_unprepared(sql).await.expect("updates");
        }).await;
        assert_eq!(seen(app, &operator).await, 0);
        app.import_statement(&operator, file.clone()).await.expect(409);
        app.advance(Duration::minutes(2));
        let made = app.import_statement(&operator, file).await.expect(201).json();
        assert_eq!(made["lines_new"], 40);
        assert_eq!((seen(app, &operator).await, stored(app).await), (40, 40));
    }

    async fn two_processes_with_the_same_file_bring_it_in_once(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let sibling = app.sibling().await;
        let file = statement(Written::Camt08, 0, &days(90));
        let (one, other) = tokio::join!(app.import_statement(&operator, file.clone()), sibling.import_statement(&operator, file));
        for answer in [&one, &other] {
            assert!(matches!(answer.status, 201 | 409), "{}", answer.text());
        }
        assert!(one.status == 201 || other.status == 201);
        assert_eq!(stored(app).await, 90);
        let (one, other) = tokio::join!(torv::jobs::run_until_quiet(&app.app), torv::jobs::run_until_quiet(&sibling.app));
        one.expect("quiet");
        other.expect("quiet");
        app.run_jobs().await;
        assert_eq!(app.exceptions(&operator, "&class=unexplained_bank_line").await.len(), 90);
    }

    async fn booking_survives_every_crash(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let at = time::macros::datetime!(2026-11-02 10:00 UTC);
        for (number, minor) in [(1, 500), (2, 700), (3, 900)] {
            app.sent_payout(&operator, &format!("po_{number}_reference"), money(minor, "EUR"), at).await;
        }
        let day = date!(2026 - 11 - 03);
        let lines = [
            entry(day, 500, "B1", Some("po_1_reference"), "Payout"),
            entry(day, 1_600, "B2", None, "Payout"),
            entry(day, 42, "B3", None, "Unknown"),
            entry(day, -250, "B4", None, "Monthly fee"),
        ];
        app.import_statement(&operator, statement(Written::Camt08, 0, &lines)).await.expect(201);
        let mut at = 0;
        loop {
            app.app.db.faults().arm(at);
            let _ = torv::jobs::run_until_quiet(&app.app).await;
            let (_, failed) = app.app.db.faults().disarm();
            app.assert_ledger_is_clean("a crash while booking").await;
            at += 1;
            if !failed { break }
            assert!(at < 500, "booking has no end");
        }
        app.run_jobs().await;
        let open = app.exceptions(&operator, "&state=open").await;
        assert_eq!(open.len(), 1, "{open:#?}");
        assert_eq!(open[0]["amount_minor"], 42);
    }

    async fn a_statement_longer_than_a_batch_is_booked_whole_whatever_crashes(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let at = time::macros::datetime!(2026-11-02 10:00 UTC);
        for (number, minor) in [(0, 70_001), (1, 70_002), (2, 70_003)] {
            app.sent_payout(&operator, &format!("po_{number}_reference"), money(minor, "EUR"), at).await;
        }
        let file = statement(Written::Camt08, 0, &long());
        let made = app.import_statement(&operator, file.clone()).await.expect(201);
        assert_eq!(made.json()["lines_new"], LONG);
        let path = format!("/api/v1/settlement/bank-statements/{}", made.str("/id"));
        let mut at = 0;
        loop {
            app.app.db.faults().arm(at);
            let _ = torv::jobs::run_until_quiet(&app.app).await;
            let (_, failed) = app.app.db.faults().disarm();
            at += 1;
            let is_booked = !app.as_org(&operator, "GET", &path).send().await.expect(200).json()["booked_at"].is_null();
            let waiting = count_in(app, BankLineState::Imported).await + count_in(app, BankLineState::Undecided).await;
            assert!(!is_booked || waiting == 0, "{waiting} lines wait of a statement that is booked");
            if !failed { break }
            assert!(at < 500, "booking has no end");
        }
        let of = async |class: &str| app.exceptions(&operator, &format!("&class={class}")).await.len();
        assert_eq!((of("unexplained_bank_line").await, of("duplicate_bank_line").await), (24, 1));
        let (matched, suspense) = (count_in(app, BankLineState::Matched).await, count_in(app, BankLineState::Suspense).await);
        assert_eq!((matched, suspense), (LONG - 25, 25));
        app.assert_ledger_is_clean("a long statement").await;
        let again = app.import_statement(&operator, file).await.expect(201).json();
        assert_eq!((&again["lines_new"], &again["lines_known"]), (&json!(0), &json!(LONG)));
        app.run_jobs().await;
        assert_eq!((of("unexplained_bank_line").await, of("duplicate_bank_line").await), (24, 1));
    }
}
