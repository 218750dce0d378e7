//! The rules of offers: what goes together, and when an offer holds.

use entity::{
    bundle_part,
    ids::{LicenceId, ListingId, OfferId, OrgId},
    states::{Coverage, LicenceKind, OfferKind, OfferState, PartState, PersonalData},
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    plan::Plan,
    plan_check::{Around, check_plan},
};
use crate::{
    base::Money,
    error::{Check, Result},
    limits,
    terms::licences::{
        Terms,
        model::{LicenceDuration, PersonalDataLevel},
    },
};

/// What a provider asks for, before it was checked.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub kind: OfferKind,
    pub price: Option<Money>,
    pub term_months: Option<i32>,
    pub approval_required: bool,
    pub coverage: Option<Coverage>,
    pub valid_from: Option<OffsetDateTime>,
    pub valid_until: Option<OffsetDateTime>,
    pub plan: Option<Plan>,
}

/// The conditions of an offer that makes sense in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conditions {
    pub kind: OfferKind,
    /// None for a free offer, zero for a metered one, at least one minor unit otherwise.
    pub price: Option<Money>,
    /// Months a grant lasts: of a subscription, or of the licence where that ends by itself.
    pub term_months: Option<i32>,
    pub approval_required: bool,
    pub coverage: Coverage,
    pub valid_from: OffsetDateTime,
    pub valid_until: Option<OffsetDateTime>,
    /// What the price alone does not say.
    pub plan: Option<Plan>,
}

impl Conditions {
    /// The same conditions under `terms`: a grant never outlasts its licence.
    #[must_use]
    pub(super) fn under(self, terms: &Terms) -> Self {
        let of_licence = match terms.duration {
            LicenceDuration::Fixed { months, .. } => Some(i32::from(months)),
            LicenceDuration::Perpetual => None,
        };
        Self { term_months: self.term_months.or(of_licence), ..self }
    }
}

impl Draft {
    /// Fills in what was left out and checks what was not.
    ///
    /// # Errors
    /// `Invalid` with everything that has to change.
    pub(super) fn check(self, now: OffsetDateTime) -> Result<Conditions> {
        let mut check = Check::new();
        self.check_price(&mut check);
        self.check_term(&mut check);
        let valid_from = self.valid_from.unwrap_or(now);
        let earliest = now - Duration::seconds(limits::OFFER_PAST_SECONDS_MAX);
        check.require(valid_from >= earliest, "/valid_from", "Give a time that is not past, or leave it out for now.");
        let latest = now + Duration::days(limits::OFFER_AHEAD_DAYS_MAX);
        let ahead = format!("Begin within {} days.", limits::OFFER_AHEAD_DAYS_MAX);
        check.require(valid_from <= latest, "/valid_from", ahead);
        let ends_later = self.valid_until.is_none_or(|until| until > valid_from && until > now);
        check.require(ends_later, "/valid_until", "Give a time after valid_from, or leave it out.");
        let plan = self.plan.unwrap_or_default();
        let around = Around {
            kind: self.kind,
            has_end: self.valid_until.is_some(),
            approval_required: self.approval_required,
            price_minor: self.price.map_or(0, |price| price.minor),
        };
        check_plan(&plan, around, &mut check);
        check.done()?;
        let until_the_end = match self.kind {
            OfferKind::OneOff | OfferKind::Bundle => Coverage::Snapshot,
            OfferKind::Free | OfferKind::Subscription | OfferKind::Metered | OfferKind::QuotaPack => {
                Coverage::WhileActive
            }
        };
        Ok(Conditions {
            kind: self.kind,
            price: self.price.filter(|price| self.kind == OfferKind::Metered || !price.is_zero()),
            term_months: self.term_months,
            approval_required: self.approval_required,
            coverage: self.coverage.unwrap_or(until_the_end),
            valid_from,
            valid_until: self.valid_until,
            plan: (plan != Plan::default()).then_some(plan),
        })
    }

    fn check_price(&self, check: &mut Check) {
        let minor = self.price.map(|price| price.minor);
        if self.kind == OfferKind::Free {
            let free = minor.is_none_or(|minor| minor == 0);
            check.require(free, "/price", "Leave the price out of a free offer, or choose one_off or subscription.");
            return;
        }
        let Some(minor) = minor else {
            check.require(false, "/price", "Give a price, or make a free offer.");
            return;
        };
        if self.kind == OfferKind::Metered {
            let detail = "Give 0: usage costs what plan.meter says, in the currency of this price.";
            check.require(minor == 0, "/price/minor", detail);
            return;
        }
        let most = limits::PRICE_MINOR_MAX;
        let detail = format!("Give 1 to {most} minor units of the currency, or make a free offer.");
        check.require((1..=most).contains(&minor), "/price/minor", detail);
    }

