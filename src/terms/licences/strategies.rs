//! Arbitrary terms for property tests: every variant, valid or not.

use std::collections::BTreeSet;

use proptest::{option, prelude::*, sample};

use super::{
    model::{
        AfterEnd, Attribution, Derivatives, LicenceDuration, OnBreach, PersonalData, PersonalDataLevel, Redistribution,
        Seats, Termination, Terms, Territory, Use, Warranty,
    },
    presets::Preset,
};
use crate::base::LangText;

fn uses() -> impl Strategy<Value = BTreeSet<Use>> {
    sample::subsequence(Use::ALL.to_vec(), 0..=Use::ALL.len()).prop_map(|uses| uses.into_iter().collect())
}

fn redistribution() -> impl Strategy<Value = Redistribution> {
    prop_oneof![
        Just(Redistribution::None),
        Just(Redistribution::DerivedOnly),
        Just(Redistribution::Unrestricted),
        Just(Redistribution::WithLicenceText),
        Just(Redistribution::WithAttribution),
        sample::select(vec!["CC-BY-SA-3.0", "CC-BY-SA-4.0", "ODbL-1.0"])
            .prop_map(|licence| Redistribution::ShareAlike { licence: licence.to_owned() }),
    ]
}

fn derivatives() -> impl Strategy<Value = Derivatives> {
    prop_oneof![
        Just(Derivatives::None),
        Just(Derivatives::Internal),
        option::of(any::<u32>())
            .prop_map(|min_aggregation_records| Derivatives::Publishable { min_aggregation_records }),
    ]
}

fn attribution() -> impl Strategy<Value = Attribution> {
    let language = sample::select(vec!["en", "zh-Hant", "ja", "da", "de"]).prop_map(str::to_owned);
    let text = proptest::collection::btree_map(language, "[^\\p{C}]{0,12}", 0..4);
    prop_oneof![
        Just(Attribution::NotRequired),
        (text, any::<bool>())
            .prop_map(|(text, mark_changes)| Attribution::Required { text: LangText(text), mark_changes }),
    ]
}

fn territory() -> impl Strategy<Value = Territory> {
    let country = sample::select(vec!["DK", "JP", "TW", "CA"]).prop_map(str::to_owned);
    prop_oneof![
        Just(Territory::Worldwide),
        proptest::collection::btree_set(country, 0..4).prop_map(Territory::Countries),
    ]
}

fn duration() -> impl Strategy<Value = LicenceDuration> {
    let after_end = sample::select(vec![AfterEnd::Delete, AfterEnd::Keep, AfterEnd::KeepDerived]);
    prop_oneof![
        Just(LicenceDuration::Perpetual),
        (any::<u16>(), after_end).prop_map(|(months, after_end)| LicenceDuration::Fixed { months, after_end }),
    ]
}

fn seats() -> impl Strategy<Value = Seats> {
    prop_oneof![
        Just(Seats::Anyone),
        Just(Seats::Organisation),
        any::<u32>().prop_map(|persons| Seats::Limited { persons })
    ]
}

fn personal_data() -> impl Strategy<Value = PersonalData> {
    let levels = vec![PersonalDataLevel::None, PersonalDataLevel::Pseudonymised, PersonalDataLevel::Contains];
    (sample::select(levels), any::<bool>(), option::of("https://[a-z]{1,8}\\.example/[a-z]{0,8}")).prop_map(
        |(level, re_identification_prohibited, dpa_url)| PersonalData { level, re_identification_prohibited, dpa_url },
    )
}

fn termination() -> impl Strategy<Value = Termination> {
    let on_breach = prop_oneof![
        Just(OnBreach::Unstated),
        Just(OnBreach::Irrevocable),
        Just(OnBreach::Automatic),
        any::<u16>().prop_map(|cure_days| OnBreach::AfterNotice { cure_days }),
    ];
    (on_breach, option::of(any::<u16>()))
        .prop_map(|(on_breach, convenience_notice_days)| Termination { on_breach, convenience_notice_days })
}

fn law() -> impl Strategy<Value = Option<String>> {
    option::of(sample::select(vec!["DK", "JP", "TW", "CA-ON"]).prop_map(str::to_owned))
}

