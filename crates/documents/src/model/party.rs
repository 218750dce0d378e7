//! The two sides of a document.

use serde::{Deserialize, Serialize};

use super::{MAX_NAME_CHARS, text::Text};
use crate::tax::{Country, VatId};

/// A seller or a buyer as the document names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The name in the register of companies, or the person's name.
    pub legal_name: String,
    pub trading_name: Option<String>,
    pub address: Address,
    pub country: Country,
    /// VAT or consumption tax id, checked as [`VatId`] does for the countries of the rate table.
    pub vat_id: Option<String>,
    /// Number in the register of companies.
    pub legal_id: Option<Identifier>,
    /// Where electronic documents are delivered to: a Peppol participant id, or `EM` with a mail address.
    pub electronic_address: Option<Identifier>,
    pub contact: Option<Contact>,
}

/// A postal address without its country.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub street: String,
    pub street_2: Option<String>,
    pub postal_code: String,
    pub city: String,
    pub region: Option<String>,
}

/// An identifier and the code of the list it comes from: ISO 6523 (`0184`) for legal ids, EAS for electronic addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identifier {
    pub scheme: Option<String>,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub name: String,
    pub phone: String,
    pub email: String,
}

impl Party {
    /// The VAT id as EN 16931 writes it, if it is one with a country prefix.
    #[must_use]
    pub fn prefixed_vat_id(&self) -> Option<String> {
        let id = self.vat_id.as_deref()?;
        match VatId::parse(self.country, id) {
            Ok(parsed) => parsed.has_country_prefix().then(|| parsed.as_str().to_owned()),
            Err(_) => id.starts_with(self.country.as_str()).then(|| id.to_owned()),
        }
    }

    /// A tax id that carries no country prefix, such as Japan's `T` numbers (BT-32 of a seller).
    #[must_use]
    pub fn local_tax_id(&self) -> Option<&str> {
        self.vat_id.as_deref().filter(|_| self.prefixed_vat_id().is_none())
    }

    /// Every text of the party, for checks of length and characters. `role` is what an error calls it.
    pub(crate) fn texts(&self, role: &str) -> Vec<Text<'_>> {
        let texts = [
            ("address.street", Some(self.address.street.as_str())),
            ("address.street_2", self.address.street_2.as_deref()),
            ("address.postal_code", Some(&self.address.postal_code)),
            ("address.city", Some(&self.address.city)),
            ("address.region", self.address.region.as_deref()),
            ("trading_name", self.trading_name.as_deref()),
            ("vat_id", self.vat_id.as_deref()),
            ("legal_id", self.legal_id.as_ref().map(|id| id.value.as_str())),
            ("electronic_address", self.electronic_address.as_ref().map(|id| id.value.as_str())),
            ("contact.name", self.contact.as_ref().map(|contact| contact.name.as_str())),
            ("contact.phone", self.contact.as_ref().map(|contact| contact.phone.as_str())),
            ("contact.email", self.contact.as_ref().map(|contact| contact.email.as_str())),
        ];
        let name = Text::required(format!("{role}.legal_name"), &self.legal_name, MAX_NAME_CHARS);
        let optional = texts
            .into_iter()
            .filter_map(|(field, text)| Some(Text::optional(format!("{role}.{field}"), text?, MAX_NAME_CHARS)));
        std::iter::once(name).chain(optional).collect()
    }
}
