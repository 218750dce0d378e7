//! What is wrong with terms, and what to change.

use super::{
    model::{
        Attribution, Derivatives, LicenceDuration, OnBreach, PersonalDataLevel, Redistribution, Seats, Termination,
        Terms, Territory, Use,
    },
    territory,
};
use crate::{
    base::{LangText, country, text::is_language_tag},
    limits::{
        AGGREGATION_RECORDS_MAX, AGGREGATION_RECORDS_MIN, ATTRIBUTION_CHARS_MAX, LANGUAGES_MAX, LICENCE_ID_CHARS_MAX,
        LICENCE_TERM_MONTHS_MAX, NOTICE_DAYS_MAX, SEATS_MAX, URL_CHARS_MAX,
    },
};

/// Shortest month, in days: a notice longer than the whole term can never be served.
const SHORTEST_MONTH_DAYS: u32 = 28;

/// One thing wrong with the terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// RFC 6901 pointer to the value to change, from the root of the terms.
    pub pointer: String,
    /// What to change.
    pub detail: String,
}

impl Terms {
    /// Everything that is contradictory, absurd or beyond a limit; empty for terms that can be sold.
    pub fn validate(&self) -> Vec<Fault> {
        let mut faults = Faults::default();
        self.check_uses(&mut faults);
        self.check_redistribution(&mut faults);
        self.check_share_alike(&mut faults);
        self.check_derivatives(&mut faults);
        self.check_attribution(&mut faults);
        self.check_territory(&mut faults);
        self.check_duration(&mut faults);
        self.check_seats(&mut faults);
        self.check_personal_data(&mut faults);
        self.check_termination(&mut faults);
        faults.0
    }

    fn check_uses(&self, faults: &mut Faults) {
        if self.uses.is_empty() {
            faults.add("/uses", "Allow at least one use.");
        }
        if self.uses.contains(&Use::Resale) && !self.redistribution.allows_copies() {
            faults.add("/uses", "Remove resale, or let copies of the data be handed on in redistribution.");
        }
    }

    fn check_redistribution(&self, faults: &mut Faults) {
        let publishable = matches!(self.derivatives, Derivatives::Publishable { .. });
        if self.redistribution == Redistribution::DerivedOnly && !publishable {
            faults.add("/redistribution", "Set derivatives to publishable, or redistribution to none.");
        }
        if self.redistribution == Redistribution::None && publishable {
            faults.add("/derivatives", "Set redistribution to derived_only, or derivatives to internal.");
        }
        if self.redistribution == Redistribution::None && self.sublicense {
            faults.add("/sublicense", "Set to false, or let the data be handed on in redistribution.");
        }
        if self.redistribution == Redistribution::WithAttribution && self.attribution == Attribution::NotRequired {
            faults.add("/attribution", "Require attribution, or set redistribution to unrestricted.");
        }
    }

    fn check_share_alike(&self, faults: &mut Faults) {
        let Redistribution::ShareAlike { licence } = &self.redistribution else { return };
        if !is_licence_id(licence) {
            faults.add("/redistribution/share_alike/licence", "Give an SPDX identifier or a LicenseRef- of your own.");
        }
        if !matches!(self.derivatives, Derivatives::Publishable { .. }) {
            faults.add("/derivatives", "Set to publishable: share-alike lets everyone publish adaptations.");
        }
        if self.territory != Territory::Worldwide {
            faults.add("/territory", "Set to worldwide: a share-alike licence knows no borders.");
        }
        if self.duration != LicenceDuration::Perpetual {
            faults.add("/duration", "Set to perpetual: copies under a share-alike licence don't expire.");
        }
    }

    fn check_derivatives(&self, faults: &mut Faults) {
        let Derivatives::Publishable { min_aggregation_records: Some(records) } = self.derivatives else { return };
        let pointer = "/derivatives/publishable/min_aggregation_records";
        if !(AGGREGATION_RECORDS_MIN..=AGGREGATION_RECORDS_MAX).contains(&records) {
            let detail =
                format!("Give {AGGREGATION_RECORDS_MIN} to {AGGREGATION_RECORDS_MAX} records, or leave it out.");
            faults.add(pointer, &detail);
        }
        if self.redistribution.allows_copies() {
            faults.add(pointer, "Leave it out: whole copies may be handed on, so aggregation protects nothing.");
        }
    }

    fn check_attribution(&self, faults: &mut Faults) {
        if let Attribution::Required { text, .. } = &self.attribution {
            faults.0.extend(text_faults("/attribution/required/text", text, ATTRIBUTION_CHARS_MAX));
        }
    }

