use serde_json::json;
use stripe_twin::{Fault, FaultKind};
use time::Duration;

use super::with_twin;
use crate::support::one_off;

/// Ways in which Stripe can leave a caller without an answer, or with a wrong one.
const KINDS: [FaultKind; 5] = [
    FaultKind::TimeoutAfterCommit,
    FaultKind::ErrorAfterCommit,
    FaultKind::ErrorBeforeCommit,
    FaultKind::ResetAfterCommit,
    FaultKind::ResetBeforeCommit,
];

with_twin! {
    async fn a_charge_without_an_answer_is_made_once_whatever_went_wrong(it) {
        for (number, kind) in KINDS.into_iter().enumerate() {
            let (sale, buyer) = it.app.market(&one_off(10_001)).await;
            it.twin.set_faults(vec![Fault::first(kind, "POST", "/v1/payment_intents")]);
            let key = format!("k{number}");
            let answer = it.app.order(&buyer, &sale, &key, Some("pm_card_visa")).await;
            it.twin.set_faults(Vec::new());
            it.app.order(&buyer, &sale, &key, Some("pm_card_visa")).await;
            it.advance(Duration::seconds(61)).await;
            it.advance(Duration::seconds(601)).await;
            let order = it.app.only_order_of(&buyer).await;
            // A 500 that did nothing is replayed for a day under its key: the attempt is given up, and charged nothing.
            let nothing_done = kind == FaultKind::ErrorBeforeCommit;
            let state = if nothing_done { "awaiting_payment" } else { "completed" };
            assert_eq!(it.order_state(&buyer, &order).await, state, "{kind:?}: {}", answer.text());
            let ours = it.objects("payment_intent").into_iter().filter(|one| one["transfer_group"] == json!(order));
            assert_eq!(ours.count(), usize::from(!nothing_done), "{kind:?}");
        }
    }
}