    fn check_term(&self, check: &mut Check) {
        let most = limits::TERM_MONTHS_MAX;
        match (self.kind, self.term_months) {
            (OfferKind::Subscription, term) => {
                let good = term.is_some_and(|months| (1..=most).contains(&months));
                check.require(good, "/term_months", format!("Give a term of 1 to {most} months."));
            }
            (_, term) => {
                check.require(term.is_none(), "/term_months", "Leave it out: only a subscription has a term.");
            }
        }
    }
}

/// Checks that a licence goes with an offer; `pointer` is where the licence was named.
///
/// # Errors
/// `Invalid` for a price under an open licence, for personal data the licence does not declare as the listing
/// does, and for a subscription that outlasts its licence.
pub(super) fn require_fitting_licence(
    conditions: &Conditions,
    kind: LicenceKind,
    terms: &Terms,
    personal_data: PersonalData,
    pointer: &str,
) -> Result<()> {
    let mut check = Check::new();
    let free = conditions.price.is_none();
    check.require(
        free || kind == LicenceKind::Commercial,
        pointer,
        "An open licence lets every buyer pass the data on for nothing, so nobody needs to pay: use a licence of your \
         own, or make a free offer.",
    );
    let open_is_harmless = kind == LicenceKind::Commercial || personal_data == PersonalData::None;
    check.require(
        open_is_harmless,
        pointer,
        "The listing declares personal data, which an open licence would let anyone pass on: use a licence of your own.",
    );
    if open_is_harmless && level_of(terms.personal_data.level) != personal_data {
        let detail = format!(
            "The listing declares personal data as {personal_data}, the licence as {}: use one that says the same.",
            level_of(terms.personal_data.level)
        );
        check.require(false, pointer, detail);
    }
    if let (LicenceDuration::Fixed { months, .. }, Some(term)) = (terms.duration, conditions.term_months) {
        let detail = format!("The licence ends after {months} months: give a term no longer than that.");
        check.require(term <= i32::from(months), "/term_months", detail);
    }
    check.done()
}

const fn level_of(level: PersonalDataLevel) -> PersonalData {
    match level {
        PersonalDataLevel::None => PersonalData::None,
        PersonalDataLevel::Pseudonymised => PersonalData::Pseudonymised,
        PersonalDataLevel::Contains => PersonalData::Contains,
    }
}

/// Where an offer stands at some instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OfferStatus {
    /// It begins later.
    Upcoming,
    /// It can be ordered.
    Active,
    /// Its time is over.
    Ended,
    /// The provider took it back.
    Withdrawn,
    /// A bundle of which not every part is accepted.
    Incomplete,
}

impl OfferStatus {
    /// The status of a bundle with these parts; that of any other offer stays.
    pub(super) fn with_parts(self, parts: &[bundle_part::Model]) -> Self {
        let complete = parts.iter().all(|part| part.state == PartState::Accepted);
        if self == Self::Active && !complete { Self::Incomplete } else { self }
    }
}

