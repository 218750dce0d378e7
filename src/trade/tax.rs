//! The one place that decides the tax of a purchase.
//!
//! Prices are without tax; it comes on top. Who supplies is a matter of the tax mode: each provider for its own lines
//! (agent), or the operator for all (deemed supplier). A supplier without a VAT id charges none.

use std::collections::{BTreeMap, HashMap};

use entity::{ids::OrgId, states::TaxMode};
use sea_orm::ConnectionTrait;
use time::{Date, OffsetDateTime};
use torv_documents::tax::{Decision, Nature, Supply, TaxError, TaxParty, decide, tax_minor};
use torv_money::tax::Running;

use crate::{
    base::{Money, MoneyError},
    error::{Error, Result},
    people::tax_profiles::{self, TaxProfile},
};

/// The tax of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineTax {
    /// Minor units, on top of the line's net.
    pub minor: i64,
    /// The rate in basis points.
    pub bps: i32,
    /// The category's code of EN 16931; absent where there is nothing to tax.
    pub category: Option<&'static str>,
}

/// One line as the tax rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Supplied {
    /// Who sells.
    pub provider: OrgId,
    /// What is due, before tax.
    pub net: Money,
}

/// Who buys, and when.
#[derive(Debug, Clone, Copy)]
pub struct Purchase {
    /// How the operator stands in sales.
    pub mode: TaxMode,
    /// Who buys; nobody, for a visitor's quote.
    pub buyer: Option<OrgId>,
    /// The profiles of all parties count as they are at this moment.
    pub placed_at: OffsetDateTime,
    /// The rates of this day count: when what is bought is supplied.
    pub supplied_on: Date,
}

/// The tax of a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taxes {
    /// How the operator stands in the sale.
    pub mode: TaxMode,
    /// Whose tax it is.
    pub country: Option<String>,
    /// One for each line, in their order.
    pub lines: Vec<LineTax>,
}

/// Decides the tax of these lines; `providers` are the profiles of those who sell them.
///
/// Each order decides anew, a renewal or a part of a price as well: parties move, and rates change.
///
/// The buyer is read only when a supplier is registered. One without a profile is a consumer of its organisation's
/// country; a visitor who acts for nobody is quoted as a consumer of the supplier's.
///
/// # Errors
/// Those of the database; `Invalid` for a sum that can't be computed.
pub async fn of_lines(
    conn: &impl ConnectionTrait,
    providers: &HashMap<OrgId, TaxProfile>,
    purchase: Purchase,
    lines: &[Supplied],
) -> Result<Taxes> {
    let Purchase { mode, buyer, placed_at: now, supplied_on } = purchase;
    let operator = match mode {
        TaxMode::Agent => None,
        TaxMode::DeemedSupplier => match tax_profiles::operator_id(conn).await? {
            Some(id) => tax_profiles::registered_at(conn, &[id], now).await?.remove(&id),
            None => None,
        },
    };
    let supplier_of = |line: &Supplied| match mode {
        TaxMode::Agent => providers.get(&line.provider),
        TaxMode::DeemedSupplier => operator.as_ref(),
    };
    let registered = lines.iter().filter_map(supplier_of).any(|profile| profile.vat_id.is_some());
    let customer = match buyer.filter(|_| registered) {
        Some(buyer) => {
            let known = tax_profiles::known_at(conn, &[buyer], now).await?.remove(&buyer);
            known.map(|known| known.profile.tax_party()).transpose()?
        }
        None => None,
    };
    let parties = lines.iter().map(|line| supplier_of(line).map(TaxProfile::tax_party).transpose());
    let parties = parties.collect::<Result<Vec<_>>>()?;
    // As deemed supplier the operator supplies all lines in one document.
    let suppliers = lines.iter().zip(parties).map(|(line, party)| {
        let document = (mode == TaxMode::Agent).then_some(line.provider);
        (document, party, line.net)
    });
    let (country, lines) = by_document(&suppliers.collect::<Vec<_>>(), customer.as_ref(), supplied_on)?;
    Ok(Taxes { mode, country, lines })
}

