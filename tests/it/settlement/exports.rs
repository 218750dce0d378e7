use std::{path::Path, process::Command};

use entity::states::EntryKind;
use time::Duration;
use torv::{
    ledger::{self, Account, Line, NewEntry},
    settlement::exports::{Format, export_ledger},
};

use crate::support::{TestApp, on_both, sales::money};

/// Runs a program of the outside world; without it the test is skipped loudly at home and fails in CI.
pub fn accepted_by(program: &str, arguments: &[&str], file: &Path) -> Option<String> {
    let output = match Command::new(program).args(arguments).arg(file).output() {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "CI needs {program} on its PATH: {error}");
            eprintln!("\n!!! SKIPPED: {program} is not on the PATH; its half of this test did NOT run.\n");
            return None;
        }
    };
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{program} refuses the export: {said}");
    Some(said)
}

pub async fn export(app: &TestApp, format: Format) -> String {
    let mut text = Vec::new();
    let mut told = 0;
    let entries = export_ledger(&app.app, format, &mut text, |entries| told = entries).await.expect("exports");
    assert_eq!(told, entries);
    String::from_utf8(text).expect("text")
}

/// Decimal text in major units as minor units; every digit of the currency has to be there.
pub fn minor_of(text: &str, code: &str) -> i64 {
    let minor: i64 = text.replace('.', "").parse().unwrap_or_else(|_| panic!("{text} {code} is no amount"));
    assert_eq!(money(minor, code).major_text(), text);
    minor
}

/// The text with one asserted balance of the processor changed in its last digit.
fn one_unit_off(text: &str) -> String {
    let asserts = |line: &&str| line.contains(" = ") || line.contains(" balance ");
    let all: Vec<&str> = text.lines().filter(|line| line.contains("Assets:Processor")).filter(asserts).collect();
    let line = all[all.len() / 2];
    let digit = line.rfind(|c: char| c.is_ascii_digit()).expect("an amount");
    // Of beancount the last digit is the tolerance, which stands after the amount.
    let digit = line.find(" ~ ").map_or(digit, |tilde| tilde - 1);
    let other = if &line[digit..=digit] == "0" { "1" } else { "0" };
    text.replacen(line, &format!("{}{other}{}", &line[..digit], &line[digit + 1..]), 1)
}

/// Around 200 operations in three currencies: sales, imports, holds, payouts, time.
async fn a_busy_quarter(app: &TestApp) {
    let (one, two) = (app.provider().await, app.provider().await);
    let (buyer, operator) = (app.buyer().await, app.operator().await);
    let mut seed = 42_u64;
    for round in 0..24 {
        for _ in 0..8 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let currency = ["EUR", "JPY", "KWD"][usize::try_from(seed >> 40).expect("fits") % 3];
            let provider = if seed >> 50 & 1 == 0 { &one } else { &two };
            let minor = i64::try_from(seed >> 33).expect("fits") % 99_999 + 1;
            app.sell(provider, &buyer, money(minor, currency)).await;
            app.advance(Duration::hours(1));
        }
        app.advance(Duration::days(3));
        app.run_jobs().await;
        let currency = ["EUR", "JPY", "KWD"][round % 3];
        let body = serde_json::json!({"currency": currency, "minimum_minor": 1, "recipients": "both"});
        let request = app.as_org(&operator, "POST", "/api/v1/payout-runs").header("idempotency-key", round.to_string());
        request.json(&body).send().await.expect(201);
    }
    app.run_jobs().await;
    hostile_entry(app).await;
}

/// An entry whose texts try to break out of every format.
async fn hostile_entry(app: &TestApp) {
    let suspense = Account::Suspense("re\"serve".to_owned());
    let accounts = [suspense.clone(), Account::ProcessorAvailable].map(|account| (account, money(1, "EUR").currency));
    ledger::open_accounts(&app.app, &accounts).await.expect("opens");
    let now = app.clock.now();
    let entry = NewEntry {
        kind: EntryKind::Suspense,
        source: "evil;\"\\ |\n2026-01-01 * x".to_owned(),
        effective_at: now,
        memo: Some("=1+1,\"a\nb\", ; \\".to_owned()),
        lines: vec![Line::debit(Account::ProcessorAvailable, money(5, "EUR")), Line::credit(suspense, money(5, "EUR"))],
    };
    app.write(async move |tx: &torv::db::Tx| ledger::post(tx, vec![entry], now).await.expect("books")).await;
}

