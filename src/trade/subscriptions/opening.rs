//! Which purchases charges follow from, and how an order is priced anew.

use entity::{
    ids::SavedMethodId,
    order_line,
    states::{OfferKind, TaxMode},
};

use crate::{
    base::{Currency, Money},
    error::{Error, Result},
    terms::offers::{SaleOffer, plan::Plan},
    trade::orders::OrderFacts,
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

/// Sets the price of an order with one line; tax and shares follow from the line's own rates.
pub(super) fn reprice(facts: &mut OrderFacts, price_minor: i64) -> Result<()> {
    let currency = facts.total()?.currency;
    set_price(&mut facts.line, price_minor, facts.order.tax_mode, currency)?;
    facts.order.tax_minor = facts.line.tax_minor;
    let price = Money::new(facts.line.price_minor, currency);
    facts.order.total_minor = price.checked_add(Money::new(facts.line.tax_minor, currency))?.minor;
    Ok(())
}

fn set_price(line: &mut order_line::Model, price_minor: i64, mode: TaxMode, currency: Currency) -> Result<()> {
    let bps = |rate: i32| u32::try_from(rate).unwrap_or(0);
    let price = Money::new(price_minor, currency);
    let (split, tax) = (price.split(bps(line.fee_bps))?, price.share_bps(bps(line.tax_bps))?);
    // An agent collects the provider's tax for it; a deemed supplier owes the tax itself.
    let provider = if mode == TaxMode::Agent { split.provider.checked_add(tax)? } else { split.provider };
    line.price_minor = price_minor;
    line.discount_minor = 0;
    line.tax_minor = tax.minor;
    line.operator_minor = split.operator.minor;
    line.provider_minor = provider.minor;
    Ok(())
}
