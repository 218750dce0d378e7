//! Settlement: the processor's lines, holds, payouts, statements, reconciliation, exports, verification.

mod exports;
mod payouts;
mod statements;
