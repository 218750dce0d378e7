//! Invoices, credit notes and self-billed documents: numbered without gaps, frozen, rendered on demand.
//!
//! Each paid order has one document for every side of it. In agent mode every provider invoices the buyer for its own
//! lines, and the operator invoices the provider for its commission; as deemed supplier the operator invoices the buyer
//! for everything and writes each provider's invoice for its share. A refund or a lost dispute takes back the same
//! documents in part; a refund that is undone later is invoiced once more, by documents that name the credit notes.
//!
//! Between operator and provider the frozen shares are what is settled, so tax on that side is inside them; it is
//! booked when the document is issued. Where no net amount has a rounded tax that makes the share, the document states
//! the rounding of the amount due (EN 16931 BT-114), so that what is payable is always what the ledger moved.
//!
//! Invariants: a number is taken in the transaction that writes its document, so a series has no gap; what was issued is
//! never changed; equal documents give equal bytes.

mod amounts;
mod credit;
mod dac7;
mod draft;
mod facts;
mod http;
mod issue;
mod render;
mod sale;
mod store;
mod sweep;
mod vat;

pub use http::routes;
pub use sweep::issue_due;

pub(in crate::settlement) use credit::{is_charge, taken_back};
pub(in crate::settlement) use http::{attachment, requested_language};
pub(in crate::settlement) use issue::tax_entry;
pub(in crate::settlement) use render::{currency_of, read};
