//! The rules of subscriptions: periods, when access ends, what a declined charge leads to, and which
//! step is possible in which state.

use entity::{
    Timestamp, payment,
    states::{OrderState, PaymentState, SubscriptionKind, SubscriptionState},
    subscription,
};
use time::{Duration, OffsetDateTime};

use crate::{
    base::clock::add_months,
    error::{Error, Result},
    terms::offers::plan::Plan,
    trade::{gross::Taxed, payments::store::IN_FLIGHT},
};

/// Access of a period that is to be renewed goes on so long after its end, so that no buyer stands
/// before a closed door while the next period is being charged.
pub(super) const HANDOVER_MINUTES: i64 = 60;
/// So long before a period ends its offer is looked at, and again each day: a buyer who has to consent
/// to something new gets that much time.
pub(super) const CONSENT_NOTICE_DAYS: i64 = 7;
/// How long a charge that is under way is left alone.
const CHARGING_SECONDS: i64 = 60;
/// How long an overdue part of a price can still be paid, with access suspended.
pub(super) const OVERDUE_PART_DAYS: i64 = 365;
/// A payment that never reached the processor is no refusal; the janitor gives it this code.
const NOT_ATTEMPTED: &str = "not_attempted";

/// A period: number, first instant, first instant after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub number: i32,
    pub from: OffsetDateTime,
    pub until: OffsetDateTime,
}

/// The period with this number, counted in terms of calendar months from the anchor.
pub(super) fn span(anchor_at: OffsetDateTime, anchor_no: i32, term_months: i32, number: i32) -> Span {
    let edge = |number: i32| {
        let months = number.saturating_sub(anchor_no).saturating_mul(term_months);
        add_months(anchor_at, u16::try_from(months).unwrap_or(0))
    };
    Span { number, from: edge(number), until: edge(number.saturating_add(1)) }
}

/// Months of a period; a metered one is charged each month.
pub(super) fn term_of(row: &subscription::Model) -> i32 {
    match row.kind {
        SubscriptionKind::Renewing => row.term_months.unwrap_or(1).max(1),
        SubscriptionKind::Metered | SubscriptionKind::Instalments => 1,
    }
}

/// The period after the one that runs; after a pause it begins at `now`.
pub(super) fn next_span(row: &subscription::Model, now: OffsetDateTime) -> Span {
    let number = row.period_no.saturating_add(1);
    if row.state == SubscriptionState::Paused {
        return span(now, number, term_of(row), number);
    }
    span(row.anchor_at.0, row.anchor_no, term_of(row), number)
}

/// The plan that was agreed to.
pub(super) fn plan_of(row: &subscription::Model) -> Result<Plan> {
    Ok(serde_json::from_value(row.plan.clone())?)
}

/// True while it may still charge or open anything.
pub(super) fn is_live(state: SubscriptionState) -> bool {
    !matches!(state, SubscriptionState::Cancelled | SubscriptionState::Ended)
}

/// Until when the current grant of a renewing subscription opens the door.
pub(super) fn access_until(row: &subscription::Model, now: OffsetDateTime) -> OffsetDateTime {
    if row.due_order_id.is_some()
        && let Some(grace) = row.grace_until
    {
        return grace.0;
    }
    let goes_on = matches!(row.state, SubscriptionState::Trialing | SubscriptionState::Active)
        && !row.cancel_at_period_end
        && !row.pause_at_period_end;
    match row.state {
        SubscriptionState::Cancelled | SubscriptionState::Ended => row.period_until.0.min(now),
        _ if goes_on => row.period_until.0 + Duration::minutes(HANDOVER_MINUTES),
        _ => row.period_until.0,
    }
}

/// When a renewing subscription has to be looked at next.
pub(super) fn next_look(period_until: OffsetDateTime, now: OffsetDateTime) -> OffsetDateTime {
    let first = period_until - Duration::days(CONSENT_NOTICE_DAYS);
    if now < first { first } else { period_until.min(now + Duration::DAY) }
}

/// Days after the first attempt at which a declined charge is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule<'a>(pub &'a [u16]);

