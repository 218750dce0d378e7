//! The grant model: what a licence allows, asks for and ends with.
//!
//! Alternatives are enums, so that terms which make no sense mostly can't be written down;
//! [`Terms::validate`] names the contradictions that are left.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::base::{LangText, clock::add_months};

/// Everything a licence settles, for open and commercial licences alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LicenceTerms, example = json!({
    "uses": ["internal", "product", "benchmark"],
    "redistribution": "derived_only",
    "derivatives": {"publishable": {"min_aggregation_records": 10}},
    "attribution": {"required": {"text": {"en": "City of Aarhus", "da": "Aarhus Kommune"}, "mark_changes": true}},
    "territory": {"countries": ["DK", "SE"]},
    "duration": {"fixed": {"months": 12, "after_end": "keep_derived"}},
    "seats": {"limited": {"persons": 25}},
    "personal_data": {"level": "none", "re_identification_prohibited": true},
    "sublicense": false,
    "affiliates": true,
    "audit": false,
    "termination": {"on_breach": {"after_notice": {"cure_days": 30}}},
    "warranty": "as_described",
    "governing_law": "DK"
}))]
pub struct Terms {
    /// What the data may be used for; whatever is missing here is not allowed.
    #[schema(min_items = 1)]
    pub uses: BTreeSet<Use>,
    /// Whether the data may be handed on.
    pub redistribution: Redistribution,
    /// Whether new datasets may be made from it.
    pub derivatives: Derivatives,
    /// Whether the source must be named, and how.
    pub attribution: Attribution,
    /// Where the licence holds.
    pub territory: Territory,
    /// How long it holds, and what happens to the data afterwards.
    pub duration: LicenceDuration,
    /// How many people may work with the data.
    pub seats: Seats,
    /// What the provider declares about personal data.
    pub personal_data: PersonalData,
    /// Whether the licensee may grant its rights to others.
    pub sublicense: bool,
    /// Whether companies of the licensee's group are covered.
    pub affiliates: bool,
    /// Whether the provider may check that the terms are kept.
    pub audit: bool,
    /// How the licence can end early.
    pub termination: Termination,
    /// What the provider stands in for.
    pub warranty: Warranty,
    /// ISO 3166-1 alpha-2 code of the governing law, or an ISO 3166-2 code such as `CA-ON`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governing_law: Option<String>,
}

/// A purpose the data may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LicenceUse)]
pub enum Use {
    /// The licensee's own business or administration.
    Internal,
    /// Scientific research and study.
    Research,
    /// Part of what the licensee offers to others.
    Product,
    /// Training of machine-learning models.
    AiTrain,
    /// Measuring and comparing systems and models.
    Benchmark,
    /// Publishing findings that don't reveal the data.
    PublishResults,
    /// Selling the data itself.
    Resale,
}

/// Whether, and on what condition, the data may be handed on to third parties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = LicenceRedistribution)]
pub enum Redistribution {
    /// Not at all.
    None,
    /// Only data made from it, from which it can't be reconstructed.
    DerivedOnly,
    /// Freely, without any condition.
    Unrestricted,
    /// With the text of the licence.
    WithLicenceText,
    /// With the attribution.
    WithAttribution,
    /// Under one given licence, adaptations included.
    ShareAlike {
        /// SPDX identifier of that licence.
        licence: String,
    },
}

/// Whether new datasets may be made from the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = LicenceDerivatives)]
pub enum Derivatives {
    /// No.
    None,
    /// Yes, for the licensee only.
    Internal,
    /// Yes, and they may be published.
    Publishable {
        /// Each published value must summarise at least so many records.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(minimum = 2, maximum = 1_000_000)]
        min_aggregation_records: Option<u32>,
    },
}

/// Whether the source must be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = LicenceAttribution)]
pub enum Attribution {
    /// No.
    NotRequired,
    /// Yes.
    Required {
        /// The wording per language; without one, the provider's name as listed.
        text: LangText,
        /// Whether changes to the data must be pointed out as well.
        mark_changes: bool,
    },
}

/// Where the licence holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = LicenceTerritory)]
pub enum Territory {
    /// Everywhere.
    Worldwide,
    /// In these countries, by ISO 3166-1 alpha-2 code.
    Countries(BTreeSet<String>),
}

