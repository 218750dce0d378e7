//! Orders = processor = bank, per currency and period.
//!
//! Each leg is summed from its own rows. What timing and named exceptions don't account for is unnamed, and
//! has to be zero; what open exceptions name is unexplained until somebody has settled it.

mod http;
mod model;
mod service;
mod store;

pub use http::three_way_routes;
pub use model::ThreeWay;
pub use service::three_way;
