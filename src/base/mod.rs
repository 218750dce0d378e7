//! The vocabulary everything else is written in: pure values without I/O and without a framework.
//!
//! Invariant: nothing here reads the clock, the network, the file system or a database, and
//! nothing here knows HTTP or SQL. Time and randomness are arguments (see [`clock`]).

pub mod address;
pub mod clock;
pub mod country;
pub mod digest;
pub mod ids;
pub mod invariant;
pub mod pace;
pub mod page;
pub mod text;

pub use clock::Clock;
pub use invariant::Invariant;
pub use text::LangText;
pub use torv_money::{Currency, Money, MoneyError, allocate, chargeable, currency, money};
