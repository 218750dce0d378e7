//! Refunds: asked for by a buyer and answered within business days, or decided by provider or operator.
//!
//! A decision books what it takes from whom in one transaction; the processor is asked outside of it,
//! under a lease and with an idempotency key that changes only after a definitive refusal. A refund is
//! paid when the processor's own line says so; one that came back is undone by entries.

mod booking;
pub mod http;
mod model;
mod own_part;
mod service;
mod store;
mod submit;

pub use model::{Clock, Verdict, business_days_after};
pub use service::{Asked, appeal, decide, escalate_overdue, issue, request, withdraw};
pub use submit::{due_by_bank, hear, paid_by_bank, settle_line, submit_refunds};

pub(in crate::trade) use booking::{open_accounts, refund_closed_order};
pub(in crate::trade) use model::end_reason;
pub(in crate::trade) use store::decided_of;
pub use store::orders_with_requests;
