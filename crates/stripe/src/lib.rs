//! Stripe, as the exchange uses it: separate charges and transfers, every cent of a split decided by us.
//!
//! This crate alone pays for compiling async-stripe, and knows nothing of the exchange. It takes and gives plain structs:
//! amounts are ISO 4217 minor units (`i64`), currencies ISO 4217 codes in upper case, ids text, times `OffsetDateTime`.
//!
//! | file | what |
//! |---|---|
//! | `gateway` | `Gateway`: one call, one request; lists in pages |
//! | `payment_intent` `bank_transfer` `checkout` `customer` | taking money |
//! | `account` `transfer` | providers and their share |
//! | `refund` `dispute` | after the sale |
//! | `balance` `payout` `charge` | what the books are reconciled with |
//! | `balance_settings` | what automatic payouts leave |
//! | `webhook` `event` | what Stripe tells: verify, then decode |
//! | `currency` | what Stripe accepts as an amount: a table |
//! | `client` `retry` `error` | the way there and back |
//! | `read` | how answers and webhooks are read, and why not by async-stripe's strict types alone |
//!
//! Requests are built with async-stripe's builders, sent by our own `StripeClient`, always with the caller's idempotency key
//! when they change something, and retried with that same key. What a failed call means for the next one is in `GatewayError`.

mod account;
mod balance;
mod balance_settings;
mod bank_transfer;
mod charge;
mod checkout;
mod client;
pub mod currency;
mod customer;
mod dispute;
mod error;
mod event;
mod gateway;
mod payment_intent;
mod payout;
mod read;
mod refund;
mod retry;
mod settings;
mod transfer;
mod webhook;

pub use account::{Account, AccountKind, AccountLink, AccountLinkUse, AccountRequest, Requirements};
pub use balance::{Balance, BalanceSource, BalanceTransaction};
pub use balance_settings::BalanceSettings;
pub use bank_transfer::{BankAddress, BankTransferKind, FundingInstructions};
pub use charge::Charge;
pub use checkout::{CheckoutRequest, CheckoutSession};
pub use customer::{Card, Customer, CustomerRequest, PaymentMethod};
pub use dispute::{Dispute, DisputeEvidence};
pub use error::GatewayError;
pub use event::{Event, Payload, RawEvent, decode};
pub use gateway::{Gateway, ListQuery, PAGE_ITEMS_MAX};
pub use payment_intent::{Capture, PaymentIntent, PaymentMethodChoice, PaymentOutcome, PaymentRequest};
pub use payout::Payout;
pub use read::{Page, ReadError, UnreadableItem};
pub use refund::{Refund, RefundReason, RefundRequest};
pub use settings::{
    API_BASE_DEFAULT, ATTEMPTS_DEFAULT, BACKOFF_BASE_MILLISECONDS_DEFAULT, Settings, TIMEOUT_SECONDS_DEFAULT,
    TOLERANCE_SECONDS_DEFAULT, TOTAL_SECONDS_DEFAULT,
};
pub use transfer::{Transfer, TransferRequest, TransferReversal};
pub use webhook::{SIGNATURE_HEADER, WebhookError};
