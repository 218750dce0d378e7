//! Everything that can happen after a provider was paid and has emptied its account: nobody is paid twice, and its
//! statement re-adds to zero.

use entity::{
    payout,
    states::{PayoutState, ReversalState},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use time::Duration;

use super::{Square, Stage, disputed, reversals, square, stands, verified};
use crate::support::{Delivery, TestApp, on_both, sales::money};

/// What happens once the account is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fate {
    refunded: Option<i64>,
    /// A dispute of the rest, and whether it is won.
    disputed: Option<bool>,
    /// What the provider keeps of its share of 80.01.
    kept_minor: i64,
}

const FATES: [Fate; 6] = [
    Fate { refunded: Some(10_001), disputed: None, kept_minor: 0 },
    Fate { refunded: Some(5_000), disputed: None, kept_minor: 4_001 },
    Fate { refunded: None, disputed: Some(false), kept_minor: 0 },
    Fate { refunded: None, disputed: Some(true), kept_minor: 8_001 },
    Fate { refunded: Some(5_000), disputed: Some(false), kept_minor: 0 },
    Fate { refunded: Some(5_000), disputed: Some(true), kept_minor: 4_001 },
];

/// What reached the provider and did not go back.
pub async fn received(app: &TestApp, square: &Square) -> i64 {
    let paid = payout::Entity::find()
        .filter(payout::Column::OrganizationId.eq(square.provider.id))
        .filter(payout::Column::State.eq(PayoutState::Paid));
    let paid: i64 = paid.all(app.app.db.read()).await.expect("reads").iter().map(|row| row.amount_minor).sum();
    let back = reversals(app).await.into_iter().filter(|(_, state)| *state == ReversalState::Done);
    paid - back.map(|(minor, _)| minor).sum::<i64>()
}

/// Asserts that the provider's statement begins and ends with nothing, and that its lines add up to that.
async fn assert_re_adds(app: &TestApp, square: &Square, context: &str) {
    let path = "/api/v1/settlement/statements?from=2026-11-01T00:00:00Z&until=2027-10-01T00:00:00Z";
    let statement = app.as_org(&square.provider, "GET", path).send().await.expect(200).json();
    let part = &statement["currencies"][0];
    let nothing = json!({"pending_minor": 0, "payable_minor": 0, "held_minor": 0, "debt_minor": 0});
    assert_eq!((&part["opening"], &part["closing"]), (&nothing, &nothing), "{context}: {part:#}");
    for kind in ["pending_minor", "payable_minor", "held_minor", "debt_minor"] {
        let change = |line: &Value| line["change"][kind].as_i64().expect("a number");
        let sum: i64 = part["lines"].as_array().expect("lines").iter().map(change).sum();
        assert_eq!(sum, 0, "{context}: {kind}");
    }
}

async fn walk(app: &TestApp, fate: Fate, fills: bool) {
    let context = format!("{fate:?}, money comes back: {fills}");
    let square = square(app).await;
    let sold = square.sold(app, Stage::PaidOut).await;
    square.drain(app, 8_001).await;
    if let Some(minor) = fate.refunded {
        square.refund(app, sold.order, Some(minor), "refund").await.expect(201);
        app.run_jobs().await;
    }
    if let Some(is_won) = fate.disputed {
        let at_bank = disputed(app, &sold, 10_001 - fate.refunded.unwrap_or(0)).await;
        app.deliver_webhooks(Delivery::InOrder).await;
        app.run_jobs().await;
        verified(app, &context).await;
        app.sandbox.decide_dispute(&at_bank, is_won).await.expect("decides");
        app.deliver_webhooks(Delivery::InOrder).await;
        app.run_jobs().await;
    }
    verified(app, &context).await;
    if fills {
        square.drain(app, -8_001).await;
    }
    // The next sale: its share pays what is owed by then, if nothing else has.
    app.sell(&square.provider, &square.buyer, money(20_000, "EUR")).await;
    for _ in 0..8 {
        app.run_jobs().await;
        app.advance(Duration::days(1));
    }
    app.run_jobs().await;
    for _ in 0..2 {
        square.pay_out(app).await;
    }
    assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0], "{context}");
    assert_eq!(received(app, &square).await, fate.kept_minor + 16_000, "{context}: paid once, and no more");
    assert_re_adds(app, &square, &context).await;
    app.advance(Duration::days(60));
    app.run_jobs().await;
    assert_eq!(received(app, &square).await, fate.kept_minor + 16_000, "{context}: and nothing follows");
    verified(app, &context).await;
}

on_both! {
    async fn a_refund_after_the_account_was_emptied_leaves_nothing_open(app) {
        walk(app, FATES[0], false).await;
    }

    async fn a_refund_after_the_account_was_emptied_and_filled_again_leaves_nothing_open(app) {
        walk(app, FATES[0], true).await;
    }

    async fn a_partial_refund_after_the_account_was_emptied_leaves_nothing_open(app) {
        walk(app, FATES[1], false).await;
    }

    async fn a_partial_refund_after_the_account_was_emptied_and_filled_again_leaves_nothing_open(app) {
        walk(app, FATES[1], true).await;
    }

    async fn a_lost_dispute_after_the_account_was_emptied_leaves_nothing_open(app) {
        walk(app, FATES[2], false).await;
    }

    async fn a_lost_dispute_after_the_account_was_emptied_and_filled_again_leaves_nothing_open(app) {
        walk(app, FATES[2], true).await;
    }

    async fn a_won_dispute_after_the_account_was_emptied_leaves_nothing_open(app) {
        walk(app, FATES[3], false).await;
    }

    async fn a_won_dispute_after_the_account_was_emptied_and_filled_again_leaves_nothing_open(app) {
        walk(app, FATES[3], true).await;
    }

    async fn a_dispute_lost_after_a_partial_refund_after_the_account_was_emptied_leaves_nothing_open(app) {
        walk(app, FATES[4], false).await;
    }

    async fn a_dispute_lost_after_a_partial_refund_after_the_account_was_emptied_and_filled_again_leaves_nothing_open(app) {
        walk(app, FATES[4], true).await;
    }

    async fn a_dispute_won_after_a_partial_refund_after_the_account_was_emptied_leaves_nothing_open(app) {
        walk(app, FATES[5], false).await;
    }

    async fn a_dispute_won_after_a_partial_refund_after_the_account_was_emptied_and_filled_again_leaves_nothing_open(app) {
        walk(app, FATES[5], true).await;
    }
}
