//! When a provider has to answer, who may decide what, and how often a refused refund is tried again.

use entity::{
    ids::{OrderId, OrgId, RefundId},
    refund,
    states::RefundState,
};
use time::{Duration, OffsetDateTime, Weekday};

use crate::{
    auth::Actor,
    error::{Error, Result},
    trade::orders::OrderFacts,
};

/// How long a process may be busy handing one refund to the processor; calls give up long before.
pub const LEASE_SECONDS: i64 = 300;
/// The wait after no answer.
pub const UNKNOWN_WAIT_SECONDS: i64 = 60;
/// Refusals after which a refund has failed.
pub const REFUSALS_MAX: i32 = 8;
/// The wait after a refusal; it doubles with each further one.
const REFUSED_WAIT_SECONDS: i64 = 300;
/// Refusals that no later attempt can change.
const FINAL_REFUSALS: [&str; 5] =
    ["charge_already_refunded", "charge_disputed", "no_such_charge", "amount_too_large", "not_offered"];

/// States in which somebody still has to decide.
pub const OPEN: [RefundState; 2] = [RefundState::Requested, RefundState::Escalated];

/// The clock of a request: how long a provider has, in days without Saturdays and Sundays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// When the request came.
    pub asked_at: OffsetDateTime,
    /// Business days to answer in.
    pub business_days: u32,
}

impl Clock {
    /// The end of the time to answer.
    pub fn due_at(self) -> OffsetDateTime {
        business_days_after(self.asked_at, self.business_days)
    }
}

/// The instant that many business days (Monday to Friday, UTC) later; one that falls on a weekend counts
/// from the end of the weekend on.
pub fn business_days_after(from: OffsetDateTime, days: u32) -> OffsetDateTime {
    let is_weekend = |at: OffsetDateTime| matches!(at.weekday(), Weekday::Saturday | Weekday::Sunday);
    let mut at = from;
    while is_weekend(at) {
        at = (at + Duration::days(1)).replace_time(time::Time::MIDNIGHT);
    }
    for _ in 0..days {
        at += Duration::days(1);
        while is_weekend(at) {
            at += Duration::days(1);
        }
    }
    at
}

/// What somebody decides about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The money goes back.
    Approve {
        /// A word to the buyer.
        note: Option<String>,
        /// The grants end although it is partial.
        ends_access: bool,
    },
    /// It does not.
    Decline {
        /// Why.
        note: String,
    },
}

/// Checks that `actor` is the one to decide about a request where it stands.
///
/// # Errors
/// `NotFound` for somebody else's; `Conflict` where it is decided, or another one's turn.
pub fn may_decide(row: &refund::Model, facts: &OrderFacts, actor: &Actor) -> Result<()> {
    let operates = actor.organization.may_operate;
    if !operates && !facts.is_sold_by(actor.org_id()) {
        return Err(Error::not_found("refund"));
    }
    match row.state {
        RefundState::Requested if facts.is_sold_by(actor.org_id()) => Ok(()),
        RefundState::Requested => Err(Error::conflict("The provider still has time to answer.")),
        RefundState::Escalated if operates => Ok(()),
        RefundState::Escalated => Err(Error::conflict("The time to answer is over: the operator decides.")),
        state => Err(Error::conflict(format!("Nothing is left to decide: the refund is {state}."))),
    }
}

/// True when the sellers of an order are one organisation, which then can answer for it.
pub fn sole_provider(facts: &OrderFacts) -> Option<OrgId> {
    let provider = facts.line.provider_id;
    facts.lines().all(|line| line.provider_id == provider).then_some(provider)
}

/// True when another attempt can't help.
pub fn is_final(code: &str, attempt: i32) -> bool {
    FINAL_REFUSALS.contains(&code) || attempt >= REFUSALS_MAX
}

/// The wait after the refusal of attempt number `attempt` (from 1).
pub fn refused_wait(attempt: i32) -> Duration {
    Duration::seconds(REFUSED_WAIT_SECONDS << (attempt - 1).clamp(0, 8))
}

/// The key under which the processor is asked.
pub fn idempotency_key(id: RefundId, attempt: i32) -> String {
    format!("{id}:refund:{attempt}")
}

/// The business event of a decided refund.
pub fn decided(order: OrderId, id: RefundId) -> String {
    format!("order:{order}:refund:{id}")
}

/// The business event of undoing one.
pub fn undone(order: OrderId, id: RefundId) -> String {
    format!("order:{order}:refund:{id}:undone")
}

/// Why a grant ended with a refund; what is undone is found by it.
pub fn end_reason(id: RefundId) -> String {
    format!("refunded by {id}")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn weekends_do_not_count() {
        // 2026-11-21 is a Saturday.
        assert_eq!(business_days_after(datetime!(2026-11-21 10:00 UTC), 3), datetime!(2026-11-26 00:00 UTC));
        assert_eq!(business_days_after(datetime!(2026-11-20 10:00 UTC), 3), datetime!(2026-11-25 10:00 UTC));
        assert_eq!(business_days_after(datetime!(2026-11-23 10:00 UTC), 3), datetime!(2026-11-26 10:00 UTC));
        assert_eq!(business_days_after(datetime!(2026-11-27 23:59 UTC), 1), datetime!(2026-11-30 23:59 UTC));
        assert_eq!(business_days_after(datetime!(2026-11-23 10:00 UTC), 0), datetime!(2026-11-23 10:00 UTC));
    }

    #[test]
    fn a_passing_refusal_is_tried_again_and_a_final_one_is_not() {
        assert!(!is_final("balance_insufficient", 1));
        assert!(is_final("balance_insufficient", REFUSALS_MAX));
        assert!(is_final("charge_disputed", 1));
        assert_eq!(refused_wait(3), Duration::seconds(1_200));
    }
}
