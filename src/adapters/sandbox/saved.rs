//! Means of payment that the sandbox keeps, and how they behave once the buyer is gone.

use std::borrow::Cow;

use entity::{Timestamp, sandbox_object};
use sea_orm::ActiveValue::Set;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    Sandbox,
    book::{derived_id, insert_new, row},
    methods,
};
use crate::ports::payments::{Capture, ChargeRequest, ChargeState, PaymentsError, SaveMethodRequest, SavedMethod};

/// What a kept means of payment is called, apart from a token.
const KEPT: &str = "kept_";
/// Pays while the buyer is there; declined when charged without.
pub(super) const DECLINED_LATER: &str = "pm_card_declined_later";
/// Pays while the buyer is there; without, the bank wants to hear from the buyer first.
pub(super) const CONFIRMED_ONLY: &str = "pm_card_authentication_required";

/// Keeps the means behind a token, once per idempotency key.
pub(super) async fn save(
    box_: &Sandbox,
    request: &SaveMethodRequest,
    now: OffsetDateTime,
) -> Result<SavedMethod, PaymentsError> {
    if let ChargeState::Failed { code, text } = methods::behaviour(&request.method, Capture::Automatic)?.at_once {
        return Err(PaymentsError::Refused { code, text });
    }
    let derived_customer = || format!("cus_{}", request.organization.0.simple());
    let customer_ref = request.customer_ref.clone().unwrap_or_else(derived_customer);
    let id = derived_id("kept", &request.idempotency_key);
    let object = sandbox_object::ActiveModel {
        id: Set(id.clone()),
        kind: Set("saved_method".to_owned()),
        idempotency_key: Set(None),
        parent: Set(Some(customer_ref.clone())),
        state: Set("active".to_owned()),
        amount_minor: Set(0),
        fee_minor: Set(0),
        currency: Set("EUR".to_owned()),
        available_at: Set(Timestamp(now)),
        body: Set(json!({"token": request.method})),
        created_at: Set(Timestamp(now)),
    };
    box_.db
        .write("sandbox.save_method", move |tx| {
            let object = object.clone();
            async move {
                insert_new(&tx, vec![object]).await?;
                Ok(((), tx))
            }
        })
        .await?;
    let label = format!("card ···· {}", &id[id.len().saturating_sub(4)..]);
    Ok(SavedMethod { customer_ref, method: id, label })
}

/// The request with the token behind a kept means of payment.
pub(super) async fn with_token<'a>(
    box_: &Sandbox,
    request: &'a ChargeRequest,
) -> Result<Cow<'a, ChargeRequest>, PaymentsError> {
    let refused =
        |text: &str| PaymentsError::Refused { code: "unknown_payment_method".to_owned(), text: text.to_owned() };
    if !request.method.starts_with(KEPT) {
        if request.off_session {
            return Err(refused("Without the buyer only a means of payment that was kept can be charged."));
        }
        return Ok(Cow::Borrowed(request));
    }
    let kept = row(box_, &request.method)
        .await?
        .filter(|row| row.kind == "saved_method" && row.parent == request.customer_ref);
    let kept = kept.ok_or_else(|| refused("This means of payment is not kept for this buyer."))?;
    let token = kept.body["token"].as_str().unwrap_or_default().to_owned();
    Ok(Cow::Owned(ChargeRequest { method: token, ..request.clone() }))
}

/// How a charge without the buyer ends at once, where that differs from one with.
pub(super) fn without_buyer(request: &ChargeRequest) -> Option<ChargeState> {
    let failed = |code: &str, text: &str| ChargeState::Failed { code: code.to_owned(), text: text.to_owned() };
    match request.method.as_str() {
        DECLINED_LATER if request.off_session => Some(failed("card_declined", "The card was declined.")),
        CONFIRMED_ONLY if request.off_session => {
            Some(failed("authentication_required", "The bank wants the buyer to confirm. Pay the order yourself."))
        }
        _ => None,
    }
}
