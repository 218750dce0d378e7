//! Listings: what a provider offers, described so that it is found and understood.

mod extras;
mod fields;
mod http;
mod model;
mod offers;
mod query;
mod search;
mod service;
mod store;
mod view;

pub use fields::{Contact, ListingIn, ListingPatch};
pub use http::routes;
pub use model::{GuardRule, price_guard, refuse_price};
pub use offers::{
    ListingFacts, ListingName, OfferFacts, SaleFacts, facts_for_everybody, facts_for_sale, find_visible,
    lock_for_offer, names, project_offers,
};
pub(in crate::catalog) use service::note_published_revision;
pub(in crate::catalog) use store::{find_owned, lock, lock_owned};
