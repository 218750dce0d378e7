//! What a purchase costs, line by line: the one computation behind a quote and the order placed from it.

use entity::{
    ids::{ListingId, OrgId},
    states::TaxMode,
};
use time::{Duration, OffsetDateTime};

use super::later::{Later, later, sum};
use crate::{
    base::{
        LangText, Money, MoneyError, allocate,
        chargeable::{ChargeRules, Refusal},
        money::Split,
    },
    error::{Error, Result},
    terms::offers::{SaleOffer, plan::Plan},
    trade::{
        fees::Fee,
        gross::{self, Taxed},
        prices::{self, Forecast, Item, Priced, Reduction, discounts, forecast},
        tax::{LineTax, Taxes},
    },
};

/// One listing of a purchase, before it has a price.
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub listing_id: ListingId,
    pub provider_id: OrgId,
    pub title: LangText,
    pub revision_number: i32,
    pub fee: Fee,
    /// Its share of the price, against the other components.
    pub weight: u64,
    /// True when the coupon takes something off it.
    pub in_coupon: bool,
}

/// What the buyer wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub quantity: i32,
    pub coupon: Option<Reduction>,
    /// Units a buyer of a metered offer expects to use in a month.
    pub expected_units: Option<i64>,
}

/// A line of a quote or order.
#[derive(Debug, Clone)]
pub struct QuotedLine {
    /// What.
    pub listing_id: ListingId,
    /// Who sells.
    pub provider_id: OrgId,
    /// The listing's title.
    pub title: LangText,
    /// The newest revision.
    pub revision_number: i32,
    /// The operator's share of it.
    pub fee: Fee,
    /// Its price, and what was taken off.
    pub priced: Priced,
    /// What of the price is due at the purchase.
    pub due: Money,
    /// The tax on what is due.
    pub tax: LineTax,
    /// The parts of what is due; an agent's provider receives the tax as well.
    pub split: Split,
}

/// What a purchase costs.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// One line, or one for each part of a bundle.
    pub lines: Vec<QuotedLine>,
    /// What is due at the purchase: the sum over the lines, with tax.
    pub total: Money,
    /// How the operator stands in the sale.
    pub tax_mode: TaxMode,
    /// What of the total is tax.
    pub tax_minor: i64,
    /// Whose tax it is.
    pub tax_country: Option<String>,
    /// The period of a trial.
    pub trial_until: Option<OffsetDateTime>,
    /// What is charged later.
    pub schedule: Vec<Later>,
    /// What a month of a metered offer will probably cost.
    pub forecast: Option<Forecast>,
}

impl Checkout {
    /// Puts the tax on top of what is due, and into the share of an agent's provider.
    ///
    /// # Errors
    /// `Invalid` for a sum with tax (now or later) that can't be charged, with a sentence that says what to change.
    pub(super) fn with_taxes(mut self, taxes: Taxes, wish: Wish, rules: &ChargeRules) -> Result<Self> {
        self.tax_minor = sum(taxes.lines.iter().map(|tax| tax.minor))?;
        let currency = self.total.currency;
        let money = |minor| Money::new(minor, currency);
        self.total = self.total.checked_add(money(self.tax_minor))?;
        for (line, tax) in self.lines.iter_mut().zip(taxes.lines) {
            line.tax = tax;
            if taxes.mode == TaxMode::Agent {
                line.split.provider = line.split.provider.checked_add(money(tax.minor))?;
            }
        }
        (self.tax_mode, self.tax_country) = (taxes.mode, taxes.country);
        let taxed = self.lines.iter().any(|line| line.tax.bps > 0);
        let refuse = |refusal: Refusal| Error::invalid(pointer(wish), words(refusal, taxed));
        rules.check(self.total).map_err(refuse)?;
        for later in &self.schedule {
            rules.check(later.total).map_err(refuse)?;
            // The tax can fall away until then, with what makes it enough to be charged.
            if later.amount.minor < rules.min_minor {
                let min = Money::new(rules.min_minor, currency);
                return Err(refuse(Refusal::BelowMinimum { total: later.amount, min }));
            }
        }
        Ok(self)
    }

    /// What the coupon takes off, over all lines.
    pub(super) fn coupon_minor(&self) -> i64 {
        self.lines.iter().map(|line| line.priced.coupon_minor).sum()
    }
}

/// Why a sum can't be charged. A tax is rounded by the law, never to what a processor can charge.
fn words(refusal: Refusal, taxed: bool) -> String {
    match refusal {
        Refusal::OffStep { total, step } if taxed => format!(
            "This would cost {total} with tax, and only multiples of {step} can be charged; a tax is not rounded to \
             that. Choose another quantity or offer: its provider can set a price that goes with this tax."
        ),
        other => other.to_string(),
    }
}

