//! Webhooks as a real processor sends them: signed over time and raw body, more than once, shuffled.

use aws_lc_rs::hmac;
use entity::{Timestamp, ids::PaymentId, sandbox_event};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::{Sandbox, disputes};
use crate::{
    auth::secrets::random_hex,
    base::{Currency, Money, digest},
    config::Secret,
    error::Result,
    ports::payments::{
        Action, Charge, ChargeState, Dispute, PaymentsError, Refund, RefundState, Subject, WebhookEvent,
    },
};

/// The header that carries the signature: `t=UNIX,v1=HEX`.
pub const SIGNATURE_HEADER: &str = "torv-sandbox-signature";
/// How far the signed time may be from ours, in either direction.
const TOLERANCE_SECONDS: i64 = 300;
/// Webhooks taken in one go.
const BATCH: u64 = 200;
/// After this many refusals a webhook is given up; polling heals what it would have told.
const ATTEMPTS_MAX: i32 = 12;

/// A webhook ready to be sent.
#[derive(Clone)]
pub struct SignedWebhook {
    seq: i64,
    attempts: i32,
    /// The value of [`SIGNATURE_HEADER`].
    pub signature: String,
    /// The raw body, exactly as signed.
    pub body: String,
}

/// The event that tells of a charge's new state.
pub(super) fn event_body(charge: &Charge, state: &str) -> serde_json::Value {
    let (code, text) = match &charge.state {
        ChargeState::Failed { code, text } => (Some(code), Some(text)),
        _ => (None, None),
    };
    let action = match &charge.state {
        ChargeState::ActionRequired(action) => Some(action),
        _ => None,
    };
    serde_json::json!({
        "type": format!("charge.{state}"),
        "charge": {
            "id": charge.processor_ref, "payment_id": charge.payment_id, "state": state,
            "amount_minor": charge.amount.minor, "currency": charge.amount.currency,
            "failure_code": code, "failure_text": text, "action": action,
        },
    })
}

#[derive(Deserialize)]
struct EventIn {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    charge: Option<ChargeIn>,
    refund: Option<RefundIn>,
    dispute: Option<DisputeIn>,
}

#[derive(Deserialize)]
struct RefundIn {
    id: String,
    our_ref: String,
    state: String,
    amount_minor: i64,
    currency: Currency,
}

#[derive(Deserialize)]
struct DisputeIn {
    id: String,
    payment_id: Option<PaymentId>,
    charge: String,
    amount_minor: i64,
    currency: Currency,
    reason: String,
    stage: String,
    due_unix: Option<i64>,
}

#[derive(Deserialize)]
struct ChargeIn {
    id: String,
    payment_id: PaymentId,
    state: String,
    amount_minor: i64,
    currency: Currency,
    failure_code: Option<String>,
    failure_text: Option<String>,
    #[serde(default)]
    action: Option<Action>,
}

pub(super) async fn due(box_: &Sandbox, now: OffsetDateTime) -> Result<Vec<SignedWebhook>> {
    let rows = sandbox_event::Entity::find()
        .filter(sandbox_event::Column::DeliveredAt.is_null())
        .filter(sandbox_event::Column::DeliverAt.lte(Timestamp(now)))
        .order_by_asc(sandbox_event::Column::Seq)
        .limit(BATCH)
        .all(box_.db.read())
        .await?;
    let Some(secret) = box_.secrets.first() else { return Ok(Vec::new()) };
    let mut webhooks = Vec::new();
    for row in rows {
        let mut body = row.body;
        body["id"] = serde_json::Value::from(row.id);
        let body = body.to_string();
        let signature = sign(secret, now.unix_timestamp(), body.as_bytes());
        let webhook = SignedWebhook { seq: row.seq, attempts: row.attempts, signature, body };
        webhooks.extend((0..box_.settings.webhook_copies).map(|_| webhook.clone()));
    }
    if box_.settings.webhook_shuffle {
        shuffle(&mut webhooks)?;
    }
    Ok(webhooks)
}

/// Fisher-Yates with bytes of the system's randomness.
fn shuffle<T>(items: &mut [T]) -> Result<()> {
    for last in (1..items.len()).rev() {
        let random = digest::unhex(&random_hex::<4>()?).unwrap_or_default();
        let number = random.iter().fold(0_usize, |n, byte| n << 8 | usize::from(*byte));
        items.swap(last, number % (last + 1));
    }
    Ok(())
}

pub(super) async fn settle(box_: &Sandbox, webhook: &SignedWebhook, taken: bool, now: OffsetDateTime) -> Result<()> {
    let (seq, attempts) = (webhook.seq, webhook.attempts + 1);
    let given_up = attempts >= ATTEMPTS_MAX;
    let again = now + Duration::seconds(1 << attempts.clamp(0, 16));
    box_.db
        .write("sandbox.settle_webhook", move |tx| async move {
            let mut update = sandbox_event::Entity::update_many()
                .col_expr(sandbox_event::Column::Attempts, Expr::value(attempts))
                .filter(sandbox_event::Column::Seq.eq(seq));
            update = if taken || given_up {
                update.col_expr(sandbox_event::Column::DeliveredAt, Expr::value(Some(Timestamp(now))))
            } else {
                update.col_expr(sandbox_event::Column::DeliverAt, Expr::value(Timestamp(again)))
            };
            update.exec(tx.conn()).await?;
            Ok(((), tx))
        })
        .await
}