/// How long the licence holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LicenceDuration {
    /// Without end.
    Perpetual,
    /// For a number of calendar months from the grant.
    Fixed {
        /// Calendar months.
        #[schema(minimum = 1, maximum = 120)]
        months: u16,
        /// What happens to the data when they are over.
        after_end: AfterEnd,
    },
}

/// What the licensee does with the data when a fixed term is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LicenceAfterEnd)]
pub enum AfterEnd {
    /// Delete the data and what was made from it.
    Delete,
    /// Keep using what was received, without updates.
    Keep,
    /// Delete the data, keep what was made from it.
    KeepDerived,
}

/// How many people may work with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = LicenceSeats)]
pub enum Seats {
    /// The public.
    Anyone,
    /// Everyone in the licensee's organisation.
    Organisation,
    /// Named persons.
    Limited {
        /// Number of persons.
        #[schema(minimum = 1, maximum = 1_000_000)]
        persons: u32,
    },
}

/// What the provider declares about personal data, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LicencePersonalData)]
pub struct PersonalData {
    /// How much of it there is.
    pub level: PersonalDataLevel,
    /// Whether it is forbidden to find out who a record is about.
    pub re_identification_prohibited: bool,
    /// Where the data processing agreement can be read, as an `https` URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpa_url: Option<String>,
}

/// How much personal data the dataset holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LicencePersonalDataLevel)]
pub enum PersonalDataLevel {
    /// None that the provider knows of.
    None,
    /// People appear under a pseudonym.
    Pseudonymised,
    /// People can be identified.
    Contains,
}

/// How the licence can end before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LicenceTermination)]
pub struct Termination {
    /// What a breach by the licensee leads to.
    pub on_breach: OnBreach,
    /// Notice after which either party may end it without a reason; absent when neither may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 365)]
    pub convenience_notice_days: Option<u16>,
}

/// What a breach by the licensee leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = LicenceOnBreach)]
pub enum OnBreach {
    /// The licence does not say; the law decides.
    Unstated,
    /// The grant stays; other remedies of the law remain.
    Irrevocable,
    /// The licence ends by itself.
    Automatic,
    /// The provider may end it when the breach is not cured in time.
    AfterNotice {
        /// Days from the written notice.
        #[schema(minimum = 1, maximum = 365)]
        cure_days: u16,
    },
}

/// What the provider stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LicenceWarranty)]
pub enum Warranty {
    /// Nothing.
    AsIs,
    /// That the data is what its listing says.
    AsDescribed,
}

impl Use {
    /// Every purpose, in the order texts list them.
    pub const ALL: [Self; 7] = [
        Self::Internal,
        Self::Research,
        Self::Product,
        Self::AiTrain,
        Self::Benchmark,
        Self::PublishResults,
        Self::Resale,
    ];

    /// The name it has in JSON and in the ODRL profile.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Research => "research",
            Self::Product => "product",
            Self::AiTrain => "ai_train",
            Self::Benchmark => "benchmark",
            Self::PublishResults => "publish_results",
            Self::Resale => "resale",
        }
    }
}

impl Redistribution {
    /// True when whole copies of the data may reach third parties.
    pub const fn allows_copies(&self) -> bool {
        match self {
            Self::None | Self::DerivedOnly => false,
            Self::Unrestricted | Self::WithLicenceText | Self::WithAttribution | Self::ShareAlike { .. } => true,
        }
    }
}