/// Taxes the lines of each document together, as EN 16931 has it: the tax is that of the document's sum, rounded half
/// up once. A line gets what the running sum up to it adds, so that the lines' taxes make exactly the document's.
fn by_document(
    lines: &[(Option<OrgId>, Option<TaxParty>, Money)],
    customer: Option<&TaxParty>,
    supplied_on: Date,
) -> Result<(Option<String>, Vec<LineTax>)> {
    let mut running: BTreeMap<Option<OrgId>, Running> = BTreeMap::new();
    let mut country = None;
    let mut taxes = Vec::with_capacity(lines.len());
    for (document, supplier, net) in lines {
        if net.is_zero() {
            taxes.push(LineTax::default());
            continue;
        }
        let decision = match supplier {
            Some(supplier) => Some(judge(supplier, customer, *net, supplied_on)?),
            None => None,
        };
        let sum = running.entry(*document).or_default();
        let Some(Decision { tax, taxed_in, .. }) = decision else {
            sum.add_untaxed(net.minor)?;
            taxes.push(LineTax { category: Some("O"), ..LineTax::default() });
            continue;
        };
        let minor = sum.add(net.minor, |sum| tax_minor(sum, tax.rate_bps))?;
        let bps = i32::try_from(tax.rate_bps).map_err(Error::internal)?;
        taxes.push(LineTax { minor, bps, category: Some(tax.category.code()) });
        // Tax is only ever that of the customer's country, so all lines agree on it.
        country = country.or(taxed_in);
    }
    Ok((country.map(|country| country.to_string()), taxes))
}

fn judge(supplier: &TaxParty, customer: Option<&TaxParty>, net: Money, date: Date) -> Result<Decision> {
    let consumer = || TaxParty { country: supplier.country, vat_id: None, is_business: false };
    let customer = customer.cloned().unwrap_or_else(consumer);
    let supply = Supply { net_minor: net.minor, date, nature: Nature::Taxable };
    decide(supplier, &customer, &supply).map_err(|error| match error {
        TaxError::Overflow { .. } => MoneyError::Overflow.into(),
        other => Error::internal(other),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;
    use torv_documents::tax::Country;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 21);

    fn dane(vat_id: Option<&str>) -> TaxParty {
        let country = Country::parse("DK").expect("a code");
        TaxParty { country, vat_id: vat_id.map(str::to_owned), is_business: true }
    }

    fn taxes(nets: &[i64], documents: &[Option<OrgId>]) -> (Option<String>, Vec<LineTax>) {
        let money = |minor| Money::new(minor, "EUR".parse().expect("in the table"));
        let lines: Vec<_> = nets
            .iter()
            .zip(documents)
            .map(|(net, document)| (*document, Some(dane(Some("DK13585628"))), money(*net)))
            .collect();
        by_document(&lines, Some(&dane(None)), TODAY).expect("fits")
    }

    #[test]
    fn three_lines_of_two_cents_are_taxed_as_six() {
        let (country, lines) = taxes(&[2, 2, 2], &[None; 3]);
        assert_eq!(country.as_deref(), Some("DK"));
        // 25 % of 2, 4 and 6 cents are 0.5, 1 and 1.5: each rounded alone would make 3.
        assert_eq!(lines.iter().map(|line| line.minor).collect::<Vec<_>>(), [1, 0, 1]);
        assert_eq!((lines[0].bps, lines[0].category), (2_500, Some("S")));
    }

    #[test]
    fn each_provider_is_a_document_of_its_own() {
        let (one, other) = (Some(OrgId::derived("a")), Some(OrgId::derived("b")));
        let (_, lines) = taxes(&[2, 2, 2], &[one, other, one]);
        assert_eq!(lines.iter().map(|line| line.minor).collect::<Vec<_>>(), [1, 1, 0]);
    }

    #[test]
    fn a_supplier_without_a_vat_id_charges_nothing() {
        let money = Money::new(10_001, "EUR".parse().expect("in the table"));
        for supplier in [None, Some(dane(None))] {
            let (country, lines) = by_document(&[(None, supplier, money)], None, TODAY).expect("fits");
            assert_eq!((country, lines[0]), (None, LineTax { minor: 0, bps: 0, category: Some("O") }));
        }
    }

    proptest! {
        #[test]
        fn the_lines_make_the_documents_tax(nets in proptest::collection::vec(0_i64..10_000_000, 1..20)) {
            let (_, lines) = taxes(&nets, &vec![None; nets.len()]);
            prop_assert_eq!(Some(lines.iter().map(|line| line.minor).sum()), tax_minor(nets.iter().sum(), 2_500));
            prop_assert!(lines.iter().all(|line| line.minor >= 0));
        }
    }
}
