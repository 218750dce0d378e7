//! Webhooks of refunds and disputes in any order, repeated or lost, give the same books.

use std::collections::BTreeMap;

use torv::ledger;

use super::{Stage, disputed, square, verified};
use crate::support::{Backend, Delivery, Home, TestApp};

/// What happens: a refund in parts, one that comes back, a dispute that is won and one that is lost.
/// Returns what every account amounts to, with the organisations' ids left out.
async fn story(backend: Backend, how: Delivery) -> Option<BTreeMap<(String, String), i64>> {
    let home = Home::fresh(backend).await?;
    let app = TestApp::start(home, |_| {}).await;
    let square = square(&app).await;
    let mut sales = Vec::new();
    for stage in [Stage::Payable, Stage::PaidOut, Stage::PaidOut, Stage::Pending] {
        sales.push(square.sold(&app, stage).await);
    }
    square.refund(&app, sales[0].order, Some(3_333), "part").await.expect(201);
    square.refund(&app, sales[3].order, None, "whole").await.expect(201);
    let row = super::refunds_of(&app, sales[3].order).await.remove(0);
    app.sandbox.return_refund(row.processor_ref.as_deref().expect("taken")).await.expect("comes back");
    for (sold, is_won) in [(&sales[1], true), (&sales[2], false)] {
        let at_bank = disputed(&app, sold, 10_001).await;
        app.run_jobs().await;
        app.sandbox.decide_dispute(&at_bank, is_won).await.expect("decides");
    }
    app.deliver_webhooks(how).await;
    app.run_jobs().await;
    // Long enough that polling asks about what no webhook told.
    app.let_time_heal().await;
    verified(&app, &format!("{how:?}")).await;
    let all = ledger::balances(app.app.db.read(), None).await.expect("sums");
    let mut sums = BTreeMap::new();
    for row in all.into_iter().filter(|row| !row.balance.is_zero()) {
        let code = row.organization_id.map_or(row.code.clone(), |org| row.code.replace(&org.to_string(), "*"));
        *sums.entry((code, row.balance.currency.to_string())).or_default() += row.balance.minor;
    }
    Some(sums)
}

async fn same_in_any_order(backend: Backend) {
    let Some(in_order) = story(backend, Delivery::InOrder).await else { return };
    for seed in 0..4 {
        for how in [Delivery::Shuffled { seed, copies: 5 }, Delivery::Lossy { seed, percent: 30 }] {
            assert_eq!(story(backend, how).await.as_ref(), Some(&in_order), "{how:?}");
        }
    }
    assert_eq!(story(backend, Delivery::Reversed).await.as_ref(), Some(&in_order), "newest first");
    let lost = Delivery::Lossy { seed: 1, percent: 100 };
    assert_eq!(story(backend, lost).await.as_ref(), Some(&in_order), "all of them lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_in_any_order_give_the_same_books_on_sqlite() {
    same_in_any_order(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_in_any_order_give_the_same_books_on_postgres() {
    same_in_any_order(Backend::Postgres).await;
}
