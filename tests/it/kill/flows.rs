//! The money flows: how each is set up, what its clients and the world do, and what there must be in the end.

use entity::{grant, states::GrantState};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::Duration;
use torv::ledger::Account;

use super::exchange::{Exchange, SHORT_WHILE, Stage};
use crate::{
    after_sale::{balance, stands},
    settlement::bank::records::{Written, bank_line, statement},
    stripe::paying_out::assert_agrees,
    subscriptions::market::{VISA, meter},
    support::{approved, one_off, subscription},
};

/// A flow of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flow {
    Card,
    Confirmed,
    HostedPage,
    BankTransfer,
    Approved,
    Declined,
    KeptMethod,
    Renewal,
    Instalment,
    MonthClose,
    Upgrade,
    Refund,
    PartialRefunds,
    Payout,
    RefundAfterPayout,
    DisputeWon,
    DisputeLost,
    Netting,
    WriteOff,
    BankImport,
}

/// What Stripe holds in the end, in minor units and ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtStripe {
    pub charges: &'static [i64],
    pub transfers: &'static [i64],
    pub refunds: &'static [i64],
    pub reversals: &'static [i64],
}

const NOTHING: AtStripe = AtStripe { charges: &[], transfers: &[], refunds: &[], reversals: &[] };
const SOLD: AtStripe = AtStripe { charges: &[10_001], ..NOTHING };
const PAID_OUT: AtStripe = AtStripe { transfers: &[8_001], ..SOLD };

/// Longer than the hold of a share.
const EIGHT_DAYS: Duration = Duration::days(8);

impl Flow {
    pub const ALL: [Self; 20] = [
        Self::Card,
        Self::Confirmed,
        Self::HostedPage,
        Self::BankTransfer,
        Self::Approved,
        Self::Declined,
        Self::KeptMethod,
        Self::Renewal,
        Self::Instalment,
        Self::MonthClose,
        Self::Upgrade,
        Self::Refund,
        Self::PartialRefunds,
        Self::Payout,
        Self::RefundAfterPayout,
        Self::DisputeWon,
        Self::DisputeLost,
        Self::Netting,
        Self::WriteOff,
        Self::BankImport,
    ];

    /// What there must be at Stripe, whatever happened on the way.
    pub fn at_stripe(self) -> AtStripe {
        match self {
            Self::Card | Self::Confirmed | Self::HostedPage | Self::BankTransfer | Self::Approved => SOLD,
            Self::Declined | Self::KeptMethod => NOTHING,
            Self::Renewal => AtStripe { charges: &[1_000, 1_000], ..NOTHING },
            Self::Instalment => AtStripe { charges: &[3_333, 3_335], ..NOTHING },
            Self::MonthClose => AtStripe { charges: &[100], ..NOTHING },
            Self::Upgrade => AtStripe { charges: &[1_000, 2_000], ..NOTHING },
            Self::Refund => AtStripe { refunds: &[10_001], ..SOLD },
            Self::PartialRefunds => AtStripe { refunds: &[2_000, 3_000], ..SOLD },
            Self::Payout | Self::BankImport => PAID_OUT,
            Self::RefundAfterPayout => AtStripe { refunds: &[10_001], reversals: &[8_001], ..PAID_OUT },
            Self::DisputeWon => {
                AtStripe { charges: &[10_001, 90_000], transfers: &[8_001, 8_001], refunds: &[], reversals: &[8_001] }
            }
            Self::DisputeLost => AtStripe { reversals: &[8_001], ..PAID_OUT },
            Self::Netting => {
                AtStripe { charges: &[10_001, 20_000], transfers: &[7_999, 8_001], refunds: &[10_001], reversals: &[] }
            }
            Self::WriteOff => AtStripe { refunds: &[10_001], ..PAID_OUT },
        }
    }

    /// Whether the buyer has access in the end.
    fn opens(self) -> bool {
        !matches!(
            self,
            Self::Declined
                | Self::KeptMethod
                | Self::MonthClose
                | Self::Refund
                | Self::RefundAfterPayout
                | Self::DisputeLost
                | Self::WriteOff
        )
    }

    /// What the provider has coming: pending, payable, held, owed by it.
    fn stands(self) -> [i64; 4] {
        match self {
            Self::Card | Self::Confirmed | Self::HostedPage | Self::BankTransfer | Self::Approved => [8_001, 0, 0, 0],
            Self::Renewal => [800, 800, 0, 0],
            Self::Instalment => [2_666, 2_668, 0, 0],
            Self::MonthClose => [80, 0, 0, 0],
            Self::Upgrade => [2_400, 0, 0, 0],
            Self::PartialRefunds => [4_001, 0, 0, 0],
            _ => [0, 0, 0, 0],
        }
    }

