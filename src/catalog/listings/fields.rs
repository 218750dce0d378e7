//! What a provider writes about a listing, and which values are good.

use std::collections::BTreeMap;

use entity::{
    Timestamp,
    ids::OrgId,
    listing,
    states::{Audience, ListingKind, PersonalData, Theme, UpdateFrequency},
};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    base::{LangText, text::is_language_tag},
    error::{Check, Result},
    limits,
};

/// Longest name of a place or of a contact.
const NAME_CHARS_MAX: usize = 200;
/// Longest address of a contact's page.
const URL_CHARS_MAX: usize = 1_000;
/// First year that data may cover; older dates are most likely a slip.
const YEAR_MIN: i32 = 1000;
/// Years ahead that data may cover: plans and forecasts.
const YEARS_AHEAD_MAX: i32 = 100;

/// Who answers questions about a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Water desk", "email": "water@example.org"}))]
pub struct Contact {
    /// A person or a desk.
    pub name: String,
    /// A mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A page, `https://…` or `http://…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A listing as its provider describes it.
#[derive(Debug, Clone, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title": {"en": "River levels in Fukui", "ja": "福井県の河川水位"},
    "summary": {"en": "Water level every ten minutes at 41 gauges."},
    "theme": "environment", "tags": ["water", "gauges"], "place": "Fukui", "bbox": [135.4, 35.3, 136.9, 36.3],
    "covers_from": "2021-08-14T00:00:00Z", "covers_until": "2021-08-20T23:59:59Z",
    "update_frequency": "hourly", "contact": {"name": "Water desk", "email": "water@example.org"},
    "use_cases": ["Warn people along the river before it floods"], "personal_data": "none", "answer_within_days": 5
}))]
pub struct ListingIn {
    /// What is offered.
    #[serde(default = "dataset")]
    pub kind: ListingKind,
    /// One line, per language.
    pub title: LangText,
    /// What it is, where it comes from and what its limits are, per language.
    pub summary: LangText,
    /// The subject area.
    pub theme: Theme,
    /// Words to find it by; written in lower case, with hyphens for spaces.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The place it is about, in words.
    #[serde(default)]
    pub place: Option<String>,
    /// West, south, east, north in degrees of WGS 84.
    #[serde(default)]
    #[schema(value_type = Option<Vec<f64>>, min_items = 4, max_items = 4)]
    pub bbox: Option<[f64; 4]>,
    /// The first instant it tells about.
    #[serde(default)]
    pub covers_from: Option<Timestamp>,
    /// The last instant it tells about; absent while it goes on.
    #[serde(default)]
    pub covers_until: Option<Timestamp>,
    /// How often it is promised to be updated.
    pub update_frequency: UpdateFrequency,
    /// Who answers questions.
    pub contact: Contact,
    /// What it can be used for; at least one before it is published.
    #[serde(default)]
    pub use_cases: Vec<String>,
    /// Whether it holds data about persons.
    pub personal_data: PersonalData,
    /// Which personal data, and on what legal ground; mandatory unless there is none.
    #[serde(default)]
    pub personal_data_note: Option<String>,
    /// Who may see it.
    #[serde(default = "everyone")]
    pub audience: Audience,
    /// The organisations that may see it, for the audience `named`.
    #[serde(default)]
    pub audience_organizations: Vec<OrgId>,
    /// Within how many days enquiries are answered; mandatory without a public price.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 30)]
    pub answer_within_days: Option<i32>,
}

fn dataset() -> ListingKind {
    ListingKind::Dataset
}

fn everyone() -> Audience {
    Audience::Public
}

