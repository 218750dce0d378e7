//! The tax and invoice documents of the exchange, as a pure library: no database, no network, no clock.
//!
//! | module | what it makes |
//! |---|---|
//! | [`tax`] | VAT category, rate, amount and reason of one supply; the documents of a sale in both tax modes |
//! | [`model`] | a [`model::Document`] whose totals add up, or an error that says what does not |
//! | [`ubl`] | UBL 2.1 XML under EN 16931, Peppol BIS Billing 3.0 or `XRechnung` 3.0 |
//! | [`pdf`] | an A4 PDF in English, Danish, Japanese or Traditional Chinese |
//! | [`statement`] | a provider's statement: opening, movements, closing; as PDF and CSV |
//! | [`dpi`] | yearly figures per seller in the manner of DAC7, as CSV |
//!
//! Amounts are integers of the currency's minor unit. Nothing here is tax advice: which rules apply to a sale is the
//! operator's decision, and the functions say which rule they took.

mod decimal;
pub mod dpi;
pub mod model;
pub mod pdf;
pub mod statement;
pub mod tax;
pub mod ubl;

pub use decimal::{Currency, CurrencyError, Decimal, DecimalError};
