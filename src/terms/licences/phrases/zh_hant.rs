//! Traditional Chinese, as written in Taiwan.

use std::collections::BTreeSet;

use super::{
    super::model::{
        AfterEnd, Attribution, Derivatives, LicenceDuration, OnBreach, PersonalData, PersonalDataLevel, Redistribution,
        Seats, Termination, Territory, Use, Warranty,
    },
    Phrases, Preset, Subject, codes, sentences, split_uses, wordings,
};

pub(super) struct TraditionalChinese;

fn use_name(purpose: Use) -> &'static str {
    match purpose {
        Use::Internal => "被授權人自身之業務或行政",
        Use::Research => "學術研究及研習",
        Use::Product => "被授權人對外提供之產品及服務",
        Use::AiTrain => "訓練機器學習模型",
        Use::Benchmark => "系統及模型之評測與比較",
        Use::PublishResults => "發表無法還原本資料之成果",
        Use::Resale => "單獨或連同其他資料銷售本資料本身",
    }
}

impl Phrases for TraditionalChinese {
    fn heading(&self, subject: Subject) -> &'static str {
        match subject {
            Subject::Summary => "關於本文",
            Subject::Grant => "授權",
            Subject::Uses => "許可用途",
            Subject::Derivatives => "改作",
            Subject::Redistribution => "資料之再提供",
            Subject::Attribution => "來源標示",
            Subject::Territory => "授權地域",
            Subject::Duration => "授權期間",
            Subject::Seats => "使用人員",
            Subject::Affiliates => "關係企業",
            Subject::Sublicensing => "再授權",
            Subject::PersonalData => "個人資料",
            Subject::Audit => "查核",
            Subject::Termination => "提前終止",
            Subject::Warranty => "擔保及責任",
            Subject::GoverningLaw => "準據法",
        }
    }

    fn preset_title(&self, preset: Preset) -> &'static str {
        match preset {
            Preset::InternalUse => "資料內部使用授權條款",
            Preset::ProductUse => "資料產品與服務使用授權條款",
            Preset::Research => "資料研究使用授權條款",
        }
    }

    fn summary(&self, name: &str, url: &str) -> String {
        format!(
            "本文為摘要，並非授權條款本身。僅「{name}」之全文具有拘束力，該全文公布於 {url} 。兩者如有不一致，以該全文為準。"
        )
    }

    fn grant(&self) -> &'static str {
        "提供者依下列條款，授予被授權人非專屬且不得轉讓之權利，以使用依本授權交付之資料（以下稱「本資料」）。未明示授予之權利，均予保留。"
    }

    fn uses(&self, allowed: &BTreeSet<Use>) -> String {
        let (yes, no) = split_uses(allowed, use_name, "；");
        let permitted = match (yes.is_empty(), no.is_empty()) {
            (true, _) => "不許可任何使用本資料之行為。".to_owned(),
            (false, false) => format!("本資料得用於：{yes}。"),
            (false, true) => format!("本資料得用於任何目的，尤其包括：{yes}。"),
        };
        let excluded = (!no.is_empty()).then(|| format!("不得用於：{no}。"));
        sentences([Some(permitted), excluded], "")
    }

    fn derivatives(&self, derivatives: Derivatives) -> String {
        match derivatives {
            Derivatives::None => {
                "被授權人不得改作本資料，亦不得將本資料與其他資料結合為新資料集。為許可用途所需之格式轉換，不在此限。"
                    .to_owned()
            }
            Derivatives::Internal => {
                "被授權人得為自身目的改作本資料，並與其他資料結合。由此產生之資料集，不得提供予第三人。".to_owned()
            }
            Derivatives::Publishable { min_aggregation_records: None } => {
                "被授權人得改作本資料、與其他資料結合，並公開由此產生之資料集。".to_owned()
            }
            Derivatives::Publishable { min_aggregation_records: Some(records) } => format!(
                "被授權人得改作本資料、與其他資料結合，並公開由此產生之資料集，但所公開之每一數值，均應彙總本資料至少 {records} 筆紀錄。"
            ),
        }
    }

    fn redistribution(&self, redistribution: &Redistribution) -> String {
        match redistribution {
            Redistribution::None => "被授權人不得將本資料之全部或一部提供予第三人。".to_owned(),
            Redistribution::DerivedOnly => {
                "被授權人不得將本資料本身提供予第三人。衍生資料集如無法據以還原本資料，得提供予第三人。".to_owned()
            }
            Redistribution::Unrestricted => "被授權人得將本資料提供予第三人，不附任何條件。".to_owned(),
            Redistribution::WithLicenceText => {
                "被授權人得將本資料提供予第三人，但應一併附上本授權條款全文。".to_owned()
            }
            Redistribution::WithAttribution => {
                "被授權人得將本資料提供予第三人，但應依本授權條款之規定標示來源。".to_owned()
            }
            Redistribution::ShareAlike { licence } => {
                format!(
                    "被授權人得提供本資料及其衍生資料集予第三人，但僅得以 {licence} 授權條款，或該授權條款本身所許可之其他授權條款為之。"
                )
            }
        }
    }

    fn attribution(&self, attribution: &Attribution) -> String {
        match attribution {
            Attribution::NotRequired => "被授權人無須標示本資料之來源。".to_owned(),
            Attribution::Required { text, mark_changes } => {
                let changes = if *mark_changes { "對本資料所為之變更，應予註明。" } else { "" };
                let when = "將本資料或其衍生成果提供予他人時，";
                if text.is_empty() {
                    format!("{when}應標示提供者為資料來源。{changes}")
                } else {
                    format!("{when}應以下列任一文字標示來源。{changes}{}", wordings(text))
                }
            }
        }
    }

    fn territory(&self, territory: &Territory) -> String {
        match territory {
            Territory::Worldwide => "本授權適用於全世界。".to_owned(),
            Territory::Countries(countries) => {
                format!("本授權僅適用於下列國家或地區（ISO 3166-1 代碼）：{}。", codes(countries, "、"))
            }
        }
    }

    fn duration(&self, duration: LicenceDuration) -> String {
        let LicenceDuration::Fixed { months, after_end } = duration else {
            return "本授權不設期間限制。".to_owned();
        };
        let after = match after_end {
            AfterEnd::Delete => "期間屆滿後，被授權人應停止一切使用，並刪除本資料及其所有衍生資料集。",
            AfterEnd::Keep => "期間屆滿後，被授權人得保留已取得之本資料，並依本條款繼續使用，但不再享有更新。",
            AfterEnd::KeepDerived => {
                "期間屆滿後，被授權人應停止使用並刪除本資料，但得保留及使用無法據以還原本資料之衍生資料集。"
            }
        };
        format!("本授權期間自授權日起算 {months} 個月。{after}")
    }

    fn seats(&self, seats: Seats) -> String {
        match seats {
            Seats::Anyone => "任何人均得依本條款使用本資料。".to_owned(),
            Seats::Organisation => "為被授權人組織工作之任何人，均得使用本資料。".to_owned(),
            Seats::Limited { persons } => format!("被授權人組織內得存取本資料者，以具名之 {persons} 人為限。"),
        }
    }

    fn affiliates(&self, covered: bool) -> &'static str {
        if covered {
            "控制被授權人、受被授權人控制，或與被授權人受同一控制之企業，得依相同條款使用本資料；被授權人就其行為與自己之行為負同一責任。"
        } else {
            "本授權不及於被授權人之關係企業。"
        }
    }

    fn sublicensing(&self, allowed: bool) -> &'static str {
        if allowed {
            "被授權人得於本授權範圍內再授權他人。"
        } else {
            "本授權未授予再授權他人之權利。"
        }
    }

    fn personal_data(&self, personal_data: &PersonalData) -> String {
        let level = match personal_data.level {
            PersonalDataLevel::None => "提供者聲明，就其所知，本資料不含個人資料。",
            PersonalDataLevel::Pseudonymised => "本資料含有經假名化之個人資料。",
            PersonalDataLevel::Contains => "本資料含有個人資料。",
        };
        let prohibited = personal_data
            .re_identification_prohibited
            .then(|| "不得自本資料識別或試圖識別任何個人，無論係僅憑本資料，或與其他資訊結合為之。".to_owned());
        let agreement =
            personal_data.dpa_url.as_ref().map(|url| format!("資料之處理並應遵守資料處理協議，該協議公布於 {url}"));
        sentences([Some(level.to_owned()), prohibited, agreement], "")
    }

    fn audit(&self, allowed: bool) -> &'static str {
        if allowed {
            "提供者於合理期間前以書面通知後，得查核本授權條款之遵守情形，每年以一次為限。被授權人應提供查核所需之資訊。"
        } else {
            "提供者依本授權無查核權。"
        }
    }

    fn termination(&self, termination: Termination) -> String {
        let breach = match termination.on_breach {
            OnBreach::Unstated => "本授權未訂明違反條款之效果，悉依法律規定。".to_owned(),
            OnBreach::Irrevocable => "提供者不得撤回本授權。法律就違反條款所定之其他救濟，不受影響。".to_owned(),
            OnBreach::Automatic => "被授權人違反本條款時，其權利自動終止，並應停止使用本資料。".to_owned(),
            OnBreach::AfterNotice { cure_days } => format!(
                "被授權人違反本條款，且未於書面通知後 {cure_days} 日內改正者，提供者得終止本授權；被授權人應即停止一切使用並刪除本資料。"
            ),
        };
        let convenience = termination.convenience_notice_days.map_or_else(
            || "本授權未賦予任一方無故終止之權利。".to_owned(),
            |days| format!("任一方得於 {days} 日前以書面通知，無須理由終止本授權。"),
        );
        format!("{breach}{convenience}")
    }

    fn warranty(&self, warranty: Warranty) -> &'static str {
        match warranty {
            Warranty::AsIs => {
                "本資料依現狀提供。於法律許可之範圍內，提供者不為任何擔保，尤其不擔保其正確性、完整性、特定目的之適用性或持續供應，並就使用本資料所生之損失不負責任。"
            }
            Warranty::AsDescribed => {
                "提供者擔保本資料於重要事項上，符合本授權被接受時刊登頁面所載之說明、資料結構及更新頻率。如有不符，提供者應於合理期間內補正，或退還該部分已支付之價金。於法律許可之範圍內，排除其他一切擔保。"
            }
        }
    }

    fn governing_law(&self, code: Option<&str>) -> String {
        match code {
            Some(code) => format!("本授權以下列法域（ISO 3166 代碼）之法律為準據法：{code}。"),
            None => "本授權未約定準據法，其應適用之法律依國際私法規定定之。".to_owned(),
        }
    }
}
