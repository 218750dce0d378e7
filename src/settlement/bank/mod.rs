//! The bank side of reconciliation: the operator's bank accounts, statements and payout reports brought
//! in as files, and the lines booked against what explains them.
//!
//! Invariants: a file is seen whole or not at all; a line is booked once, `Dr bank` against what explains
//! it or against `suspense.bank`; the parts of a line sum to its amount; what a payout settles never
//! exceeds it. Every sweep here is safe to run at any time, in any number of processes.

pub mod accounts;
pub mod days;
pub mod imports;
pub mod matching;

pub(in crate::settlement) use imports::seen as imports_seen;
pub(in crate::settlement) use matching::account_of;
use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

/// The operations of the bank side.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(accounts::routes()).merge(imports::routes()).merge(matching::routes())
}
