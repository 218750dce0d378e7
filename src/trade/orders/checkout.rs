//! What a purchase costs, line by line: the one computation behind a quote and the order placed from it.

use entity::{
    ids::{ListingId, OrgId},
    states::TaxMode,
};
use time::{Duration, OffsetDateTime};

use crate::{
    base::{LangText, Money, MoneyError, allocate, chargeable::ChargeRules, clock::add_months, money::Split},
    error::{Error, Result},
    terms::offers::{SaleOffer, plan::Plan},
    trade::{
        fees::Fee,
        prices::{self, Forecast, Item, Priced, Reduction, discounts, forecast, instalments},
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

/// Something that is charged later, without another order of the buyer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// Why.
    pub reason: LaterReason,
    /// When.
    pub due_at: OffsetDateTime,
    /// How much, before tax.
    pub amount: Money,
}

/// Why something is charged later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaterReason {
    /// The trial is over.
    TrialEnd,
    /// A part of the price.
    Instalment,
    /// The first further term; others follow it.
    Renewal,
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
    /// `Invalid` for a sum with tax that can't be charged.
    pub(super) fn with_taxes(mut self, taxes: Taxes, rules: &ChargeRules) -> Result<Self> {
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
        rules.check(self.total).map_err(|refusal| Error::invalid("/offer_id", refusal.to_string()))?;
        Ok(self)
    }

    /// What the coupon takes off, over all lines.
    pub(super) fn coupon_minor(&self) -> i64 {
        self.lines.iter().map(|line| line.priced.coupon_minor).sum()
    }
}