impl Schedule<'_> {
    fn last_day(self) -> i64 {
        self.0.last().copied().map_or(0, i64::from)
    }

    /// When access without payment ends at the latest.
    pub(super) fn grace_until(self, due_since: OffsetDateTime) -> OffsetDateTime {
        due_since + Duration::days(self.last_day()) + Duration::minutes(HANDOVER_MINUTES)
    }

    /// Until when the order that waits for the charge can be paid.
    pub(super) fn expires_at(self, kind: SubscriptionKind, due_since: OffsetDateTime) -> OffsetDateTime {
        let days = if kind == SubscriptionKind::Instalments { OVERDUE_PART_DAYS } else { 2 };
        due_since + Duration::days(self.last_day() + days)
    }
}

/// What is to be done about an order that waits to be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dunning {
    /// Look again then.
    Wait(OffsetDateTime),
    /// Charge now.
    Charge,
    /// One more refusal than was noted: note so many, and try again then.
    Declined { attempts: i32, retry_at: OffsetDateTime },
    /// The schedule is over.
    GiveUp,
    /// It is paid.
    Paid,
}

/// Decides about a due order from its state, the attempts to pay it (newest first) and what was noted.
pub(super) fn dunning(
    row: &subscription::Model,
    order: (OrderState, OffsetDateTime),
    attempts: &[payment::Model],
    schedule: Schedule<'_>,
    now: OffsetDateTime,
) -> Dunning {
    let (state, placed_at) = order;
    match state {
        OrderState::Completed => return Dunning::Paid,
        OrderState::AwaitingPayment | OrderState::AwaitingApproval => {}
        OrderState::Declined | OrderState::Cancelled | OrderState::Expired => return Dunning::GiveUp,
    }
    if attempts.iter().any(|payment| IN_FLIGHT.contains(&payment.state)) {
        return Dunning::Wait(now + Duration::seconds(CHARGING_SECONDS));
    }
    let reached = |payment: &&payment::Model| payment.failure_code.as_deref() != Some(NOT_ATTEMPTED);
    let declined = attempts.iter().filter(|payment| payment.off_session && payment.state == PaymentState::Failed);
    let declined = i32::try_from(declined.filter(reached).count()).unwrap_or(i32::MAX);
    if declined > row.failed_attempts {
        let retry = usize::try_from(declined - 1).ok().and_then(|place| schedule.0.get(place));
        return retry.map_or(Dunning::GiveUp, |days| Dunning::Declined {
            attempts: declined,
            retry_at: placed_at + Duration::days(i64::from(*days)),
        });
    }
    let newest_unreached = attempts.first().is_some_and(|newest| !reached(&newest));
    let due = row.next_action_at.is_none_or(|at| at.0 <= now);
    if attempts.is_empty() || newest_unreached || due {
        Dunning::Charge
    } else {
        Dunning::Wait(row.next_action_at.map_or(now, |at| at.0))
    }
}

/// What somebody wants of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// No further period.
    Cancel,
    /// Go on after all.
    Keep,
    /// No further period until it is resumed.
    Pause,
    /// Go on, now if it is paused.
    Resume,
    /// The provider ends it with the period.
    EndByProvider,
}

impl Wish {
    /// Its word in the audit log.
    pub(super) const fn action(self) -> &'static str {
        match self {
            Self::Cancel => "subscription.cancel",
            Self::Keep => "subscription.keep",
            Self::Pause => "subscription.pause",
            Self::Resume => "subscription.resume",
            Self::EndByProvider => "subscription.end",
        }
    }
}

/// What a wish leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is so already.
    Same,
    /// Only flags change.
    Noted,
    /// It ends now: there is nothing paid left to use.
    EndNow,
    /// The next period begins now.
    BeginNow,
}

