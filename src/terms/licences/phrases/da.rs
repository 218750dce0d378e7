//! Danish.

use std::collections::BTreeSet;

use super::{
    super::model::{
        AfterEnd, Attribution, Derivatives, LicenceDuration, OnBreach, PersonalData, PersonalDataLevel, Redistribution,
        Seats, Termination, Territory, Use, Warranty,
    },
    Phrases, Preset, Subject, codes, sentences, split_uses, wordings,
};

pub(super) struct Danish;

fn use_name(purpose: Use) -> &'static str {
    match purpose {
        Use::Internal => "licenstagerens egen virksomhed eller administration",
        Use::Research => "videnskabelig forskning og studier",
        Use::Product => "produkter og tjenester, som licenstageren tilbyder andre",
        Use::AiTrain => "træning af maskinlæringsmodeller",
        Use::Benchmark => "måling og sammenligning af systemer og modeller",
        Use::PublishResults => "offentliggørelse af resultater, som dataene ikke kan genskabes ud fra",
        Use::Resale => "salg af selve dataene, alene eller sammen med andre data",
    }
}

fn days(number: u16) -> String {
    if number == 1 { "1 dag".to_owned() } else { format!("{number} dage") }
}

fn months(number: u16) -> String {
    if number == 1 { "1 måned".to_owned() } else { format!("{number} måneder") }
}

