//! The money feed: every posting once, whatever commits when; two times; files of any range.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use entity::{posting, sealed_entry, states::EntryKind};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};
use time::Duration;
use torv::ledger::{self, Account, Line, NewEntry, seal};

use crate::support::{TestApp, TestOrg, on_both, sales::money};

async fn feed(app: &TestApp, org: &TestOrg, query: &str) -> Value {
    app.as_org(org, "GET", &format!("/api/v1/settlement/feed{query}")).send().await.expect(200).json()
}

/// Every row from a cursor on, page by page, and the last cursor.
async fn follow(app: &TestApp, org: &TestOrg, mut cursor: Option<String>, limit: u32) -> (Vec<Value>, Option<String>) {
    let mut rows = Vec::new();
    loop {
        let from = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = feed(app, org, &format!("?limit={limit}{from}")).await;
        let items = page["items"].as_array().expect("items").clone();
        cursor = page["next_cursor"].as_str().map(str::to_owned).or(cursor);
        if items.is_empty() {
            return (rows, cursor);
        }
        rows.extend(items);
    }
}

fn key(row: &Value) -> String {
    format!("{}:{}", row["entry_id"].as_str().expect("an id"), row["seq"])
}

fn query_time(at: time::OffsetDateTime) -> String {
    json!(entity::Timestamp(at)).as_str().expect("a time").replace('+', "%2B")
}

/// Books `count` entries, one after the other, in transactions of their own.
async fn book(app: &torv::AppState, name: &str, count: usize) {
    let amount = money(7, "EUR");
    let accounts = [Account::ProcessorFees, Account::ProcessorAvailable].map(|account| (account, amount.currency));
    ledger::open_accounts(app, &accounts).await.expect("opens");
    for number in 0..count {
        let now = app.clock.now();
        let entry = NewEntry {
            kind: EntryKind::ProcessorFee,
            source: format!("test:{name}:{number}"),
            effective_at: now - Duration::days(1),
            memo: None,
            lines: vec![Line::debit(Account::ProcessorFees, amount), Line::credit(Account::ProcessorAvailable, amount)],
        };
        app.db
            .write("test.book", move |tx| {
                let entry = entry.clone();
                async move {
                    ledger::post(&tx, vec![entry], now).await?;
                    // Some transactions stay open after their ids were given out.
                    if number % 3 == 0 {
                        tokio::task::yield_now().await;
                    }
                    Ok(((), tx))
                }
            })
            .await
            .expect("books");
    }
}

