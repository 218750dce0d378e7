//! Double entry, append-only. It knows nothing of what it books.
//!
//! Invariants: the postings of an entry sum to zero per currency (checked here, by the database on
//! insert, and by `torv verify`); no row is ever changed; a business event has one `source` and is
//! booked once. No sale touches a row that another sale touches: balances are derived, and
//! [`seal`] folds them into `ledger_balance` when it seals a batch.

mod accounts;
mod entries;
mod guards;
pub mod seal;
mod sealed;
mod store;
pub mod verify;

pub use accounts::{Account, KnownAccounts};
pub use entries::{Line, NewEntry, Unbalanced};
pub use sealed::{Place, SealedFilter, SealedPosting, postings_of_seal, seal_after, sealed_postings};
pub use store::{
    AccountBalance, StoredEntry, balance, balances, booked_sources, entries_after, lock_currency, open_accounts,
    order_balances, order_sums, orders_sums, post,
};
