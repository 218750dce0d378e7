//! Japanese.

use std::collections::BTreeSet;

use super::{
    super::model::{
        AfterEnd, Attribution, Derivatives, LicenceDuration, OnBreach, PersonalData, PersonalDataLevel, Redistribution,
        Seats, Termination, Territory, Use, Warranty,
    },
    Phrases, Preset, Subject, codes, sentences, split_uses, wordings,
};

pub(super) struct Japanese;

fn use_name(purpose: Use) -> &'static str {
    match purpose {
        Use::Internal => "利用者自身の業務または事務",
        Use::Research => "学術研究および学習",
        Use::Product => "利用者が第三者に提供する製品およびサービス",
        Use::AiTrain => "機械学習モデルの訓練",
        Use::Benchmark => "システムおよびモデルの評価と比較",
        Use::PublishResults => "本データを復元できない成果の公表",
        Use::Resale => "本データそのものの販売（他のデータと組み合わせた販売を含む）",
    }
}

impl Phrases for Japanese {
    fn heading(&self, subject: Subject) -> &'static str {
        match subject {
            Subject::Summary => "この文書について",
            Subject::Grant => "利用許諾",
            Subject::Uses => "許諾される利用目的",
            Subject::Derivatives => "改変",
            Subject::Redistribution => "第三者への提供",
            Subject::Attribution => "出典の表示",
            Subject::Territory => "許諾地域",
            Subject::Duration => "許諾期間",
            Subject::Seats => "利用できる者",
            Subject::Affiliates => "関係会社",
            Subject::Sublicensing => "再許諾",
            Subject::PersonalData => "個人データ",
            Subject::Audit => "監査",
            Subject::Termination => "期間途中の終了",
            Subject::Warranty => "保証および責任",
            Subject::GoverningLaw => "準拠法",
        }
    }

    fn preset_title(&self, preset: Preset) -> &'static str {
        match preset {
            Preset::InternalUse => "データ利用許諾条件（内部利用）",
            Preset::ProductUse => "データ利用許諾条件（製品・サービス利用）",
            Preset::Research => "データ利用許諾条件（研究利用）",
        }
    }

    fn summary(&self, name: &str, url: &str) -> String {
        format!(
            "この文書は要約であり、ライセンスそのものではありません。拘束力を有するのは「{name}」の本文のみであり、本文は {url} で公開されています。両者に相違があるときは、本文が優先します。"
        )
    }

    fn grant(&self) -> &'static str {
        "提供者は利用者に対し、本ライセンスに基づき引き渡すデータ（以下「本データ」といいます）について、以下の条件による非独占的かつ譲渡不能な利用権を許諾します。明示的に許諾されていない権利は、すべて留保されます。"
    }

    fn uses(&self, allowed: &BTreeSet<Use>) -> String {
        let (yes, no) = split_uses(allowed, use_name, "、");
        let permitted = match (yes.is_empty(), no.is_empty()) {
            (true, _) => "本データの利用は一切許諾されません。".to_owned(),
            (false, false) => format!("本データは、次の目的に利用することができます：{yes}。"),
            (false, true) => format!("本データは、次の目的をはじめ、いかなる目的にも利用することができます：{yes}。"),
        };
        let excluded = (!no.is_empty()).then(|| format!("次の目的に利用することはできません：{no}。"));
        sentences([Some(permitted), excluded], "")
    }

    fn derivatives(&self, derivatives: Derivatives) -> String {
        match derivatives {
            Derivatives::None => "利用者は、本データを改変し、または他のデータと結合して新たなデータセットを作成してはなりません。ただし、許諾された利用に必要な形式の変換は、この限りではありません。".to_owned(),
            Derivatives::Internal => "利用者は、自己の目的のために本データを改変し、他のデータと結合することができます。その結果作成されたデータセットを第三者に提供してはなりません。".to_owned(),
            Derivatives::Publishable { min_aggregation_records: None } => {
                "利用者は、本データを改変し、他のデータと結合し、その結果作成されたデータセットを公表することができます。".to_owned()
            }
            Derivatives::Publishable { min_aggregation_records: Some(records) } => format!(
                "利用者は、本データを改変し、他のデータと結合し、その結果作成されたデータセットを公表することができます。ただし、公表する値は、いずれも本データの {records} 件以上のレコードを集計したものでなければなりません。"
            ),
        }
    }

    fn redistribution(&self, redistribution: &Redistribution) -> String {
        match redistribution {
            Redistribution::None => "利用者は、本データの全部または一部を第三者に提供してはなりません。".to_owned(),
            Redistribution::DerivedOnly => "利用者は、本データそのものを第三者に提供してはなりません。本データを復元できない派生データセットは、第三者に提供することができます。".to_owned(),
            Redistribution::Unrestricted => "利用者は、無条件で本データを第三者に提供することができます。".to_owned(),
            Redistribution::WithLicenceText => {
                "利用者は、本ライセンスの本文を添付することを条件として、本データを第三者に提供することができます。".to_owned()
            }
            Redistribution::WithAttribution => {
                "利用者は、本ライセンスの定めに従い出典を表示することを条件として、本データを第三者に提供することができます。".to_owned()
            }
            Redistribution::ShareAlike { licence } => format!(
                "利用者は、本データおよびその派生データセットを第三者に提供することができます。ただし、{licence} ライセンス、または同ライセンスが認める他のライセンスによる場合に限ります。"
            ),
        }
    }

    fn attribution(&self, attribution: &Attribution) -> String {
        match attribution {
            Attribution::NotRequired => "利用者は、本データの出典を表示する必要はありません。".to_owned(),
            Attribution::Required { text, mark_changes } => {
                let changes = if *mark_changes {
                    "本データに変更を加えたときは、その旨を明示しなければなりません。"
                } else {
                    ""
                };
                let when = "本データまたはその派生物を他者に提供するときは、";
                if text.is_empty() {
                    format!("{when}提供者を出典として表示しなければなりません。{changes}")
                } else {
                    format!(
                        "{when}以下のいずれかの文言により出典を表示しなければなりません。{changes}{}",
                        wordings(text)
                    )
                }
            }
        }
    }

    fn territory(&self, territory: &Territory) -> String {
        match territory {
            Territory::Worldwide => "本ライセンスは、全世界において有効です。".to_owned(),
            Territory::Countries(countries) => {
                format!(
                    "本ライセンスは、次の国または地域（ISO 3166-1 コード）においてのみ有効です：{}。",
                    codes(countries, "、")
                )
            }
        }
    }

    fn duration(&self, duration: LicenceDuration) -> String {
        let LicenceDuration::Fixed { months, after_end } = duration else {
            return "本ライセンスに期間の定めはありません。".to_owned();
        };
        let after = match after_end {
            AfterEnd::Delete => {
                "期間の満了後、利用者は一切の利用を中止し、本データおよびそのすべての派生データセットを消去しなければなりません。"
            }
            AfterEnd::Keep => {
                "期間の満了後も、利用者は受領済みの本データを保持し、本条件に従って利用を継続することができますが、更新を受ける権利は失います。"
            }
            AfterEnd::KeepDerived => {
                "期間の満了後、利用者は本データの利用を中止し、これを消去しなければなりませんが、本データを復元できない派生データセットは保持し、利用することができます。"
            }
        };
        format!("本ライセンスの期間は、許諾日から {months} か月間です。{after}")
    }

    fn seats(&self, seats: Seats) -> String {
        match seats {
            Seats::Anyone => "何人も、本条件に従って本データを利用することができます。".to_owned(),
            Seats::Organisation => {
                "利用者の組織の業務に従事する者は、誰でも本データを利用することができます。".to_owned()
            }
            Seats::Limited { persons } => {
                format!("本データにアクセスできる者は、利用者の組織に属する特定の {persons} 名以内に限ります。")
            }
        }
    }

    fn affiliates(&self, covered: bool) -> &'static str {
        if covered {
            "利用者を支配する会社、利用者に支配される会社、および利用者と共通の支配下にある会社は、同一の条件で本データを利用することができます。利用者は、これらの会社の行為について、自己の行為と同様の責任を負います。"
        } else {
            "本ライセンスは、利用者の関係会社には及びません。"
        }
    }

    fn sublicensing(&self, allowed: bool) -> &'static str {
        if allowed {
            "利用者は、本ライセンスの範囲内で第三者に再許諾することができます。"
        } else {
            "本ライセンスは、第三者に再許諾する権利を与えるものではありません。"
        }
    }

    fn personal_data(&self, personal_data: &PersonalData) -> String {
        let level = match personal_data.level {
            PersonalDataLevel::None => {
                "提供者は、その知る限りにおいて、本データに個人データが含まれていないことを表明します。"
            }
            PersonalDataLevel::Pseudonymised => "本データには、仮名化された個人データが含まれます。",
            PersonalDataLevel::Contains => "本データには、個人データが含まれます。",
        };
        let prohibited = personal_data.re_identification_prohibited.then(|| {
            "本データのみによるか他の情報との照合によるかを問わず、本データから個人を識別し、または識別しようとすることを禁止します。"
                .to_owned()
        });
        let agreement = personal_data
            .dpa_url
            .as_ref()
            .map(|url| format!("データの取扱いには、次の場所で公開されているデータ処理契約も適用されます： {url}"));
        sentences([Some(level.to_owned()), prohibited, agreement], "")
    }

    fn audit(&self, allowed: bool) -> &'static str {
        if allowed {
            "提供者は、相当な期間を置いた書面による通知のうえ、年 1 回を限度として、本ライセンスの条件の遵守状況を確認することができます。利用者は、確認に必要な情報を提供しなければなりません。"
        } else {
            "提供者は、本ライセンスに基づく監査権を有しません。"
        }
    }

    fn termination(&self, termination: Termination) -> String {
        let breach = match termination.on_breach {
            OnBreach::Unstated => "本ライセンスは、条件に違反した場合の効果を定めていません。その効果は法令の定めによります。".to_owned(),
            OnBreach::Irrevocable => {
                "提供者は、本ライセンスを撤回することができません。条件違反について法令が定める救済は、影響を受けません。".to_owned()
            }
            OnBreach::Automatic => {
                "利用者が本条件に違反したときは、利用者の権利は自動的に終了し、利用者は本データの利用を中止しなければなりません。".to_owned()
            }
            OnBreach::AfterNotice { cure_days } => format!(
                "利用者が本条件に違反し、書面による通知から {cure_days} 日以内に是正しないときは、提供者は本ライセンスを解除することができます。この場合、利用者は一切の利用を中止し、本データを消去しなければなりません。"
            ),
        };
        let convenience = termination.convenience_notice_days.map_or_else(
            || "本ライセンスは、いずれの当事者にも、理由なく解約する権利を与えるものではありません。".to_owned(),
            |days| format!("各当事者は、{days} 日前までに書面で通知することにより、理由のいかんを問わず本ライセンスを解約することができます。"),
        );
        format!("{breach}{convenience}")
    }

    fn warranty(&self, warranty: Warranty) -> &'static str {
        match warranty {
            Warranty::AsIs => {
                "本データは現状のまま提供されます。法令が許す限り、提供者は、正確性、完全性、特定目的への適合性、継続的な提供その他一切の保証を行わず、本データの利用から生じた損失について責任を負いません。"
            }
            Warranty::AsDescribed => {
                "提供者は、本データが、本ライセンスの承諾時に掲載ページに記載されていた説明、スキーマおよび更新頻度に、重要な点において適合することを保証します。適合しないときは、提供者は、相当な期間内に是正するか、該当部分について支払われた代金を返還します。法令が許す限り、その他の保証は排除されます。"
            }
        }
    }

    fn governing_law(&self, code: Option<&str>) -> String {
        match code {
            Some(code) => format!("本ライセンスは、次の法域（ISO 3166 コード）の法に準拠します：{code}。"),
            None => "本ライセンスは準拠法を定めていません。適用される法は、国際私法の規定により定まります。".to_owned(),
        }
    }
}
