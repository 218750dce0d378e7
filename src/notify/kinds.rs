//! What is told to whom: one entry per kind of outbox event. A kind without an entry is told to nobody.

use crate::auth::Right;

/// Somebody whom an event concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// The owner of the listing it is about.
    Owner,
    /// Everybody with a grant on the listing that has not ended.
    Holders,
    /// As [`To::Holders`], unless the event is about an offer that is private to somebody.
    HoldersUnlessPrivate,
    /// The organisation, or organisations, that the payload names under this key.
    Named(&'static str),
    /// Whoever sells something of the order it is about.
    Sellers,
    /// Who runs the exchange.
    Operator,
}

/// What an event is called when it is told, with `{listing}` where the listing's title goes.
#[derive(Debug, Clone, Copy)]
pub struct Title {
    /// English.
    pub en: &'static str,
    /// Danish.
    pub da: &'static str,
    /// Traditional Chinese.
    pub zh_hant: &'static str,
    /// Japanese.
    pub ja: &'static str,
}

/// How a kind of event is told.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// As the outbox calls it, `revision.published`.
    pub name: &'static str,
    /// Whom it concerns.
    pub to: &'static [To],
    /// What a member, or a key, needs to see it.
    pub right: Right,
    /// What of the payload is told. Sums of an order are left out where several sellers hear of it: they are read where
    /// each is shown its own part.
    pub facts: &'static [&'static str],
    /// What it is called.
    pub title: Title,
}

/// The kind of a message that only tries an endpoint out.
pub const TEST: &str = "webhook.test";

const BUYER: To = To::Named("buyer_id");
const PROVIDER: To = To::Named("provider_id");
const PROVIDERS: To = To::Named("provider_ids");
const ORGANIZATION: To = To::Named("organization_id");

const REVISION: &[&str] = &[
    "revision_id",
    "number",
    "version",
    "previous_version",
    "step",
    "changes",
    "changes_total",
    "reaches_older_grants_at",
];
const OFFER: &[&str] = &["offer_id", "kind", "price", "licence_hash", "valid_from", "valid_until"];
const GRANT: &[&str] = &["grant_id", "order_id", "subscription_id"];
const SUBSCRIPTION: &[&str] =
    &["subscription_id", "period", "order_id", "offer_id", "reason", "action", "ends_at", "next_try_at", "state"];
const PAYOUT: &[&str] = &["payout_id", "amount_minor", "currency"];
const SLICE: &[&str] = &["grant_id", "file", "rows", "reason", "next"];
const LIMIT: &[&str] = &["meter_id", "percent", "used_units", "limit_units"];

macro_rules! kinds {
    ($($name:literal, $right:ident, $to:expr, $facts:expr, $en:literal, $da:literal, $zh_hant:literal, $ja:literal;)+) => {
        /// Every kind that is told.
        pub const KINDS: &[Kind] = &[$(Kind {
            name: $name, to: &$to, right: Right::$right, facts: $facts,
            title: Title { en: $en, da: $da, zh_hant: $zh_hant, ja: $ja },
        }),+];
    };
}

#[rustfmt::skip]
mod table {
    use super::{BUYER, GRANT, Kind, LIMIT, OFFER, ORGANIZATION, PAYOUT, PROVIDER, PROVIDERS, REVISION, Right, SLICE, SUBSCRIPTION, Title, To};

