//! Open licences as ready-made terms, and how portals call them.

mod table;

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use unicode_normalization::UnicodeNormalization;

use super::model::{
    Attribution, Derivatives, LicenceDuration, OnBreach, PersonalData, PersonalDataLevel, Redistribution, Seats,
    Termination, Terms, Territory, Use, Warranty,
};
use crate::{base::LangText, limits::LICENCE_NAME_BYTES_MAX};
use table::OPEN;

/// An open licence, as far as this exchange has to know it.
#[derive(Debug, PartialEq, Eq)]
pub struct OpenLicence {
    /// SPDX identifier, or a `LicenseRef-` where SPDX has none.
    pub spdx_id: &'static str,
    /// Names by language tag; the first is the official one.
    names: &'static [(&'static str, &'static str)],
    /// Where the binding text is.
    pub url: &'static str,
    /// Other names portals use, beside those above.
    aliases: &'static [&'static str],
    condition: Condition,
    mark_changes: bool,
    sublicense: bool,
    on_breach: OnBreach,
    governing_law: Option<&'static str>,
}

/// What an open licence asks of those who hand the data on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Nothing,
    LicenceText,
    Notice,
    Attribution,
    ShareAlike,
}

impl OpenLicence {
    /// Every open licence of the table.
    pub fn all() -> &'static [Self] {
        OPEN
    }

    /// The official name, in the language of its authors.
    pub fn name(&self) -> &'static str {
        self.names.first().map_or(self.spdx_id, |(_, name)| name)
    }

    /// The official name, and an English one where that differs.
    pub fn title(&self) -> LangText {
        LangText(self.names.iter().map(|(language, name)| ((*language).to_owned(), (*name).to_owned())).collect())
    }

    /// What the licence grants, in the exchange's model; `attribution` is the provider's wording.
    ///
    /// A licence that asks for no attribution drops the wording.
    pub fn terms(&self, attribution: LangText) -> Terms {
        let named = Attribution::Required { text: attribution, mark_changes: self.mark_changes };
        let (redistribution, attribution) = match self.condition {
            Condition::Nothing => (Redistribution::Unrestricted, Attribution::NotRequired),
            Condition::LicenceText => (Redistribution::WithLicenceText, Attribution::NotRequired),
            Condition::Notice => (Redistribution::WithLicenceText, named),
            Condition::Attribution => (Redistribution::WithAttribution, named),
            Condition::ShareAlike => (Redistribution::ShareAlike { licence: self.spdx_id.to_owned() }, named),
        };
        Terms {
            uses: BTreeSet::from(Use::ALL),
            redistribution,
            derivatives: Derivatives::Publishable { min_aggregation_records: None },
            attribution,
            territory: Territory::Worldwide,
            duration: LicenceDuration::Perpetual,
            seats: Seats::Anyone,
            personal_data: PersonalData {
                level: PersonalDataLevel::None,
                re_identification_prohibited: false,
                dpa_url: None,
            },
            sublicense: self.sublicense,
            affiliates: true,
            audit: false,
            termination: Termination { on_breach: self.on_breach, convenience_notice_days: None },
            warranty: Warranty::AsIs,
            governing_law: self.governing_law.map(str::to_owned),
        }
    }
}

/// The open licence a portal means by `text`: an identifier, a name or a URL in any usual spelling.
///
/// Only whole names count. What is not in the table is unknown, and unknown is not open.
pub fn resolve(text: &str) -> Option<&'static OpenLicence> {
    static INDEX: LazyLock<HashMap<String, &'static OpenLicence>> = LazyLock::new(|| {
        OPEN.iter().flat_map(|licence| names(licence).map(move |name| (key(name), licence))).collect()
    });
    if text.len() > LICENCE_NAME_BYTES_MAX {
        return None;
    }
    INDEX.get(&key(text)).copied()
}