    fn check_territory(&self, faults: &mut Faults) {
        if let Territory::Countries(codes) = &self.territory {
            if codes.is_empty() {
                faults.add("/territory/countries", "Name at least one country, or set the territory to worldwide.");
            }
            if codes.len() > country::COUNTRIES_TOTAL {
                faults.add("/territory/countries", "Set the territory to worldwide: these are more than there are.");
                return;
            }
            for (index, code) in codes.iter().enumerate().filter(|(_, code)| !country::is_country(code)) {
                let detail = format!("{} is not an ISO 3166-1 alpha-2 code in upper case.", quoted(code));
                faults.add(&format!("/territory/countries/{index}"), &detail);
            }
        }
        if let Some(law) = self.governing_law.as_deref().filter(|law| !territory::is_jurisdiction(law)) {
            let detail = format!("{} is not an ISO 3166 code such as DK or CA-ON.", quoted(law));
            faults.add("/governing_law", &detail);
        }
    }

    fn check_duration(&self, faults: &mut Faults) {
        if let LicenceDuration::Fixed { months, .. } = self.duration
            && !(1..=LICENCE_TERM_MONTHS_MAX).contains(&months)
        {
            faults.add("/duration/fixed/months", &format!("Give a term of 1 to {LICENCE_TERM_MONTHS_MAX} months."));
        }
    }

    fn check_seats(&self, faults: &mut Faults) {
        if self.seats == Seats::Anyone && !self.redistribution.allows_copies() {
            faults.add("/seats", "Set to organisation or limited: the data can't be handed on to just anyone.");
        }
        if self.seats == Seats::Anyone && !self.affiliates {
            faults.add("/affiliates", "Set to true: affiliated companies are among anyone.");
        }
        let Seats::Limited { persons } = self.seats else { return };
        if !(1..=SEATS_MAX).contains(&persons) {
            let detail = format!("Give 1 to {SEATS_MAX} persons, or set seats to organisation.");
            faults.add("/seats/limited/persons", &detail);
        }
        if self.redistribution.allows_copies() {
            faults.add("/seats", "Set to organisation: copies may be handed on, so persons can't be counted.");
        }
    }

    fn check_personal_data(&self, faults: &mut Faults) {
        let declared = &self.personal_data;
        if let Some(url) = &declared.dpa_url
            && !is_https_url(url)
        {
            faults.add("/personal_data/dpa_url", &format!("Give an https URL of at most {URL_CHARS_MAX} characters."));
        }
        if declared.level == PersonalDataLevel::None {
            if declared.dpa_url.is_some() {
                faults.add("/personal_data/dpa_url", "Leave it out, or declare the personal data it is about.");
            }
            return;
        }
        if !declared.re_identification_prohibited {
            faults.add("/personal_data/re_identification_prohibited", "Set to true where there is personal data.");
        }
        if declared.dpa_url.is_none() {
            faults.add("/personal_data/dpa_url", "Give the URL of the data processing agreement.");
        }
        if self.redistribution.allows_copies() {
            faults.add("/redistribution", "Set to none or derived_only: personal data can't be handed on to anyone.");
        }
    }

    fn check_termination(&self, faults: &mut Faults) {
        let Termination { on_breach, convenience_notice_days } = self.termination;
        if let OnBreach::AfterNotice { cure_days } = on_breach
            && !(1..=NOTICE_DAYS_MAX).contains(&cure_days)
        {
            let detail = format!("Give 1 to {NOTICE_DAYS_MAX} days, or set on_breach to automatic.");
            faults.add("/termination/on_breach/after_notice/cure_days", &detail);
        }
        let Some(days) = convenience_notice_days else { return };
        let pointer = "/termination/convenience_notice_days";
        if !(1..=NOTICE_DAYS_MAX).contains(&days) {
            faults.add(pointer, &format!("Give 1 to {NOTICE_DAYS_MAX} days, or leave it out."));
        }
        match self.duration {
            LicenceDuration::Perpetual => {
                faults.add(pointer, "Leave it out, or give a fixed term: a perpetual licence can't be ended at will.");
            }
            LicenceDuration::Fixed { months, .. } if u32::from(days) >= u32::from(months) * SHORTEST_MONTH_DAYS => {
                faults.add(pointer, "Give a notice shorter than the term itself.");
            }
            LicenceDuration::Fixed { .. } => {}
        }
    }
}