/// Applies a wish to the row.
///
/// # Errors
/// `Conflict` with what is possible instead.
pub(super) fn apply(row: &mut subscription::Model, wish: Wish) -> Result<Outcome> {
    use SubscriptionState::{Active, AwaitingConsent, PastDue, Paused, Trialing};
    let state = row.state;
    if !is_live(state) {
        return Err(Error::conflict("This subscription is over. Order again."));
    }
    if row.kind == SubscriptionKind::Instalments {
        return Err(Error::conflict(
            "A price in parts is bought already: it is paid to the end, and can't be cancelled or paused.",
        ));
    }
    if matches!(wish, Wish::Pause | Wish::Resume) && row.kind == SubscriptionKind::Metered {
        return Err(Error::conflict("A metered subscription costs only what is used: there is nothing to pause."));
    }
    match (wish, state) {
        (Wish::Cancel | Wish::EndByProvider, PastDue | Paused) if row.kind == SubscriptionKind::Renewing => {
            Ok(Outcome::EndNow)
        }
        (Wish::Cancel, _) => Ok(set(&mut row.cancel_at_period_end, true)),
        (Wish::EndByProvider, _) => {
            row.ends_by_provider = true;
            Ok(set(&mut row.cancel_at_period_end, true))
        }
        (Wish::Keep, _) if row.ends_by_provider => Err(Error::conflict("The provider ended it with this period.")),
        (Wish::Keep, _) => Ok(set(&mut row.cancel_at_period_end, false)),
        (Wish::Pause, Trialing | Active) => Ok(set(&mut row.pause_at_period_end, true)),
        (Wish::Pause, Paused) => Ok(Outcome::Same),
        (Wish::Pause, PastDue) => Err(Error::conflict("A payment is due. Pay it first.")),
        (Wish::Pause, AwaitingConsent) => {
            Err(Error::conflict("It waits for your consent to what is new. Consent first."))
        }
        (Wish::Resume, Paused) => Ok(Outcome::BeginNow),
        (Wish::Resume, _) => Ok(set(&mut row.pause_at_period_end, false)),
        (Wish::Pause, SubscriptionState::Cancelled | SubscriptionState::Ended) => Ok(Outcome::Same),
    }
}

fn set(flag: &mut bool, to: bool) -> Outcome {
    if std::mem::replace(flag, to) == to { Outcome::Same } else { Outcome::Noted }
}

/// The net of the next part of a price. `agreed` are the parts that are left, as they were agreed to, and `left_minor`
/// what is left of the price. A part is what was agreed to as long as it can be charged with the tax of today; else the
/// parts that are left move against each other, and what no part can take in the end is not charged.
pub(super) fn next_part(agreed: &[i64], left_minor: i64, taxed: Taxed) -> i64 {
    let Some((next, after)) = agreed.split_first() else { return left_minor };
    if after.is_empty() {
        return left_minor;
    }
    let as_agreed = agreed.iter().sum::<i64>() == left_minor && agreed.iter().all(|part| taxed.fits(*part));
    if as_agreed {
        return *next;
    }
    let mut wanted = agreed.to_vec();
    if let Some(last) = wanted.last_mut() {
        *last += left_minor - agreed.iter().sum::<i64>();
    }
    taxed.cut(&wanted).and_then(|parts| parts.first().copied()).unwrap_or(*next)
}

/// A metered month is charged when its usage can't be reported any more.
pub(super) fn closes_at(span: Span, late_hours: u16) -> OffsetDateTime {
    span.until + Duration::hours(i64::from(late_hours))
}

/// Ends a row for good.
pub(super) fn end(row: &mut subscription::Model, state: SubscriptionState, reason: &str, now: OffsetDateTime) {
    row.state = state;
    row.end_reason = Some(reason.to_owned());
    row.ended_at = Some(Timestamp(now));
    row.next_action_at = None;
    row.due_order_id = None;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::chargeable::ChargeRules;

    const FILS: ChargeRules = ChargeRules { min_minor: 10, max_minor: 99_999_990, step_minor: 10 };

    #[test]
    fn a_part_is_what_was_agreed_to_until_the_rate_changes() {
        let at = |tax_bps| Taxed { rules: FILS, tax_bps };
        assert_eq!(next_part(&[3_336, 3_336], 6_672, at(2_500)), 3_336);
        // Tax fell away: the parts are in steps of ten now, and their sum is what is left.
        assert_eq!(next_part(&[3_336, 3_344], 6_680, at(0)), 3_340);
        assert_eq!(next_part(&[3_344], 3_340, at(0)), 3_340);
    }

    proptest! {
        #[test]
        fn parts_never_take_more_than_is_left(
            agreed in proptest::collection::vec(3_000_i64..90_000, 1..6), rates in proptest::collection::vec(0_u32..=60, 6),
        ) {
            let (whole, mut left) = (agreed.iter().sum::<i64>(), agreed.iter().sum::<i64>());
            for (place, rate) in (0..agreed.len()).zip(rates) {
                let taxed = Taxed { rules: FILS, tax_bps: rate * 50 };
                let charged = taxed.agreed(next_part(&agreed[place..], left, taxed));
                prop_assert!(taxed.fits(charged) && charged <= left, "{charged} of {left}");
                left -= charged;
            }
            prop_assert!(left < 200, "{left} of {whole} is not charged");
        }
    }
}