    /// Sets the flow up, on an empty exchange.
    pub async fn prepare(self, it: &Exchange) -> Stage {
        match self {
            Self::Card | Self::Confirmed | Self::HostedPage | Self::BankTransfer | Self::KeptMethod => {
                it.market(&one_off(10_001)).await
            }
            Self::Approved | Self::Declined => it.market(&approved(one_off(10_001))).await,
            Self::Renewal | Self::Instalment | Self::MonthClose | Self::Upgrade => self.subscribed(it).await,
            Self::Refund | Self::PartialRefunds => it.sold().await,
            Self::Payout => {
                let stage = it.sold().await;
                it.pass_long(EIGHT_DAYS).await;
                stage
            }
            Self::RefundAfterPayout | Self::DisputeLost => it.paid_out().await,
            Self::DisputeWon => {
                let mut stage = it.paid_out().await;
                // Stripe keeps its fee of a dispute: another sale keeps the balance filled.
                let (other, buyer) = it.app.market(&one_off(90_000)).await;
                it.app.order(&buyer, &other, "other", Some(VISA)).await.expect(201);
                stage.more = json!({"due": (it.app.clock.now() + EIGHT_DAYS + Duration::DAY).unix_timestamp()});
                stage
            }
            Self::Netting | Self::WriteOff => self.indebted(it).await,
            Self::BankImport => {
                let mut stage = it.paid_out().await;
                it.app.open_bank_account(&stage.operator).await;
                let sent = it.objects("payout").await.remove(0);
                stage.more = json!({"minor": sent["amount"], "reference": sent["trace_id"]["value"]});
                stage
            }
        }
    }

    async fn subscribed(self, it: &Exchange) -> Stage {
        use entity::states::OfferKind::{Metered, OneOff, Subscription};
        let thirds =
            json!({"instalments": [{"after_days": 30, "share_bps": 3_333}, {"after_days": 60, "share_bps": 3_333}]});
        let (conditions, kind, plan) = match self {
            Self::Instalment => (one_off(10_001), OneOff, thirds),
            Self::MonthClose => (one_off(0), Metered, meter("event", &json!({}))),
            _ => (subscription(1_000, 1), Subscription, json!({"renews": true})),
        };
        let of = it.app.subscribe(&conditions, kind, &plan, VISA).await;
        let mut stage = it.stage(of.sale.clone(), of.buyer.clone()).await;
        match self {
            Self::MonthClose => {
                let at = it.app.clock.now().format(&time::format_description::well_known::Rfc3339).expect("a time");
                let body = json!({"records": [{"key": "a", "units": 12, "occurred_at": at}]});
                let path = format!("/api/v1/subscriptions/{}/usage", of.id);
                it.app.as_org(&of.sale.provider, "POST", &path).json(&body).send().await.expect(200);
                it.app.ask(&of, "cancel").await.expect(200);
            }
            Self::Upgrade => {
                let plan = json!({"renews": true});
                let larger = subscription(3_000, 1);
                let kind = Subscription;
                stage.sale = it.app.also_planned(&of.sale.provider, &of.sale.listing, &larger, kind, &plan).await;
            }
            _ => {}
        }
        let due = match self {
            Self::Upgrade => it.app.clock.now() + SHORT_WHILE,
            Self::Renewal => it.app.row(&of).await.period_until.0,
            _ => it.app.row(&of).await.next_action_at.expect("something comes").0,
        };
        it.pass_until(due - SHORT_WHILE).await;
        stage.subscription = Some(of);
        stage.more = json!({"due": due.unix_timestamp() + 1});
        stage
    }

    /// A provider that owes a share: its account was empty when the refund came.
    async fn indebted(self, it: &Exchange) -> Stage {
        let mut stage = it.paid_out().await;
        it.world(&format!("accounts/{}/drain", stage.account), &Value::Null).await;
        it.refund(&stage, None, "whole").await;
        it.pass(Duration::minutes(10)).await;
        assert_eq!(stands(&it.app, &stage.sale.provider).await, [0, 0, 0, 8_001]);
        if self == Self::Netting {
            stage.sale = it.app.for_sale(&stage.sale.provider, &one_off(20_000)).await;
            it.app.order(&stage.buyer, &stage.sale, "k2", Some(VISA)).await.expect(201);
            it.pass_long(EIGHT_DAYS).await;
        } else {
            let (second, _) = it.app.member_account(&stage.operator, entity::states::Role::Finance).await;
            stage.more = json!({"second": second, "order": it.order_of(&stage).await});
        }
        stage
    }