/// Computes what `wish` costs at `offer`.
///
/// The price is that of one unit times the quantity, allocated to the components by weight; volume and coupon are
/// taken off; a trial moves the whole to its end, instalments a part to their dates. Each line's part that is due is
/// split by the line's own fee rule.
///
/// # Errors
/// `Invalid` for a quantity the offer does not have, a forecast without a meter, and a sum (now or later) that can't be
/// charged, with a sentence that says what to change.
pub(super) fn checkout(
    offer: &SaleOffer,
    components: Vec<Component>,
    wish: Wish,
    rules: &ChargeRules,
    now: OffsetDateTime,
) -> Result<Checkout> {
    let plan = offer.plan.clone().unwrap_or_default();
    require_quantity(&plan, wish.quantity)?;
    let currency = offer.price.currency;
    let money = |minor| Money::new(minor, currency);
    let priced = price_lines(offer.price.minor, &plan, &components, wish, rules)?;
    let whole = sum(priced.iter().map(|line| line.net_minor))?;
    let trial_until = (plan.trial_days > 0).then(|| now + Duration::days(i64::from(plan.trial_days)));
    let parts = in_parts(whole, &plan, rules, now)?;
    let mut due: Vec<i64> = priced.iter().map(|line| line.net_minor).collect();
    if trial_until.is_some() {
        due.fill(0);
    } else if let ([first, _, ..], [only]) = (parts.as_slice(), due.as_mut_slice()) {
        *only = first.minor;
    }
    let total = money(sum(due.iter().copied())?);
    let schedule = later(offer, &plan, &priced, &parts, trial_until, now, money)?;
    for amount in std::iter::once(total).chain(schedule.iter().map(|later| later.amount)) {
        rules.check(amount).map_err(|refusal| Error::invalid(pointer(wish), refusal.to_string()))?;
    }
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

/// The parts of the whole price by date, each a multiple of the processor's step; one part without instalments.
fn in_parts(whole: i64, plan: &Plan, rules: &ChargeRules, now: OffsetDateTime) -> Result<Vec<instalments::Part>> {
    let step = rules.step_minor.max(1);
    let mut parts = instalments::schedule(whole / step, &plan.instalments, now)?;
    for part in &mut parts {
        part.minor *= step;
    }
    if let Some(first) = parts.first_mut() {
        first.minor += whole % step;
    }
    Ok(parts)
}

fn later(
    offer: &SaleOffer,
    plan: &Plan,
    priced: &[Priced],
    parts: &[instalments::Part],
    trial_until: Option<OffsetDateTime>,
    now: OffsetDateTime,
    money: impl Fn(i64) -> Money,
) -> Result<Vec<Later>> {
    let instalments = parts.iter().skip(1);
    let mut schedule: Vec<Later> = instalments
        .map(|part| Later { reason: LaterReason::Instalment, due_at: part.due_at, amount: money(part.minor) })
        .collect();
    if plan.renews {
        // A coupon is for the order that it is used in; what comes after is without it.
        let amount = money(sum(priced.iter().map(|line| line.list_minor - line.volume_minor))?);
        let months = offer.term_months.and_then(|months| u16::try_from(months).ok()).unwrap_or(1);
        let (reason, due_at) = match trial_until {
            Some(until) => (LaterReason::TrialEnd, until),
            None => (LaterReason::Renewal, add_months(now, months)),
        };
        schedule.push(Later { reason, due_at, amount });
        if trial_until.is_some() {
            schedule.push(Later { reason: LaterReason::Renewal, due_at: add_months(due_at, months), amount });
        }
    }
    Ok(schedule)
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

fn sum(minors: impl Iterator<Item = i64>) -> Result<i64, MoneyError> {
    let mut minors = minors;
    minors.try_fold(0_i64, i64::checked_add).ok_or(MoneyError::Overflow)
}

#[cfg(test)]
mod tests {
    use entity::{
        ids::{LicenceId, OfferId},
        states::{Coverage, FeeBearer, OfferKind},
    };
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 10:00 UTC);
    const CENTS: ChargeRules = ChargeRules { min_minor: 50, max_minor: 99_999_999, step_minor: 1 };
    const ONE: Wish = Wish { quantity: 1, coupon: None, expected_units: None };

    fn offer(minor: i64, plan: Value) -> SaleOffer {
        SaleOffer {
            id: OfferId::derived("o"),
            listing_id: ListingId::derived("l"),
            provider_id: OrgId::derived("p"),
            kind: OfferKind::OneOff,
            price: Money::new(minor, "EUR".parse().expect("in the table")),
            term_months: Some(12),
            licence_id: LicenceId::derived("l"),
            licence_hash: String::new(),
            approval_required: false,
            coverage: Coverage::Snapshot,
            plan: Some(serde_json::from_value(plan).expect("well-formed")),
        }
    }

    fn component(weight: u64, bps: u32, in_coupon: bool) -> Component {
        Component {
            listing_id: ListingId::derived("l"),
            provider_id: OrgId::derived("p"),
            title: LangText::default(),
            revision_number: 1,
            fee: Fee { bps, bearer: FeeBearer::Operator, dispute_bearer: None, rule: None },
            weight,
            in_coupon,
        }
    }

    fn at(offer: &SaleOffer, wish: Wish) -> Result<Checkout> {
        checkout(offer, vec![component(1, 2_000, true)], wish, &CENTS, NOW)
    }

    fn refused(outcome: Result<Checkout>) -> String {
        outcome.expect_err("refused").fields.remove(0).pointer
    }

    #[test]
    fn a_trial_costs_nothing_now_and_the_price_at_its_end() {
        let found = at(&offer(1_000, json!({"renews": true, "trial_days": 14})), ONE).expect("valid");
        assert_eq!((found.total.minor, found.lines[0].priced.net_minor, found.lines[0].due.minor), (0, 1_000, 0));
        let until = NOW + Duration::days(14);
        let expected = [(LaterReason::TrialEnd, until), (LaterReason::Renewal, add_months(until, 12))];
        assert_eq!(found.schedule.iter().map(|later| (later.reason, later.due_at)).collect::<Vec<_>>(), expected);
        assert!(found.schedule.iter().all(|later| later.amount.minor == 1_000));
    }

    #[test]
    fn a_coupon_is_for_this_order_and_a_renewal_without_it() {
        let wish = Wish { coupon: Some(Reduction::Percent(5_000)), ..ONE };
        let found = at(&offer(1_000, json!({"renews": true})), wish).expect("valid");
        assert_eq!((found.total.minor, found.schedule[0].amount.minor), (500, 1_000));
    }

    #[test]
    fn instalments_and_what_is_due_now_are_the_price_after_discounts() {
        let plan =
            json!({"instalments": [{"after_days": 30, "share_bps": 3_333}, {"after_days": 60, "share_bps": 3_333}]});
        let wish = Wish { coupon: Some(Reduction::Fixed(1)), ..ONE };
        let found = at(&offer(10_001, plan), wish).expect("valid");
        let later: i64 = found.schedule.iter().map(|later| later.amount.minor).sum();
        assert_eq!((found.total.minor, later, found.lines[0].priced.net_minor), (3_334, 6_666, 10_000));
        assert_eq!(found.lines[0].split.operator.minor + found.lines[0].split.provider.minor, 3_334);
    }

    #[test]
    fn what_can_not_be_charged_is_refused_before_anything_is_ordered() {
        assert_eq!(refused(at(&offer(49, json!({})), ONE)), "/offer_id");
        let wish = Wish { coupon: Some(Reduction::Fixed(60)), ..ONE };
        assert_eq!(refused(at(&offer(100, json!({})), wish)), "/coupon");
        // Small later parts are as bad as a small first one.
        let parts = json!({"instalments": [{"after_days": 30, "share_bps": 1_000}]});
        assert_eq!(refused(at(&offer(494, parts), ONE)), "/offer_id");
        let many = json!({"volume": [{"from_quantity": 2, "off_bps": 100}]});
        assert_eq!(refused(at(&offer(99_999_999, many), Wish { quantity: 2, ..ONE })), "/quantity");
        assert_eq!(
            at(&offer(100, json!({})), Wish { coupon: Some(Reduction::Fixed(100)), ..ONE }).expect("free").total.minor,
            0
        );
    }

    #[test]
    fn only_packs_and_offers_with_steps_have_a_quantity() {
        assert_eq!(refused(at(&offer(100, json!({})), Wish { quantity: 2, ..ONE })), "/quantity");
        assert_eq!(refused(at(&offer(100, json!({})), Wish { quantity: 0, ..ONE })), "/quantity");
        let pack = json!({"quota": {"unit": "row", "units": 10}});
        assert_eq!(at(&offer(100, pack), Wish { quantity: 3, ..ONE }).expect("valid").total.minor, 300);
    }

    #[test]
    fn a_metered_offer_costs_nothing_now_and_has_a_forecast() {
        let plan = json!({"meter": {"unit": "row", "tiers": [{"price_minor": 1, "per_units": 2}], "cap_minor": 700}});
        let found = at(&offer(0, plan), Wish { expected_units: Some(1_000), ..ONE }).expect("valid");
        let forecast = found.forecast.expect("asked for");
        assert_eq!(
            (found.total.minor, forecast.low_minor, forecast.expected_minor, forecast.high_minor),
            (0, 250, 500, 700)
        );
        assert_eq!(refused(at(&offer(100, json!({})), Wish { expected_units: Some(1), ..ONE })), "/expected_units");
    }

    proptest! {
        #[test]
        fn every_sum_of_a_checkout_is_exact(
            minor in 0_i64..=99_999_999, weights in proptest::collection::vec((1_u64..1_000, 0_u32..=10_000, any::<bool>()), 1..=6),
            bps in 0_u32..=10_000, later_bps in 0_u32..5_000,
        ) {
            let single = weights.len() == 1;
            let plan = if single && later_bps > 0 {
                json!({"instalments": [{"after_days": 1, "share_bps": later_bps}, {"after_days": 2, "share_bps": later_bps}]})
            } else { json!({}) };
            let components = weights.iter().map(|(weight, bps, chosen)| component(*weight, *bps, *chosen)).collect();
            let wish = Wish { coupon: Some(Reduction::Percent(bps)), ..ONE };
            let Ok(found) = checkout(&offer(minor, plan), components, wish, &CENTS, NOW) else { return Ok(()) };
            let of = |part: fn(&QuotedLine) -> i64| found.lines.iter().map(part).sum::<i64>();
            prop_assert_eq!(of(|line| line.due.minor), found.total.minor);
            prop_assert_eq!(of(|line| line.priced.list_minor), minor);
            prop_assert_eq!(of(|line| line.split.operator.minor + line.split.provider.minor), found.total.minor);
            let later: i64 = found.schedule.iter().map(|later| later.amount.minor).sum();
            prop_assert_eq!(of(|line| line.priced.net_minor), found.total.minor + later);
            prop_assert_eq!(of(|line| line.priced.net_minor) + found.coupon_minor(), minor);
            prop_assert!(CENTS.check(found.total).is_ok());
        }
    }
}
