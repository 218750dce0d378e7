//! Proof for outsiders: every order, and everything that later takes back a part of it, is a leaf of one
//! public Merkle tree whose signed heads anybody can fetch.
//!
//! Leaves follow the ledger in the order of sealing, so the order is the same whoever appends, and nothing
//! that commits late is missed; free orders, which the ledger does not know, follow by the time they were
//! closed. A sweep appends under a row lock, a batch in a transaction: positions have no gaps, and a crash
//! leaves either all of a batch or none. A leaf never changes; what happens to a sale later is a leaf of
//! its own, told apart by its kind.
//!
//! The tree, the file format and the verification are in the crate `torv-receipt`, which knows nothing of
//! this exchange.

mod append;
mod check;
mod heads;
mod http;
mod keys;
mod model;
mod nodes;
mod receipts;
mod store;
mod totals;
mod transparency;

pub use append::append_leaves;
pub(super) use check::check;
pub use heads::sign_head;
pub use http::routes;
pub use keys::{Signer, signer};
pub use receipts::{Request as ReceiptRequest, receipt_of};
pub use totals::{Period, Total, totals};
pub use transparency::{ConsistencyView, TreeHeadView};
