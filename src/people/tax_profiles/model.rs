//! A tax profile and its rules.

use serde::{Deserialize, Serialize};
use time::Date;
use torv_documents::{
    model::{Address, Contact, Identifier, MAX_NAME_CHARS, MAX_REFERENCE_CHARS, Party},
    tax::{Country, TaxParty, VatId, VatIdError},
};
use utoipa::ToSchema;

use crate::{
    base::country::is_country,
    error::{Check, Error, Result},
};

/// Longest identifier with its scheme.
const IDENTIFIER_CHARS_MAX: usize = 60;
/// Shortest and longest code of a scheme: EAS and ISO 6523 have `EM` and `0184`.
const SCHEME_CHARS: std::ops::RangeInclusive<usize> = 2..=4;

/// A postal address without its country.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"street": "Rådhuspladsen 2", "postal_code": "8000", "city": "Aarhus C"}))]
pub struct PostalAddress {
    /// Street and number.
    #[schema(max_length = 120)]
    pub street: String,
    /// A second line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120)]
    pub street_2: Option<String>,
    /// Postal code.
    #[schema(max_length = 120)]
    pub postal_code: String,
    /// City.
    #[schema(max_length = 120)]
    pub city: String,
    /// State or province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120)]
    pub region: Option<String>,
}

/// An identifier and the code of the list it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"scheme": "0184", "value": "13585628"}))]
pub struct TaxId {
    /// ISO 6523 for numbers of a register (`0184` is the Danish CVR), EAS for electronic addresses (`EM` is mail).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 2, max_length = 4)]
    pub scheme: Option<String>,
    /// The identifier.
    #[schema(min_length = 1, max_length = 60)]
    pub value: String,
}

impl TaxId {
    fn identifier(&self) -> Identifier {
        Identifier { scheme: self.scheme.clone(), value: self.value.clone() }
    }
}

/// Whom to ask about an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Accounts", "phone": "+45 12345678", "email": "accounts@example.org"}))]
pub struct InvoiceContact {
    /// A person or a department.
    #[schema(max_length = 120)]
    pub name: String,
    /// Telephone.
    #[schema(max_length = 120)]
    pub phone: String,
    /// Mail address.
    #[schema(max_length = 120)]
    pub email: String,
}

/// What an organisation's invoices say of it, and what decides about tax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "legal_name": "Torvet Drift ApS", "address": {"street": "Rådhuspladsen 2", "postal_code": "8000", "city": "Aarhus C"},
    "country": "DK", "is_business": true, "vat_id": "DK13585628", "legal_id": {"scheme": "0184", "value": "13585628"},
    "electronic_address": {"scheme": "0184", "value": "DK13585628"}
}))]
pub struct TaxProfile {
    /// The name in the register of companies, or the person's.
    #[schema(max_length = 120)]
    pub legal_name: String,
    /// The name it trades under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120)]
    pub trading_name: Option<String>,
    /// Where it is established.
    pub address: PostalAddress,
    /// ISO 3166-1 alpha-2 of the country it is established in.
    #[schema(pattern = "^[A-Z]{2}$")]
    pub country: String,
    /// It is in business; otherwise it is taxed as a consumer, and a provider is a person.
    pub is_business: bool,
    /// VAT or consumption tax id. Syntax and check digit are verified, not whether it is registered. Without it no
    /// tax is charged on what it sells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_id: Option<String>,
    /// Number in a register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_id: Option<TaxId>,
    /// Taxpayer identification number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60)]
    pub tin: Option<String>,
    /// The country that gave the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[A-Z]{2}$")]
    pub tin_country: Option<String>,
    /// Date of birth of a person, asked for by reporting rules for platforms.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "date_text")]
    #[schema(value_type = Option<String>, format = Date, example = "1990-02-03")]
    pub birth_date: Option<Date>,
    /// Where electronic invoices go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub electronic_address: Option<TaxId>,
    /// What it wants to see on invoices it receives, such as a Leitweg-ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub buyer_reference: Option<String>,
    /// Whom to ask about an invoice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<InvoiceContact>,
}

/// A calendar date as `2026-11-21`.
mod date_text {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};
    use time::{Date, macros::format_description};

    pub fn serialize<S: Serializer>(date: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
        date.map(|date| date.to_string()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let parse = |text: &str| Date::parse(text, format_description!("[year]-[month]-[day]"));
        text.map(|text| parse(&text).map_err(|_| D::Error::custom("expected a date such as 1990-02-03"))).transpose()
    }
}

impl TaxProfile {
    /// What is known of an organisation without a profile: name and country. It counts as a consumer.
    pub fn of_organization(name: &str, country: &str) -> Self {
        Self {
            legal_name: name.chars().take(MAX_NAME_CHARS).collect(),
            trading_name: None,
            address: PostalAddress::default(),
            country: country.to_owned(),
            is_business: false,
            vat_id: None,
            legal_id: None,
            tin: None,
            tin_country: None,
            birth_date: None,
            electronic_address: None,
            buyer_reference: None,
            contact: None,
        }
    }