on_both! {
    async fn every_posting_is_one_row_and_sums_to_zero(app) {
        let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        assert_eq!(feed(app, &operator, "").await, json!({"items": []}));
        for minor in [10_001, 250, 9] {
            app.sell(&provider, &buyer, money(minor, "EUR")).await;
        }
        app.run_jobs().await;
        app.advance(Duration::days(8));
        app.run_jobs().await;
        let (rows, cursor) = follow(app, &operator, None, 3).await;
        let postings = posting::Entity::find().count(app.app.db.read()).await.expect("counts");
        assert_eq!(rows.len() as u64, postings);
        assert_eq!(rows.iter().map(key).collect::<BTreeSet<_>>().len() as u64, postings, "none twice");
        assert_eq!(rows.iter().map(|row| row["amount_minor"].as_i64().expect("a number")).sum::<i64>(), 0);
        let sale = rows.iter().find(|row| row["kind"] == "sale" && row["account"] == "commission").expect("a sale");
        assert_eq!((&sale["class"], &sale["currency"]), (&json!("income"), &json!("EUR")));
        let (none, same) = follow(app, &operator, cursor.clone(), 3).await;
        assert_eq!((none, &same), (vec![], &cursor), "the cursor at the end stays good");
        app.sell(&provider, &buyer, money(5, "EUR")).await;
        app.run_jobs().await;
        assert!(!follow(app, &operator, cursor, 3).await.0.is_empty());
        for wrong in ["?limit=0", "?limit=1001", "?cursor=x", "?as_of=2999-01-01T00:00:00Z", "?unknown=1"] {
            app.as_org(&operator, "GET", &format!("/api/v1/settlement/feed{wrong}")).send().await.expect(422);
        }
    }

    async fn others_read_their_own_accounts_alone(app) {
        let (one, two) = (app.provider().await, app.provider().await);
        let (buyer, operator) = (app.buyer().await, app.operator().await);
        app.sell(&one, &buyer, money(10_001, "EUR")).await;
        app.sell(&two, &buyer, money(777, "EUR")).await;
        app.run_jobs().await;
        let (rows, _) = follow(app, &one, None, 10).await;
        assert_eq!(rows.len(), 1);
        assert_eq!((&rows[0]["amount"], &rows[0]["organization_id"]), (&json!("-80.01"), &json!(one.id)));
        assert!(follow(app, &operator, None, 10).await.0.len() > 6);
        let file = app.as_org(&one, "GET", "/api/v1/settlement/feed/file").send().await.expect(200).text();
        assert_eq!(file.lines().count(), 2);
        assert_eq!(follow(app, &buyer, None, 10).await.0.len(), 0);
    }

    async fn what_was_known_by_a_time_is_told_apart_from_when_it_happened(app) {
        let operator = app.operator().await;
        let start = app.clock.now();
        book(&app.app, "early", 1).await;
        app.advance(Duration::days(3));
        book(&app.app, "late", 1).await;
        app.run_jobs().await;
        let count = async |query: String| feed(app, &operator, &query).await["items"].as_array().map(Vec::len);
        let at = |days: i64| query_time(start + Duration::days(days));
        assert_eq!(count(format!("?as_of={}", at(0))).await, Some(2), "booked at this very time");
        assert_eq!(count(format!("?as_of={}", at(2))).await, Some(2));
        assert_eq!(count(format!("?as_of={}", at(3))).await, Some(4));
        assert_eq!(count(format!("?booked_from={}", at(1))).await, Some(2));
        assert_eq!(count(format!("?effective_from={}&effective_until={}", at(-1), at(0))).await, Some(2));
        assert_eq!(count(format!("?effective_until={}", at(2))).await, Some(2));
        assert_eq!(count(format!("?as_of={}&effective_from={}", at(2), at(2))).await, Some(0), "not known yet");
        let wrong = format!("/api/v1/settlement/feed?booked_from={}&as_of={}", at(2), at(1));
        app.as_org(&operator, "GET", &wrong).send().await.expect(422);
    }

    /// Four processes book, with their ids given out before they commit, two seal, and a reader follows.
    async fn a_reader_misses_nothing_that_is_committed_late(app) {
        const WRITERS: usize = 4;
        const ENTRIES: usize = 60;
        let operator = app.operator().await;
        let siblings = [app.sibling().await, app.sibling().await, app.sibling().await, app.sibling().await];
        let over = AtomicBool::new(false);
        let write = async {
            let writers = siblings.iter().enumerate().map(|(at, sibling)| book(&sibling.app, ["a", "b", "c", "d"][at], ENTRIES));
            futures::future::join_all(writers).await;
            over.store(true, Ordering::SeqCst);
        };
        let sealer = async |app: &torv::AppState| {
            while !over.load(Ordering::SeqCst) {
                seal::seal_new_entries(app).await.expect("seals");
                tokio::task::yield_now().await;
            }
        };
        let read = async {
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let last = over.load(Ordering::SeqCst);
                if last {
                    seal::seal_new_entries(&app.app).await.expect("seals");
                }
                let (rows, next) = follow(app, &operator, cursor, 7).await;
                seen.extend(rows.iter().map(key));
                cursor = next;
                if last {
                    return seen;
                }
            }
        };
        let ((), (), (), seen) = tokio::join!(write, sealer(&siblings[0].app), sealer(&siblings[1].app), read);
        let seals = sealed_entry::Entity::find().all(app.app.db.read()).await.expect("reads");
        let seals = seals.iter().map(|row| row.seal_number).max().expect("some");
        assert!(seals > 3, "only {seals} seals: the reader had nothing to miss");
        assert_eq!(seen.len(), WRITERS * ENTRIES * 2);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "none twice");
    }

    async fn a_file_holds_the_same_rows_in_either_format(app) {
        let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        app.sell(&provider, &buyer, money(10_001, "EUR")).await;
        // More than one piece of the download.
        book(&app.app, "many", 1_200).await;
        app.run_jobs().await;
        let (rows, _) = follow(app, &operator, None, 1_000).await;
        let csv = app.as_org(&operator, "GET", "/api/v1/settlement/feed/file?format=csv").send().await.expect(200);
        assert_eq!(csv.header("content-disposition"), "attachment; filename=\"money-feed.csv\"");
        let mut reader = csv::Reader::from_reader(csv.bytes.as_slice());
        let names: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        assert_eq!((names.len(), names[0].as_str(), names[15].as_str()), (16, "seal_number", "memo"));
        let mut count = 0;
        for (record, row) in reader.records().zip(&rows) {
            for (cell, name) in record.expect("well-formed").iter().zip(&names) {
                let told = match &row[name] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                assert_eq!(cell, told, "{name}");
            }
            count += 1;
        }
        assert_eq!(count, rows.len());

        let answer = app.as_org(&operator, "GET", "/api/v1/settlement/feed/file?format=parquet").send().await.expect(200);
        assert_eq!(answer.header("content-type"), "application/vnd.apache.parquet");
        let parquet = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(answer.bytes)).expect("a Parquet file");
        assert!(parquet.metadata().num_row_groups() > 1, "written piece by piece");
        let fields: Vec<String> = parquet.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(fields, names);
        let batches: Vec<_> = parquet.build().expect("reads").map(|batch| batch.expect("a batch")).collect();
        let mut amounts = Vec::new();
        for batch in &batches {
            let column = batch.column_by_name("amount_minor").expect("amounts");
            let column = column.as_any().downcast_ref::<arrow_array::Int64Array>().expect("64 bits");
            amounts.extend(column.values().iter().copied());
        }
        let told: Vec<i64> = rows.iter().map(|row| row["amount_minor"].as_i64().expect("a number")).collect();
        assert_eq!(amounts, told);
    }

    async fn an_empty_range_is_a_whole_file(app) {
        let operator = app.operator().await;
        let csv = app.as_org(&operator, "GET", "/api/v1/settlement/feed/file").send().await.expect(200).text();
        assert_eq!(csv.lines().count(), 1);
        let parquet = app.as_org(&operator, "GET", "/api/v1/settlement/feed/file?format=parquet").send().await.expect(200);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(parquet.bytes)).expect("a Parquet file");
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}
