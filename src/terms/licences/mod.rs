//! Licences: one grant model for open and commercial terms, written for people and for machines.
//!
//! [`Terms`] says what is granted, [`LicenceDocument`] writes it in four languages and as ODRL and
//! gives it the hash a buyer accepts. Open licences are rows of [`templates`] in the same model.
//!
//! Invariant: [`model`], [`validate`], [`templates`], [`presets`], [`render`], [`odrl`] and [`document`] are
//! pure: the same terms give the same document, byte for byte, on every machine.

pub mod document;
pub mod model;
pub mod odrl;
mod phrases;
pub mod presets;
pub mod render;
#[cfg(test)]
mod strategies;
pub mod templates;
mod territory;
pub mod validate;

pub use document::{BuildError, LicenceDocument};
pub use model::Terms;
pub use presets::Preset;
pub use render::{Clause, Language};
pub use templates::{OpenLicence, resolve};
pub use validate::Fault;
pub struct Parties {
    pub agreement: String,
    pub target: String,
    pub assigner: String,
    pub assignee: String,
    pub agreed_at: time::OffsetDateTime,
}
pub struct LicenceAgreement {
    pub document: serde_json::Value,
    pub odrl: serde_json::Value,
}
pub async fn licence_agreement(
    _c: &impl sea_orm::ConnectionTrait,
    _h: &str,
    _p: &Parties,
) -> crate::error::Result<LicenceAgreement> {
    Err(crate::error::Error::not_found("x"))
}