    kinds! {
        "listing.published", Read, [To::Owner], &[],
            "“{listing}” is published", "»{listing}« er offentliggjort", "「{listing}」已上架", "「{listing}」が公開されました";
        "listing.retired", Read, [To::Owner, To::Holders], &[],
            "“{listing}” is no longer offered", "»{listing}« udbydes ikke længere", "「{listing}」已下架", "「{listing}」の提供が終了しました";
        "revision.published", Read, [To::Owner, To::Holders], REVISION,
            "New data in “{listing}”", "Nye data i »{listing}«", "「{listing}」有新資料", "「{listing}」に新しいデータがあります";
        "revision.versioned", Read, [To::Owner, To::Holders], REVISION,
            "New version of “{listing}”", "Ny version af »{listing}«", "「{listing}」有新版本", "「{listing}」の新しい版があります";
        "revision.breaking", Read, [To::Owner, To::Holders], REVISION,
            "“{listing}” is about to change in a way that breaks programs", "»{listing}« ændres snart på en måde, der bryder programmer",
            "「{listing}」即將有不相容的變更", "「{listing}」に互換性のない変更が予定されています";
        "offer.published", Read, [To::Owner, To::HoldersUnlessPrivate, To::Named("private_to")], OFFER,
            "New offer for “{listing}”", "Nyt tilbud på »{listing}«", "「{listing}」有新方案", "「{listing}」に新しい提供条件があります";
        "offer.withdrawn", Read, [To::Owner, To::HoldersUnlessPrivate, To::Named("private_to")], OFFER,
            "An offer for “{listing}” was withdrawn", "Et tilbud på »{listing}« er trukket tilbage", "「{listing}」的一項方案已撤回", "「{listing}」の提供条件が取り下げられました";
        "offer.part_accepted", Read, [To::Owner, PROVIDER], OFFER,
            "A provider joined your bundle with “{listing}”", "En udbyder er gået med i pakken med »{listing}«", "一位提供者已加入含「{listing}」的組合", "「{listing}」を含むセットに提供者が加わりました";
        "offer.part_left", Read, [To::Owner, PROVIDER], OFFER,
            "A provider left the bundle with “{listing}”", "En udbyder har forladt pakken med »{listing}«", "一位提供者已退出含「{listing}」的組合", "「{listing}」を含むセットから提供者が抜けました";
        "order.awaiting_approval", Read, [BUYER, PROVIDERS], &["order_id"],
            "An order of “{listing}” waits for approval", "En ordre på »{listing}« afventer godkendelse", "「{listing}」的訂單等待核准", "「{listing}」の注文が承認待ちです";
        "order.approved", Read, [BUYER, PROVIDERS], &["order_id"],
            "An order of “{listing}” was approved", "En ordre på »{listing}« er godkendt", "「{listing}」的訂單已核准", "「{listing}」の注文が承認されました";
        "order.declined", Read, [BUYER, PROVIDERS], &["order_id"],
            "An order of “{listing}” was declined", "En ordre på »{listing}« er afvist", "「{listing}」的訂單遭拒絕", "「{listing}」の注文が却下されました";
        "order.cancelled", Read, [BUYER, PROVIDERS], &["order_id"],
            "An order of “{listing}” was cancelled", "En ordre på »{listing}« er annulleret", "「{listing}」的訂單已取消", "「{listing}」の注文が取り消されました";
        "order.expired", Read, [BUYER, PROVIDERS], &["order_id"],
            "An order of “{listing}” has expired", "En ordre på »{listing}« er udløbet", "「{listing}」的訂單已逾期", "「{listing}」の注文の期限が切れました";
        "order.completed", Read, [BUYER, PROVIDERS], &["order_id", "grant_id", "grant_ids"],
            "“{listing}” was ordered, access is granted", "»{listing}« er bestilt, adgangen er givet", "「{listing}」已訂購並開放存取", "「{listing}」が注文され、利用できるようになりました";
        "payment.without_order", Finance, [To::Operator], &["order_id", "payment_id"],
            "A payment arrived for a closed order", "En betaling kom til en lukket ordre", "已關閉的訂單收到款項", "終了した注文に入金がありました";
        "grant.suspended", Read, [ORGANIZATION, BUYER, To::Owner], GRANT,
            "Access to “{listing}” is suspended", "Adgangen til »{listing}« er sat i bero", "「{listing}」的存取已暫停", "「{listing}」の利用が停止されました";
        "grant.resumed", Read, [ORGANIZATION, BUYER, To::Owner], GRANT,
            "Access to “{listing}” is open again", "Adgangen til »{listing}« er åben igen", "「{listing}」的存取已恢復", "「{listing}」の利用が再開されました";
        "grant.ended", Read, [ORGANIZATION, BUYER, To::Owner], GRANT,
            "Access to “{listing}” has ended", "Adgangen til »{listing}« er ophørt", "「{listing}」的存取已結束", "「{listing}」の利用が終了しました";
        "grant.revoked", Read, [ORGANIZATION, To::Owner], &["grant_id", "reason"],
            "A grant on “{listing}” was revoked", "En adgang til »{listing}« er tilbagekaldt", "「{listing}」的授權已撤銷", "「{listing}」の利用許諾が取り消されました";
        "grant.version_accepted", Read, [ORGANIZATION, To::Owner], &["grant_id", "major"],
            "A new version of “{listing}” was accepted", "En ny version af »{listing}« er accepteret", "「{listing}」的新版本已獲接受", "「{listing}」の新しい版が受け入れられました";
        "slice.ready", Read, [ORGANIZATION], SLICE,
            "Your slice of “{listing}” is ready", "Dit udsnit af »{listing}« er klar", "您的「{listing}」切片已備妥", "「{listing}」の切り出しの準備ができました";
        "slice.failed", Read, [ORGANIZATION, To::Owner, To::Operator], SLICE,
            "A slice of “{listing}” could not be made: the operator has it made again, or its order is refunded on request",
            "Et udsnit af »{listing}« kunne ikke laves: operatøren får det lavet igen, eller ordren refunderes efter anmodning",
            "「{listing}」的切片無法製作：營運者將重新製作，或依申請退款", "「{listing}」の切り出しを作成できませんでした。運営者が作り直すか、求めに応じて返金されます";
        "refund.requested", Read, [BUYER, PROVIDERS], &["refund_id", "order_id"],
            "A refund for “{listing}” was asked for", "Der er bedt om pengene tilbage for »{listing}«", "「{listing}」有退款申請", "「{listing}」の返金が求められました";
        "refund.escalated", Read, [BUYER, PROVIDERS, To::Operator], &["refund_id", "order_id"],
            "The operator decides about a refund for “{listing}”", "Operatøren afgør en tilbagebetaling for »{listing}«", "「{listing}」的退款由營運者決定", "「{listing}」の返金は運営者が判断します";
        "refund.withdrawn", Read, [BUYER, PROVIDERS], &["refund_id", "order_id"],
            "A request for a refund for “{listing}” was withdrawn", "En anmodning om tilbagebetaling for »{listing}« er trukket tilbage", "「{listing}」的退款申請已撤回", "「{listing}」の返金の求めが取り下げられました";
        "refund.approved", Read, [BUYER, PROVIDERS], &["refund_id", "order_id"],
            "A refund for “{listing}” was approved", "En tilbagebetaling for »{listing}« er godkendt", "「{listing}」的退款已核准", "「{listing}」の返金が認められました";
        "refund.declined", Read, [BUYER, PROVIDERS], &["refund_id", "order_id"],
            "A refund for “{listing}” was declined", "En tilbagebetaling for »{listing}« er afvist", "「{listing}」的退款遭拒絕", "「{listing}」の返金が断られました";
        "refund.paid", Read, [BUYER, PROVIDERS], &["refund_id", "order_id"],
            "A refund for “{listing}” was paid", "En tilbagebetaling for »{listing}« er udbetalt", "「{listing}」的退款已付出", "「{listing}」の返金が支払われました";
        "refund.failed", Read, [BUYER, PROVIDERS, To::Operator], &["refund_id", "order_id"],
            "A refund for “{listing}” could not be paid", "En tilbagebetaling for »{listing}« kunne ikke udbetales", "「{listing}」的退款無法付出", "「{listing}」の返金を支払えませんでした";
        "dispute.opened", Finance, [To::Sellers, To::Operator], &["dispute_id", "order_id"],
            "A payment for “{listing}” is disputed", "En betaling for »{listing}« bestrides", "「{listing}」的付款有爭議", "「{listing}」の支払いに異議が申し立てられました";
        "dispute.won", Finance, [To::Sellers, To::Operator], &["dispute_id", "order_id"],
            "A dispute about “{listing}” was won", "En tvist om »{listing}« er vundet", "「{listing}」的爭議勝訴", "「{listing}」の異議は退けられました";
        "dispute.lost", Finance, [To::Sellers, To::Operator], &["dispute_id", "order_id"],
            "A dispute about “{listing}” was lost", "En tvist om »{listing}« er tabt", "「{listing}」的爭議敗訴", "「{listing}」の異議が認められました";
        "payout.decided", Finance, [ORGANIZATION], PAYOUT,
            "A payout is on its way", "En udbetaling er på vej", "款項撥付中", "支払いの手続き中です";
        "payout.paid", Finance, [ORGANIZATION], PAYOUT,
            "A payout has left", "En udbetaling er sendt", "款項已撥付", "支払いが行われました";
        "reversal.done", Finance, [ORGANIZATION], &["reversal_id", "order_id", "amount_minor", "currency"],
            "A share of “{listing}” was taken back", "En andel af »{listing}« er taget tilbage", "「{listing}」的分潤已收回", "「{listing}」の取り分が戻されました";
        "subscription.started", Read, [BUYER, PROVIDER], SUBSCRIPTION,
            "A subscription to “{listing}” has begun", "Et abonnement på »{listing}« er begyndt", "「{listing}」的訂閱已開始", "「{listing}」の購読が始まりました";
        "subscription.changed", Read, [BUYER, PROVIDER], SUBSCRIPTION,
            "A subscription to “{listing}” was changed", "Et abonnement på »{listing}« er ændret", "「{listing}」的訂閱已變更", "「{listing}」の購読が変更されました";
        "subscription.consent_needed", Read, [BUYER, PROVIDER], SUBSCRIPTION,
            "A subscription to “{listing}” ends unless its new terms are agreed to", "Et abonnement på »{listing}« ophører, hvis de nye vilkår ikke accepteres",
            "「{listing}」的訂閱若不同意新條件即將結束", "「{listing}」の購読は新しい条件に同意しないと終了します";
        "subscription.consented", Read, [BUYER, PROVIDER], SUBSCRIPTION,
            "New terms of a subscription to “{listing}” were agreed to", "Nye vilkår for et abonnement på »{listing}« er accepteret", "「{listing}」訂閱的新條件已獲同意", "「{listing}」の購読の新しい条件が承諾されました";
        "subscription.upgraded", Read, [BUYER, PROVIDER], SUBSCRIPTION,
            "A subscription to “{listing}” was upgraded", "Et abonnement på »{listing}« er opgraderet", "「{listing}」的訂閱已升級", "「{listing}」の購読が上位に変更されました";
        "subscription.payment_failed", Read, [BUYER, PROVIDER], SUBSCRIPTION,
            "A payment for the subscription to “{listing}” failed", "En betaling for abonnementet på »{listing}« mislykkedes", "「{listing}」訂閱的付款失敗", "「{listing}」の購読の支払いに失敗しました";
        "subscription.recovered", Read, [BUYER, PROVIDER], SUBSCRIPTION,
            "The subscription to “{listing}” is paid again", "Abonnementet på »{listing}« er betalt igen", "「{listing}」的訂閱已補繳", "「{listing}」の購読の支払いが回復しました";
        "subscription.paused", Read, [BUYER, PROVIDER], SUBSCRIPTION,
            "The subscription to “{listing}” is paused", "Abonnementet på »{listing}« holder pause", "「{listing}」的訂閱已暫停", "「{listing}」の購読が一時停止しました";
        "subscription.ended", Read, [BUYER, PROVIDER], SUBSCRIPTION,
            "The subscription to “{listing}” has ended", "Abonnementet på »{listing}« er ophørt", "「{listing}」的訂閱已結束", "「{listing}」の購読が終了しました";
        "usage.billed", Read, [BUYER, PROVIDER], &["subscription_id", "order_id", "period", "units"],
            "A month's use of “{listing}” was billed", "En måneds brug af »{listing}« er faktureret", "「{listing}」的當月用量已計費", "「{listing}」の1か月分の利用が請求されました";
        "budget.reached", Read, [BUYER], LIMIT,
            "The budget for “{listing}” is being used up", "Budgettet for »{listing}« er ved at være brugt", "「{listing}」的預算即將用完", "「{listing}」の予算が残り少なくなっています";
        "quota.reached", Read, [BUYER], LIMIT,
            "The units of “{listing}” are being used up", "Enhederne af »{listing}« er ved at være brugt", "「{listing}」的額度即將用完", "「{listing}」の残り単位が少なくなっています";
        "webhook_endpoint.disabled", Members, [ORGANIZATION], &["webhook_endpoint_id", "reason"],
            "A webhook endpoint was switched off", "Et webhook-endepunkt er slået fra", "一個 webhook 端點已停用", "Webhook の送信先が停止されました";
    }
}

