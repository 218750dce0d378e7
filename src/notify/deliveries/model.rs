//! When a webhook is tried again, and what is in it.

use entity::{
    Timestamp,
    ids::WebhookDeliveryId,
    states::{WebhookDisabled, WebhookFailure},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc2822};

use crate::{limits, ports::webhooks::Answered};

/// The status by which a receiver says that it is gone for good.
///
/// Source: Standard Webhooks 1.0, "Disabling endpoints".
const GONE: u16 = 410;
/// Each wait is lengthened by up to this many parts of a thousand.
const SPREAD_PER_MILLE: i64 = 100;

/// How an attempt went.
pub(super) type Outcome = Result<Answered, WebhookFailure>;

/// True when the receiver has taken the message.
pub(super) fn is_taken(outcome: &Outcome) -> bool {
    outcome.as_ref().is_ok_and(|answer| (200..300).contains(&answer.status))
}

/// What follows from a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It is tried again then.
    TryAt(OffsetDateTime),
    /// It was tried as often as it is.
    GiveUp,
}

/// When an attempt that failed at `now` is repeated. `failures` counts this one, `retry_seconds` are the waits.
///
/// A receiver may ask for more time with Retry-After, up to a day, and never for less.
pub(super) fn after_failure(
    outcome: &Outcome,
    failures: i32,
    retry_seconds: &[u32],
    delivery: WebhookDeliveryId,
    now: OffsetDateTime,
) -> Next {
    let is_gone = outcome.as_ref().is_ok_and(|answer| answer.status == GONE);
    let place = usize::try_from(failures - 1).unwrap_or(usize::MAX);
    let Some(seconds) = retry_seconds.get(place).filter(|_| !is_gone) else { return Next::GiveUp };
    let millis = i64::from(*seconds) * 1_000;
    let wait = Duration::milliseconds(millis + millis * spread(delivery, failures) / 1_000);
    let asked = outcome.as_ref().ok().and_then(|answer| retry_after(answer.retry_after.as_deref()?, now));
    Next::TryAt(now + asked.map_or(wait, |asked| asked.max(wait)))
}

/// 0 to [`SPREAD_PER_MILLE`], another one for each delivery and attempt.
fn spread(delivery: WebhookDeliveryId, failures: i32) -> i64 {
    let random = delivery.0.as_u128() ^ u128::from(failures.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    i64::try_from(random % 1_009).unwrap_or(0) * SPREAD_PER_MILLE / 1_008
}

/// How long a receiver asks to be left alone: seconds, or a date.
///
/// Source: RFC 9110, section 10.2.3.
fn retry_after(text: &str, now: OffsetDateTime) -> Option<Duration> {
    let text = text.trim();
    let asked = match text.parse::<u32>() {
        Ok(seconds) => Duration::seconds(i64::from(seconds)),
        Err(_) => OffsetDateTime::parse(text, &Rfc2822).ok()? - now,
    };
    Some(asked.clamp(Duration::ZERO, Duration::seconds(limits::WEBHOOK_RETRY_AFTER_SECONDS_MAX)))
}

/// Why an endpoint is switched off after a failed attempt, if it is.
pub(super) fn disables(
    outcome: &Outcome,
    failing_since: Option<Timestamp>,
    after_days: u32,
    now: OffsetDateTime,
) -> Option<WebhookDisabled> {
    if outcome.as_ref().is_ok_and(|answer| answer.status == GONE) {
        return Some(WebhookDisabled::Gone);
    }
    let is_over = failing_since.is_some_and(|since| now - since.0 >= Duration::days(i64::from(after_days)));
    is_over.then_some(WebhookDisabled::Failing)
}

/// The body of a message.
///
/// Source: Standard Webhooks 1.0, "Payload structure".
pub(super) fn body(kind: &str, at: Timestamp, data: &Value) -> Vec<u8> {
    json!({"type": kind, "timestamp": at, "data": data}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 10:00 UTC);
    const WAITS: [u32; 3] = [5, 300, 1_800];

    fn answered(status: u16, retry_after: Option<&str>) -> Outcome {
        Ok(Answered { status, retry_after: retry_after.map(str::to_owned), beginning: String::new() })
    }

    fn seconds(outcome: &Outcome, failures: i32) -> Option<f64> {
        match after_failure(outcome, failures, &WAITS, WebhookDeliveryId::at(NOW), NOW) {
            Next::TryAt(at) => Some((at - NOW).as_seconds_f64()),
            Next::GiveUp => None,
        }
    }

    #[test]
    fn waits_grow_and_end_in_a_dead_letter() {
        for (failures, wait) in (1..).zip(WAITS.map(f64::from)) {
            let found = seconds(&answered(500, None), failures).unwrap();
            assert!((wait..=wait * 1.1).contains(&found), "{failures}: {found}");
        }
        assert_eq!(seconds(&answered(500, None), 4), None);
        assert_eq!(seconds(&Err(WebhookFailure::Timeout), 4), None);
    }

    #[test]
    fn waits_of_many_deliveries_are_spread() {
        let found: std::collections::BTreeSet<_> = (0..200)
            .map(|_| spread(WebhookDeliveryId::at(NOW), 1))
            .inspect(|one| assert!((0..=100).contains(one)))
            .collect();
        assert!(found.len() > 50, "{}", found.len());
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_and_not_for_less() {
        assert_eq!(seconds(&answered(503, Some("3600")), 1), Some(3_600.0));
        assert!(seconds(&answered(503, Some("0")), 1).unwrap() >= 5.0);
        assert_eq!(seconds(&answered(503, Some("Sat, 21 Nov 2026 11:00:00 GMT")), 1), Some(3_600.0));
        assert_eq!(seconds(&answered(429, Some("4000000000")), 1), Some(86_400.0), "a day at most");
        for nonsense in ["", "soon", "-1", "1e9", "Sat, 32 Nov 2026"] {
            assert!(seconds(&answered(503, Some(nonsense)), 1).unwrap() < 6.0, "{nonsense}");
        }
    }

    #[test]
    fn whoever_is_gone_is_left_alone() {
        assert_eq!(seconds(&answered(410, None), 1), None);
        assert_eq!(disables(&answered(410, None), None, 5, NOW), Some(WebhookDisabled::Gone));
        let since = |days| Some(Timestamp(NOW - Duration::days(days)));
        assert_eq!(disables(&answered(500, None), since(5), 5, NOW), Some(WebhookDisabled::Failing));
        assert_eq!(disables(&answered(500, None), since(4), 5, NOW), None);
        assert_eq!(disables(&answered(500, None), None, 5, NOW), None);
    }

    #[test]
    fn a_redirect_is_no_success() {
        assert!(is_taken(&answered(200, None)) && is_taken(&answered(204, None)));
        for status in [101, 301, 302, 307, 400, 404, 410, 429, 500] {
            assert!(!is_taken(&answered(status, None)), "{status}");
        }
    }
}
