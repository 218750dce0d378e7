//! UBL 2.1 invoices and credit notes under EN 16931 and two of its national and network profiles.
//!
//! Source: EN 16931-1:2017+A1:2019 and CEN/TS 16931-3-2 for the binding; Peppol BIS Billing 3.0 and Peppol BIS
//! Self-Billing 3.0 for the identifiers; `XRechnung` 3.0.2 for the German rules (`BR-DE-*`).

mod party;
mod write;
mod xml;

use crate::{
    model::{Document, Draft, Kind, Party},
    tax::Category,
};

/// EN 16931 allows two digits after the point in every amount (`BR-DEC-*`).
const MAX_EXPONENT_DIGITS: u8 = 2;

/// The EAS code of mail addresses, which Peppol's list of participant schemes leaves out (`PEPPOL-EN16931-CL008`).
const MAIL_SCHEME: &str = "EM";

/// The ISO 6523 code of the Danish register of companies.
const CVR_SCHEME: &str = "0184";

/// The rules a receiver asks for, named in the document itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// The European norm alone.
    En16931,
    /// Peppol BIS Billing 3.0; for self-billed documents Peppol BIS Self-Billing 3.0.
    PeppolBis3,
    /// What German authorities require.
    XRechnung,
}

impl Profile {
    /// BT-24, the specification the document follows.
    #[must_use]
    pub fn customization_id(self, kind: Kind) -> &'static str {
        match (self, kind.is_self_billed()) {
            (Self::En16931, _) => "urn:cen.eu:en16931:2017",
            (Self::PeppolBis3, false) => "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
            (Self::PeppolBis3, true) => {
                "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:selfbilling:3.0"
            }
            (Self::XRechnung, _) => "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0",
        }
    }

    /// BT-23, the business process; the norm alone does not ask for one.
    #[must_use]
    pub fn profile_id(self, kind: Kind) -> Option<&'static str> {
        match (self, kind.is_self_billed()) {
            (Self::En16931, _) => None,
            (Self::PeppolBis3, true) => Some("urn:fdc:peppol.eu:2017:poacc:selfbilling:01:1.0"),
            (Self::PeppolBis3 | Self::XRechnung, _) => Some("urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"),
        }
    }
}

/// A document that has no lawful form in the profile.
#[derive(Debug, thiserror::Error)]
pub enum UblError {
    #[error("a pro forma invoice is no tax document and has no electronic form: send the PDF")]
    ProForma,
    #[error("XRechnung has no self-billed credit note (code 261 is not in BR-DE-17): use Peppol or EN 16931")]
    KindNotInXRechnung,
    #[error(
        "{currency} has {exponent} minor digits, EN 16931 allows two: invoice in another currency, or send the PDF"
    )]
    Exponent { currency: String, exponent: u8 },
    #[error("{term} is missing, which the profile requires: {advice}")]
    Missing { term: &'static str, advice: &'static str },
    #[error("the document could not be written")]
    Write(#[from] std::io::Error),
}

/// Writes the document as UBL 2.1 in UTF-8. Equal documents give equal bytes.
///
/// # Errors
/// [`UblError`]: a kind or a currency the profile has no form for, or a missing party detail.
pub fn write(document: &Document, profile: Profile) -> Result<Vec<u8>, UblError> {
    check(document.draft(), profile)?;
    Ok(write::document(document, profile)?)
}

fn check(draft: &Draft, profile: Profile) -> Result<(), UblError> {
    if draft.kind == Kind::ProForma {
        return Err(UblError::ProForma);
    }
    for currency in [Some(draft.currency), draft.accounting_tax.as_ref().map(|tax| tax.currency)].into_iter().flatten()
    {
        if currency.exponent() > MAX_EXPONENT_DIGITS {
            let (currency, exponent) = (currency.code().to_owned(), currency.exponent());
            return Err(UblError::Exponent { currency, exponent });
        }
    }
    let seller_known = draft.seller.legal_id.is_some() || (draft.seller.vat_id.is_some() && !is_out_of_scope(draft));
    require(seller_known, "the seller's legal id (BT-30)", "outside the scope of VAT no VAT id may be named")?;
    if profile == Profile::En16931 {
        return Ok(());
    }
    let advice = "set electronic_address of both parties, with its EAS scheme";
    let reachable = |party: &Party| party.electronic_address.as_ref().is_some_and(|address| address.scheme.is_some());
    require(reachable(&draft.seller), "the seller's electronic address (BT-34)", advice)?;
    require(reachable(&draft.buyer), "the buyer's electronic address (BT-49)", advice)?;
    if profile == Profile::PeppolBis3 {
        let by_mail = |party: &Party| {
            party.electronic_address.as_ref().is_some_and(|address| address.scheme.as_deref() == Some(MAIL_SCHEME))
        };
        let advice = "a mail address (EM) is none; send the PDF to a recipient outside of Peppol";
        require(!by_mail(&draft.seller), "the seller's Peppol participant id (BT-34)", advice)?;
        require(!by_mail(&draft.buyer), "the buyer's Peppol participant id (BT-49)", advice)?;
        // DK-R-002 and DK-R-014: a Danish seller is named by its number in the CVR.
        let cvr = draft.seller.legal_id.as_ref().is_some_and(|id| id.scheme.as_deref() == Some(CVR_SCHEME));
        let danish = draft.seller.country.as_str() == "DK";
        require(cvr || !danish, "the seller's CVR number (BT-30)", "set legal_id with the scheme 0184")?;
        let referred = draft.buyer_reference.is_some() || draft.purchase_order.is_some();
        return require(referred, "the buyer reference (BT-10) or purchase order (BT-13)", "ask the buyer for one");
    }
    if draft.kind == Kind::SelfBilledCreditNote {
        return Err(UblError::KindNotInXRechnung);
    }
    require(draft.buyer_reference.is_some(), "the buyer reference (BT-10)", "ask the buyer for its Leitweg-ID")?;
    require(draft.seller.contact.is_some(), "the seller's contact (BG-6)", "give name, telephone and mail address")?;
    for party in [&draft.seller, &draft.buyer] {
        let address = &party.address;
        let whole = !address.city.trim().is_empty() && !address.postal_code.trim().is_empty();
        require(whole, "city or postal code of a party (BR-DE-3, 4, 8, 9)", "complete the address")?;
    }
    Ok(())
}

fn require(present: bool, term: &'static str, advice: &'static str) -> Result<(), UblError> {
    if present { Ok(()) } else { Err(UblError::Missing { term, advice }) }
}

/// Whether the document's one category is O, in which VAT ids must not be named (`BR-O-02` to `BR-O-04`).
fn is_out_of_scope(draft: &Draft) -> bool {
    draft.lines.iter().any(|line| line.tax.category == Category::OutOfScope)
}
