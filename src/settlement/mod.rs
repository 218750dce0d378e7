//! Settlement: the processor's lines in the books, holds, payouts, statements, reconciliation, exports.
//!
//! Invariants: cash accounts are booked only from lines of the processor, obligations only from our own
//! decisions, and the clearing accounts that join them return to zero; an order's share is carried by one
//! payout; a payout reaches the processor under one idempotency key until it is definitively refused.
//! Every sweep of this wing is safe to run at any time, in any number of processes.

pub mod exports;
pub mod holds;
pub mod payouts;
pub mod processor;
pub mod reconciliation;
pub mod statements;
pub mod verify;

mod rows;

use utoipa_axum::router::OpenApiRouter;

use crate::{
    base::Currency,
    error::{Error, Result},
    ports::payments::PaymentsError,
    state::AppState,
};

/// Seconds after which a caller may ask a silent processor again.
const PROCESSOR_RETRY_AFTER_SECONDS: u32 = 30;

/// The operations of settlement.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(payouts::routes())
        .merge(statements::routes())
        .merge(reconciliation::routes())
        .merge(exports::routes())
}

/// A failure of the processor where no decision depends on it.
fn outside(cause: PaymentsError) -> Error {
    Error::unavailable("The payment processor did not answer. Try again later.", PROCESSOR_RETRY_AFTER_SECONDS)
        .because(cause)
}

/// A stored currency code.
fn currency(code: &str) -> Result<Currency> {
    code.parse().map_err(|error: crate::base::currency::UnknownCurrency| Error::internal(error))
}