/// Computes what `wish` costs at `offer`, with `taxed` as the rate of what is charged later.
///
/// The price is that of one unit times the quantity, allocated to the components by weight; volume and coupon are
/// taken off; a trial moves the whole to its end, instalments a part to their dates. Each line's part that is due is
/// split by the line's own fee rule.
///
/// # Errors
/// `Invalid` for a quantity the offer does not have, and a forecast without a meter. Whether its sums can be charged is
/// looked at with the tax on top: [`Checkout::with_taxes`].
pub(super) fn checkout(
    offer: &SaleOffer,
    components: Vec<Component>,
    wish: Wish,
    taxed: Taxed,
    now: OffsetDateTime,
) -> Result<Checkout> {
    let plan = offer.plan.clone().unwrap_or_default();
    require_quantity(&plan, wish.quantity)?;
    let currency = offer.price.currency;
    let money = |minor| Money::new(minor, currency);
    let priced = price_lines(offer.price.minor, &plan, &components, wish, &taxed.rules)?;
    let whole = sum(priced.iter().map(|line| line.net_minor))?;
    let trial_until = (plan.trial_days > 0).then(|| now + Duration::days(i64::from(plan.trial_days)));
    let parts = gross::parts(whole, &plan.instalments, taxed, now)?;
    let mut due: Vec<i64> = priced.iter().map(|line| line.net_minor).collect();
    if trial_until.is_some() {
        due.fill(0);
    } else if let ([first, _, ..], [only]) = (parts.as_slice(), due.as_mut_slice()) {
        *only = first.minor;
    }
    let total = money(sum(due.iter().copied())?);
    let schedule = later(offer, &plan, &priced, &parts, trial_until, taxed, now)?;
    let lines = components.into_iter().zip(priced).zip(due).map(|((component, priced), due)| {
        let due = money(due);
        Ok(QuotedLine {
            listing_id: component.listing_id,
            provider_id: component.provider_id,
            title: component.title,
            revision_number: component.revision_number,
            split: due.split(component.fee.bps)?,
            fee: component.fee,
            priced,
            due,
            tax: LineTax::default(),
        })
    });
    let lines = lines.collect::<Result<_>>()?;
    let forecast = expected_cost(&plan, wish)?;
    let (tax_mode, tax_minor, tax_country) = (TaxMode::Agent, 0, None);
    Ok(Checkout { lines, total, tax_mode, tax_minor, tax_country, trial_until, schedule, forecast })
}

/// The field that a sum which can't be charged comes from.
const fn pointer(wish: Wish) -> &'static str {
    match (wish.coupon, wish.quantity) {
        (Some(_), _) => "/coupon",
        (None, 1) => "/offer_id",
        (None, _) => "/quantity",
    }
}

fn require_quantity(plan: &Plan, quantity: i32) -> Result<()> {
    let most = if plan.quota.is_some() || !plan.volume.is_empty() { crate::limits::QUANTITY_MAX } else { 1 };
    if (1..=most).contains(&quantity) {
        return Ok(());
    }
    let detail =
        if most == 1 { "Give 1: this offer has no quantity.".to_owned() } else { format!("Give 1 to {most}.") };
    Err(Error::invalid("/quantity", detail))
}

fn price_lines(
    unit_minor: i64,
    plan: &Plan,
    components: &[Component],
    wish: Wish,
    rules: &ChargeRules,
) -> Result<Vec<Priced>, MoneyError> {
    let list = unit_minor.checked_mul(i64::from(wish.quantity)).ok_or(MoneyError::Overflow)?;
    let weights: Vec<u64> = components.iter().map(|component| component.weight).collect();
    let volume_bps = discounts::volume_bps(&plan.volume, wish.quantity);
    let items: Vec<Item> = allocate::split(list, &weights)?
        .into_iter()
        .zip(components)
        .map(|(list_minor, component)| Item { list_minor, volume_bps, in_coupon: component.in_coupon })
        .collect();
    prices::price(&items, wish.coupon, rules)
}

fn expected_cost(plan: &Plan, wish: Wish) -> Result<Option<Forecast>> {
    let Some(units) = wish.expected_units else { return Ok(None) };
    let most = crate::limits::METER_UNITS_MAX;
    let Some(meter) = plan.meter.as_ref().filter(|_| (0..=most).contains(&units)) else {
        let detail = format!("Give 0 to {most} units of a metered offer, or leave it out.");
        return Err(Error::invalid("/expected_units", detail));
    };
    Ok(Some(forecast::of_expected(meter, units)?))
}

#[cfg(test)]
#[path = "checkout_tests.rs"]
mod tests;
