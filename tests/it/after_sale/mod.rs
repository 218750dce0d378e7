//! What happens after a sale: refunds, disputes, debts of providers, and all of it when things go wrong.

mod adversity;
mod bearers;
mod crash;
mod debts;
mod disputes;
mod doors;
mod reconciled;
mod refunds;
mod retries;
mod webhooks;

use entity::{
    dispute, grant,
    ids::OrderId,
    refund,
    states::{GrantState, ReversalState},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use time::Duration;
use torv::{
    base::Currency,
    ledger::{self, Account},
    settlement::verify::verify_all,
};

use crate::support::{
    Answer, TestApp, TestOrg,
    sales::{Sold, money},
};

pub fn eur() -> Currency {
    "EUR".parse().expect("in the table")
}

/// The actors of every case.
pub struct Square {
    pub provider: TestOrg,
    pub buyer: TestOrg,
    pub operator: TestOrg,
}

/// How far the provider's share of a sale has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Pending,
    Payable,
    PaidOut,
}

pub const STAGES: [Stage; 3] = [Stage::Pending, Stage::Payable, Stage::PaidOut];

pub async fn square(app: &TestApp) -> Square {
    Square { provider: app.provider().await, buyer: app.buyer().await, operator: app.operator().await }
}

impl Square {
    /// A sale of 100.01 EUR whose share has come that far, beside another sale that keeps the balance filled.
    pub async fn sold(&self, app: &TestApp, stage: Stage) -> Sold {
        let other = app.provider().await;
        app.sell(&other, &self.buyer, money(90_000, "EUR")).await;
        let sold = app.sell(&self.provider, &self.buyer, money(10_001, "EUR")).await;
        app.run_jobs().await;
        if stage != Stage::Pending {
            app.advance(Duration::days(8));
            app.run_jobs().await;
        }
        if stage == Stage::PaidOut {
            self.pay_out(app).await;
        }
        sold
    }

    /// Pays all providers what is due.
    pub async fn pay_out(&self, app: &TestApp) -> Value {
        let body = json!({"currency": "EUR", "minimum_minor": 1, "recipients": "providers"});
        let key = app.clock.now().unix_timestamp_nanos().to_string();
        let request = app.as_org(&self.operator, "POST", "/api/v1/payout-runs").header("idempotency-key", key);
        let run = request.json(&body).send().await.expect(201).json();
        app.run_jobs().await;
        app.advance(Duration::seconds(1));
        run
    }

    /// The operator gives an amount back; all that is left without one.
    pub async fn refund(&self, app: &TestApp, order: OrderId, minor: Option<i64>, key: &str) -> Answer {
        issue(app, &self.operator, order, minor, key).await
    }

    /// The provider takes everything out of its account at the processor.
    pub async fn drain(&self, app: &TestApp, minor: i64) {
        let account = app.app.payments.open_account(self.provider.id, "DK").await.expect("opens");
        app.sandbox.withdraw(&account, money(minor, "EUR")).await.expect("takes out");
    }
}

pub async fn issue(app: &TestApp, org: &TestOrg, order: OrderId, minor: Option<i64>, key: &str) -> Answer {
    let body = json!({"amount_minor": minor, "reason": "We are sorry."});
    let path = format!("/api/v1/orders/{order}/refunds/issue");
    app.as_org(org, "POST", &path).header("idempotency-key", key.replace(' ', "-")).json(&body).send().await
}

pub async fn ask(app: &TestApp, org: &TestOrg, order: OrderId, minor: Option<i64>, key: &str) -> Answer {
    let body = json!({"amount_minor": minor, "reason": "Half of it is missing."});
    let path = format!("/api/v1/orders/{order}/refunds");
    app.as_org(org, "POST", &path).header("idempotency-key", key.replace(' ', "-")).json(&body).send().await
}

pub async fn answer(app: &TestApp, org: &TestOrg, refund: &str, what: &str) -> Answer {
    let body = json!({"note": "We have looked into it."});
    app.as_org(org, "POST", &format!("/api/v1/refunds/{refund}/{what}")).json(&body).send().await
}

pub async fn balance(app: &TestApp, account: Account) -> i64 {
    ledger::balance(app.app.db.read(), &account, eur()).await.expect("sums").minor
}

/// Pending, payable, held and owed by the provider.
pub async fn stands(app: &TestApp, provider: &TestOrg) -> [i64; 4] {
    let id = provider.id;
    [
        -balance(app, Account::ProviderPending(id)).await,
        -balance(app, Account::ProviderPayable(id)).await,
        -balance(app, Account::ProviderDisputeHeld(id)).await,
        balance(app, Account::ProviderReceivable(id)).await,
    ]
}

pub async fn refunds_of(app: &TestApp, order: OrderId) -> Vec<refund::Model> {
    let query = refund::Entity::find().filter(refund::Column::OrderId.eq(order));
    query.all(app.app.db.read()).await.expect("reads")
}

pub async fn disputes_of(app: &TestApp, order: OrderId) -> Vec<dispute::Model> {
    let query = dispute::Entity::find().filter(dispute::Column::OrderId.eq(order));
    query.all(app.app.db.read()).await.expect("reads")
}

pub async fn reversals(app: &TestApp) -> Vec<(i64, ReversalState)> {
    let rows = entity::reversal::Entity::find().all(app.app.db.read()).await.expect("reads");
    rows.into_iter().map(|row| (row.amount_minor, row.state)).collect()
}

pub async fn is_open(app: &TestApp, order: OrderId) -> bool {
    let query = grant::Entity::find().filter(grant::Column::OrderId.eq(order));
    let grants = query.all(app.app.db.read()).await.expect("reads");
    grants.iter().any(|grant| grant.state == GrantState::Active)
}

/// Amounts of the processor's own lines of a kind.
pub async fn at_processor(app: &TestApp, kind: &str) -> Vec<i64> {
    let since = time::OffsetDateTime::UNIX_EPOCH;
    let page = app.app.payments.transactions(since, None, 5_000).await.expect("answers");
    page.transactions.iter().filter(|line| line.kind.as_str() == kind).map(|line| line.amount.minor).collect()
}

/// A dispute of a sale's charge at the sandbox.
pub async fn disputed(app: &TestApp, sold: &Sold, minor: i64) -> String {
    let charge = format!("ch_{}", sold.payment.0.simple());
    app.sandbox.dispute(&charge, money(minor, "EUR"), false).await.expect("disputes")
}

/// Everything that money promises holds.
pub async fn verified(app: &TestApp, context: &str) {
    let report = verify_all(&app.app, |_, _| {}).await.expect("reads");
    let found: Vec<_> = report.all_violations().collect();
    assert!(found.is_empty(), "{context}: {found:#?}");
}