/// Changes to a listing: what is absent stays, `null` empties what may be empty.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"tags": ["water", "gauges", "floods"], "place": null}))]
pub struct ListingPatch {
    /// Replaces the title in all languages.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    pub title: Option<LangText>,
    /// Replaces the summary in all languages.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    pub summary: Option<LangText>,
    /// The subject area.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    pub theme: Option<Theme>,
    /// Replaces all tags.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    pub tags: Option<Vec<String>>,
    /// The place in words.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub place: Option<Option<String>>,
    /// West, south, east, north.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<f64>>, min_items = 4, max_items = 4)]
    pub bbox: Option<Option<[f64; 4]>>,
    /// The first instant it tells about.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Timestamp>)]
    pub covers_from: Option<Option<Timestamp>>,
    /// The last instant it tells about.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Timestamp>)]
    pub covers_until: Option<Option<Timestamp>>,
    /// How often it is promised to be updated.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    pub update_frequency: Option<UpdateFrequency>,
    /// Who answers questions.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    pub contact: Option<Contact>,
    /// Replaces all use cases.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    pub use_cases: Option<Vec<String>>,
    /// Whether it holds data about persons.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    pub personal_data: Option<PersonalData>,
    /// Which personal data, and on what legal ground.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub personal_data_note: Option<Option<String>>,
    /// Who may see it.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    pub audience: Option<Audience>,
    /// Replaces all named organisations.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    pub audience_organizations: Option<Vec<OrgId>>,
    /// Within how many days enquiries are answered.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 30)]
    pub answer_within_days: Option<Option<i32>>,
}

/// Tells `null` (set to nothing) from absent (leave alone).
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(reader: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(reader).map(Some)
}

/// Refuses `null` where there must be a value.
fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(reader: D) -> Result<Option<T>, D::Error> {
    T::deserialize(reader).map(Some)
}

impl ListingIn {
    /// What is stored, as it would be written.
    ///
    /// # Errors
    /// Internal ones, when a stored value is not of the shape it was written in.
    pub(super) fn of(row: &listing::Model, audience_organizations: Vec<OrgId>) -> Result<Self> {
        Ok(Self {
            kind: row.kind,
            title: serde_json::from_value(row.title.clone())?,
            summary: serde_json::from_value(row.summary.clone())?,
            theme: row.theme,
            tags: serde_json::from_value(row.tags.clone())?,
            place: row.place.clone(),
            bbox: bbox_of(row),
            covers_from: row.covers_from,
            covers_until: row.covers_until,
            update_frequency: row.update_frequency,
            contact: serde_json::from_value(row.contact.clone())?,
            use_cases: serde_json::from_value(row.use_cases.clone())?,
            personal_data: row.personal_data,
            personal_data_note: row.personal_data_note.clone(),
            audience: row.audience,
            audience_organizations,
            answer_within_days: row.answer_within_days,
        })
    }

    /// The same listing with the changes of `patch`.
    #[must_use]
    pub(super) fn patched(self, patch: ListingPatch) -> Self {
        Self {
            kind: self.kind,
            title: patch.title.unwrap_or(self.title),
            summary: patch.summary.unwrap_or(self.summary),
            theme: patch.theme.unwrap_or(self.theme),
            tags: patch.tags.unwrap_or(self.tags),
            place: patch.place.unwrap_or(self.place),
            bbox: patch.bbox.unwrap_or(self.bbox),
            covers_from: patch.covers_from.unwrap_or(self.covers_from),
            covers_until: patch.covers_until.unwrap_or(self.covers_until),
            update_frequency: patch.update_frequency.unwrap_or(self.update_frequency),
            contact: patch.contact.unwrap_or(self.contact),
            use_cases: patch.use_cases.unwrap_or(self.use_cases),
            personal_data: patch.personal_data.unwrap_or(self.personal_data),
            personal_data_note: patch.personal_data_note.unwrap_or(self.personal_data_note),
            audience: patch.audience.unwrap_or(self.audience),
            audience_organizations: patch.audience_organizations.unwrap_or(self.audience_organizations),
            answer_within_days: patch.answer_within_days.unwrap_or(self.answer_within_days),
        }
    }

    /// The same listing, trimmed and with tags in their one spelling, if every value is good.
    ///
    /// # Errors
    /// [`Problem::Invalid`](crate::error::Problem::Invalid) with a pointer at each value to change.
    pub(super) fn checked(mut self, now: OffsetDateTime) -> Result<Self> {
        self.normalise();
        let mut check = Check::new();
        check_texts(&mut check, &self.title, limits::TITLE_CHARS_MAX, "/title");
        check_texts(&mut check, &self.summary, limits::SUMMARY_CHARS_MAX, "/summary");
        self.check_tags(&mut check);
        self.check_extent(&mut check, now);
        self.check_contact(&mut check);
        self.check_declarations(&mut check);
        check.done()?;
        Ok(self)
    }