    /// Checks everything at once, and brings the VAT id into its written form.
    ///
    /// # Errors
    /// `Invalid`, pointing at each value that needs to be changed.
    pub fn checked(mut self) -> Result<Self> {
        let mut check = Check::new();
        check.name(&self.legal_name, MAX_NAME_CHARS, "/legal_name");
        check.name(&self.address.street, MAX_NAME_CHARS, "/address/street");
        check.name(&self.address.city, MAX_NAME_CHARS, "/address/city");
        check.at_most(&self.address.postal_code, MAX_NAME_CHARS, "/address/postal_code");
        let optional = [
            (&self.trading_name, MAX_NAME_CHARS, "/trading_name"),
            (&self.address.street_2, MAX_NAME_CHARS, "/address/street_2"),
            (&self.address.region, MAX_NAME_CHARS, "/address/region"),
            (&self.tin, IDENTIFIER_CHARS_MAX, "/tin"),
            (&self.buyer_reference, MAX_REFERENCE_CHARS, "/buyer_reference"),
        ];
        for (text, chars_max, pointer) in optional {
            if let Some(text) = text {
                check.name(text, chars_max, pointer);
            }
        }
        if let Some(contact) = &self.contact {
            check.name(&contact.name, MAX_NAME_CHARS, "/contact/name");
            check.name(&contact.phone, MAX_NAME_CHARS, "/contact/phone");
            check.name(&contact.email, MAX_NAME_CHARS, "/contact/email");
        }
        for (id, pointer) in [(&self.legal_id, "/legal_id"), (&self.electronic_address, "/electronic_address")] {
            if let Some(id) = id {
                check_id(&mut check, id, pointer);
            }
        }
        let code = "Give a country code of ISO 3166-1, such as DK.";
        check.require(is_country(&self.country), "/country", code);
        let tin_country = self.tin_country.as_deref();
        check.require(tin_country.is_none_or(is_country), "/tin_country", code);
        let together = "Give a tax number and its country together.";
        check.require(self.tin.is_some() == tin_country.is_some(), "/tin_country", together);
        match self.written_vat_id() {
            Ok(written) => self.vat_id = written,
            Err(error) => {
                check.require(false, "/vat_id", format!("{error}."));
            }
        }
        check.done()?;
        Ok(self)
    }

    fn written_vat_id(&self) -> Result<Option<String>, VatIdError> {
        let (Some(id), Ok(country)) = (&self.vat_id, Country::parse(&self.country)) else { return Ok(None) };
        VatId::parse(country, id).map(|id| Some(id.as_str().to_owned()))
    }

    /// The organisation as the tax rules see it.
    ///
    /// # Errors
    /// Internal, for a stored country that is none.
    pub fn tax_party(&self) -> Result<TaxParty> {
        let country = Country::parse(&self.country).map_err(Error::internal)?;
        Ok(TaxParty { country, vat_id: self.vat_id.clone(), is_business: self.is_business })
    }

    /// The organisation as a document names it.
    ///
    /// # Errors
    /// Internal, for a stored country that is none.
    pub fn party(&self) -> Result<Party> {
        let address = self.address.clone();
        let contact = self.contact.clone();
        Ok(Party {
            legal_name: self.legal_name.clone(),
            trading_name: self.trading_name.clone(),
            address: Address {
                street: address.street,
                street_2: address.street_2,
                postal_code: address.postal_code,
                city: address.city,
                region: address.region,
            },
            country: Country::parse(&self.country).map_err(Error::internal)?,
            vat_id: self.vat_id.clone(),
            legal_id: self.legal_id.as_ref().map(TaxId::identifier),
            electronic_address: self.electronic_address.as_ref().map(TaxId::identifier),
            contact: contact.map(|c| Contact { name: c.name, phone: c.phone, email: c.email }),
        })
    }
}

fn check_id(check: &mut Check, id: &TaxId, pointer: &str) {
    check.name(&id.value, IDENTIFIER_CHARS_MAX, &format!("{pointer}/value"));
    let is_code = |scheme: &String| {
        SCHEME_CHARS.contains(&scheme.len())
            && scheme.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let advice = "Give the code of the list, such as 0184 or EM.";
    check.require(id.scheme.as_ref().is_none_or(is_code), format!("{pointer}/scheme"), advice);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile(vat_id: &str) -> TaxProfile {
        serde_json::from_value(json!({
            "legal_name": "Torvet Drift ApS", "country": "DK", "is_business": true, "vat_id": vat_id,
            "address": {"street": "Torvet 1", "postal_code": "8000", "city": "Aarhus"}
        }))
        .expect("well-formed")
    }

    #[test]
    fn a_vat_id_is_checked_and_written_in_one_form() {
        assert_eq!(profile("13 58 56 28").checked().expect("right").vat_id.as_deref(), Some("DK13585628"));
        let mistyped = profile("13585629").checked().expect_err("a wrong check digit");
        assert_eq!(mistyped.fields[0].pointer, "/vat_id");
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let wrong = TaxProfile {
            legal_name: " ".to_owned(),
            country: "XX".to_owned(),
            tin: Some("1".to_owned()),
            electronic_address: Some(TaxId { scheme: Some("mail".to_owned()), value: String::new() }),
            ..profile("13585628")
        };
        let told = wrong.checked().expect_err("wrong");
        let pointers: Vec<_> = told.fields.iter().map(|field| field.pointer.as_str()).collect();
        for pointer in
            ["/legal_name", "/country", "/tin_country", "/electronic_address/value", "/electronic_address/scheme"]
        {
            assert!(pointers.contains(&pointer), "{pointer}: {pointers:?}");
        }
    }
}
