//! Every way in which a refund, a reversal or a dispute can disagree with the processor is found and named.

use entity::{
    dispute, processor_transaction, refund, reversal,
    states::{DisputeState, ReversalState},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
use serde_json::{Value, json};
use time::Duration;
use torv::{
    db::Tx,
    ports::payments::{RefundRequest, ReversalRequest},
};

use super::{Square, Stage, disputed, disputes_of, refunds_of, square};
use crate::support::{
    Delivery, TestApp, charge_of, on_both,
    sales::{Sold, money},
};

/// Classes that were found after everything young has grown old.
async fn classes(app: &TestApp, square: &Square) -> Vec<String> {
    app.run_jobs().await;
    app.advance(Duration::hours(2));
    let request = app.as_org(&square.operator, "POST", "/api/v1/reconciliations").json(&json!({}));
    let report: Value = request.send().await.expect(201).json();
    let found = report["report"]["differences"].as_array().expect("differences");
    let mut classes: Vec<String> = found.iter().map(|one| one["class"].as_str().expect("a class").to_owned()).collect();
    classes.sort();
    classes
}

/// Refunds, a reversal, a won and a lost dispute, all of them told by the processor.
async fn eventful(app: &TestApp) -> (Square, Vec<Sold>) {
    let square = square(app).await;
    let mut sold = Vec::new();
    for stage in [Stage::Payable, Stage::PaidOut, Stage::Payable] {
        sold.push(square.sold(app, stage).await);
    }
    square.refund(app, sold[0].order, Some(3_000), "part").await.expect(201);
    square.refund(app, sold[1].order, None, "whole").await.expect(201);
    let at_bank = disputed(app, &sold[2], 10_001).await;
    app.deliver_webhooks(Delivery::InOrder).await;
    app.run_jobs().await;
    app.sandbox.decide_dispute(&at_bank, true).await.expect("decides");
    app.deliver_webhooks(Delivery::InOrder).await;
    (square, sold)
}

async fn forget_lines(app: &TestApp, kind: &'static str) {
    app.write(async move |tx: &Tx| {
        let change = processor_transaction::Entity::update_many()
            .col_expr(processor_transaction::Column::OurRef, Expr::value("lost"))
            .col_expr(processor_transaction::Column::SourceRef, Expr::value("lost"))
            .filter(processor_transaction::Column::Kind.eq(kind));
        change.exec(tx.conn()).await.expect("updates");
    })
    .await;
}

on_both! {
    async fn when_all_agrees_nothing_is_unexplained(app) {
        let (square, _) = eventful(app).await;
        assert_eq!(classes(app, &square).await, Vec::<String>::new());
    }

    async fn a_refund_without_its_line_and_the_line_without_its_refund_are_named(app) {
        let (square, _) = eventful(app).await;
        assert_eq!(classes(app, &square).await, Vec::<String>::new());
        forget_lines(app, "refund").await;
        let found = classes(app, &square).await;
        assert_eq!(found.iter().filter(|class| *class == "refund_without_line").count(), 2, "{found:?}");
        assert_eq!(found.iter().filter(|class| *class == "line_without_refund").count(), 2, "{found:?}");
    }

    async fn a_refund_that_nobody_decided_is_named(app) {
        let (square, sold) = eventful(app).await;
        let request = RefundRequest {
            idempotency_key: "stray".to_owned(),
            our_ref: "stray".to_owned(),
            charge_ref: charge_of(sold[0].payment),
            amount: money(100, "EUR"),
        };
        app.app.payments.refund(&request).await.expect("refunds");
        assert_eq!(classes(app, &square).await, ["line_without_refund"]);
    }

    async fn another_amount_and_a_second_refund_are_named(app) {
        let (square, sold) = eventful(app).await;
        let row = refunds_of(app, sold[0].order).await.remove(0);
        let request = RefundRequest {
            idempotency_key: "again".to_owned(),
            our_ref: row.id.to_string(),
            charge_ref: charge_of(sold[0].payment),
            amount: money(100, "EUR"),
        };
        app.app.payments.refund(&request).await.expect("refunds");
        let found = classes(app, &square).await;
        assert!(found.iter().any(|class| class == "duplicate_refund"), "{found:?}");
        app.write(async move |tx: &Tx| {
            let change = refund::Entity::update_many().col_expr(refund::Column::AmountMinor, Expr::value(2_999_i64));
            change.filter(refund::Column::Id.eq(row.id)).exec(tx.conn()).await.expect("updates");
        })
        .await;
        let found = classes(app, &square).await;
        assert!(found.iter().any(|class| class == "refund_amount_differs"), "{found:?}");
    }

    async fn a_reversal_without_its_line_is_named(app) {
        let (square, _) = eventful(app).await;
        assert_eq!(classes(app, &square).await, Vec::<String>::new());
        forget_lines(app, "transfer_reversal").await;
        app.write(async |tx: &Tx| {
            let change = reversal::Entity::update_many()
                .col_expr(reversal::Column::State, Expr::value(ReversalState::Submitted));
            change.exec(tx.conn()).await.expect("updates");
        })
        .await;
        let found = classes(app, &square).await;
        assert!(found.iter().any(|class| class == "reversal_without_line"), "{found:?}");
        assert!(found.iter().any(|class| class == "line_without_reversal"), "{found:?}");
    }

    async fn a_reversal_that_nobody_asked_for_waits_in_suspense(app) {
        let square = square(app).await;
        square.sold(app, Stage::PaidOut).await;
        let paid = entity::payout::Entity::find().filter(entity::payout::Column::OrganizationId.eq(square.provider.id));
        let paid = paid.one(app.app.db.read()).await.expect("reads").expect("paid out");
        let request = ReversalRequest {
            idempotency_key: "stray".to_owned(),
            our_ref: "stray".to_owned(),
            transfer_ref: paid.processor_ref.expect("left"),
            amount: money(100, "EUR"),
        };
        app.app.payments.reverse(&request).await.expect("reverses");
        assert_eq!(classes(app, &square).await, ["line_without_reversal", "suspense_not_zero"]);
    }

    async fn disputes_without_lines_and_lines_without_disputes_are_named(app) {
        let (square, sold) = eventful(app).await;
        assert_eq!(classes(app, &square).await, Vec::<String>::new());
        let row = disputes_of(app, sold[2].order).await.remove(0);
        let id = row.id;
        let state_to = async |to: DisputeState| {
            app.write(async move |tx: &Tx| {
                let change = dispute::Entity::update_many().col_expr(dispute::Column::State, Expr::value(to));
                change.filter(dispute::Column::Id.eq(id)).exec(tx.conn()).await.expect("updates");
            })
            .await;
        };
        state_to(DisputeState::Lost).await;
        let found = classes(app, &square).await;
        assert!(found.iter().any(|class| class == "dispute_not_reinstated"), "{found:?}");
        state_to(DisputeState::Won).await;
        forget_lines(app, "dispute_reversal").await;
        let found = classes(app, &square).await;
        assert_eq!(found, ["dispute_not_reinstated", "line_without_dispute"], "{found:?}");
        forget_lines(app, "dispute").await;
        let found = classes(app, &square).await;
        assert_eq!(found.iter().filter(|class| *class == "dispute_without_line").count(), 1, "{found:?}");
        assert_eq!(found.iter().filter(|class| *class == "line_without_dispute").count(), 2, "{found:?}");
    }
}
