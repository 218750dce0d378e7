//! Commercial starting points.

use std::collections::BTreeSet;

use super::{
    model::{
        AfterEnd, Attribution, Derivatives, LicenceDuration, OnBreach, PersonalData, PersonalDataLevel, Redistribution,
        Seats, Termination, Terms, Territory, Use, Warranty,
    },
    phrases,
    render::Language,
};
use crate::base::LangText;

/// A commercial starting point; every field can be changed afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LicencePreset)]
pub enum Preset {
    /// Inside one organisation, for a year.
    InternalUse,
    /// In products, with derived data handed on, for a year.
    ProductUse,
    /// For research whose aggregated results are published, for two years.
    Research,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 3] = [Self::InternalUse, Self::ProductUse, Self::Research];

    /// Its title in every language of [`Language`].
    pub fn title(self) -> LangText {
        let in_language = |language| phrases::of(language).preset_title(self);
        LangText(Language::ALL.map(|language| (language.tag().to_owned(), in_language(language).to_owned())).into())
    }

    /// The terms it starts from: `Terms { seats, ..Preset::Research.terms() }` changes one of them.
    pub fn terms(self) -> Terms {
        let internal = Terms {
            uses: BTreeSet::from([Use::Internal, Use::Benchmark]),
            redistribution: Redistribution::None,
            derivatives: Derivatives::Internal,
            attribution: Attribution::NotRequired,
            territory: Territory::Worldwide,
            duration: LicenceDuration::Fixed { months: 12, after_end: AfterEnd::Delete },
            seats: Seats::Organisation,
            personal_data: PersonalData {
                level: PersonalDataLevel::None,
                re_identification_prohibited: true,
                dpa_url: None,
            },
            sublicense: false,
            affiliates: false,
            audit: false,
            termination: Termination {
                on_breach: OnBreach::AfterNotice { cure_days: 30 },
                convenience_notice_days: None,
            },
            warranty: Warranty::AsDescribed,
            governing_law: None,
        };
        match self {
            Self::InternalUse => internal,
            Self::ProductUse => Terms {
                uses: BTreeSet::from([Use::Internal, Use::Product, Use::Benchmark, Use::PublishResults]),
                redistribution: Redistribution::DerivedOnly,
                derivatives: Derivatives::Publishable { min_aggregation_records: None },
                attribution: Attribution::Required { text: LangText::default(), mark_changes: true },
                duration: LicenceDuration::Fixed { months: 12, after_end: AfterEnd::KeepDerived },
                affiliates: true,
                ..internal
            },
            Self::Research => Terms {
                uses: BTreeSet::from([Use::Research, Use::Benchmark, Use::PublishResults]),
                redistribution: Redistribution::DerivedOnly,
                derivatives: Derivatives::Publishable { min_aggregation_records: Some(10) },
                attribution: Attribution::Required { text: LangText::default(), mark_changes: true },
                duration: LicenceDuration::Fixed { months: 24, after_end: AfterEnd::KeepDerived },
                ..internal
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_be_sold_as_it_is() {
        for preset in Preset::ALL {
            assert_eq!(preset.terms().validate(), [], "{preset:?}");
        }
    }

    #[test]
    fn presets_differ_in_title_and_terms() {
        for (one, two) in [(0, 1), (0, 2), (1, 2)].map(|(one, two)| (Preset::ALL[one], Preset::ALL[two])) {
            assert_ne!(one.terms(), two.terms());
            assert!(Language::ALL.iter().all(|l| one.title().best(l.tag()) != two.title().best(l.tag())));
        }
    }
}