    /// What clients and the world do. All of it can be repeated, under the same keys; no answer is relied on.
    pub async fn drive(self, it: &Exchange, stage: &Stage) {
        match self {
            Self::Card => it.buy(stage, Some(VISA)).await,
            Self::Confirmed => it.confirmed(stage).await,
            Self::HostedPage => it.on_a_page(stage).await,
            Self::BankTransfer => it.by_bank(stage).await,
            Self::Approved | Self::Declined => it.answered(stage, self == Self::Approved).await,
            Self::KeptMethod => {
                let kept = it.app.try_keep(&stage.buyer, "keep", VISA).await;
                if it.is_again && kept.status != 201 {
                    it.app.try_keep(&stage.buyer, "keep-again", VISA).await;
                }
            }
            Self::Renewal | Self::Instalment | Self::MonthClose => {
                it.pass_until(stage.due()).await;
            }
            Self::Upgrade => it.upgrade(stage).await,
            Self::Refund => it.refund(stage, None, "f1").await,
            Self::PartialRefunds => {
                it.refund(stage, Some(3_000), "f1").await;
                it.refund(stage, Some(2_000), "f2").await;
            }
            Self::RefundAfterPayout => {
                it.refund(stage, None, "f1").await;
                it.pass(Duration::minutes(10)).await;
            }
            Self::Payout => it.pay_out(stage, "r1").await,
            Self::DisputeWon | Self::DisputeLost => it.disputed(stage, self == Self::DisputeWon).await,
            Self::Netting => it.pay_out(stage, "r2").await,
            Self::WriteOff => it.write_off(stage).await,
            Self::BankImport => it.bring_in(stage).await,
        }
        it.work().await;
    }

    /// Asserts all that must hold in the end on our side.
    pub async fn check(self, it: &Exchange, stage: &Stage) {
        it.pass_long(Duration::hours(2)).await;
        assert_agrees(&it.app, &stage.operator, &it.dump().await).await;
        for account in
            [Account::ClearingPayment, Account::ClearingTransfer, Account::ClearingRefund, Account::DisputeHold]
        {
            let payouts = entity::payout::Entity::find().all(it.app.app.db.read()).await.expect("readable");
            assert_eq!(balance(&it.app, account.clone()).await, 0, "{account:?}: {payouts:#?}");
        }
        assert_eq!(it.unknown_payments().await, 0, "payments without an end");
        assert_eq!(stands(&it.app, &stage.sale.provider).await, self.stands(), "pending, payable, held, owed");
        let query = grant::Entity::find().filter(grant::Column::OrganizationId.eq(stage.buyer.id));
        let grants = query.all(it.app.app.db.read()).await.expect("grants are readable");
        let open = grants.iter().filter(|grant| grant.state == GrantState::Active).count();
        assert_eq!(open > 0, self.opens(), "access: {grants:#?}");
        match self {
            Self::KeptMethod => {
                let request = it.app.as_org(&stage.buyer, "GET", "/api/v1/payment-methods");
                let kept = request.send().await.expect(200).json();
                assert_eq!(kept["items"].as_array().map(Vec::len), Some(1), "{kept}");
            }
            Self::Renewal => assert!(it.app.has_access(stage.subscription.as_ref().expect("one")).await),
            Self::WriteOff => assert_eq!(balance(&it.app, Account::WriteOffs).await, 8_001),
            Self::BankImport => {
                assert_eq!(balance(&it.app, Account::ProcessorInTransit).await, 0, "arrived");
                assert_eq!(balance(&it.app, Account::Bank("main".to_owned())).await, 1_680);
            }
            _ => {}
        }
        it.app.check_what_is_left().await;
    }
}

impl Exchange {
    /// A card that its holder has to confirm.
    async fn confirmed(&self, stage: &Stage) {
        self.buy(stage, Some("pm_card_authenticationRequired")).await;
        for intent in self.objects("payment_intent").await {
            if intent["status"] == "requires_action" {
                let path = format!("payment_intents/{}/authenticate", intent["id"].as_str().expect("an id"));
                self.world(&path, &json!({"outcome": "succeed"})).await;
            }
        }
    }

