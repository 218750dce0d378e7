//! Who is mailed about what, and what such a mail says.

use std::collections::HashMap;

use entity::states::{MailMode, Role};

use crate::{auth::Right, notify::kinds::Kind};

/// The kind of a preference that holds for all kinds without one of their own.
pub(super) const EVERYTHING: &str = "*";

/// The preferences of a member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wishes(pub HashMap<String, MailMode>);

impl Wishes {
    /// When a member with `role` is mailed about a kind.
    pub(super) fn mode(&self, kind: &Kind, role: Role) -> MailMode {
        if !Right::allowed_to(kind.right, role) {
            return MailMode::Off;
        }
        let wish = self.0.get(kind.name).or_else(|| self.0.get(EVERYTHING));
        wish.copied().unwrap_or(MailMode::Off)
    }
}

/// The words of a mail in one language.
struct Words {
    digest: fn(usize) -> String,
    /// With where to read more, and where mails are ended.
    end: &'static str,
}

fn words(language: &str) -> Words {
    match language.split('-').next().unwrap_or_default() {
        "da" => Words {
            digest: |count| format!("{count} nyheder fra byens datatorv"),
            end: "Læs mere: {notices}\nDu får denne mail, fordi du har bedt om den. Du kan ændre det: {preferences}\n",
        },
        "zh" => Words {
            digest: |count| format!("資料市集的 {count} 則通知"),
            end: "詳情：{notices}\n您訂閱了這些郵件；變更設定：{preferences}\n",
        },
        "ja" => Words {
            digest: |count| format!("データ広場からのお知らせ {count} 件"),
            end: "詳細：{notices}\nこのメールはご希望によりお送りしています。設定の変更：{preferences}\n",
        },
        _ => Words {
            digest: |count| format!("{count} notices from the data exchange"),
            end: "Read more: {notices}\nYou get this mail because you asked for it. Change that: {preferences}\n",
        },
    }
}

/// The subject of a digest of so many notices.
pub(super) fn digest_subject(language: &str, count: usize) -> String {
    (words(language).digest)(count)
}

/// The text of a mail: what happened, a line each, and where to read more. It names no sums and no secrets.
pub(super) fn text(language: &str, organization: &str, titles: &[String], base_url: &str) -> String {
    let end = words(language)
        .end
        .replace("{notices}", &format!("{base_url}/api/v1/notices"))
        .replace("{preferences}", &format!("{base_url}/api/v1/notices/mail-preferences"));
    let lines: String = titles.iter().map(|title| format!("- {title}\n")).collect();
    format!("{organization}\n\n{lines}\n{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::kinds::find;

    #[test]
    fn a_kind_of_its_own_goes_before_all_kinds_and_rights_before_both() {
        let kind = |name: &str| find(name).unwrap();
        let wishes = Wishes(HashMap::from([
            (EVERYTHING.to_owned(), MailMode::Daily),
            ("revision.breaking".to_owned(), MailMode::Immediate),
            ("grant.ended".to_owned(), MailMode::Off),
        ]));
        assert_eq!(wishes.mode(kind("revision.breaking"), Role::Viewer), MailMode::Immediate);
        assert_eq!(wishes.mode(kind("grant.ended"), Role::Viewer), MailMode::Off);
        assert_eq!(wishes.mode(kind("revision.published"), Role::Viewer), MailMode::Daily);
        assert_eq!(wishes.mode(kind("payout.paid"), Role::Viewer), MailMode::Off, "not for viewers");
        assert_eq!(wishes.mode(kind("payout.paid"), Role::Finance), MailMode::Daily);
        assert_eq!(Wishes::default().mode(kind("revision.published"), Role::Owner), MailMode::Off);
    }

    #[test]
    fn a_mail_is_in_the_readers_language() {
        let titles = ["Nye data i »Broer«".to_owned()];
        let text = text("da", "Havnen", &titles, "https://torv.example");
        assert!(text.starts_with("Havnen\n\n- Nye data i »Broer«\n"), "{text}");
        assert!(text.contains("https://torv.example/api/v1/notices/mail-preferences"), "{text}");
        assert_eq!(digest_subject("ja", 3), "データ広場からのお知らせ 3 件");
        assert!(!text.contains('{'), "{text}");
    }
}
