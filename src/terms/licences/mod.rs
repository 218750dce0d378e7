//! Licences: one grant model for open and commercial terms, written for people and for machines.
//!
//! [`Terms`] says what is granted, [`LicenceDocument`] writes it in four languages and as ODRL and
//! gives it the hash a buyer accepts. Open licences are rows of [`templates`] in the same model.
//!
//! Invariant: [`model`], [`validate`], [`templates`], [`presets`], [`render`], [`odrl`] and [`document`] are
//! pure: the same terms give the same document, byte for byte, on every machine. A stored document never changes,
//! and is checked against its hash whenever it is read.

pub mod document;
mod http;
pub mod model;
pub mod odrl;
mod phrases;
pub mod presets;
pub mod render;
mod service;
mod store;
#[cfg(test)]
mod strategies;
pub mod templates;
mod territory;
pub mod validate;

pub use document::{BuildError, LicenceDocument};
pub(in crate::terms) use http::document_url;
pub use http::routes;
pub use model::{OnBreach, Terms};
pub use presets::Preset;
pub use render::{Clause, Language};
pub use service::seed;
pub use store::{
    LicenceAgreement, Parties, find_document, find_document_text, find_named, find_usable, licence_agreement,
};
pub use templates::{OpenLicence, resolve};
pub use validate::Fault;