/// What is wrong with a text in several languages at `pointer`; no language at all is fine.
pub fn text_faults(pointer: &str, text: &LangText, chars_max: usize) -> Vec<Fault> {
    let mut faults = Faults::default();
    if text.0.len() > LANGUAGES_MAX {
        faults.add(pointer, &format!("Give at most {LANGUAGES_MAX} languages."));
        return faults.0;
    }
    for (language, words) in &text.0 {
        if !is_language_tag(language) {
            let detail = format!("{} is not a language tag such as en, zh-Hant, ja or da.", quoted(language));
            faults.add(pointer, &detail);
            continue;
        }
        let one_line = !words.chars().any(is_line_or_control);
        if words.trim().is_empty() || words.chars().count() > chars_max || !one_line {
            let detail = format!("Give one line of 1 to {chars_max} characters, or leave the language out.");
            faults.add(&format!("{pointer}/{language}"), &detail);
        }
    }
    faults.0
}

/// Collects faults in the order they are found.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, pointer: &str, detail: &str) {
        self.0.push(Fault { pointer: pointer.to_owned(), detail: detail.to_owned() });
    }
}

/// Cuts hostile input, so that a message stays short.
fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(16).collect::<String>())
}

/// Control characters and Unicode's own line ends would let a text fake a clause of its own.
fn is_line_or_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn is_https_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let one_word = !url.chars().any(|c| c.is_whitespace() || is_line_or_control(c));
    !host.is_empty() && one_word && url.chars().count() <= URL_CHARS_MAX
}