/// Where an offer stands at `now`. It holds from `valid_from` until just before `valid_until`.
pub(super) fn status(
    state: OfferState,
    valid_from: OffsetDateTime,
    valid_until: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> OfferStatus {
    match state {
        OfferState::Withdrawn => OfferStatus::Withdrawn,
        OfferState::Active if valid_until.is_some_and(|until| until <= now) => OfferStatus::Ended,
        OfferState::Active if valid_from > now => OfferStatus::Upcoming,
        OfferState::Active => OfferStatus::Active,
    }
}

/// When an offer holds: from, and until just before.
pub(super) type Span = (OffsetDateTime, Option<OffsetDateTime>);

/// The first instant from `start` on at which none of the `spans` holds; nothing when one always does.
pub(super) fn first_gap(spans: &[Span], start: OffsetDateTime) -> Option<OffsetDateTime> {
    let mut spans = spans.to_vec();
    spans.sort_unstable();
    let mut covered_until = start;
    for (from, until) in spans {
        if from > covered_until {
            break;
        }
        covered_until = covered_until.max(until?);
    }
    Some(covered_until)
}

/// Everything about an offer that an order line freezes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleOffer {
    /// The offer.
    pub id: OfferId,
    /// What it is for.
    pub listing_id: ListingId,
    /// Who is paid.
    pub provider_id: OrgId,
    /// How it is priced.
    pub kind: OfferKind,
    /// Zero for a free offer.
    pub price: Money,
    /// Months of a subscription.
    pub term_months: Option<i32>,
    /// The licence.
    pub licence_id: LicenceId,
    /// SHA-256 of the document the buyer accepts.
    pub licence_hash: String,
    /// True when the provider decides on each buyer.
    pub approval_required: bool,
    /// Which revisions a grant covers.
    pub coverage: Coverage,
    /// What the price alone does not say.
    pub plan: Option<Plan>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::{
        base::{Currency, LangText},
        error::Problem,
        terms::licences::{Preset, resolve},
    };

    const NOW: OffsetDateTime = datetime!(2026-11-21 10:00 UTC);

    fn euro(minor: i64) -> Option<Money> {
        Some(Money::new(minor, "EUR".parse::<Currency>().expect("in the table")))
    }

    fn free() -> Draft {
        Draft {
            kind: OfferKind::Free,
            price: None,
            term_months: None,
            approval_required: false,
            coverage: None,
            valid_from: None,
            valid_until: None,
            plan: None,
        }
    }

    fn one_off(minor: i64) -> Draft {
        Draft { kind: OfferKind::OneOff, price: euro(minor), ..free() }
    }

    fn subscription(months: i32) -> Draft {
        Draft { kind: OfferKind::Subscription, term_months: Some(months), ..one_off(100) }
    }

    fn pointers(draft: Draft) -> Vec<String> {
        let fields = draft.check(NOW).map_or_else(|error| error.fields, |_| vec![]);
        fields.into_iter().map(|field| field.pointer).collect()
    }

    #[test]
    fn a_grant_ends_with_its_licence_unless_the_offer_ends_it_sooner() {
        let terms = Preset::InternalUse.terms();
        let LicenceDuration::Fixed { months, .. } = terms.duration else { panic!("the preset has an end") };
        let once = one_off(100).check(NOW).expect("makes sense").under(&terms);
        assert_eq!(once.term_months, Some(i32::from(months)));
        let shorter = subscription(1).check(NOW).expect("makes sense").under(&terms);
        assert_eq!(shorter.term_months, Some(1));
        let open = resolve("CC-BY-4.0").expect("known").terms(LangText::default());
        assert_eq!(free().check(NOW).expect("makes sense").under(&open).term_months, None);
    }

    #[test]
    fn prices_have_both_limits_and_free_offers_have_none() {
        for minor in [i64::MIN, -1, 0, limits::PRICE_MINOR_MAX + 1, i64::MAX] {
            assert_eq!(pointers(one_off(minor)), ["/price/minor"], "{minor}");
        }
        for minor in [1, limits::PRICE_MINOR_MAX] {
            assert!(pointers(one_off(minor)).is_empty(), "{minor}");
        }
        assert_eq!(pointers(Draft { price: None, ..one_off(1) }), ["/price"]);
        assert_eq!(pointers(Draft { price: euro(1), ..free() }), ["/price"]);
        assert_eq!(Draft { price: euro(0), ..free() }.check(NOW).expect("free").price, None);
    }

    #[test]
    fn only_subscriptions_have_a_term_of_one_to_thirty_six_months() {
        for months in [i32::MIN, 0, limits::TERM_MONTHS_MAX + 1] {
            assert_eq!(pointers(subscription(months)), ["/term_months"], "{months}");
        }
        for months in [1, limits::TERM_MONTHS_MAX] {
            assert!(pointers(subscription(months)).is_empty());
        }
        assert_eq!(pointers(Draft { term_months: None, ..subscription(1) }), ["/term_months"]);
        assert_eq!(pointers(Draft { term_months: Some(1), ..one_off(1) }), ["/term_months"]);
        assert_eq!(pointers(Draft { term_months: Some(1), ..free() }), ["/term_months"]);
    }

    #[test]
    fn an_offer_begins_now_or_soon_and_ends_after_it_begins() {
        let from = |valid_from| Draft { valid_from: Some(valid_from), ..free() };
        assert!(pointers(from(NOW - Duration::seconds(limits::OFFER_PAST_SECONDS_MAX))).is_empty());
        assert_eq!(pointers(from(NOW - Duration::seconds(limits::OFFER_PAST_SECONDS_MAX + 1))), ["/valid_from"]);
        assert!(pointers(from(NOW + Duration::days(limits::OFFER_AHEAD_DAYS_MAX))).is_empty());
        assert_eq!(pointers(from(NOW + Duration::days(limits::OFFER_AHEAD_DAYS_MAX + 1))), ["/valid_from"]);
        let until = |from, until| Draft { valid_from: Some(from), valid_until: Some(until), ..free() };
        assert_eq!(pointers(until(NOW, NOW)), ["/valid_until"]);
        assert_eq!(pointers(until(NOW - Duration::seconds(30), NOW - Duration::seconds(10))), ["/valid_until"]);
        assert!(pointers(until(NOW, NOW + Duration::SECOND)).is_empty());
    }

    #[test]
    fn a_one_off_covers_what_is_there_and_the_others_what_comes() {
        let coverage = |draft: Draft| draft.check(NOW).expect("valid").coverage;
        assert_eq!(coverage(one_off(1)), Coverage::Snapshot);
        assert_eq!(coverage(free()), Coverage::WhileActive);
        assert_eq!(coverage(subscription(1)), Coverage::WhileActive);
        assert_eq!(coverage(Draft { coverage: Some(Coverage::WhileActive), ..one_off(1) }), Coverage::WhileActive);
    }

    #[test]
    fn open_licences_carry_neither_a_price_nor_personal_data() {
        let terms = resolve("CC-BY-4.0").expect("in the table").terms(LangText::default());
        let fits = |draft: Draft, data| {
            let conditions = draft.check(NOW).expect("valid");
            require_fitting_licence(&conditions, LicenceKind::Open, &terms, data, "/licence")
        };
        assert!(fits(free(), PersonalData::None).is_ok());
        for (draft, data) in [(one_off(1), PersonalData::None), (free(), PersonalData::Pseudonymised)] {
            let refusal = fits(draft, data).expect_err("refused");
            assert_eq!((refusal.problem, refusal.fields.len()), (Problem::Invalid, 1));
            assert_eq!(refusal.fields[0].pointer, "/licence");
        }
    }

    #[test]
    fn a_licence_declares_the_personal_data_of_its_listing() {
        let conditions = one_off(1).check(NOW).expect("valid");
        for (level, said) in [
            (PersonalDataLevel::None, PersonalData::None),
            (PersonalDataLevel::Pseudonymised, PersonalData::Pseudonymised),
            (PersonalDataLevel::Contains, PersonalData::Contains),
        ] {
            let mut terms = Preset::InternalUse.terms();
            terms.personal_data.level = level;
            for &declared in PersonalData::ALL {
                let fits =
                    require_fitting_licence(&conditions, LicenceKind::Commercial, &terms, declared, "/licence_id");
                assert_eq!(fits.is_ok(), said == declared, "{said} {declared}");
            }
        }
    }

    #[test]
    fn a_subscription_does_not_outlast_its_licence() {
        let terms = Preset::InternalUse.terms();
        let fits = |months| {
            let conditions = subscription(months).check(NOW).expect("valid");
            require_fitting_licence(&conditions, LicenceKind::Commercial, &terms, PersonalData::None, "/licence_id")
        };
        assert!(fits(12).is_ok());
        assert_eq!(fits(13).expect_err("refused").fields[0].pointer, "/term_months");
    }

    #[test]
    fn a_gap_is_where_one_offer_ends_before_the_next_begins() {
        let day = |n: i64| NOW + Duration::days(n);
        assert_eq!(first_gap(&[], NOW), Some(NOW));
        assert_eq!(first_gap(&[(day(0), None)], NOW), None);
        assert_eq!(first_gap(&[(day(1), None)], NOW), Some(NOW));
        assert_eq!(first_gap(&[(day(0), Some(day(5)))], NOW), Some(day(5)));
        assert_eq!(first_gap(&[(day(5), None), (day(0), Some(day(5)))], NOW), None);
        assert_eq!(first_gap(&[(day(6), None), (day(0), Some(day(5)))], NOW), Some(day(5)));
        assert_eq!(first_gap(&[(day(0), Some(day(9))), (day(1), Some(day(2)))], NOW), Some(day(9)));
    }

    proptest! {
        #[test]
        fn an_offer_is_active_exactly_from_its_begin_to_its_end(from in 0_i64..100, length in 1_i64..100, at in 0_i64..300) {
            let second = |n: i64| NOW + Duration::seconds(n);
            let found = status(OfferState::Active, second(from), Some(second(from + length)), second(at));
            let expected = if at < from { OfferStatus::Upcoming }
                else if at < from + length { OfferStatus::Active }
                else { OfferStatus::Ended };
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn the_first_gap_is_the_first_instant_that_no_offer_holds(
            spans in proptest::collection::vec((0_i64..20, proptest::option::of(1_i64..10)), 0..6),
            start in 0_i64..20,
        ) {
            let second = |n: i64| NOW + Duration::seconds(n);
            let instants: Vec<Span> =
                spans.iter().map(|(from, length)| (second(*from), length.map(|length| second(from + length)))).collect();
            let holds = |at: OffsetDateTime| {
                instants.iter().any(|(from, until)| *from <= at && until.is_none_or(|until| at < until))
            };
            // After all begins and ends nothing changes any more.
            let expected = (start..40).map(second).find(|at| !holds(*at));
            prop_assert_eq!(first_gap(&instants, second(start)), expected);
        }
    }
}
