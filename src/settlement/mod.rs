//! Settlement: the processor's lines in the books, holds, payouts, statements, reconciliation, exports.
//!
//! Invariants: cash accounts are booked only from lines of the processor, obligations only from our own
//! decisions, and the clearing accounts that join them return to zero; a payout carries what is due of an
//! order's share and never more; a payout reaches the processor under one idempotency key until it is definitively refused.
//! Every sweep of this wing is safe to run at any time, in any number of processes.

pub mod bank;
pub mod documents;
pub mod economics;
pub mod exceptions;
pub mod exports;
pub mod fee_shares;
pub mod feed;
pub mod holds;
pub mod payouts;
pub mod processor;
pub mod proof;
pub mod receivables;
pub mod reconciliation;
pub mod reversals;
pub mod statements;
pub mod verifications;
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
        .merge(receivables::routes())
        .merge(reversals::http::routes())
        .merge(statements::routes())
        .merge(reconciliation::routes())
        .merge(verifications::routes())
        .merge(exports::routes())
        .merge(documents::routes())
        .merge(proof::routes())
        .merge(feed::routes())
        .merge(economics::routes())
        .merge(bank::routes())
        .merge(exceptions::routes())
        .merge(reconciliation::three_way_routes())
        .merge(reconciliation::closing_routes())
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
