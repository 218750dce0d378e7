//! Settlement: the processor's lines, holds, payouts, statements, reconciliation, exports, verification.

mod exports;
mod payouts;
mod random;
mod reconciliation;
mod statements;
mod verify;