impl LicenceDuration {
    /// The instant a licence granted at `start` ends, or nothing when it does not.
    ///
    /// Months are calendar months: a day the last month lacks becomes its last day, so that a
    /// month from 31 January ends on 28 or 29 February at the same time of day.
    pub fn end(self, start: OffsetDateTime) -> Option<OffsetDateTime> {
        match self {
            Self::Perpetual => None,
            Self::Fixed { months, .. } => Some(add_months(start, months)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;
    use utoipa::PartialSchema;

    use super::*;
    use crate::{limits, terms::licences::strategies::any_terms};

    fn example() -> serde_json::Value {
        let schema = serde_json::to_value(Terms::schema()).expect("a schema is JSON");
        schema["example"].clone()
    }

    #[test]
    fn the_documented_example_is_valid() {
        let terms: Terms = serde_json::from_value(example()).expect("the example parses");
        assert_eq!(terms.validate(), []);
    }

    #[test]
    fn the_schema_states_the_limits_that_are_checked() {
        let maximum = |schema: utoipa::openapi::RefOr<utoipa::openapi::Schema>, variant: &str, field: &str| {
            let schema = serde_json::to_value(schema).expect("a schema is JSON");
            let variants = schema["oneOf"].as_array().cloned().unwrap_or_default();
            let found = variants.iter().map(|each| &each["properties"][variant]["properties"][field]["maximum"]);
            found.filter_map(serde_json::Value::as_u64).next()
        };
        assert_eq!(maximum(LicenceDuration::schema(), "fixed", "months"), Some(limits::LICENCE_TERM_MONTHS_MAX.into()));
        assert_eq!(maximum(Seats::schema(), "limited", "persons"), Some(limits::SEATS_MAX.into()));
        assert_eq!(maximum(OnBreach::schema(), "after_notice", "cure_days"), Some(limits::NOTICE_DAYS_MAX.into()));
        let records = maximum(Derivatives::schema(), "publishable", "min_aggregation_records");
        assert_eq!(records, Some(limits::AGGREGATION_RECORDS_MAX.into()));
    }

    #[test]
    fn every_choice_has_a_schema_of_its_own() {
        let schema = serde_json::to_value(Terms::schema()).expect("a schema is JSON");
        for field in ["redistribution", "derivatives", "attribution", "territory", "duration", "seats", "warranty"] {
            let reference = schema["properties"][field]["$ref"].as_str().unwrap_or_default();
            assert!(reference.starts_with("#/components/schemas/Licence"), "{field}: {}", schema["properties"][field]);
        }
    }

    #[test]
    fn unknown_fields_are_refused_on_every_level() {
        for (pointer, place) in
            [("", "surprise"), ("/personal_data", "x"), ("/termination", "x"), ("/seats/limited", "x")]
        {
            let mut json = example();
            json.pointer_mut(pointer).expect("in the example")[place] = 1.into();
            assert!(serde_json::from_value::<Terms>(json).is_err(), "{pointer}/{place}");
        }
    }

    #[test]
    fn json_names_and_profile_names_are_the_same() {
        for each in Use::ALL {
            assert_eq!(serde_json::to_value(each).expect("a name"), each.name());
        }
    }

    #[test]
    fn a_term_ends_on_the_last_day_when_the_month_is_shorter() {
        let end = |months, start| LicenceDuration::Fixed { months, after_end: AfterEnd::Delete }.end(start);
        assert_eq!(end(1, datetime!(2026-01-31 10:00 UTC)), Some(datetime!(2026-02-28 10:00 UTC)));
        assert_eq!(end(1, datetime!(2028-01-31 10:00 UTC)), Some(datetime!(2028-02-29 10:00 UTC)));
        assert_eq!(end(12, datetime!(2028-02-29 0:00 UTC)), Some(datetime!(2029-02-28 0:00 UTC)));
        assert_eq!(end(13, datetime!(2026-12-15 0:00 UTC)), Some(datetime!(2028-01-15 0:00 UTC)));
        assert_eq!(LicenceDuration::Perpetual.end(datetime!(2026-01-01 0:00 UTC)), None);
    }

    proptest! {
        #[test]
        fn terms_survive_json_unchanged(terms in any_terms()) {
            let json = serde_json::to_string(&terms).expect("terms are JSON");
            prop_assert_eq!(serde_json::from_str::<Terms>(&json).expect("and back"), terms);
        }

        #[test]
        fn more_months_never_end_earlier(months in 1_u16..=120, day in 0_i64..20_000) {
            let start = OffsetDateTime::UNIX_EPOCH + time::Duration::days(day);
            let end = |months| LicenceDuration::Fixed { months, after_end: AfterEnd::Keep }.end(start);
            prop_assert!(Some(start) < end(months) && end(months) < end(months + 1));
        }
    }
}