impl Phrases for Danish {
    fn heading(&self, subject: Subject) -> &'static str {
        match subject {
            Subject::Summary => "Om denne tekst",
            Subject::Grant => "Licensens omfang",
            Subject::Uses => "Tilladt brug",
            Subject::Derivatives => "Bearbejdning",
            Subject::Redistribution => "Videregivelse af data",
            Subject::Attribution => "Kildeangivelse",
            Subject::Territory => "Geografisk område",
            Subject::Duration => "Løbetid",
            Subject::Seats => "Hvem der må bruge data",
            Subject::Affiliates => "Koncernforbundne selskaber",
            Subject::Sublicensing => "Underlicenser",
            Subject::PersonalData => "Personoplysninger",
            Subject::Audit => "Kontrol",
            Subject::Termination => "Ophør før tid",
            Subject::Warranty => "Garanti og ansvar",
            Subject::GoverningLaw => "Lovvalg",
        }
    }

    fn preset_title(&self, preset: Preset) -> &'static str {
        match preset {
            Preset::InternalUse => "Datalicens til intern brug",
            Preset::ProductUse => "Datalicens til produkter og tjenester",
            Preset::Research => "Datalicens til forskning",
        }
    }

    fn summary(&self, name: &str, url: &str) -> String {
        format!(
            "Dette er et resumé og ikke selve licensen. Kun teksten til »{name}« er bindende; den er offentliggjort \
             på {url}. Ved uoverensstemmelse går den tekst forud."
        )
    }

    fn grant(&self) -> &'static str {
        "Udbyderen giver licenstageren en ikke-eksklusiv ret, som ikke kan overdrages, til at bruge de data, der \
         leveres under denne licens (»dataene«), på nedenstående vilkår. Alle rettigheder, der ikke udtrykkeligt er \
         givet, forbeholdes."
    }

    fn uses(&self, allowed: &BTreeSet<Use>) -> String {
        let (yes, no) = split_uses(allowed, use_name, "; ");
        let permitted = match (yes.is_empty(), no.is_empty()) {
            (true, _) => "Ingen brug af dataene er tilladt.".to_owned(),
            (false, false) => format!("Dataene må bruges til: {yes}."),
            (false, true) => format!("Dataene må bruges til ethvert formål, navnlig: {yes}."),
        };
        let excluded = (!no.is_empty()).then(|| format!("Følgende er ikke tilladt: {no}."));
        sentences([Some(permitted), excluded], " ")
    }

    fn derivatives(&self, derivatives: Derivatives) -> String {
        match derivatives {
            Derivatives::None => {
                "Licenstageren må ikke bearbejde dataene eller sammenstille dem med andre data til et \
                 nyt datasæt. Formatkonverteringer, som en tilladt brug kræver, er tilladt."
                    .to_owned()
            }
            Derivatives::Internal => "Licenstageren må bearbejde dataene og sammenstille dem med andre data til eget \
                 brug. De datasæt, der fremkommer, må ikke gøres tilgængelige for tredjemand."
                .to_owned(),
            Derivatives::Publishable { min_aggregation_records: None } => {
                "Licenstageren må bearbejde dataene, sammenstille dem med andre data og offentliggøre de datasæt, der \
                 fremkommer."
                    .to_owned()
            }
            Derivatives::Publishable { min_aggregation_records: Some(records) } => format!(
                "Licenstageren må bearbejde dataene, sammenstille dem med andre data og offentliggøre de datasæt, der \
                 fremkommer, forudsat at hver offentliggjort værdi sammenfatter mindst {records} poster i dataene."
            ),
        }
    }

    fn redistribution(&self, redistribution: &Redistribution) -> String {
        match redistribution {
            Redistribution::None => {
                "Licenstageren må ikke videregive dataene til tredjemand, hverken helt eller delvist.".to_owned()
            }
            Redistribution::DerivedOnly => "Licenstageren må ikke videregive selve dataene til tredjemand. Afledte \
                 datasæt må videregives, hvis dataene ikke kan genskabes ud fra dem."
                .to_owned(),
            Redistribution::Unrestricted => {
                "Licenstageren må videregive dataene til tredjemand uden betingelser.".to_owned()
            }
            Redistribution::WithLicenceText => "Licenstageren må videregive dataene til tredjemand, forudsat at \
                 teksten til denne licens følger med."
                .to_owned(),
            Redistribution::WithAttribution => "Licenstageren må videregive dataene til tredjemand, forudsat at \
                 kilden angives, som denne licens kræver."
                .to_owned(),
            Redistribution::ShareAlike { licence } => format!(
                "Licenstageren må videregive dataene og datasæt, der er afledt af dem, men kun under licensen \
                 {licence} eller en anden licens, som den selv tillader."
            ),
        }
    }

    fn attribution(&self, attribution: &Attribution) -> String {
        match attribution {
            Attribution::NotRequired => "Licenstageren behøver ikke at angive kilden til dataene.".to_owned(),
            Attribution::Required { text, mark_changes } => {
                let changes = if *mark_changes { " Det skal fremgå, hvis dataene er ændret." } else { "" };
                let when = "Når dataene eller noget, der er afledt af dem, gøres tilgængeligt for andre,";
                if text.is_empty() {
                    format!("{when} skal udbyderen angives som kilde.{changes}")
                } else {
                    let wordings = wordings(text);
                    format!("{when} skal kilden angives med en af formuleringerne nedenfor.{changes}{wordings}")
                }
            }
        }
    }

    fn territory(&self, territory: &Territory) -> String {
        match territory {
            Territory::Worldwide => "Licensen gælder i hele verden.".to_owned(),
            Territory::Countries(countries) => format!(
                "Licensen gælder kun i følgende lande eller territorier (ISO 3166-1-koder): {}.",
                codes(countries, ", ")
            ),
        }
    }

    fn duration(&self, duration: LicenceDuration) -> String {
        let LicenceDuration::Fixed { months: number, after_end } = duration else {
            return "Licensen gives uden tidsbegrænsning.".to_owned();
        };
        let term = format!("Licensen løber i {} fra den dato, hvor den er givet.", months(number));
        let after = match after_end {
            AfterEnd::Delete => {
                "Når den udløber, skal licenstageren ophøre med enhver brug og slette dataene og alle datasæt, der er \
                 afledt af dem."
            }
            AfterEnd::Keep => {
                "Når den udløber, må licenstageren beholde de data, der allerede er modtaget, og fortsat bruge dem på \
                 disse vilkår, men har ikke længere ret til opdateringer."
            }
            AfterEnd::KeepDerived => {
                "Når den udløber, skal licenstageren ophøre med at bruge dataene og slette dem, men må beholde og \
                 bruge afledte datasæt, som dataene ikke kan genskabes ud fra."
            }
        };
        format!("{term} {after}")
    }

    fn seats(&self, seats: Seats) -> String {
        match seats {
            Seats::Anyone => "Enhver må bruge dataene på disse vilkår.".to_owned(),
            Seats::Organisation => "Alle, der arbejder for licenstagerens organisation, må bruge dataene.".to_owned(),
            Seats::Limited { persons: 1 } => {
                "Kun 1 navngiven person i licenstagerens organisation må have adgang til dataene.".to_owned()
            }
            Seats::Limited { persons } => {
                format!("Højst {persons} navngivne personer i licenstagerens organisation må have adgang til dataene.")
            }
        }
    }

    fn affiliates(&self, covered: bool) -> &'static str {
        if covered {
            "Selskaber, der kontrollerer licenstageren, kontrolleres af denne eller er under samme kontrol, må bruge \
             dataene på de samme vilkår. Licenstageren hæfter for dem som for sig selv."
        } else {
            "Licensen omfatter ikke selskaber, der er koncernforbundne med licenstageren."
        }
    }

    fn sublicensing(&self, allowed: bool) -> &'static str {
        if allowed {
            "Licenstageren må give underlicenser inden for rammerne af denne licens."
        } else {
            "Licensen giver ingen ret til at give underlicenser."
        }
    }

    fn personal_data(&self, personal_data: &PersonalData) -> String {
        let level = match personal_data.level {
            PersonalDataLevel::None => {
                "Udbyderen erklærer, at dataene efter udbyderens kendskab ikke indeholder personoplysninger."
            }
            PersonalDataLevel::Pseudonymised => "Dataene indeholder pseudonymiserede personoplysninger.",
            PersonalDataLevel::Contains => "Dataene indeholder personoplysninger.",
        };
        let prohibited = personal_data.re_identification_prohibited.then(|| {
            "Det er forbudt at identificere eller forsøge at identificere enkeltpersoner ud fra dataene, hvad enten \
             det sker alene ud fra dataene eller ved at sammenstille dem med andre oplysninger."
                .to_owned()
        });
        let agreement = personal_data.dpa_url.as_ref().map(|url| {
            format!("Behandlingen er desuden omfattet af databehandleraftalen, der er offentliggjort på {url}")
        });
        sentences([Some(level.to_owned()), prohibited, agreement], " ")
    }

    fn audit(&self, allowed: bool) -> &'static str {
        if allowed {
            "Udbyderen må med rimeligt skriftligt varsel og højst én gang om året kontrollere, at vilkårene i denne \
             licens overholdes. Licenstageren skal give de oplysninger, som kontrollen kræver."
        } else {
            "Udbyderen har ingen kontrolret efter denne licens."
        }
    }

    fn termination(&self, termination: Termination) -> String {
        let breach = match termination.on_breach {
            OnBreach::Unstated => {
                "Licensen siger ikke, hvad en overtrædelse fører til; følgerne er dem, loven bestemmer.".to_owned()
            }
            OnBreach::Irrevocable => "Udbyderen kan ikke tilbagekalde licensen. De beføjelser, som loven giver ved \
                 misligholdelse, berøres ikke."
                .to_owned(),
            OnBreach::Automatic => "Hvis licenstageren overtræder vilkårene, bortfalder licenstagerens rettigheder \
                 automatisk, og brugen af dataene skal ophøre."
                .to_owned(),
            OnBreach::AfterNotice { cure_days } => format!(
                "Hvis licenstageren overtræder vilkårene og ikke bringer forholdet i orden senest {} efter skriftligt \
                 påkrav, kan udbyderen ophæve licensen. Licenstageren skal da ophøre med enhver brug og slette dataene.",
                days(cure_days)
            ),
        };
        let convenience = termination.convenience_notice_days.map_or_else(
            || "Licensen giver ingen af parterne ret til at opsige den uden grund.".to_owned(),
            |number| {
                format!("Hver af parterne kan opsige licensen uden grund med {} skriftligt varsel.", notice(number))
            },
        );
        format!("{breach} {convenience}")
    }

    fn warranty(&self, warranty: Warranty) -> &'static str {
        match warranty {
            Warranty::AsIs => {
                "Dataene stilles til rådighed, som de er. I det omfang loven tillader det, giver udbyderen ingen \
                 garanti, navnlig ikke for rigtighed, fuldstændighed, egnethed til et bestemt formål eller fortsat \
                 levering, og påtager sig intet ansvar for tab som følge af brugen."
            }
            Warranty::AsDescribed => {
                "Udbyderen indestår for, at dataene i alt væsentligt svarer til den beskrivelse, det skema og den \
                 opdateringsfrekvens, der fremgik af opslaget, da licensen blev accepteret. Er det ikke tilfældet, \
                 skal udbyderen afhjælpe manglen inden rimelig tid eller tilbagebetale prisen for den berørte del. I \
                 det omfang loven tillader det, er enhver yderligere garanti udelukket."
            }
        }
    }

    fn governing_law(&self, code: Option<&str>) -> String {
        match code {
            Some(code) => format!("Licensen er underlagt retten i følgende jurisdiktion (ISO 3166-kode): {code}."),
            None => "Licensen indeholder intet lovvalg; den anvendelige ret følger af den internationale privatrets \
                 regler."
                .to_owned(),
        }
    }
}

fn notice(number: u16) -> String {
    if number == 1 { "1 dags".to_owned() } else { format!("{number} dages") }
}
