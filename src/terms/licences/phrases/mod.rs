//! What each clause says, one file per language.
//!
//! A language is an implementation of [`Phrases`]: a clause or a variant without a sentence does not compile.
//! Changing any wording changes document hashes: raise [`super::render::RENDERER_VERSION`] with it.

mod da;
mod en;
mod ja;
mod zh_hant;

use std::collections::BTreeSet;

use super::{
    model::{
        Attribution, Derivatives, LicenceDuration, PersonalData, Redistribution, Seats, Termination, Territory, Use,
        Warranty,
    },
    presets::Preset,
    render::Language,
};
use crate::base::LangText;

/// The subject of a clause, in the order documents have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Summary,
    Grant,
    Uses,
    Derivatives,
    Redistribution,
    Attribution,
    Territory,
    Duration,
    Seats,
    Affiliates,
    Sublicensing,
    PersonalData,
    Audit,
    Termination,
    Warranty,
    GoverningLaw,
}

/// Everything a licence document says, in one language.
pub(super) trait Phrases {
    fn heading(&self, subject: Subject) -> &'static str;
    fn preset_title(&self, preset: Preset) -> &'static str;
    /// That this is a summary, and where the binding text is.
    fn summary(&self, name: &str, url: &str) -> String;
    fn grant(&self) -> &'static str;
    fn uses(&self, allowed: &BTreeSet<Use>) -> String;
    fn derivatives(&self, derivatives: Derivatives) -> String;
    fn redistribution(&self, redistribution: &Redistribution) -> String;
    fn attribution(&self, attribution: &Attribution) -> String;
    fn territory(&self, territory: &Territory) -> String;
    fn duration(&self, duration: LicenceDuration) -> String;
    fn seats(&self, seats: Seats) -> String;
    fn affiliates(&self, covered: bool) -> &'static str;
    fn sublicensing(&self, allowed: bool) -> &'static str;
    fn personal_data(&self, personal_data: &PersonalData) -> String;
    fn audit(&self, allowed: bool) -> &'static str;
    fn termination(&self, termination: Termination) -> String;
    fn warranty(&self, warranty: Warranty) -> &'static str;
    fn governing_law(&self, code: Option<&str>) -> String;
}

/// The phrases of `language`.
pub(super) fn of(language: Language) -> &'static dyn Phrases {
    match language {
        Language::En => &en::English,
        Language::ZhHant => &zh_hant::TraditionalChinese,
        Language::Ja => &ja::Japanese,
        Language::Da => &da::Danish,
    }
}

/// The names of the uses that are in `allowed`, and of those that are not, each as one list.
fn split_uses(allowed: &BTreeSet<Use>, name: fn(Use) -> &'static str, separator: &str) -> (String, String) {
    let (yes, no): (Vec<Use>, Vec<Use>) = Use::ALL.into_iter().partition(|each| allowed.contains(each));
    let list = |uses: Vec<Use>| uses.into_iter().map(name).collect::<Vec<_>>().join(separator);
    (list(yes), list(no))
}

/// Every wording on a line of its own. All languages are listed in each, since all of them bind.
fn wordings(text: &LangText) -> String {
    text.0.iter().map(|(language, words)| format!("\n- {language}: {words}")).collect()
}

/// Country codes as one list.
fn codes(countries: &BTreeSet<String>, separator: &str) -> String {
    countries.iter().map(String::as_str).collect::<Vec<_>>().join(separator)
}

/// Sentences of which some may be missing, joined by `separator`.
fn sentences<const N: usize>(parts: [Option<String>; N], separator: &str) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(separator)
}