    fn normalise(&mut self) {
        for text in self.title.0.values_mut().chain(self.summary.0.values_mut()).chain(&mut self.use_cases) {
            *text = text.trim().to_owned();
        }
        self.tags = self.tags.iter().map(|tag| normal_tag(tag)).collect();
        let mut seen = std::collections::HashSet::new();
        self.tags.retain(|tag| seen.insert(tag.clone()));
        self.place = self.place.take().map(|place| place.trim().to_owned()).filter(|place| !place.is_empty());
        self.personal_data_note =
            self.personal_data_note.take().map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
        self.audience_organizations.sort_unstable();
        self.audience_organizations.dedup();
    }

    fn check_tags(&self, check: &mut Check) {
        let count = limits::TAGS_MAX;
        check.require(self.tags.len() <= count, "/tags", format!("Use at most {count} tags."));
        for (at, tag) in self.tags.iter().enumerate() {
            let pointer = format!("/tags/{at}");
            check.text(tag, limits::TAG_CHARS_MAX, &pointer);
            check.require(!tag.contains(','), pointer, "A tag holds no comma: write two tags.");
        }
    }

    fn check_extent(&self, check: &mut Check, now: OffsetDateTime) {
        check.at_most(self.place.as_deref().unwrap_or_default(), NAME_CHARS_MAX, "/place");
        if let Some(bbox) = self.bbox {
            check_bbox(check, bbox, "/bbox");
        }
        let years = YEAR_MIN..=now.year() + YEARS_AHEAD_MAX;
        for (at, pointer) in [(self.covers_from, "/covers_from"), (self.covers_until, "/covers_until")] {
            let good = at.is_none_or(|at| years.contains(&at.0.year()));
            check.require(good, pointer, format!("Use a year from {} to {}.", years.start(), years.end()));
        }
        let ordered = self.covers_from.zip(self.covers_until).is_none_or(|(from, until)| from <= until);
        check.require(ordered, "/covers_until", "It can't end before it begins: swap the two dates.");
    }

    fn check_contact(&self, check: &mut Check) {
        let Contact { name, email, url } = &self.contact;
        check.text(name, NAME_CHARS_MAX, "/contact/name");
        let email = email.as_deref();
        check.require(email.is_none_or(is_email), "/contact/email", "Write a mail address, as in desk@example.org.");
        let url = url.as_deref();
        check.require(url.is_none_or(is_web_address), "/contact/url", "Write an address that begins with https://.");
    }

    fn check_declarations(&self, check: &mut Check) {
        let count = limits::USE_CASES_MAX;
        check.require(self.use_cases.len() <= count, "/use_cases", format!("Use at most {count} use cases."));
        for (at, text) in self.use_cases.iter().enumerate() {
            check.text(text, limits::NOTE_CHARS_MAX, &format!("/use_cases/{at}"));
        }
        let note = self.personal_data_note.as_deref().unwrap_or_default();
        check.at_most(note, limits::NOTE_CHARS_MAX, "/personal_data_note");
        let declared = self.personal_data == PersonalData::None || !note.is_empty();
        let ask = "Say which personal data it holds, and on what legal ground.";
        check.require(declared, "/personal_data_note", ask);
        let named = self.audience_organizations.len();
        let consistent = (self.audience == Audience::Named) == (named > 0);
        let ask = "Name organisations exactly when the audience is \"named\".";
        check.require(consistent, "/audience_organizations", ask);
        let count = limits::AUDIENCE_MAX;
        check.require(named <= count, "/audience_organizations", format!("Name at most {count} organisations."));
        let days = limits::ANSWER_DAYS_MAX;
        let good = self.answer_within_days.is_none_or(|answer| (1..=days).contains(&answer));
        check.require(good, "/answer_within_days", format!("Promise 1 to {days} days."));
    }
}

/// The box of a stored listing.
pub(super) fn bbox_of(row: &listing::Model) -> Option<[f64; 4]> {
    Some([row.min_lon?, row.min_lat?, row.max_lon?, row.max_lat?])
}

/// The one spelling of a tag: NFKC, lower case, hyphens for spaces.
pub(super) fn normal_tag(tag: &str) -> String {
    let folded: String = tag.nfkc().flat_map(char::to_lowercase).collect();
    folded.split_whitespace().collect::<Vec<_>>().join("-")
}

