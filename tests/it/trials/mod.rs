//! Questions about the real rows before paying.

mod answers;
mod budgets;
mod secrecy;

use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestOrg, parquet};

/// Rows of the table.
const ROWS: i64 = 2_000;
/// 2026-01-01T00:00:00Z in microseconds.
const START: i64 = 1_767_225_600_000_000;

/// 2,000 readings, one an hour from 2026 on, of two stations, a fifth without a level; 100 rows to a row group.
fn readings(rows: i64) -> Vec<u8> {
    let each = 0..rows;
    let levels = each.clone().map(|n| (n % 5 != 4).then(|| i128::from(level(n)))).collect::<Decimal128Array>();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("code", Arc::new(Int64Array::from_iter_values(each.clone()))),
        ("station", Arc::new(each.clone().map(|n| Some(format!("gauge {}", n % 2))).collect::<StringArray>())),
        ("level", Arc::new(levels.with_precision_and_scale(10, 2).expect("a decimal"))),
        (
            "at",
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(each.map(|n| START + n * 3_600_000_000))
                    .with_timezone("UTC"),
            ),
        ),
        ("secret", Arc::new((0..rows).map(|n| Some(format!("withheld {n}"))).collect::<StringArray>())),
    ];
    parquet(columns, 100, None)
}

/// Hundredths of the level of a row.
fn level(n: i64) -> i64 {
    n % 400
}

/// What the owner allows, with some values replaced.
fn policy(changes: &Value) -> Value {
    let mut policy = json!({
        "enabled": true, "questions_max": 10, "listing_questions_max": 15, "epsilon_milli": 200, "min_group_size": 10,
        "columns": [
            {"name": "code"}, {"name": "station"}, {"name": "level", "range": {"lower": "0", "upper": "4"}},
            {"name": "at", "range": {"lower": "2026-01-01", "upper": "2026-04-01"}},
        ],
    });
    for (key, value) in changes.as_object().expect("an object") {
        policy[key] = value.clone();
    }
    policy
}

/// A listing with one table about which questions are answered.
struct Trial {
    provider: TestOrg,
    buyer: TestOrg,
    listing: entity::ids::ListingId,
}

impl Trial {
    async fn new(app: &TestApp, changes: &Value) -> Self {
        let granted = app.granted(entity::states::Coverage::Snapshot, 1).await;
        app.table(granted.listing, 1, "readings.parquet", &readings(ROWS)).await;
        let trial = Self { provider: granted.provider, buyer: granted.buyer, listing: granted.listing };
        trial.allow(app, &policy(changes)).await.expect(200);
        trial
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/listings/{}/{rest}", self.listing)
    }

    async fn allow(&self, app: &TestApp, policy: &Value) -> Answer {
        app.as_org(&self.provider, "PUT", &self.path("trial-policy")).json(policy).send().await
    }

    /// Asks these questions under a key of their own.
    async fn ask(&self, app: &TestApp, buyer: &TestOrg, questions: &Value) -> Answer {
        self.ask_once(app, buyer, questions, &entity::ids::JobId::at(app.clock.now()).to_string()).await
    }

    async fn ask_once(&self, app: &TestApp, buyer: &TestOrg, questions: &Value, key: &str) -> Answer {
        let request = app.as_org(buyer, "POST", &self.path("trial-reports")).header("idempotency-key", key);
        request.json(&json!({"questions": questions})).send().await
    }

    /// The answers of a report.
    async fn answers(&self, app: &TestApp, questions: &Value) -> Vec<Value> {
        let report = self.ask(app, &self.buyer, questions).await.expect(201).json();
        let answered = report["document"]["report"]["questions"].as_array().expect("questions").clone();
        answered.into_iter().map(|one| one["answer"].clone()).collect()
    }
}

/// A question that is another one for each `n`.
fn counted(n: i64) -> Value {
    json!({"kind": "aggregate", "sql": format!("SELECT COUNT(*) FROM readings WHERE code >= {n}")})
}
