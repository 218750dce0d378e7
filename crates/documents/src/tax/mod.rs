//! Which tax a supply bears: category, rate, amount and the reason in words.
//!
//! All supplies of the exchange are electronically supplied services. Between businesses they are taxed where the
//! customer is established, to consumers likewise (Directive 2006/112/EC articles 44 and 58). Deliberately absent:
//! reduced rates, the 10,000 EUR threshold of article 59c, regions outside the VAT area of their country, withholding
//! taxes, and whether an id exists.

mod checksum;
mod country;
mod rates;
mod sale;
mod vat_id;

use serde::{Deserialize, Serialize};
use time::Date;

pub use country::{Country, CountryError, EU_MEMBERS};
pub use rates::{RateRow, STANDARD_RATES, TABLE_START, standard_rate_bps};
pub use sale::{Leg, Role, SaleParties, TaxMode, plan_sale};
pub use vat_id::{VatId, VatIdError};

use crate::decimal::divide_half_up;

/// 100 % in basis points.
pub const FULL_RATE_BPS: u32 = 10_000;

/// VAT category, by its code of UNCL 5305 as EN 16931 uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Category {
    /// `S`: standard rate.
    Standard,
    /// `Z`: taxable at zero.
    ZeroRated,
    /// `E`: exempt.
    Exempt,
    /// `AE`: the customer accounts for the tax.
    ReverseCharge,
    /// `G`: supplied outside the supplier's tax area, free of its tax.
    Export,
    /// `O`: outside the scope of the tax, such as from a supplier who is not registered.
    OutOfScope,
}

impl Category {
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Standard => "S",
            Self::ZeroRated => "Z",
            Self::Exempt => "E",
            Self::ReverseCharge => "AE",
            Self::Export => "G",
            Self::OutOfScope => "O",
        }
    }

    /// The category of a code; `None` for any other text.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let all = [Self::Standard, Self::ZeroRated, Self::Exempt, Self::ReverseCharge, Self::Export, Self::OutOfScope];
        all.into_iter().find(|category| category.code() == code)
    }

    /// Why [`decide`] charges no tax in this category; `None` where no reason is asked for, and for exempt supplies,
    /// whose reason is the thing's own.
    #[must_use]
    pub fn reason(self) -> Option<Exemption> {
        let (text, vatex) = match self {
            Self::ReverseCharge => (
                "Reverse charge: the customer accounts for the VAT (Directive 2006/112/EC, articles 44 and 196)",
                "VATEX-EU-AE",
            ),
            Self::Export => (
                "Service supplied outside the European Union (Directive 2006/112/EC, articles 44 and 59)",
                "VATEX-EU-G",
            ),
            Self::OutOfScope => ("The supplier is not registered for VAT", "VATEX-EU-O"),
            Self::Standard | Self::ZeroRated | Self::Exempt => return None,
        };
        Some(Exemption { text: text.to_owned(), vatex: Some(vatex.to_owned()) })
    }

    /// Whether an invoice must say why no tax is charged (EN 16931 BR-E-10, BR-AE-10, BR-G-10, BR-O-10).
    #[must_use]
    pub fn needs_reason(self) -> bool {
        !matches!(self, Self::Standard | Self::ZeroRated)
    }
}

/// Why no tax is charged: a sentence for the document, and a code of the VATEX list where one fits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exemption {
    pub text: String,
    pub vatex: Option<String>,
}

/// Category, rate and reason of a line or of a document-level allowance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LineTax {
    pub category: Category,
    /// Basis points; 0 in every category but [`Category::Standard`].
    pub rate_bps: u32,
    pub exemption: Option<Exemption>,
}

/// A party as the tax rules see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxParty {
    pub country: Country,
    /// As registered; its syntax is checked against `country`.
    pub vat_id: Option<String>,
    pub is_business: bool,
}

/// What the supplied thing itself is, before the parties are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nature {
    Taxable,
    /// Exempt by law in the supplier's country, with the reason to print.
    Exempt(Exemption),
    /// Taxable at zero in the supplier's country.
    ZeroRated,
}

/// One supply to be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supply {
    /// Minor units without tax.
    pub net_minor: i64,
    /// The tax point: the rate of this day applies.
    pub date: Date,
    pub nature: Nature,
}