fn mac(secret: &Secret, unix: i64, body: &[u8]) -> hmac::Context {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(unix.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    context
}

fn sign(secret: &Secret, unix: i64, body: &[u8]) -> String {
    format!("t={unix},v1={}", digest::hex(mac(secret, unix, body).sign().as_ref()))
}

pub(super) fn read(
    secrets: &[Secret],
    signature: &str,
    body: &[u8],
    now: OffsetDateTime,
) -> Result<WebhookEvent, PaymentsError> {
    verify(secrets, signature, body, now)?;
    parse(body)
}

pub(super) fn parse(body: &[u8]) -> Result<WebhookEvent, PaymentsError> {
    let event: EventIn = serde_json::from_slice(body).map_err(|error| PaymentsError::Unreadable(error.to_string()))?;
    Ok(WebhookEvent {
        id: event.id,
        kind: event.kind,
        subject: match (event.charge, event.refund, event.dispute) {
            (Some(charge), ..) => Subject::Charge(to_charge(charge)?),
            (_, Some(refund), _) => Subject::Refund(to_refund(refund)),
            (.., Some(dispute)) => Subject::Dispute(to_dispute(dispute)?),
            _ => Subject::Other,
        },
    })
}

fn to_refund(refund: RefundIn) -> Refund {
    let state = match refund.state.as_str() {
        "succeeded" => RefundState::Succeeded,
        "failed" => RefundState::Failed { text: "The buyer's bank sent the money back.".to_owned() },
        _ => RefundState::Pending,
    };
    let amount = Money::new(refund.amount_minor, refund.currency);
    Refund { processor_ref: refund.id, our_ref: Some(refund.our_ref), amount, state }
}

fn to_dispute(dispute: DisputeIn) -> Result<Dispute, PaymentsError> {
    let unknown = || PaymentsError::Unreadable(format!("unknown dispute stage {:?}", dispute.stage));
    let due = dispute.due_unix.map(OffsetDateTime::from_unix_timestamp).transpose();
    Ok(Dispute {
        stage: disputes::stage(&dispute.stage).ok_or_else(unknown)?,
        amount: Money::new(dispute.amount_minor, dispute.currency),
        evidence_due_at: due.map_err(|error| PaymentsError::Unreadable(error.to_string()))?,
        processor_ref: dispute.id,
        payment_id: dispute.payment_id,
        charge_ref: dispute.charge,
        reason: dispute.reason,
    })
}

fn verify(secrets: &[Secret], signature: &str, body: &[u8], now: OffsetDateTime) -> Result<(), PaymentsError> {
    let mut unix = None;
    let mut tags = Vec::new();
    for part in signature.split(',') {
        match part.split_once('=') {
            Some(("t", text)) => unix = text.parse::<i64>().ok(),
            Some(("v1", text)) => tags.extend(digest::unhex(text)),
            _ => {}
        }
    }
    let unix = unix.ok_or(PaymentsError::BadSignature)?;
    let fresh = now.unix_timestamp().abs_diff(unix) <= TOLERANCE_SECONDS.unsigned_abs();
    let holds = |secret: &Secret| {
        let ours = mac(secret, unix, body).sign();
        tags.iter().any(|tag: &Vec<u8>| aws_lc_rs::constant_time::verify_slices_are_equal(ours.as_ref(), tag).is_ok())
    };
    if fresh && secrets.iter().any(holds) { Ok(()) } else { Err(PaymentsError::BadSignature) }
}

fn to_charge(charge: ChargeIn) -> Result<Charge, PaymentsError> {
    let state = match charge.state.as_str() {
        "authorised" => ChargeState::Authorised,
        "processing" => ChargeState::Processing,
        "action_required" => ChargeState::ActionRequired(charge.action.unwrap_or_default()),
        "captured" => ChargeState::Captured,
        "voided" => ChargeState::Voided,
        "failed" => ChargeState::Failed {
            code: charge.failure_code.unwrap_or_default(),
            text: charge.failure_text.unwrap_or_default(),
        },
        other => return Err(PaymentsError::Unreadable(format!("unknown charge state {other:?}"))),
    };
    let amount = Money::new(charge.amount_minor, charge.currency);
    Ok(Charge { processor_ref: charge.id, payment_id: charge.payment_id, amount, state })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const BODY: &[u8] = br#"{"id":"evt_1","type":"charge.unheard_of"}"#;

    fn secrets(all: &[&str]) -> Vec<Secret> {
        all.iter().map(|text| Secret::from(*text)).collect()
    }

    #[test]
    fn a_signed_event_of_an_unknown_type_is_read() {
        let signature = sign(&"new".into(), 0, BODY);
        let event = read(&secrets(&["new"]), &signature, BODY, NOW).expect("signed");
        assert_eq!(
            (event.id.as_str(), event.kind.as_str(), event.subject),
            ("evt_1", "charge.unheard_of", Subject::Other)
        );
    }

    #[test]
    fn both_secrets_hold_while_one_replaces_the_other() {
        let signature = sign(&"old".into(), 0, BODY);
        assert!(read(&secrets(&["new", "old"]), &signature, BODY, NOW).is_ok());
        assert!(read(&secrets(&["new"]), &signature, BODY, NOW).is_err());
    }

    #[test]
    fn a_forged_stale_or_changed_webhook_is_refused() {
        let all = secrets(&["new"]);
        let signature = sign(&all[0], 0, BODY);
        assert!(read(&all, &signature, b"{}", NOW).is_err());
        assert!(read(&all, &signature, BODY, NOW + Duration::seconds(TOLERANCE_SECONDS + 1)).is_err());
        assert!(read(&all, &signature.replace("v1=", "v0="), BODY, NOW).is_err());
        assert!(read(&all, "", BODY, NOW).is_err());
        assert!(read(&[], &signature, BODY, NOW).is_err());
    }
}
