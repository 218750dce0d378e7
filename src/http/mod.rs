//! How the exchange is spoken to: problem documents, extractors, credentials, middleware, the
//! OpenAPI document. No rule of the exchange lives here.

pub mod credentials;
pub mod extract;
pub mod health;
pub mod middleware;
pub mod openapi;
pub mod problem;
pub mod problems;

pub use extract::{Id, IdempotencyHeader, IfMatch, Json, PageQuery, Query};
