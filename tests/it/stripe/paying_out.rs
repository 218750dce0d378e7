use entity::{
    organization, payout, payout_account, reconciliation_exception as exception,
    states::{ExceptionClass, ExceptionState, PayoutState},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use stripe_twin::{Fault, FaultKind};
use time::Duration;
use torv::{ledger::Account, people::payout_accounts, ports::payments::PaymentsError};

use super::{Connected, order_of, with_twin};
use crate::{
    after_sale::{self, verified},
    support::{ForSale, TestApp, TestOrg, one_off},
};

/// Longer than the hold, and than the nights in which Stripe pays the operator out.
const EIGHT_DAYS: Duration = Duration::days(8);

/// The exchange's own account in the twin.
const PLATFORM: &str = "acct_1TwinPlatform0000";

async fn balance(it: &Connected, account: Account) -> i64 {
    after_sale::balance(&it.app, account).await
}

async fn run(it: &Connected, operator: &TestOrg, key: &str) -> Value {
    let body = json!({"currency": "EUR", "minimum_minor": 1, "recipients": "providers"});
    let request = it.app.as_org(operator, "POST", "/api/v1/payout-runs").header("idempotency-key", key).json(&body);
    let made = request.send().await.expect(201).json();
    it.advance(Duration::seconds(1)).await;
    made
}

/// A sale of 100.01 EUR whose share was transferred after the hold.
struct PaidOut {
    sale: ForSale,
    operator: TestOrg,
    order: String,
}

impl PaidOut {
    async fn new(it: &Connected) -> Self {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let operator = it.app.operator().await;
        it.onboard(&sale.provider).await;
        let placed = it.app.order(&buyer, &sale, "k1", Some("pm_card_visa")).await.expect(201);
        it.advance(EIGHT_DAYS).await;
        run(it, &operator, "r1").await;
        Self { sale, operator, order: order_of(&placed) }
    }

    fn charge(&self, it: &Connected) -> String {
        let charges = it.objects("charge");
        let ours = charges.iter().find(|one| one["transfer_group"] == json!(self.order)).expect("charged");
        ours["id"].as_str().expect("an id").to_owned()
    }
}

/// The books, the documents and Stripe agree to the cent.
async fn agrees(it: &Connected, operator: &TestOrg) {
    it.advance(Duration::hours(2)).await;
    assert_agrees(&it.app, operator, &it.twin.dump()).await;
}

/// As [`agrees`], at this moment and with this dump of the twin.
pub async fn assert_agrees(app: &TestApp, operator: &TestOrg, dump: &Value) {
    let request = app.as_org(operator, "POST", "/api/v1/reconciliations").json(&json!({}));
    let made = request.send().await.expect(201).json();
    assert_eq!(made["difference_count"], 0, "{made:#}");
    let theirs = |part: &str| -> i64 {
        let rows = dump["balances"][PLATFORM][part].as_array().into_iter().flatten();
        rows.filter(|row| row["currency"] == "eur").filter_map(|row| row["amount"].as_i64()).sum()
    };
    assert_eq!(theirs("available"), after_sale::balance(app, Account::ProcessorAvailable).await, "available");
    assert_eq!(theirs("pending"), after_sale::balance(app, Account::ProcessorPending).await, "pending");
    verified(app, "after everything").await;
}

/// The operator's payouts in the books: Stripe's id, amount, and whether they left.
async fn automatic(it: &Connected) -> Vec<payout::Model> {
    let rows = payout::Entity::find().all(it.app.app.db.read()).await.expect("reads");
    rows.into_iter().filter(|row| row.is_itemised.is_some()).collect()
}

with_twin! {
    async fn a_share_moves_out_of_its_own_charge_once_the_provider_is_known(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let operator = it.app.operator().await;
        let account = it.onboard(&sale.provider).await;
        let placed = it.app.order(&buyer, &sale, "k1", Some("pm_card_visa")).await.expect(201);
        it.advance(Duration::days(3)).await;
        assert_eq!(balance(it, Account::ClearingPayment).await, 0);
        assert_eq!(balance(it, Account::ProcessorAvailable).await, 8_001, "the share stays when the rest is paid out");
        it.advance(Duration::days(5)).await;
        run(it, &operator, "r1").await;
        let transfers = it.objects("transfer");
        assert_eq!(transfers.len(), 1);
        assert_eq!(transfers[0]["amount"], 8_001);
        assert_eq!(transfers[0]["destination"], json!(account));
        assert!(transfers[0]["source_transaction"].as_str().is_some_and(|id| id.starts_with("ch_")));
        assert_eq!(transfers[0]["transfer_group"], json!(order_of(&placed)));
        assert_eq!(balance(it, Account::ProviderPayable(sale.provider.id)).await, 0);
        assert_eq!(balance(it, Account::ClearingTransfer).await, 0);
        agrees(it, &operator).await;
    }

    async fn a_provider_that_stripe_does_not_know_yet_waits(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let operator = it.app.operator().await;
        it.app.order(&buyer, &sale, "k1", Some("pm_card_visa")).await.expect(201);
        it.advance(Duration::days(8)).await;
        let made = run(it, &operator, "r1").await;
        assert_eq!(made["skipped"][0]["organization_id"], json!(sale.provider.id), "{made:#}");
        assert_eq!(it.objects("transfer").len(), 0);
        assert_eq!(balance(it, Account::ProviderPayable(sale.provider.id)).await, -8_001);
        it.onboard(&sale.provider).await;
        run(it, &operator, "r2").await;
        assert_eq!(it.objects("transfer").len(), 1);
        agrees(it, &operator).await;
    }

    async fn the_operators_balance_leaves_by_itself_and_becomes_rows(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let operator = it.app.operator().await;
        for key in ["k1", "k2"] {
            it.app.order(&buyer, &sale, key, Some("pm_card_visa")).await.expect(201);
            it.advance(Duration::days(3)).await;
        }
        let sent = it.objects("payout");
        let rows = automatic(it).await;
        let told: Vec<Value> =
            rows.iter().map(|row| json!([row.processor_ref, row.amount_minor, row.organization_id])).collect();
        let theirs: Vec<Value> = sent.iter().map(|one| json!([one["id"], one["amount"], operator.id])).collect();
        assert_eq!((told.len(), &told), (2, &theirs));
        assert!(rows.iter().all(|row| row.state == PayoutState::Paid));
        assert_eq!(balance(it, Account::ProcessorInTransit).await, 2 * 1_680);
        assert_eq!(balance(it, Account::ProcessorReserve).await, 0, "what was held for a payout is free again");
        it.advance(Duration::days(3)).await;
        for (row, theirs) in automatic(it).await.iter().zip(it.objects("payout")) {
            assert_eq!(row.trace_ref.as_deref(), theirs["trace_id"]["value"].as_str());
            assert_eq!(row.arrival_at.map(|at| at.0.unix_timestamp()), theirs["arrival_date"].as_i64());
            assert_eq!(row.is_itemised, Some(true));
        }
        agrees(it, &operator).await;
    }

    async fn a_payout_that_nobody_can_have_is_an_exception_until_somebody_operates(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        for key in ["k1", "k2"] {
            it.app.order(&buyer, &sale, key, Some("pm_card_visa")).await.expect(201);
            it.advance(Duration::days(3)).await;
        }
        assert_eq!(it.objects("payout").len(), 2);
        assert_eq!(automatic(it).await.len(), 0);
        assert_eq!(balance(it, Account::ProcessorInTransit).await, 2 * 1_680, "its line is booked all the same");
        it.advance(Duration::hours(2)).await;
        let open = || exception::Entity::find().filter(exception::Column::Class.eq(ExceptionClass::PayoutWithoutOperator));
        let found = open().all(it.app.app.db.read()).await.expect("reads");
        assert_eq!(found.iter().map(|row| (row.amount_minor, row.state)).collect::<Vec<_>>(), [(1_680, ExceptionState::Open); 2]);
        let operator = it.app.operator().await;
        it.advance(Duration::hours(2)).await;
        let rows = automatic(it).await;
        assert!(rows.iter().all(|row| (row.organization_id, row.state, row.amount_minor) == (operator.id, PayoutState::Paid, 1_680)));
        assert_eq!(rows.len(), 2);
        let found = open().all(it.app.app.db.read()).await.expect("reads");
        assert!(found.iter().all(|row| row.state == ExceptionState::Resolved), "{found:?}");
        let listed = it.app.as_org(&operator, "GET", "/api/v1/payouts").send().await.expect(200).json();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(2));
        agrees(it, &operator).await;
    }

    async fn an_account_whose_news_was_lost_is_asked_about(it) {
        let (provider, waiting) = (it.app.provider().await, it.app.provider().await);
        let account = it.onboard(&provider).await;
        let path = "/api/v1/settlement/payout-account";
        let body = json!({"return_url": "https://rivers.example/back"});
        it.app.as_org(&waiting, "POST", &format!("{path}/onboarding")).json(&body).send().await.expect(200);
        it.advance(Duration::minutes(2)).await;
        it.twin.set_endpoints(Vec::new());
        let of = async |org: &TestOrg| {
            let row = payout_account::Entity::find_by_id(org.id).one(it.app.app.db.read()).await.expect("reads");
            row.expect("noted").transfers_active
        };
        assert_eq!((of(&provider).await, of(&waiting).await), (true, false));
        let unknown = organization::Entity::find_by_id(waiting.id).one(it.app.app.db.read()).await.expect("reads");
        let theirs = unknown.and_then(|row| row.processor_account).expect("opened");
        it.world(&format!("accounts/{theirs}/standing"), &json!({"standing": "complete"}));
        it.world(&format!("accounts/{account}/standing"), &json!({"standing": "restricted"}));
        it.advance(Duration::minutes(31)).await;
        assert_eq!((of(&provider).await, of(&waiting).await), (true, true), "who waits is asked about often");
        it.advance(Duration::hours(6)).await;
        assert_eq!((of(&provider).await, of(&waiting).await), (false, true));
    }

    async fn a_share_moves_only_to_an_account_that_was_heard_of_within_the_hour(it) {
        let provider = it.app.provider().await;
        let account = it.onboard(&provider).await;
        it.twin.set_endpoints(Vec::new());
        it.world(&format!("accounts/{account}/standing"), &json!({"standing": "restricted"}));
        let ready = async || payout_accounts::require_active(&it.app.app, provider.id).await.expect("reads");
        assert!(ready().await.is_ok(), "nobody was told yet");
        it.app.advance(Duration::minutes(61));
        let refused = ready().await.expect_err("asked anew");
        assert!(matches!(refused, PaymentsError::Refused { ref code, .. } if code == "account_not_ready"), "{refused}");
        it.world(&format!("accounts/{account}/standing"), &json!({"standing": "complete"}));
        assert!(ready().await.is_ok(), "a no is asked about at once");
    }

    async fn a_payout_that_the_bank_sends_back_goes_with_the_next_one(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let operator = it.app.operator().await;
        it.world("payouts/fail_next", &json!({"code": "account_closed"}));
        it.app.order(&buyer, &sale, "k1", Some("pm_card_visa")).await.expect(201);
        it.advance(Duration::days(5)).await;
        let states: Vec<PayoutState> = automatic(it).await.iter().map(|row| row.state).collect();
        assert_eq!(states, [PayoutState::Failed, PayoutState::Paid]);
        assert_eq!(balance(it, Account::ProcessorInTransit).await, 1_680);
        let failed = automatic(it).await[0].id;
        let path = format!("/api/v1/payouts/{failed}/retry");
        it.app.as_org(&operator, "POST", &path).send().await.expect(409);
        agrees(it, &operator).await;
    }

    async fn a_run_for_the_operator_alone_is_refused_with_a_sentence(it) {
        let operator = it.app.operator().await;
        let body = |who: &str| json!({"currency": "EUR", "minimum_minor": 1, "recipients": who});
        let ask = async |who: &str| {
            let request = it.app.as_org(&operator, "POST", "/api/v1/payout-runs").header("idempotency-key", who);
            request.json(&body(who)).send().await
        };
        let refused = ask("operator").await.expect(422);
        assert!(refused.text().contains("by itself"), "{}", refused.text());
        assert_eq!(ask("both").await.expect(201).json()["payouts"], json!([]));
    }

    async fn a_refund_after_the_payout_takes_the_share_back(it) {
        let paid = PaidOut::new(it).await;
        let path = format!("/api/v1/orders/{}/refunds/issue", paid.order);
        let request = it.app.as_org(&paid.operator, "POST", &path).header("idempotency-key", "f1");
        request.json(&json!({"reason": "We are sorry."})).send().await.expect(201);
        it.advance(Duration::minutes(10)).await;
        // The reversal is a refund too, on the provider's account.
        let refunds: Vec<Value> = it.objects("refund").into_iter().filter(|one| one["charge"] == paid.charge(it)).collect();
        assert_eq!(refunds.iter().map(|one| one["amount"].clone()).collect::<Vec<_>>(), [json!(10_001)]);
        let reversals = it.objects("transfer_reversal");
        assert_eq!(reversals.iter().map(|one| one["amount"].clone()).collect::<Vec<_>>(), [json!(8_001)]);
        assert_eq!(balance(it, Account::ProviderReceivable(paid.sale.provider.id)).await, 0);
        agrees(it, &paid.operator).await;
    }

    async fn a_reversal_without_an_answer_for_a_day_is_looked_for_and_not_made_again(it) {
        let paid = PaidOut::new(it).await;
        let path = format!("/api/v1/orders/{}/refunds/issue", paid.order);
        // Every answer is lost, though the first request took the money.
        let lost = Fault { times: u32::MAX, ..Fault::first(FaultKind::ResetAfterCommit, "POST", "/v1/transfers/*/reversals") };
        it.twin.set_faults(vec![lost]);
        let request = it.app.as_org(&paid.operator, "POST", &path).header("idempotency-key", "f1");
        request.json(&json!({"amount_minor": 1_000, "reason": "We are sorry."})).send().await.expect(201);
        it.app.run_jobs().await;
        let taken = || it.objects("transfer_reversal").iter().map(|one| one["amount"].clone()).collect::<Vec<_>>();
        assert_eq!(taken(), [json!(800)]);
        it.twin.set_faults(Vec::new());
        // A part is left of the transfer, so under a key that Stripe has forgotten it would give more.
        it.step(Duration::hours(25)).await;
        it.advance(Duration::minutes(10)).await;
        assert_eq!(taken(), [json!(800)]);
        assert_eq!(balance(it, Account::ProviderReceivable(paid.sale.provider.id)).await, 0);
        agrees(it, &paid.operator).await;
    }

    async fn a_dispute_that_is_won_gives_the_share_again(it) {
        let paid = PaidOut::new(it).await;
        let dispute = it.world(&format!("charges/{}/dispute", paid.charge(it)), &json!({}));
        let dispute = dispute["id"].as_str().expect("an id").to_owned();
        it.advance(Duration::minutes(10)).await;
        assert_eq!(balance(it, Account::DisputeHold).await, 10_001);
        agrees(it, &paid.operator).await;
        it.world(&format!("disputes/{dispute}/resolve"), &json!({"won": true}));
        it.advance(Duration::minutes(10)).await;
        assert_eq!(balance(it, Account::DisputeHold).await, 0);
        it.advance(EIGHT_DAYS).await;
        run(it, &paid.operator, "r2").await;
        let account = Account::ProviderPayable(paid.sale.provider.id);
        assert_eq!(balance(it, account).await, 0, "the share is paid out again");
        agrees(it, &paid.operator).await;
    }

    async fn a_dispute_that_is_lost_costs_the_provider_its_share(it) {
        let paid = PaidOut::new(it).await;
        let dispute = it.world(&format!("charges/{}/dispute", paid.charge(it)), &json!({}));
        let dispute = dispute["id"].as_str().expect("an id").to_owned();
        it.advance(Duration::minutes(10)).await;
        it.world(&format!("disputes/{dispute}/resolve"), &json!({"won": false}));
        it.advance(Duration::minutes(10)).await;
        assert_eq!(balance(it, Account::DisputeHold).await, 0);
        assert_eq!(balance(it, Account::ProviderReceivable(paid.sale.provider.id)).await, 0);
        let reversals = it.objects("transfer_reversal");
        assert_eq!(reversals.iter().filter_map(|one| one["amount"].as_i64()).sum::<i64>(), 8_001);
        agrees(it, &paid.operator).await;
    }

    async fn a_charge_that_is_captured_in_the_background_is_booked_when_its_line_comes(it) {
        it.world("capture_delay", &json!({"seconds": 3}));
        let paid = PaidOut::new(it).await;
        assert_eq!(balance(it, Account::ClearingPayment).await, 0);
        let transfers = it.objects("transfer");
        assert_eq!(transfers.iter().map(|one| one["amount"].clone()).collect::<Vec<_>>(), [json!(8_001)]);
        agrees(it, &paid.operator).await;
    }

    async fn what_stripe_demands_of_a_provider_is_shown_and_followed(it) {
        let provider = it.app.provider().await;
        let path = "/api/v1/settlement/payout-account";
        let before = it.app.as_org(&provider, "GET", path).send().await.expect(200);
        assert_eq!(before.str("/state"), "none");
        let account = it.onboard(&provider).await;
        let active = it.app.as_org(&provider, "GET", path).send().await.expect(200);
        assert_eq!(active.str("/state"), "active");
        it.world(&format!("accounts/{account}/standing"), &json!({"standing": "restricted"}));
        it.deliver().await;
        let stopped = it.app.as_org(&provider, "GET", path).send().await.expect(200);
        assert_eq!(stopped.str("/state"), "needs_information");
    }
}
