//! Access follows the money: what is given back closes the door, what a bank decides about closes it for a while, and
//! what comes back opens it again.

use super::{Square, bearers::sale, disputed, refunds_of, verified};
use crate::support::{Delivery, TestApp, on_both, sales::Sold};
use serde_json::json;
use time::Duration;

/// Something that happens to an order after its sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The operator gives so much back; all that is left without an amount.
    Refund(Option<i64>),
    /// The same, and the access ends with it.
    RefundEnding(i64),
    /// The money of the refund with this number (from 0) comes back from the buyer's bank.
    Return(usize),
    Dispute(i64),
    Won,
    Lost,
}

use Step::{Dispute, Lost, Refund, RefundEnding, Return, Won};

const OPEN: u16 = 200;
const SUSPENDED: u16 = 403;
const ENDED: u16 = 410;

/// Steps, each with how the door answers after it.
type Story = &'static [(Step, u16)];

const STORIES: &[Story] = &[
    &[(Refund(None), ENDED)],
    &[(Refund(Some(10_000)), OPEN), (Refund(Some(1)), ENDED)],
    &[(Refund(Some(4_000)), OPEN), (Return(0), OPEN)],
    &[(Refund(None), ENDED), (Return(0), OPEN), (Refund(None), ENDED)],
    &[(RefundEnding(1_000), ENDED), (Return(0), OPEN)],
    // Two refunds end the access: undoing one leaves the other.
    &[(RefundEnding(1_000), ENDED), (RefundEnding(1_000), ENDED), (Return(0), ENDED), (Return(1), OPEN)],
    // The last part ended it; any part that comes back opens it again.
    &[(Refund(Some(4_000)), OPEN), (Refund(None), ENDED), (Return(0), OPEN)],
    &[(Dispute(10_001), SUSPENDED), (Won, OPEN)],
    &[(Dispute(10_001), SUSPENDED), (Lost, ENDED)],
    &[(Dispute(3_000), SUSPENDED), (Lost, ENDED)],
    &[(Refund(Some(4_000)), OPEN), (Dispute(6_001), SUSPENDED), (Won, OPEN), (Refund(None), ENDED)],
    // What a refund closed, and reopens when it comes back, stays closed for a dispute that came meanwhile.
    &[(RefundEnding(1_000), ENDED), (Dispute(9_001), ENDED), (Return(0), SUSPENDED), (Won, OPEN)],
    &[(RefundEnding(1_000), ENDED), (Dispute(9_001), ENDED), (Lost, ENDED), (Return(0), ENDED)],
    &[(Refund(None), ENDED), (Dispute(10_001), ENDED), (Lost, ENDED), (Return(0), ENDED)],
];

async fn take(app: &TestApp, square: &Square, sold: &Sold, number: usize, step: Step, at_bank: &mut String) {
    match step {
        Refund(minor) => drop(square.refund(app, sold.order, minor, &format!("r{number}")).await.expect(201)),
        RefundEnding(minor) => {
            let body = json!({"amount_minor": minor, "reason": "We are sorry.", "ends_access": true});
            let path = format!("/api/v1/orders/{}/refunds/issue", sold.order);
            let request = app.as_org(&square.operator, "POST", &path).header("idempotency-key", format!("r{number}"));
            request.json(&body).send().await.expect(201);
        }
        Return(which) => {
            let mut rows = refunds_of(app, sold.order).await;
            rows.sort_by_key(|row| row.id);
            let reference = rows[which].processor_ref.clone().expect("taken");
            app.sandbox.return_refund(&reference).await.expect("comes back");
            app.run_jobs().await;
        }
        Dispute(minor) => {
            *at_bank = disputed(app, sold, minor).await;
            app.deliver_webhooks(Delivery::InOrder).await;
        }
        Won | Lost => {
            app.sandbox.decide_dispute(at_bank, step == Won).await.expect("decides");
            app.deliver_webhooks(Delivery::InOrder).await;
        }
    }
}

on_both! {
    async fn access_follows_every_turn_of_the_money(app) {
        for story in STORIES {
            let (square, sold, _, grant) = sale(app).await;
            app.advance(Duration::days(3));
            app.run_jobs().await;
            let door = async || {
                let path = format!("/api/v1/grants/{grant}/files");
                app.as_org(&square.buyer, "GET", &path).send().await
            };
            assert_eq!(door().await.status, OPEN);
            let mut at_bank = String::new();
            for (number, (step, expected)) in story.iter().enumerate() {
                take(app, &square, &sold, number, *step, &mut at_bank).await;
                let context = format!("{step:?}, number {number} of {story:?}");
                let answer = door().await;
                assert_eq!(answer.status, *expected, "with its commit: {context}: {}", answer.text());
                app.run_jobs().await;
                app.advance(Duration::seconds(1));
                let answer = door().await;
                assert_eq!(answer.status, *expected, "and after it: {context}: {}", answer.text());
                assert_eq!(answer.text().contains("disputed"), *expected == SUSPENDED, "{context}");
                verified(app, &context).await;
            }
        }
    }
}