pub use table::KINDS;

/// How events of this kind are told, if they are.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl Title {
    /// The title in the language of `tag`, by its base language (`zh-TW` reads Traditional Chinese), else in English.
    pub fn in_language(&self, tag: &str, listing: &str) -> String {
        let phrase = match tag.split('-').next().unwrap_or_default() {
            "da" => self.da,
            "zh" => self.zh_hant,
            "ja" => self.ja,
            _ => self.en,
        };
        phrase.replace("{listing}", listing)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_is_told_once_to_somebody() {
        let names: BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| !kind.to.is_empty() && kind.name.len() <= 64));
        assert!(find(TEST).is_none(), "a test is told to one endpoint alone");
    }

    #[test]
    fn every_language_names_the_listing_where_one_does() {
        for kind in KINDS {
            let Title { en, da, zh_hant, ja } = kind.title;
            let names = [en, da, zh_hant, ja].map(|title| title.matches("{listing}").count());
            assert!(names.iter().all(|count| *count == names[0] && *count <= 1), "{}: {names:?}", kind.name);
        }
    }

    #[test]
    fn no_kind_tells_a_sum_to_several_sellers() {
        for kind in KINDS.iter().filter(|kind| kind.to.contains(&PROVIDERS) || kind.to.contains(&To::Sellers)) {
            assert!(!kind.facts.iter().any(|fact| fact.ends_with("_minor") || *fact == "price"), "{}", kind.name);
        }
    }

    #[test]
    fn a_reader_is_told_in_their_language() {
        let title = find("revision.published").unwrap().title;
        assert_eq!(title.in_language("en-GB", "Levels"), "New data in “Levels”");
        assert_eq!(title.in_language("da", "Niveauer"), "Nye data i »Niveauer«");
        assert_eq!(title.in_language("zh-TW", "水位"), "「水位」有新資料");
        assert_eq!(title.in_language("fr", "Levels"), "New data in “Levels”");
    }
}
