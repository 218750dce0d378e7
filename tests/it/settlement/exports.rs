use std::{path::Path, process::Command};

use entity::states::EntryKind;
use time::Duration;
use torv::{
    ledger::{self, Account, Line, NewEntry},
    settlement::exports::{Format, export_ledger},
};

use crate::support::{TestApp, on_both, sales::money};

/// Runs a program of the outside world; without it the test is skipped loudly at home and fails in CI.
fn accepted_by(program: &str, arguments: &[&str], file: &Path) -> Option<String> {
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

async fn export(app: &TestApp, format: Format) -> String {
    let mut text = Vec::new();
    let mut told = 0;
    let entries = export_ledger(&app.app, format, &mut text, |entries| told = entries).await.expect("exports");
    assert_eq!(told, entries);
    String::from_utf8(text).expect("text")
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

        // One minor unit off, and both refuse: their acceptance means something.
        let last = |text: &str, mark: &str| text.lines().rfind(|line| line.contains(mark)).expect("a balance").to_owned();
        let off = last(&beancount, " balance ");
        let changed = beancount.replace(&off, &off.replace(" ~ ", "1 ~ "));
        std::fs::write(&file, changed).expect("writes");
        let refused = Command::new("bean-check").arg(&file).output();
        assert!(refused.is_err() || refused.is_ok_and(|output| !output.status.success()));
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
        for format in [Format::Hledger, Format::Beancount, Format::Csv] {
            assert!(!export(app, format).await.is_empty());
        }
    }
}
