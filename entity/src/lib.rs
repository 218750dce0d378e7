//! One dense sea-orm entity per table, and the identifiers and states they are made of.
//!
//! Rows never derive `Serialize`: a row can't become a response by accident.

pub mod ids;