fn names(licence: &'static OpenLicence) -> impl Iterator<Item = &'static str> {
    let names = licence.names.iter().map(|(_, name)| *name);
    [licence.spdx_id, licence.url].into_iter().chain(names).chain(licence.aliases.iter().copied())
}

/// Folds width, case, punctuation and what varies in URLs, so that `CC BY 4.0` is `cc-by-4.0`.
fn key(text: &str) -> String {
    let folded: String = text.nfkc().collect::<String>().to_lowercase();
    let text = folded.trim();
    let url = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let text = url.map_or(text, |url| bare_url(url.strip_prefix("www.").unwrap_or(url)));
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Cuts what leads to another view of the same licence: query, fragment, `legalcode`, `deed.ja`.
fn bare_url(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url).trim_end_matches('/');
    match path.rsplit_once('/') {
        Some((licence, view)) if view.starts_with("legalcode") || view.starts_with("deed") => licence,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> Option<&'static str> {
        resolve(text).map(|licence| licence.spdx_id)
    }

    #[test]
    fn identifiers_are_on_the_spdx_list_or_marked_as_our_own() {
        for licence in OPEN {
            let custom = licence.spdx_id.starts_with("LicenseRef-");
            let listed = spdx::license_id(licence.spdx_id).is_some_and(|found| found.name == licence.spdx_id);
            assert!(listed != custom, "{}", licence.spdx_id);
            assert!(spdx::Expression::parse(licence.spdx_id).is_ok(), "{}", licence.spdx_id);
            assert!(spdx::license_id(licence.spdx_id.trim_start_matches("LicenseRef-")).is_some() != custom);
        }
    }

    #[test]
    fn spdx_names_resolve_to_their_own_licence() {
        for licence in OPEN {
            if let Some(listed) = spdx::license_id(licence.spdx_id) {
                assert_eq!(id(listed.full_name), Some(licence.spdx_id));
            }
        }
    }

    #[test]
    fn no_name_stands_for_two_licences() {
        let mut seen = HashMap::new();
        for licence in OPEN {
            for name in names(licence) {
                let other = seen.insert(key(name), licence.spdx_id);
                assert!(other.is_none_or(|other| other == licence.spdx_id), "{name}");
                assert!(name.len() <= LICENCE_NAME_BYTES_MAX && !key(name).is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn portals_spell_licences_in_many_ways() {
        for (spelling, expected) in [
            ("cc-by", "CC-BY-4.0"),
            ("  CC BY 4.0 ", "CC-BY-4.0"),
            ("ＣＣ－ＢＹ　４．０", "CC-BY-4.0"),
            ("http://creativecommons.org/licenses/by/4.0/legalcode", "CC-BY-4.0"),
            ("https://creativecommons.org/licenses/by/4.0/deed.ja", "CC-BY-4.0"),
            ("https://creativecommons.org/licenses/by-sa/3.0", "CC-BY-SA-3.0"),
            ("cc-zero", "CC0-1.0"),
            ("政府資料開放授權條款-第1版", "OGDL-Taiwan-1.0"),
            ("政府資料開放授權條款 第 1 版", "OGDL-Taiwan-1.0"),
            ("uk-ogl", "OGL-UK-3.0"),
            ("ca-ogl-lgo", "OGL-Canada-2.0"),
            ("odc-odbl", "ODbL-1.0"),
            ("公共データ利用規約（第1.0版）", "LicenseRef-JP-PDL-1.0"),
            ("PDL 1.0", "LicenseRef-JP-PDL-1.0"),
            ("http://creativecommons.org/licenses/by/2.1/jp/", "LicenseRef-CC-BY-2.1-JP"),
        ] {
            assert_eq!(id(spelling), Some(expected), "{spelling}");
        }
    }

    #[test]
    fn unknown_is_not_open() {
        for text in [
            "",
            " ",
            "-",
            "other-open",
            "notspecified",
            "See Terms of Use",
            "CC BY-NC 4.0",
            "cc-nc",
            "CC BY-ND 4.0",
            "free",
            "public",
            "cc-by-5.0",
            "GPL-3.0-only",
            "https://creativecommons.org/licenses/by-nc/4.0/",
            "cc-by and more",
            "nlod",
            "fr-lo",
        ] {
            assert_eq!(id(text), None, "{text}");
        }
        assert_eq!(id(&"cc-by ".repeat(100)), None);
    }

    #[test]
    fn every_open_licence_is_free_of_contradictions() {
        for licence in OPEN {
            assert_eq!(licence.terms(LangText::of("en", "City of X")).validate(), [], "{}", licence.spdx_id);
            assert_eq!(licence.terms(LangText::default()).validate(), [], "{}", licence.spdx_id);
        }
    }

    #[test]
    fn open_licences_allow_every_use_and_handing_on() {
        for licence in OPEN {
            let terms = licence.terms(LangText::default());
            assert_eq!(terms.uses.len(), Use::ALL.len());
            assert!(terms.redistribution.allows_copies());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_looked_up_without_a_panic(text in ".{0,400}") {
            let _ = resolve(&text);
        }

        #[test]
        fn case_and_spaces_around_do_not_matter(index in 0..OPEN.len()) {
            for name in names(&OPEN[index]) {
                prop_assert_eq!(id(&format!("  {} ", name.to_uppercase())), id(name));
            }
        }
    }
}
