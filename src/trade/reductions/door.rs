//! Whether refunds and disputes leave the access to what an order bought open.

use entity::{
    dispute, refund,
    states::{DisputeState, RefundState},
};
use time::OffsetDateTime;

use crate::{
    db::Tx,
    error::Result,
    trade::{
        disputes,
        grants::{self, Door},
        orders::OrderFacts,
        refunds,
    },
};

/// Brings an order's grants to where its money stands, from its refunds and disputes as they are written by now.
///
/// The caller holds the lock on the order.
pub async fn follow_money(tx: &Tx, facts: &OrderFacts, now: OffsetDateTime) -> Result<()> {
    let order = facts.order.id;
    let (refunds, disputes) = (refunds::decided_of(tx, order).await?, disputes::all_of(tx, order).await?);
    grants::set_door(tx, order, &door(facts.order.total_minor, &refunds, &disputes), now).await
}

/// A lost dispute ends the access, as does a refund that says so or after which nothing is left; a dispute that runs
/// suspends it where it is to. `refunds` come in the order of their decisions.
fn door(total_minor: i64, refunds: &[refund::Model], disputes: &[dispute::Model]) -> Door {
    let of = |wanted: &dyn Fn(&&dispute::Model) -> bool| disputes.iter().find(wanted).map(|row| row.id);
    if let Some(lost) = of(&|row| row.state == DisputeState::Lost) {
        return Door::Ended(disputes::loss(lost));
    }
    let mut given_back_minor = 0_i64;
    for row in refunds.iter().filter(|row| is_taken(row.state)) {
        given_back_minor = given_back_minor.saturating_add(row.amount_minor);
        if row.ends_access || given_back_minor >= total_minor {
            return Door::Ended(refunds::end_reason(row.id));
        }
    }
    let runs = |row: &&dispute::Model| row.suspends_access && disputes::OPEN.contains(&row.state);
    of(&runs).map_or(Door::Open, |open| Door::Suspended(disputes::suspension(open)))
}

/// Decided, and not undone.
const fn is_taken(state: RefundState) -> bool {
    matches!(state, RefundState::Approved | RefundState::Submitted | RefundState::Paid)
}
