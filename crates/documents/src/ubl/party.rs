//! Seller, buyer and the way of payment.

use std::io;

use super::{Profile, is_out_of_scope, xml::Xml};
use crate::model::{Account, Draft, Identifier, Party, Payment};

/// The scheme of tax ids that are no VAT ids (BT-32).
const OTHER_TAX_SCHEME: &str = "TAX";

pub(super) fn seller(xml: &mut Xml, draft: &Draft) -> io::Result<()> {
    xml.group("cac:AccountingSupplierParty", |xml| party(xml, draft, &draft.seller, true))
}

pub(super) fn buyer(xml: &mut Xml, draft: &Draft) -> io::Result<()> {
    xml.group("cac:AccountingCustomerParty", |xml| party(xml, draft, &draft.buyer, false))
}

fn party(xml: &mut Xml, draft: &Draft, party: &Party, is_seller: bool) -> io::Result<()> {
    xml.group("cac:Party", |xml| {
        if let Some(address) = &party.electronic_address {
            identifier(xml, "cbc:EndpointID", address)?;
        }
        if party.trading_name.is_some() {
            xml.group("cac:PartyName", |xml| xml.optional("cbc:Name", party.trading_name.as_deref()))?;
        }
        address(xml, party)?;
        if !is_out_of_scope(draft) {
            if let Some(id) = party.prefixed_vat_id() {
                tax_scheme(xml, &id, "VAT")?;
            }
            if let Some(id) = party.local_tax_id().filter(|_| is_seller) {
                tax_scheme(xml, id, OTHER_TAX_SCHEME)?;
            }
        }
        xml.group("cac:PartyLegalEntity", |xml| {
            xml.text("cbc:RegistrationName", &party.legal_name)?;
            match (&party.legal_id, party.local_tax_id().filter(|_| !is_seller)) {
                (Some(id), _) => identifier(xml, "cbc:CompanyID", id),
                // A buyer has no term for a tax id without country prefix; it is its register number as well.
                (None, Some(id)) => xml.text("cbc:CompanyID", id),
                (None, None) => Ok(()),
            }
        })?;
        let Some(contact) = &party.contact else { return Ok(()) };
        xml.group("cac:Contact", |xml| {
            xml.optional("cbc:Name", Some(&contact.name))?;
            xml.optional("cbc:Telephone", Some(&contact.phone))?;
            xml.optional("cbc:ElectronicMail", Some(&contact.email))
        })
    })
}

fn identifier(xml: &mut Xml, name: &str, id: &Identifier) -> io::Result<()> {
    let scheme = id.scheme.as_deref().map(|scheme| ("schemeID", scheme));
    xml.text_with(name, scheme.as_slice(), &id.value)
}

fn address(xml: &mut Xml, party: &Party) -> io::Result<()> {
    let address = &party.address;
    xml.group("cac:PostalAddress", |xml| {
        xml.optional("cbc:StreetName", Some(&address.street))?;
        xml.optional("cbc:AdditionalStreetName", address.street_2.as_deref())?;
        xml.optional("cbc:CityName", Some(&address.city))?;
        xml.optional("cbc:PostalZone", Some(&address.postal_code))?;
        xml.optional("cbc:CountrySubentity", address.region.as_deref())?;
        xml.group("cac:Country", |xml| xml.text("cbc:IdentificationCode", party.country.as_str()))
    })
}

fn tax_scheme(xml: &mut Xml, id: &str, scheme: &str) -> io::Result<()> {
    xml.group("cac:PartyTaxScheme", |xml| {
        xml.text("cbc:CompanyID", id)?;
        xml.group("cac:TaxScheme", |xml| xml.text("cbc:ID", scheme))
    })
}

/// Payment means code of UNCL 4461.
///
/// Peppol's Danish rules (`DK-R-005`) do not know 30: a Danish seller's account outside of SEPA is written as 31, which
/// needs a bank code beside the account (`DK-R-006`).
fn payment_code(draft: &Draft, profile: Profile) -> &'static str {
    match &draft.payment {
        Payment::Card { .. } => "48",
        Payment::CreditTransfer { account: Account::Iban(_), .. } if draft.currency.code() == "EUR" => "58",
        Payment::CreditTransfer { bic: Some(_), .. }
            if profile == Profile::PeppolBis3 && draft.seller.country.as_str() == "DK" =>
        {
            "31"
        }
        Payment::CreditTransfer { .. } => "30",
        Payment::Settled { .. } => "1",
    }
}

pub(super) fn payment(xml: &mut Xml, draft: &Draft, profile: Profile) -> io::Result<()> {
    xml.group("cac:PaymentMeans", |xml| {
        let code = payment_code(draft, profile);
        match &draft.payment {
            Payment::Settled { how } => xml.text_with("cbc:PaymentMeansCode", &[("name", how)], code)?,
            _ => xml.text("cbc:PaymentMeansCode", code)?,
        }
        if draft.kind.is_credit() {
            let due = draft.due_date.map(super::write::date);
            xml.optional("cbc:PaymentDueDate", due.as_deref())?;
        }
        match &draft.payment {
            Payment::Card { network, last_digits } => xml.group("cac:CardAccount", |xml| {
                xml.text("cbc:PrimaryAccountNumberID", last_digits)?;
                xml.text("cbc:NetworkID", network)
            }),
            Payment::CreditTransfer { account, bic, holder, reference } => {
                xml.text("cbc:PaymentID", reference)?;
                xml.group("cac:PayeeFinancialAccount", |xml| {
                    xml.text("cbc:ID", account.as_str())?;
                    xml.text("cbc:Name", holder)?;
                    let Some(bic) = bic else { return Ok(()) };
                    xml.group("cac:FinancialInstitutionBranch", |xml| xml.text("cbc:ID", bic))
                })
            }
            Payment::Settled { .. } => Ok(()),
        }
    })
}
