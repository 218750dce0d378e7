//! Double entry, append-only. It knows nothing of what it books.
//!
//! Invariants: the postings of an entry sum to zero per currency (checked here, by the database on
//! insert, and by `torv verify`); no row is ever changed; a business event has one `source` and is
//! booked once. No sale touches a row that another sale touches: balances are derived, and
//! [`seal`] folds them into `ledger_balance` when it seals a batch.

mod accounts;
mod entries;
pub mod seal;
mod store;
pub mod verify;

pub use accounts::{Account, KnownAccounts};
pub use entries::{Line, NewEntry, Unbalanced};
pub use store::{
    AccountBalance, StoredEntry, balance, balances, booked_sources, entries_after, open_accounts, order_balances, post,
};
