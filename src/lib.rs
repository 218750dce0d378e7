//! Torv: an open city data exchange.

pub mod adapters;
pub mod auth;
pub mod base;
pub mod bootstrap;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod db;
pub mod delivery;
pub mod demo;
pub mod error;
pub mod http;
pub mod jobs;
pub mod ledger;
pub mod limits;
pub mod notify;
pub mod people;
pub mod ports;
pub mod router;
pub mod serve;
pub mod settlement;
pub mod state;
pub mod telemetry;
pub mod terms;
pub mod trade;

pub use error::{Error, Result};
pub use state::AppState;