/// The tax of one supply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub tax: LineTax,
    /// Minor units, rounded half away from zero.
    pub tax_minor: i64,
    /// Whose tax it is; `None` where no country's tax is charged.
    pub taxed_in: Option<Country>,
}

/// A supply that cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaxError {
    #[error(transparent)]
    VatId(#[from] VatIdError),
    #[error("no standard rate of {country} on {date} is known: the table begins on {TABLE_START}")]
    NoRate { country: Country, date: Date },
    #[error("the tax on {net_minor} minor units does not fit 64 bits")]
    Overflow { net_minor: i64 },
    #[error("the operator's share {share_minor} is not between 0 and the net {net_minor}")]
    Share { share_minor: i64, net_minor: i64 },
}

/// The tax on a net amount: `net × rate`, rounded half away from zero to one minor unit.
///
/// Half up is the rule of EN 16931 and of the national invoice rules; half to even would differ from what the
/// recipient's software computes. `None` where the result does not fit 64 bits.
#[must_use]
pub fn tax_minor(net_minor: i64, rate_bps: u32) -> Option<i64> {
    let tax = divide_half_up(i128::from(net_minor) * i128::from(rate_bps), i128::from(FULL_RATE_BPS));
    i64::try_from(tax).ok()
}

/// Decides the tax of a supply between two parties.
///
/// In this order: a supplier without VAT id charges no tax (`O`); exempt and zero-rated supplies stay so; within one
/// country the standard rate applies; a business customer in another country of the EU accounts for the tax itself
/// (`AE`), one elsewhere gets an export (`G` from the EU, `Z` from outside); a consumer pays the rate of its own country,
/// or gets an export where the table has no rate for a country outside of the EU. A customer in the EU that calls itself a business but gives no VAT id is charged as a consumer
/// (Regulation 282/2011 article 18).
///
/// # Errors
/// [`TaxError`]: a VAT id that is none, or a day before the first rate of the table.
pub fn decide(supplier: &TaxParty, customer: &TaxParty, supply: &Supply) -> Result<Decision, TaxError> {
    let supplier_id = parse_vat_id(supplier)?;
    let customer_id = parse_vat_id(customer)?;
    if supplier_id.is_none() {
        return Ok(free(Category::OutOfScope, Category::OutOfScope.reason()));
    }
    match &supply.nature {
        Nature::Exempt(exemption) => return Ok(free(Category::Exempt, Some(exemption.clone()))),
        Nature::ZeroRated => return Ok(free(Category::ZeroRated, None)),
        Nature::Taxable => {}
    }
    if supplier.country == customer.country {
        return standard(supplier.country, supply);
    }
    let business = customer.is_business && (customer_id.is_some() || !customer.country.in_eu());
    if business && customer.country.in_eu() {
        return Ok(free(Category::ReverseCharge, Category::ReverseCharge.reason()));
    }
    if business || (!customer.country.in_eu() && standard_rate_bps(customer.country, supply.date).is_none()) {
        return Ok(export(supplier.country));
    }
    standard(customer.country, supply)
}

/// Services to a customer outside of the supplier's tax area: not taxed there by EU law, elsewhere (JP, TW, NO) by a
/// zero rate on exports.
fn export(from: Country) -> Decision {
    if !from.in_eu() {
        return free(Category::ZeroRated, None);
    }
    free(Category::Export, Category::Export.reason())
}

fn standard(country: Country, supply: &Supply) -> Result<Decision, TaxError> {
    let rate_bps = standard_rate_bps(country, supply.date).ok_or(TaxError::NoRate { country, date: supply.date })?;
    let tax_minor = tax_minor(supply.net_minor, rate_bps).ok_or(TaxError::Overflow { net_minor: supply.net_minor })?;
    let tax = LineTax { category: Category::Standard, rate_bps, exemption: None };
    Ok(Decision { tax, tax_minor, taxed_in: Some(country) })
}

fn free(category: Category, exemption: Option<Exemption>) -> Decision {
    Decision { tax: LineTax { category, rate_bps: 0, exemption }, tax_minor: 0, taxed_in: None }
}

fn parse_vat_id(party: &TaxParty) -> Result<Option<VatId>, VatIdError> {
    party.vat_id.as_deref().map(|id| VatId::parse(party.country, id)).transpose()
}

#[cfg(test)]
mod tests;
