//! English.

use std::collections::BTreeSet;

use super::{
    super::model::{
        AfterEnd, Attribution, Derivatives, LicenceDuration, OnBreach, PersonalData, PersonalDataLevel, Redistribution,
        Seats, Termination, Territory, Use, Warranty,
    },
    Phrases, Preset, Subject, codes, sentences, split_uses, wordings,
};

pub(super) struct English;

fn use_name(purpose: Use) -> &'static str {
    match purpose {
        Use::Internal => "the licensee's own business or administration",
        Use::Research => "scientific research and study",
        Use::Product => "products and services the licensee offers to others",
        Use::AiTrain => "training machine-learning models",
        Use::Benchmark => "measuring and comparing systems and models",
        Use::PublishResults => "publishing results from which the data cannot be reconstructed",
        Use::Resale => "selling the data itself, alone or together with other data",
    }
}

fn days(number: u16) -> String {
    if number == 1 { "1 day".to_owned() } else { format!("{number} days") }
}

fn months(number: u16) -> String {
    if number == 1 { "1 month".to_owned() } else { format!("{number} months") }
}

impl Phrases for English {
    fn heading(&self, subject: Subject) -> &'static str {
        match subject {
            Subject::Summary => "About this text",
            Subject::Grant => "Grant",
            Subject::Uses => "Permitted uses",
            Subject::Derivatives => "Adaptation",
            Subject::Redistribution => "Passing on the data",
            Subject::Attribution => "Naming the source",
            Subject::Territory => "Territory",
            Subject::Duration => "Term",
            Subject::Seats => "Who may use the data",
            Subject::Affiliates => "Affiliated companies",
            Subject::Sublicensing => "Sublicences",
            Subject::PersonalData => "Personal data",
            Subject::Audit => "Audit",
            Subject::Termination => "Early termination",
            Subject::Warranty => "Warranty and liability",
            Subject::GoverningLaw => "Governing law",
        }
    }

    fn preset_title(&self, preset: Preset) -> &'static str {
        match preset {
            Preset::InternalUse => "Data licence for internal use",
            Preset::ProductUse => "Data licence for products and services",
            Preset::Research => "Data licence for research",
        }
    }

    fn summary(&self, name: &str, url: &str) -> String {
        format!(
            "This is a summary, not the licence. Only the text of “{name}” is binding; it is published at {url}. \
             Where the two differ, that text prevails."
        )
    }

    fn grant(&self) -> &'static str {
        "The provider grants the licensee a non-exclusive and non-transferable right to use the data delivered under \
         this licence (“the data”) on the terms below. All rights not expressly granted are reserved."
    }

    fn uses(&self, allowed: &BTreeSet<Use>) -> String {
        let (yes, no) = split_uses(allowed, use_name, "; ");
        let permitted = match (yes.is_empty(), no.is_empty()) {
            (true, _) => "No use of the data is permitted.".to_owned(),
            (false, false) => format!("The data may be used for: {yes}."),
            (false, true) => format!("The data may be used for any purpose, in particular: {yes}."),
        };
        let excluded = (!no.is_empty()).then(|| format!("The following is not permitted: {no}."));
        sentences([Some(permitted), excluded], " ")
    }

    fn derivatives(&self, derivatives: Derivatives) -> String {
        match derivatives {
            Derivatives::None => "The licensee may not adapt the data or combine it with other data into a new \
                 dataset. Conversions of format that a permitted use requires are allowed."
                .to_owned(),
            Derivatives::Internal => "The licensee may adapt the data and combine it with other data for its own \
                 purposes. The resulting datasets may not be made available to third parties."
                .to_owned(),
            Derivatives::Publishable { min_aggregation_records: None } => {
                "The licensee may adapt the data, combine it with other data and publish the resulting datasets."
                    .to_owned()
            }
            Derivatives::Publishable { min_aggregation_records: Some(records) } => format!(
                "The licensee may adapt the data, combine it with other data and publish the resulting datasets, \
                 provided that every published value summarises at least {records} records of the data."
            ),
        }
    }

    fn redistribution(&self, redistribution: &Redistribution) -> String {
        match redistribution {
            Redistribution::None => {
                "The licensee may not pass the data on to third parties, in whole or in part.".to_owned()
            }
            Redistribution::DerivedOnly => "The licensee may not pass the data itself on to third parties. Datasets \
                 derived from it may be passed on if the data cannot be reconstructed from them."
                .to_owned(),
            Redistribution::Unrestricted => {
                "The licensee may pass the data on to third parties without conditions.".to_owned()
            }
            Redistribution::WithLicenceText => "The licensee may pass the data on to third parties, provided that \
                 the text of this licence accompanies it."
                .to_owned(),
            Redistribution::WithAttribution => "The licensee may pass the data on to third parties, provided that \
                 the source is named as this licence requires."
                .to_owned(),
            Redistribution::ShareAlike { licence } => format!(
                "The licensee may pass on the data and datasets derived from it, but only under the licence \
                 {licence} or another licence which that licence itself permits."
            ),
        }
    }

    fn attribution(&self, attribution: &Attribution) -> String {
        match attribution {
            Attribution::NotRequired => "The licensee need not name the source of the data.".to_owned(),
            Attribution::Required { text, mark_changes } => {
                let changes = if *mark_changes { " Changes made to the data must be indicated." } else { "" };
                let when = "Whenever the data, or anything derived from it, is made available to others,";
                if text.is_empty() {
                    format!("{when} the provider must be named as the source.{changes}")
                } else {
                    let wordings = wordings(text);
                    format!("{when} the source must be named in one of the wordings below.{changes}{wordings}")
                }
            }
        }
    }

    fn territory(&self, territory: &Territory) -> String {
        match territory {
            Territory::Worldwide => "This licence applies worldwide.".to_owned(),
            Territory::Countries(countries) => format!(
                "This licence applies only in the following countries or territories (ISO 3166-1 codes): {}.",
                codes(countries, ", ")
            ),
        }
    }

    fn duration(&self, duration: LicenceDuration) -> String {
        let LicenceDuration::Fixed { months: number, after_end } = duration else {
            return "This licence is granted without limit of time.".to_owned();
        };
        let term = format!("This licence runs for {} from the date of the grant.", months(number));
        let after = match after_end {
            AfterEnd::Delete => {
                "When it ends, the licensee must cease all use and delete the data together with every dataset \
                 derived from it."
            }
            AfterEnd::Keep => {
                "When it ends, the licensee may keep the data already received and continue to use it on these \
                 terms, but is no longer entitled to updates."
            }
            AfterEnd::KeepDerived => {
                "When it ends, the licensee must cease to use the data and delete it, but may keep and use derived \
                 datasets from which the data cannot be reconstructed."
            }
        };
        format!("{term} {after}")
    }

    fn seats(&self, seats: Seats) -> String {
        match seats {
            Seats::Anyone => "Anyone may use the data on these terms.".to_owned(),
            Seats::Organisation => "Anyone working for the licensee's organisation may use the data.".to_owned(),
            Seats::Limited { persons: 1 } => {
                "Only 1 named person in the licensee's organisation may have access to the data.".to_owned()
            }
            Seats::Limited { persons } => format!(
                "No more than {persons} named persons in the licensee's organisation may have access to the data."
            ),
        }
    }

    fn affiliates(&self, covered: bool) -> &'static str {
        if covered {
            "Companies that control the licensee, are controlled by it or are under common control with it may use \
             the data on the same terms. The licensee is liable for them as for itself."
        } else {
            "This licence does not extend to companies affiliated with the licensee."
        }
    }

    fn sublicensing(&self, allowed: bool) -> &'static str {
        if allowed {
            "The licensee may grant sublicences within the scope of this licence."
        } else {
            "This licence gives no right to grant sublicences."
        }
    }

    fn personal_data(&self, personal_data: &PersonalData) -> String {
        let level = match personal_data.level {
            PersonalDataLevel::None => {
                "The provider declares that, to its knowledge, the data contains no personal data."
            }
            PersonalDataLevel::Pseudonymised => "The data contains pseudonymised personal data.",
            PersonalDataLevel::Contains => "The data contains personal data.",
        };
        let prohibited = personal_data.re_identification_prohibited.then(|| {
            "It is prohibited to identify, or attempt to identify, any individual from the data, whether from the \
             data alone or by combining it with other information."
                .to_owned()
        });
        let agreement = personal_data
            .dpa_url
            .as_ref()
            .map(|url| format!("Processing is also subject to the data processing agreement published at {url}"));
        sentences([Some(level.to_owned()), prohibited, agreement], " ")
    }

    fn audit(&self, allowed: bool) -> &'static str {
        if allowed {
            "On reasonable written notice, and not more than once a year, the provider may verify that the terms of \
             this licence are observed. The licensee must supply the information this requires."
        } else {
            "The provider has no right of audit under this licence."
        }
    }

    fn termination(&self, termination: Termination) -> String {
        let breach = match termination.on_breach {
            OnBreach::Unstated => {
                "This licence does not say what a breach leads to; the consequences are those the law provides."
                    .to_owned()
            }
            OnBreach::Irrevocable => "The provider may not revoke this licence. Remedies which the law provides for \
                 a breach are not affected."
                .to_owned(),
            OnBreach::Automatic => "If the licensee breaches these terms, its rights end automatically and it must \
                 cease to use the data."
                .to_owned(),
            OnBreach::AfterNotice { cure_days } => format!(
                "If the licensee breaches these terms and does not remedy the breach within {} of written notice, \
                 the provider may terminate this licence. The licensee must then cease all use and delete the data.",
                days(cure_days)
            ),
        };
        let convenience = termination.convenience_notice_days.map_or_else(
            || "This licence gives neither party a right to terminate it without cause.".to_owned(),
            |number| {
                format!(
                    "Either party may terminate this licence without cause by giving {} written notice.",
                    notice(number)
                )
            },
        );
        format!("{breach} {convenience}")
    }

    fn warranty(&self, warranty: Warranty) -> &'static str {
        match warranty {
            Warranty::AsIs => {
                "The data is provided as is. To the extent the law permits, the provider gives no warranty, in \
                 particular as to accuracy, completeness, fitness for a purpose or continued supply, and accepts no \
                 liability for loss arising from its use."
            }
            Warranty::AsDescribed => {
                "The provider warrants that the data conforms in all material respects to the description, the schema \
                 and the update frequency stated in its listing when this licence was accepted. Where it does not, \
                 the provider must remedy the defect within a reasonable time or refund the price paid for the part \
                 concerned. To the extent the law permits, any further warranty is excluded."
            }
        }
    }

    fn governing_law(&self, code: Option<&str>) -> String {
        match code {
            Some(code) => {
                format!("This licence is governed by the law of the following jurisdiction (ISO 3166 code): {code}.")
            }
            None => "This licence does not choose a governing law; the applicable law follows from the rules of \
                 private international law."
                .to_owned(),
        }
    }
}

fn notice(number: u16) -> String {
    if number == 1 { "1 day's".to_owned() } else { format!("{number} days'") }
}
