//! Frozen documents as PDF and UBL. Equal documents give equal bytes.

use entity::document;
use torv_documents::{
    Currency,
    model::Document,
    pdf::{self, Language},
    ubl::{self, Profile},
};

use crate::{
    base::{self, digest},
    error::{Error, Result},
};

/// The currency as the documents library counts in it.
///
/// # Errors
/// Internal, for a currency the library does not take.
pub fn currency_of(currency: base::Currency) -> Result<Currency> {
    Currency::new(currency.code(), currency.exponent()).map_err(Error::internal)
}

/// The language for a tag; English where there is no translation.
pub fn language_of(tag: &str) -> Language {
    Language::from_tag(tag).unwrap_or(Language::English)
}

/// Reads a stored document, whose body must have its hash and its totals.
///
/// # Errors
/// Internal, for a body that was changed.
pub fn read(row: &document::Model) -> Result<Document> {
    if digest::sha256_hex(row.body.as_bytes()) != row.sha256 {
        return Err(Error::internal(format!("{} is not what was issued", row.id)));
    }
    Ok(serde_json::from_str(&row.body)?)
}

/// The document as PDF.
///
/// # Errors
/// Internal, for a body that was changed.
pub fn as_pdf(row: &document::Model, language: Language) -> Result<Vec<u8>> {
    pdf::render(&read(row)?, language).map_err(Error::internal)
}

/// The document as UBL.
///
/// # Errors
/// `Conflict` where the profile has no form for it, with what to do; internal for a body that was changed.
pub fn as_ubl(row: &document::Model, profile: Profile) -> Result<Vec<u8>> {
    ubl::write(&read(row)?, profile).map_err(|error| match error {
        ubl::UblError::Write(cause) => Error::internal(cause),
        refused => Error::conflict(format!("This document has no such form: {refused}.")),
    })
}