/// Notes what is wrong with a box of west, south, east and north.
pub(super) fn check_bbox(check: &mut Check, [west, south, east, north]: [f64; 4], pointer: &str) {
    let on_earth = [west, east].iter().all(|lon| (-180.0..=180.0).contains(lon))
        && [south, north].iter().all(|lat| (-90.0..=90.0).contains(lat));
    let ask = "Write west, south, east, north in degrees: longitudes from -180 to 180, latitudes from -90 to 90.";
    check.require(on_earth, pointer, ask);
    check.require(west <= east && south <= north, pointer, "West comes before east, and south before north.");
}

fn check_texts(check: &mut Check, text: &LangText, max_chars: usize, pointer: &str) {
    check.require(!text.is_empty(), pointer, "Write it in at least one language, as in {\"en\": \"…\"}.");
    let count = limits::LANGUAGES_MAX;
    check.require(text.0.len() <= count, pointer, format!("Use at most {count} languages."));
    let texts: &BTreeMap<String, String> = &text.0;
    for (language, text) in texts {
        let place = format!("{pointer}/{}", language.replace('~', "~0").replace('/', "~1"));
        check.require(is_language_tag(language), place.clone(), "Use a language tag such as en, da, ja or zh-Hant.");
        check.text(text, max_chars, &place);
    }
}

fn is_email(text: &str) -> bool {
    let printable = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    let parts = text.rsplit_once('@');
    printable
        && text.len() <= limits::EMAIL_CHARS_MAX
        && parts.is_some_and(|(name, host)| !name.is_empty() && !name.contains('@') && host.contains('.'))
}

/// True for an address of a page on the web; other schemes could run something in the reader's browser.
fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let strange = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '\\');
    rest.is_some_and(|rest| rest.starts_with(char::is_alphanumeric))
        && text.chars().count() <= URL_CHARS_MAX
        && !text.chars().any(strange)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;
    use crate::http::extract::parse_json;

    const NOW: OffsetDateTime = datetime!(2026-11-21 10:00 UTC);

    fn written(change: &Value) -> Result<ListingIn> {
        let mut body = json!({
            "title": {"en": "River levels"}, "summary": {"en": "Every ten minutes."}, "theme": "environment",
            "update_frequency": "hourly", "contact": {"name": "Desk"}, "personal_data": "none"
        });
        for (key, value) in change.as_object().expect("an object") {
            body[key] = value.clone();
        }
        parse_json::<ListingIn>(body.to_string().as_bytes())?.checked(NOW)
    }

    #[test]
    fn tags_have_one_spelling_and_stand_once() {
        let listing = written(&json!({"tags": ["Bike  Lanes", "bike-lanes", "ＷＡＴＥＲ"]})).expect("good");
        assert_eq!(listing.tags, ["bike-lanes", "water"]);
    }

    #[test]
    fn each_bad_value_is_pointed_at() {
        for (change, pointer) in [
            (json!({"title": {}}), "/title"),
            (json!({"title": {"en": " "}}), "/title/en"),
            (json!({"title": {"English/x": "a"}}), "/title/English~1x"),
            (json!({"summary": {"en": "a\u{0}"}}), "/summary/en"),
            (json!({"tags": ["a", "b,c"]}), "/tags/1"),
            (json!({"bbox": [10, 0, 5, 1]}), "/bbox"),
            (json!({"bbox": [10, 0, 181, 1]}), "/bbox"),
            (json!({"covers_from": "0009-01-01T00:00:00Z"}), "/covers_from"),
            (json!({"covers_from": "2021-01-02T00:00:00Z", "covers_until": "2021-01-01T00:00:00Z"}), "/covers_until"),
            (json!({"contact": {"name": "x", "email": "nobody"}}), "/contact/email"),
            (json!({"contact": {"name": "x", "url": "javascript:alert(1)"}}), "/contact/url"),
            (json!({"personal_data": "contains"}), "/personal_data_note"),
            (json!({"audience": "named"}), "/audience_organizations"),
            (json!({"answer_within_days": 31}), "/answer_within_days"),
            (json!({"use_cases": [""]}), "/use_cases/0"),
        ] {
            let error = written(&change).expect_err("refused");
            assert_eq!(error.fields[0].pointer, pointer, "{change}: {error}");
        }
    }

    #[test]
    fn a_patch_tells_null_from_absent() {
        let listing = written(&json!({"place": "Fukui", "answer_within_days": 3})).expect("good");
        let patch: ListingPatch = parse_json(br#"{"place": null}"#).expect("a patch");
        let patched = listing.patched(patch);
        assert_eq!((patched.place, patched.answer_within_days), (None, Some(3)));
    }
}