/// Any terms at all, contradictory ones included.
pub(super) fn any_terms() -> impl Strategy<Value = Terms> {
    let rights = (uses(), redistribution(), derivatives(), attribution(), territory(), duration(), seats());
    let duties = (personal_data(), any::<[bool; 3]>(), termination(), any::<bool>(), law());
    (rights, duties).prop_map(|(rights, duties)| Terms {
        uses: rights.0,
        redistribution: rights.1,
        derivatives: rights.2,
        attribution: rights.3,
        territory: rights.4,
        duration: rights.5,
        seats: rights.6,
        personal_data: duties.0,
        sublicense: duties.1[0],
        affiliates: duties.1[1],
        audit: duties.1[2],
        termination: duties.2,
        warranty: if duties.3 { Warranty::AsIs } else { Warranty::AsDescribed },
        governing_law: duties.4,
    })
}

/// `terms` with one field (by number, see [`FIELDS`]) taken from `other`.
pub(super) fn with_field_of(terms: &Terms, other: &Terms, field: usize) -> Terms {
    let (mut terms, other) = (terms.clone(), other.clone());
    match field {
        0 => terms.uses = other.uses,
        1 => terms.redistribution = other.redistribution,
        2 => terms.derivatives = other.derivatives,
        3 => terms.attribution = other.attribution,
        4 => terms.territory = other.territory,
        5 => terms.duration = other.duration,
        6 => terms.seats = other.seats,
        7 => terms.personal_data = other.personal_data,
        8 => terms.sublicense = other.sublicense,
        9 => terms.affiliates = other.affiliates,
        10 => terms.audit = other.audit,
        11 => terms.termination = other.termination,
        12 => terms.warranty = other.warranty,
        _ => terms.governing_law = other.governing_law,
    }
    terms
}

/// Number of fields of [`Terms`].
pub(super) const FIELDS: usize = 14;

/// Terms that between them hold every variant of every field, and singular and plural numbers.
pub(super) fn every_variant() -> Vec<Terms> {
    let base = Preset::ProductUse.terms();
    let derivatives =
        [Derivatives::None, Derivatives::Internal, Derivatives::Publishable { min_aggregation_records: Some(2) }];
    let redistribution = [
        Redistribution::None,
        Redistribution::Unrestricted,
        Redistribution::WithLicenceText,
        Redistribution::WithAttribution,
        Redistribution::ShareAlike { licence: "ODbL-1.0".to_owned() },
    ];
    let named = LangText::of("en", "City of X");
    let attribution = [
        Attribution::NotRequired,
        Attribution::Required { text: named.clone(), mark_changes: false },
        Attribution::Required { text: named, mark_changes: true },
        Attribution::Required { text: LangText::default(), mark_changes: true },
    ];
    let duration = [AfterEnd::Delete, AfterEnd::Keep].map(|after_end| LicenceDuration::Fixed { months: 1, after_end });
    let levels = [PersonalDataLevel::Pseudonymised, PersonalDataLevel::Contains];
    let ends = [OnBreach::Unstated, OnBreach::Irrevocable, OnBreach::Automatic, OnBreach::AfterNotice { cure_days: 1 }];
    let dpa_url = Some("https://city.example/dpa".to_owned());
    let with = |change: &dyn Fn(&mut Terms)| {
        let mut terms = base.clone();
        change(&mut terms);
        terms
    };
    let mut all = vec![
        base.clone(),
        with(&|terms| terms.uses = BTreeSet::from(Use::ALL)),
        with(&|terms| terms.uses.clear()),
        with(&|terms| terms.territory = Territory::Countries(BTreeSet::from(["DK".to_owned(), "TW".to_owned()]))),
        with(&|terms| terms.duration = LicenceDuration::Perpetual),
        with(&|terms| terms.seats = Seats::Anyone),
        with(&|terms| terms.seats = Seats::Limited { persons: 1 }),
        with(&|terms| terms.seats = Seats::Limited { persons: 2 }),
        with(&|terms| (terms.sublicense, terms.affiliates, terms.audit) = (true, false, true)),
        with(&|terms| terms.termination.convenience_notice_days = Some(1)),
        with(&|terms| terms.termination.convenience_notice_days = Some(2)),
        with(&|terms| terms.warranty = Warranty::AsIs),
        with(&|terms| terms.governing_law = Some("DK".to_owned())),
    ];
    all.extend(derivatives.map(|value| with(&|terms| terms.derivatives = value)));
    all.extend(redistribution.map(|value| with(&|terms| terms.redistribution = value.clone())));
    all.extend(attribution.map(|value| with(&|terms| terms.attribution = value.clone())));
    all.extend(duration.map(|value| with(&|terms| terms.duration = value)));
    all.extend(ends.map(|value| with(&|terms| terms.termination.on_breach = value)));
    all.extend(levels.map(|level| {
        with(&|terms| {
            terms.personal_data = PersonalData { level, re_identification_prohibited: true, dpa_url: dpa_url.clone() };
        })
    }));
    all
}