on_both! {
    async fn strangers_accept_the_books_of_a_busy_quarter(app) {
        a_busy_quarter(app).await;
        let journal = export(app, Format::Hledger).await;
        let file = app.home.path().join("ledger.journal");
        std::fs::write(&file, &journal).expect("writes");
        accepted_by("hledger", &["check", "--strict", "ordereddates", "-f"], &file);
        let beancount = export(app, Format::Beancount).await;
        let file = app.home.path().join("ledger.beancount");
        std::fs::write(&file, &beancount).expect("writes");
        accepted_by("bean-check", &[], &file);

        let ledger = export(app, Format::Ledger).await;
        let ledger_file = app.home.path().join("ledger.ledger");
        std::fs::write(&ledger_file, &ledger).expect("writes");
        accepted_by("ledger", &["--strict", "--pedantic", "balance", "-f"], &ledger_file);

        // One minor unit off in one balance of a day in the middle, and each refuses: their acceptance means something.
        for (program, arguments, text, ending) in [
            ("hledger", &["check", "-f"][..], &journal, "off.journal"),
            ("ledger", &["balance", "-f"], &ledger, "off.ledger"),
            ("bean-check", &[], &beancount, "off.beancount"),
        ] {
            let file = app.home.path().join(ending);
            std::fs::write(&file, one_unit_off(text)).expect("writes");
            let refused = Command::new(program).args(arguments).arg(&file).output();
            assert!(refused.is_err() || refused.is_ok_and(|output| !output.status.success()), "{program}");
        }
    }

    async fn the_csv_has_every_posting_and_sums_to_zero_per_currency(app) {
        a_busy_quarter(app).await;
        let text = export(app, Format::Csv).await;
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let mut sums = std::collections::BTreeMap::<String, i64>::new();
        let mut rows = 0;
        for record in reader.deserialize::<std::collections::BTreeMap<String, String>>() {
            let record = record.expect("well-formed");
            let minor: i64 = record["amount_minor"].parse().expect("a number");
            assert_eq!(money(minor, &record["currency"]).major_text(), record["amount"]);
            *sums.entry(record["currency"].clone()).or_default() += minor;
            rows += 1;
        }
        assert_eq!(sums.into_iter().collect::<Vec<_>>(), ["EUR", "JPY", "KWD"].map(|code| (code.to_owned(), 0)));
        let report = ledger::verify::verify(app.app.db.read(), |_| {}).await.expect("reads");
        assert_eq!(rows, report.postings);
    }

    async fn the_journals_for_finance_programs_balance_one_by_one_and_run_no_formula(app) {
        a_busy_quarter(app).await;
        let text = export(app, Format::Xero).await;
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let mut sums = std::collections::BTreeMap::<(String, String), i64>::new();
        let mut rows = 0;
        for record in reader.deserialize::<std::collections::BTreeMap<String, String>>() {
            let record = record.expect("well-formed");
            let code = record["TrackingOption1"].clone();
            let minor = minor_of(&record["*Amount"], &code);
            *sums.entry((record["*Narration"].clone(), code)).or_default() += minor;
            assert!(record.values().all(|cell| !cell.starts_with(['=', '+', '@'])), "{record:?}");
            rows += 1;
        }
        assert!(sums.values().all(|sum| *sum == 0), "{sums:?}");
        let report = ledger::verify::verify(app.app.db.read(), |_| {}).await.expect("reads");
        assert_eq!(rows, report.postings);
    }

    async fn the_export_is_streamed_to_the_operator_alone(app) {
        let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        app.sell(&provider, &buyer, money(500, "JPY")).await;
        let path = "/api/v1/settlement/ledger-export?format=beancount";
        let answer = app.as_org(&operator, "GET", path).send().await.expect(200);
        assert_eq!(answer.text(), export(app, Format::Beancount).await);
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"ledger.beancount\"");
        app.as_org(&provider, "GET", path).send().await.expect(403);
        app.as_org(&operator, "GET", "/api/v1/settlement/ledger-export?format=xls").send().await.expect(422);
    }

    async fn an_empty_ledger_is_a_valid_export(app) {
        for format in [Format::Hledger, Format::Beancount, Format::Ledger, Format::Csv, Format::Xero] {
            assert!(!export(app, format).await.is_empty());
        }
    }
}