fn is_licence_id(text: &str) -> bool {
    let custom = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
    let known = spdx::license_id(text).is_some() || text.strip_prefix("LicenseRef-").is_some_and(custom);
    known && text.len() <= LICENCE_ID_CHARS_MAX
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::terms::licences::{
        model::{AfterEnd, PersonalData},
        presets::Preset,
        strategies::any_terms,
    };

    /// The pointers of what is wrong with the internal-use preset after `change`.
    fn pointers(change: impl FnOnce(&mut Terms)) -> Vec<String> {
        let mut terms = Preset::InternalUse.terms();
        change(&mut terms);
        terms.validate().into_iter().map(|fault| fault.pointer).collect()
    }

    fn share_alike(licence: &str) -> Redistribution {
        Redistribution::ShareAlike { licence: licence.to_owned() }
    }

    #[test]
    fn resale_needs_copies_that_may_be_handed_on() {
        assert_eq!(pointers(|terms| terms.uses = BTreeSet::from([Use::Resale])), ["/uses"]);
    }

    #[test]
    fn terms_that_allow_nothing_are_refused() {
        assert_eq!(pointers(|terms| terms.uses.clear()), ["/uses"]);
    }

    #[test]
    fn share_alike_goes_with_worldwide_perpetual_publishable_terms_only() {
        let found = pointers(|terms| {
            terms.redistribution = share_alike("CC-BY-SA-4.0");
            terms.territory = Territory::Countries(BTreeSet::from(["DK".to_owned()]));
        });
        assert_eq!(found, ["/derivatives", "/territory", "/duration"]);
    }

    #[test]
    fn share_alike_names_a_licence_that_exists() {
        let of = |licence: &str| {
            let mut terms = Preset::InternalUse.terms();
            terms.redistribution = share_alike(licence);
            terms.validate().iter().any(|fault| fault.pointer == "/redistribution/share_alike/licence")
        };
        assert!(of("") && of("CC-BY-SA") && of("LicenseRef-") && of("LicenseRef-a b"));
        assert!(!of("ODbL-1.0") && !of("LicenseRef-DK-City-1.0"));
    }

    #[test]
    fn derived_data_can_only_be_handed_on_when_it_may_be_published() {
        assert_eq!(pointers(|terms| terms.redistribution = Redistribution::DerivedOnly), ["/redistribution"]);
        let publishable = Derivatives::Publishable { min_aggregation_records: Some(5) };
        assert_eq!(pointers(|terms| terms.derivatives = publishable), ["/derivatives"]);
    }

    #[test]
    fn an_aggregation_of_one_record_or_beside_whole_copies_is_refused() {
        let of = |records, redistribution| {
            pointers(|terms| {
                terms.redistribution = redistribution;
                terms.derivatives = Derivatives::Publishable { min_aggregation_records: Some(records) };
            })
        };
        assert_eq!(of(1, Redistribution::DerivedOnly), ["/derivatives/publishable/min_aggregation_records"]);
        assert_eq!(of(5, Redistribution::Unrestricted), ["/derivatives/publishable/min_aggregation_records"]);
        assert!(of(AGGREGATION_RECORDS_MAX, Redistribution::DerivedOnly).is_empty());
    }

    #[test]
    fn terms_and_seats_have_limits_on_both_sides() {
        let months =
            |months| pointers(|terms| terms.duration = LicenceDuration::Fixed { months, after_end: AfterEnd::Keep });
        assert_eq!(months(0), ["/duration/fixed/months"]);
        assert_eq!(months(121), ["/duration/fixed/months"]);
        assert!(months(120).is_empty());
        let seats = |persons| pointers(|terms| terms.seats = Seats::Limited { persons });
        assert_eq!(seats(0), ["/seats/limited/persons"]);
        assert_eq!(seats(1_000_001), ["/seats/limited/persons"]);
        assert!(seats(1_000_000).is_empty());
    }

    #[test]
    fn only_data_that_may_be_handed_on_is_for_anyone() {
        assert_eq!(pointers(|terms| terms.seats = Seats::Anyone), ["/seats", "/affiliates"]);
    }

    #[test]
    fn only_real_countries_make_a_territory() {
        let countries = |codes: &[&str]| {
            let codes = codes.iter().map(|code| (*code).to_owned()).collect();
            pointers(|terms| terms.territory = Territory::Countries(codes))
        };
        assert_eq!(countries(&[]), ["/territory/countries"]);
        assert_eq!(countries(&["DK", "EU", "tw"]), ["/territory/countries/1", "/territory/countries/2"]);
        assert!(countries(&["DK", "TW"]).is_empty());
        assert_eq!(pointers(|terms| terms.governing_law = Some("Utopia".to_owned())), ["/governing_law"]);
    }

    #[test]
    fn personal_data_needs_an_agreement_a_prohibition_and_no_copies() {
        let found = pointers(|terms| {
            terms.personal_data =
                PersonalData { level: PersonalDataLevel::Contains, re_identification_prohibited: false, dpa_url: None };
            terms.redistribution = Redistribution::Unrestricted;
        });
        assert_eq!(found, ["/personal_data/re_identification_prohibited", "/personal_data/dpa_url", "/redistribution"]);
    }

    #[test]
    fn the_agreement_is_an_https_url_and_needs_personal_data() {
        let dpa = |level, url: &str| {
            let dpa_url = Some(url.to_owned());
            pointers(|terms| terms.personal_data = PersonalData { level, re_identification_prohibited: true, dpa_url })
        };
        for url in ["http://x.example", "https://", "https:///path", "https://a b", "javascript:alert(1)"] {
            assert_eq!(dpa(PersonalDataLevel::Contains, url), ["/personal_data/dpa_url"], "{url}");
        }
        assert!(dpa(PersonalDataLevel::Pseudonymised, "https://x.example/dpa").is_empty());
        assert_eq!(dpa(PersonalDataLevel::None, "https://x.example/dpa"), ["/personal_data/dpa_url"]);
    }

    #[test]
    fn a_perpetual_licence_cannot_be_ended_at_will() {
        let found = pointers(|terms| {
            terms.duration = LicenceDuration::Perpetual;
            terms.termination.convenience_notice_days = Some(30);
        });
        assert_eq!(found, ["/termination/convenience_notice_days"]);
    }

    #[test]
    fn a_notice_is_shorter_than_the_term() {
        let notice = |months, days| {
            pointers(|terms| {
                terms.duration = LicenceDuration::Fixed { months, after_end: AfterEnd::Delete };
                terms.termination.convenience_notice_days = Some(days);
            })
        };
        assert_eq!(notice(1, 28), ["/termination/convenience_notice_days"]);
        assert!(notice(1, 27).is_empty());
        assert_eq!(notice(24, 0), ["/termination/convenience_notice_days"]);
    }

    #[test]
    fn an_attribution_cannot_fake_a_clause() {
        let wording = |text: &str| {
            let text = LangText::of("en", text);
            pointers(|terms| terms.attribution = Attribution::Required { text, mark_changes: true })
        };
        assert!(wording("City of Aarhus").is_empty());
        for bad in ["a\n## 2. Fee", "a\u{2028}b", "a\u{202E}b", " ", &"x".repeat(ATTRIBUTION_CHARS_MAX + 1)] {
            assert_eq!(wording(bad), ["/attribution/required/text/en"], "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_pointer_leads_to_a_value_or_to_one_that_is_missing(terms in any_terms()) {
            let json = serde_json::to_value(&terms).expect("terms are JSON");
            for fault in terms.validate() {
                let parent = fault.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                prop_assert!(json.pointer(parent).is_some(), "{}", fault.pointer);
            }
        }
    }
}