    async fn on_a_page(&self, stage: &Stage) {
        self.buy(stage, None).await;
        let Some(order) = self.order_of(stage).await else { return };
        let body = json!({"success_url": "https://maps.example/thanks", "cancel_url": "https://maps.example/basket"});
        // A page that was opened without our hearing of it is given up; then the buyer asks for another.
        let attempts = self.payments_of(&order).await;
        let over = self.is_again && attempts.iter().all(|one| one.state == entity::states::PaymentState::Failed);
        let key = if over { format!("page-{}", attempts.len()) } else { "page-0".to_owned() };
        let path = format!("/api/v1/orders/{order}/checkout");
        self.app.as_org(&stage.buyer, "POST", &path).header("idempotency-key", key).json(&body).send().await;
        // The buyer is sent to the page that the answer named: never to one that nobody was told of.
        for payment in self.payments_of(&order).await {
            let told = payment.processor_ref.filter(|reference| reference.starts_with("cs_"));
            if let (Some(page), entity::states::PaymentState::ActionRequired) = (told, payment.state) {
                self.world(&format!("checkout/{page}/pay"), &json!({})).await;
            }
        }
    }

    async fn by_bank(&self, stage: &Stage) {
        self.buy(stage, Some("bank_transfer")).await;
        for part in [6_000, 4_001] {
            for intent in self.objects("payment_intent").await {
                let left = &intent["next_action"]["display_bank_transfer_instructions"]["amount_remaining"];
                if left.as_i64() == Some(if part == 6_000 { 10_001 } else { 4_001 }) {
                    let path = format!("payment_intents/{}/fund", intent["id"].as_str().expect("an id"));
                    self.world(&path, &json!({"amount": part})).await;
                }
            }
            self.world("webhooks/deliver", &Value::Null).await;
        }
    }

    async fn answered(&self, stage: &Stage, is_approved: bool) {
        self.buy(stage, Some(VISA)).await;
        let Some(order) = self.order_of(stage).await else { return };
        let what = if is_approved { "approve" } else { "decline" };
        let note = Some("Looked at it.").filter(|_| !is_approved);
        self.app.decide(&stage.sale.provider, &order, what, note).await;
        if self.is_again {
            self.pay_again(stage, VISA).await;
        }
    }

    async fn upgrade(&self, stage: &Stage) {
        let of = stage.subscription.as_ref().expect("one");
        let euro = |minor: i64| json!({"minor": minor, "currency": "EUR"});
        let body = json!({
            "offer_id": stage.sale.offer, "expected_total": euro(3_000), "expected_charge": euro(2_000),
            "licence_hash": stage.sale.licence_hash,
        });
        let path = format!("/api/v1/subscriptions/{}/upgrade", of.id);
        self.app.as_org(&stage.buyer, "POST", &path).header("idempotency-key", "k").json(&body).send().await;
        if self.is_again {
            self.pay_again(stage, VISA).await;
        }
    }

    async fn disputed(&self, stage: &Stage, is_won: bool) {
        if self.objects("dispute").await.is_empty() {
            let charges = self.objects("charge").await;
            let ours = charges.iter().find(|one| one["payment_intent"].is_string()).expect("charged");
            let path = format!("charges/{}/dispute", ours["id"].as_str().expect("an id"));
            self.world(&path, &json!({})).await;
        }
        self.pass(Duration::minutes(11)).await;
        let dispute = self.objects("dispute").await.remove(0);
        if dispute["status"] == "needs_response" {
            let path = format!("disputes/{}/resolve", dispute["id"].as_str().expect("an id"));
            self.world(&path, &json!({"won": is_won})).await;
        }
        self.pass(Duration::minutes(11)).await;
        if is_won {
            self.pass_until(stage.due()).await;
            self.pay_out(stage, "r2").await;
        }
    }

    async fn write_off(&self, stage: &Stage) {
        let second = stage.more["second"].as_str().and_then(|text| text.parse().ok()).expect("an account");
        let (first, second) = (self.app.owner(&stage.operator).await, self.app.token(second).await);
        let body =
            json!({"organization_id": stage.sale.provider.id, "order_id": stage.more["order"], "reason": "Wound up."});
        let request = self.app.request("POST", "/api/v1/write-offs").bearer(first).header("idempotency-key", "w");
        let asked = request.json(&body).send().await;
        if asked.status == 201 {
            let path = format!("/api/v1/write-offs/{}/approve", asked.str("/id"));
            self.app.request("POST", &path).bearer(second).json(&json!({})).send().await;
        }
    }

    async fn bring_in(&self, stage: &Stage) {
        let (minor, reference) = (stage.more["minor"].as_i64().expect("an amount"), stage.more["reference"].as_str());
        let line = bank_line(time::macros::date!(2026 - 11 - 28), minor, "B1", reference, "Payout");
        self.app.import_statement(&stage.operator, statement(Written::Camt08, 0, &[line])).await;
        self.pass(Duration::seconds(1)).await;
    }
}
