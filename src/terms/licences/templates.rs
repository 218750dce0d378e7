//! Ready-made licences: the open ones cities use, and three commercial starting points.

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use unicode_normalization::UnicodeNormalization;

use super::{
    model::{
        AfterEnd, Attribution, Derivatives, Duration, OnBreach, PersonalData, PersonalDataLevel, Redistribution, Seats,
        Termination, Terms, Territory, Use, Warranty,
    },
    phrases,
    render::Language,
};
use crate::base::LangText;

/// Longest text [`resolve`] looks at, in bytes; a longer one is prose, not a name.
const NAME_MAX_BYTES: usize = 300;

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

use Condition::{Attribution as By, LicenceText, Nothing, Notice, ShareAlike};
use OnBreach::{Automatic, Irrevocable};

/// Source: the licence texts as the SPDX list 3.29.0 holds them; for Japan's Public Data License the Digital
/// Agency's text of 2024-07-05. A breach clause is `Automatic` where the text ends the grant by itself.
static OPEN: &[OpenLicence] = &[
    OpenLicence {
        spdx_id: "CC0-1.0",
        names: &[("en", "Creative Commons Zero v1.0 Universal")],
        url: "https://creativecommons.org/publicdomain/zero/1.0/",
        aliases: &[
            "cc0",
            "cc-zero",
            "cczero",
            "CC0 1.0 Universal",
            "Creative Commons CCZero",
            "Creative Commons Zero",
            "http://www.opendefinition.org/licenses/cc-zero",
        ],
        condition: Nothing,
        sublicense: true,
        on_breach: Irrevocable,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "CC-BY-4.0",
        names: &[("en", "Creative Commons Attribution 4.0 International")],
        url: "https://creativecommons.org/licenses/by/4.0/",
        aliases: &[
            "cc-by",
            "cc-by-4",
            "Creative Commons Attribution",
            "Creative Commons Attribution 4.0",
            "Attribution 4.0 International",
            "CC BY 4.0 International",
            "創用CC 姓名標示 4.0 國際",
            "創用CC授權 姓名標示 4.0 國際版本",
            "クリエイティブ・コモンズ 表示 4.0 国際",
            "Creative Commons Kreditering 4.0 International",
            "http://www.opendefinition.org/licenses/cc-by",
        ],
        condition: By,
        sublicense: false,
        on_breach: Automatic,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "CC-BY-SA-4.0",
        names: &[("en", "Creative Commons Attribution Share Alike 4.0 International")],
        url: "https://creativecommons.org/licenses/by-sa/4.0/",
        aliases: &[
            "cc-by-sa",
            "Creative Commons Attribution Share-Alike",
            "Creative Commons Attribution-ShareAlike 4.0",
            "Attribution-ShareAlike 4.0 International",
            "クリエイティブ・コモンズ 表示 - 継承 4.0 国際",
            "http://www.opendefinition.org/licenses/cc-by-sa",
        ],
        condition: ShareAlike,
        sublicense: false,
        on_breach: Automatic,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "CC-BY-SA-3.0",
        names: &[("en", "Creative Commons Attribution Share Alike 3.0 Unported")],
        url: "https://creativecommons.org/licenses/by-sa/3.0/",
        aliases: &["Creative Commons Attribution-ShareAlike 3.0", "Attribution-ShareAlike 3.0 Unported"],
        condition: ShareAlike,
        sublicense: false,
        on_breach: Automatic,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "LicenseRef-CC-BY-2.1-JP",
        names: &[("ja", "クリエイティブ・コモンズ 表示 2.1 日本"), ("en", "Creative Commons Attribution 2.1 Japan")],
        url: "https://creativecommons.org/licenses/by/2.1/jp/",
        aliases: &["CC-BY-2.1-JP", "CC BY 2.1 日本", "cc-by-21-jp"],
        condition: By,
        sublicense: false,
        on_breach: Automatic,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "ODbL-1.0",
        names: &[("en", "Open Data Commons Open Database License v1.0")],
        url: "https://opendatacommons.org/licenses/odbl/1-0/",
        aliases: &[
            "odbl",
            "odc-odbl",
            "Open Data Commons Open Database License",
            "Open Data Commons Open Database License (ODbL)",
            "https://opendatacommons.org/licenses/odbl/",
            "https://opendatacommons.org/licenses/odbl/1.0/",
            "http://www.opendefinition.org/licenses/odc-odbl",
        ],
        condition: ShareAlike,
        sublicense: false,
        on_breach: Automatic,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "ODC-By-1.0",
        names: &[("en", "Open Data Commons Attribution License v1.0")],
        url: "https://opendatacommons.org/licenses/by/1-0/",
        aliases: &[
            "odc-by",
            "Open Data Commons Attribution License",
            "https://opendatacommons.org/licenses/by/",
            "https://opendatacommons.org/licenses/by/1.0/",
            "http://www.opendefinition.org/licenses/odc-by",
        ],
        condition: By,
        sublicense: false,
        on_breach: Automatic,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "PDDL-1.0",
        names: &[("en", "Open Data Commons Public Domain Dedication & License 1.0")],
        url: "https://opendatacommons.org/licenses/pddl/1-0/",
        aliases: &[
            "pddl",
            "odc-pddl",
            "Open Data Commons Public Domain Dedication and License (PDDL)",
            "Open Data Commons Public Domain Dedication and License",
            "https://opendatacommons.org/licenses/pddl/",
            "https://opendatacommons.org/licenses/pddl/1.0/",
            "http://www.opendefinition.org/licenses/odc-pddl",
        ],
        condition: Nothing,
        sublicense: true,
        on_breach: Irrevocable,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "OGDL-Taiwan-1.0",
        names: &[("zh-Hant", "政府資料開放授權條款-第1版"), ("en", "Taiwan Open Government Data License, version 1.0")],
        url: "https://data.gov.tw/license",
        aliases: &[
            "政府資料開放授權條款",
            "政府資料開放授權條款-第1.0版",
            "OGDL-TW-1.0",
            "ogdl",
            "ogdl-taiwan",
            "Open Government Data License, version 1.0",
            "https://data.gov.tw/en/license",
        ],
        condition: By,
        sublicense: true,
        on_breach: Automatic,
        governing_law: Some("TW"),
    },
    OpenLicence {
        spdx_id: "OGL-Canada-2.0",
        names: &[("en", "Open Government Licence - Canada")],
        url: "https://open.canada.ca/en/open-government-licence-canada",
        aliases: &[
            "ca-ogl-lgo",
            "ogl-canada",
            "Licence du gouvernement ouvert - Canada",
            "Open Government Licence - Canada version 2.0",
            "https://open.canada.ca/fr/licence-du-gouvernement-ouvert-canada",
            "http://open.canada.ca/en/open-government-licence-canada",
        ],
        condition: By,
        sublicense: false,
        on_breach: Automatic,
        governing_law: Some("CA-ON"),
    },
    OpenLicence {
        spdx_id: "OGL-UK-3.0",
        names: &[("en", "Open Government Licence v3.0")],
        url: "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
        aliases: &[
            "uk-ogl",
            "ogl",
            "ogl-uk",
            "UK Open Government Licence (OGL)",
            "UK Open Government Licence v3.0",
            "http://reference.data.gov.uk/id/open-government-licence",
        ],
        condition: By,
        sublicense: false,
        on_breach: Automatic,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "CDLA-Permissive-2.0",
        names: &[("en", "Community Data License Agreement - Permissive - Version 2.0")],
        url: "https://cdla.dev/permissive-2-0/",
        aliases: &["cdla-permissive-2", "Community Data License Agreement Permissive 2.0"],
        condition: LicenceText,
        sublicense: false,
        on_breach: Irrevocable,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "DL-DE-BY-2.0",
        names: &[
            ("de", "Datenlizenz Deutschland – Namensnennung – Version 2.0"),
            ("en", "Data licence Germany – attribution – version 2.0"),
        ],
        url: "https://www.govdata.de/dl-de/by-2-0",
        aliases: &["dl-de-by", "dl-by-de/2.0", "http://dcat-ap.de/def/licenses/dl-by-de/2.0"],
        condition: By,
        sublicense: false,
        on_breach: Irrevocable,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "etalab-2.0",
        names: &[("fr", "Licence Ouverte / Open Licence version 2.0"), ("en", "Etalab Open License 2.0")],
        url: "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
        aliases: &[
            "lov2",
            "fr-lo",
            "Licence Ouverte",
            "Licence Ouverte 2.0",
            "https://github.com/etalab/licence-ouverte/blob/master/LO.md",
        ],
        condition: By,
        sublicense: false,
        on_breach: Irrevocable,
        governing_law: Some("FR"),
    },
    OpenLicence {
        spdx_id: "NLOD-2.0",
        names: &[
            ("no", "Norsk lisens for offentlige data (NLOD) 2.0"),
            ("en", "Norwegian Licence for Open Government Data (NLOD) 2.0"),
        ],
        url: "https://data.norge.no/nlod/no/2.0",
        aliases: &["nlod", "Norsk lisens for offentlige data", "https://data.norge.no/nlod/en/2.0"],
        condition: By,
        sublicense: false,
        on_breach: Automatic,
        governing_law: Some("NO"),
    },
    OpenLicence {
        spdx_id: "MIT",
        names: &[("en", "MIT License")],
        url: "https://opensource.org/license/mit",
        aliases: &["The MIT License", "mit-license", "https://opensource.org/licenses/MIT"],
        condition: Notice,
        sublicense: true,
        on_breach: Irrevocable,
        governing_law: None,
    },
    OpenLicence {
        spdx_id: "LicenseRef-JP-PDL-1.0",
        names: &[("ja", "公共データ利用規約(第1.0版)"), ("en", "Public Data License Version 1.0 (PDL 1.0)")],
        url: "https://www.digital.go.jp/resources/open_data/public_data_license_v1.0",
        aliases: &[
            "PDL1.0",
            "公共データ利用規約",
            "公共データ利用規約 第1.0版 (PDL1.0)",
            "Public Data License 1.0",
            "https://www.digital.go.jp/en/resources/open_data/public_data_license_v1.0",
        ],
        condition: By,
        sublicense: false,
        on_breach: Irrevocable,
        governing_law: Some("JP"),
    },
];

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
        let named = Attribution::Required { text: attribution };
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
            duration: Duration::Perpetual,
            seats: Seats::Organisation,
            personal_data: no_personal_data(false),
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
    if text.len() > NAME_MAX_BYTES {
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

/// A commercial starting point; every field can be changed afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
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
        LangText(
            Language::ALL
                .map(|language| (language.tag().to_owned(), phrases::of(language).preset_title(self).to_owned()))
                .into(),
        )
    }

    /// The terms it starts from: `Terms { seats, ..Preset::Research.terms() }` changes one of them.
    pub fn terms(self) -> Terms {
        let internal = Terms {
            uses: BTreeSet::from([Use::Internal, Use::Benchmark]),
            redistribution: Redistribution::None,
            derivatives: Derivatives::Internal,
            attribution: Attribution::NotRequired,
            territory: Territory::Worldwide,
            duration: Duration::Fixed { months: 12, after_end: AfterEnd::Delete },
            seats: Seats::Organisation,
            personal_data: no_personal_data(true),
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
                attribution: Attribution::Required { text: LangText::default() },
                duration: Duration::Fixed { months: 12, after_end: AfterEnd::KeepDerived },
                affiliates: true,
                ..internal
            },
            Self::Research => Terms {
                uses: BTreeSet::from([Use::Research, Use::Benchmark, Use::PublishResults]),
                redistribution: Redistribution::DerivedOnly,
                derivatives: Derivatives::Publishable { min_aggregation_records: Some(10) },
                attribution: Attribution::Required { text: LangText::default() },
                duration: Duration::Fixed { months: 24, after_end: AfterEnd::KeepDerived },
                ..internal
            },
        }
    }
}

fn no_personal_data(re_identification_prohibited: bool) -> PersonalData {
    PersonalData { level: PersonalDataLevel::None, re_identification_prohibited, dpa_url: None }
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
                assert!(name.len() <= NAME_MAX_BYTES && !key(name).is_empty(), "{name}");
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
        ] {
            assert_eq!(id(text), None, "{text}");
        }
        assert_eq!(id(&"cc-by ".repeat(100)), None);
    }

    #[test]
    fn every_ready_made_licence_is_free_of_contradictions() {
        for licence in OPEN {
            assert_eq!(licence.terms(LangText::of("en", "City of X")).validate(), [], "{}", licence.spdx_id);
            assert_eq!(licence.terms(LangText::default()).validate(), [], "{}", licence.spdx_id);
        }
        for preset in Preset::ALL {
            assert_eq!(preset.terms().validate(), [], "{preset:?}");
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
