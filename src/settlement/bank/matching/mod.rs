//! What explains a bank line, and booking it.
//!
//! Rules, in order: the line carries a payout's trace id or reference; a structured reference or the text
//! names it; the line names an order or a refund (see `transfers`); the bank says that it charges us; exactly the amount of one payout about that day; several
//! lines sum to one payout; one line sums several. What no rule explains is booked to suspense and becomes
//! an exception. A line in suspense is tried again when payouts or lines come in later.

mod entries;
mod facts;
mod http;
mod model;
mod names;
mod payouts;
mod rules;
mod service;
mod store;
mod transfers;

pub(in crate::settlement) use entries::account_of;
pub use http::routes;
pub use model::arrival_window;
pub use payouts::{name_payout, register_payouts};
pub use service::{book_lines, is_busy, try_again};
pub(in crate::settlement) use store::{close_line, explain_by_hand, find_line, find_payout, settle_payout};
