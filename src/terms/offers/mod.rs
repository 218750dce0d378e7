//! Offers: a price and a licence for a listing, never edited, only withdrawn and replaced.

pub mod bundles;
mod http;
mod model;
pub mod plan;
mod plan_check;
mod service;
mod slice_check;
mod store;

pub use http::routes;
pub use model::SaleOffer;
pub use service::{REPROJECT_JOB, reproject};
pub use store::{offer_for_sale, offers_for_sale, owned_among};
