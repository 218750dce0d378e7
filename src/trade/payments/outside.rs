//! Calls to the processor, with a step to fail at before and after each.

use crate::{
    error::{Error, Problem, Result},
    ports::payments::{Charge, ChargeRequest, CheckoutRequest, PaymentsError},
    state::AppState,
};

/// Makes a charge; idempotent by its payment id.
pub(super) async fn charge(app: &AppState, request: &ChargeRequest) -> Result<Charge> {
    app.db.faults().step(|| "payments.charge: before the call".to_owned())?;
    let charge = app.payments.charge(request).await.map_err(to_error)?;
    app.db.faults().step(|| "payments.charge: after the call".to_owned())?;
    Ok(charge)
}

/// Opens a page on which a buyer pays; idempotent by its payment id.
pub(super) async fn open_checkout(app: &AppState, request: &CheckoutRequest) -> Result<Charge> {
    app.db.faults().step(|| "payments.open_checkout: before the call".to_owned())?;
    let charge = app.payments.open_checkout(request).await.map_err(to_error)?;
    app.db.faults().step(|| "payments.open_checkout: after the call".to_owned())?;
    Ok(charge)
}

/// Captures an authorised charge.
pub(super) async fn capture(app: &AppState, processor_ref: &str) -> Result<Charge> {
    app.db.faults().step(|| "payments.capture: before the call".to_owned())?;
    let charge = app.payments.capture(processor_ref).await.map_err(to_error)?;
    app.db.faults().step(|| "payments.capture: after the call".to_owned())?;
    Ok(charge)
}

/// Gives an authorisation back.
pub(super) async fn void(app: &AppState, processor_ref: &str) -> Result<Charge> {
    app.db.faults().step(|| "payments.void: before the call".to_owned())?;
    let charge = app.payments.void(processor_ref).await.map_err(to_error)?;
    app.db.faults().step(|| "payments.void: after the call".to_owned())?;
    Ok(charge)
}

pub(in crate::trade) fn to_error(error: PaymentsError) -> Error {
    match error {
        PaymentsError::Refused { code, text } if code == "unknown_payment_method" => {
            Error::invalid("/payment_method", text)
        }
        PaymentsError::Refused { text, .. } => Error::new(Problem::PaymentDeclined, text),
        PaymentsError::Unknown(cause) => {
            let detail = "The processor has not answered. The order is kept; repeat the request with the same \
                          Idempotency-Key, or look at the order in a minute.";
            Error::unavailable(detail, 5).because(cause)
        }
        other => Error::internal(other),
    }
}
