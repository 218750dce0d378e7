//! Which purchases charges follow from, and how an order is priced anew.

use entity::{
    ids::SavedMethodId,
    states::{OfferKind, TaxMode},
};

use crate::{
    base::Money,
    error::{Error, Result},
    terms::offers::{SaleOffer, plan::Plan},
    trade::{orders::OrderFacts, tax::Taxes},
};

/// True when later charges follow from an order of this offer. A bundle is paid at once.
pub(super) fn charges_later(kind: OfferKind, plan: &Plan) -> bool {
    kind != OfferKind::Bundle && (plan.renews || kind == OfferKind::Metered || !plan.instalments.is_empty())
}

/// Requires a kept means of payment where later charges follow from an order of `offer`.
///
/// # Errors
/// `Invalid` at `/saved_method_id`.
pub(in crate::trade) fn require_method(offer: &SaleOffer, saved: Option<SavedMethodId>) -> Result<()> {
    let follows = offer.plan.as_ref().is_some_and(|plan| charges_later(offer.kind, plan));
    if saved.is_some() || !follows {
        return Ok(());
    }
    let advice = "Charges follow from this order: keep a means of payment with POST /api/v1/payment-methods, and send \
                  its id.";
    Err(Error::invalid("/saved_method_id", advice))
}

/// Sets price and tax of an order with one line; the shares follow from the line's own rate.
pub(super) fn priced(facts: &mut OrderFacts, price: Money, taxes: Taxes) -> Result<()> {
    let tax = taxes.lines.first().copied().unwrap_or_default();
    let (tax_money, line) = (Money::new(tax.minor, price.currency), &mut facts.line);
    let split = price.split(u32::try_from(line.fee_bps).unwrap_or(0))?;
    // An agent collects the provider's tax for it; a deemed supplier owes the tax itself.
    let provider = match taxes.mode {
        TaxMode::Agent => split.provider.checked_add(tax_money)?,
        TaxMode::DeemedSupplier => split.provider,
    };
    line.price_minor = price.minor;
    line.discount_minor = 0;
    line.tax_minor = tax.minor;
    line.tax_bps = tax.bps;
    line.tax_category = tax.category.map(str::to_owned);
    line.operator_minor = split.operator.minor;
    line.provider_minor = provider.minor;
    facts.order.tax_mode = taxes.mode;
    facts.order.tax_minor = tax.minor;
    facts.order.tax_country = taxes.country;
    facts.order.total_minor = price.checked_add(tax_money)?.minor;
    Ok(())
}
