//! One exchange with its parties, and what each step does to it.

use entity::{
    Timestamp,
    ids::{OrderId, PaymentId},
    payment, payout, refund, reversal, sandbox_object,
    states::{
        DisputeState, PaymentState, PayoutRecipient, PayoutState, RefundState, ReversalState, Role, WriteOffState,
    },
    write_off,
};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde_json::{Value, json};
use time::Duration;
use torv::{
    base::Money,
    db::Tx,
    settlement::{bank, documents, holds, payouts, processor, reversals},
};

use super::step::Step;
use crate::{
    after_sale::{disputes_of, refunds_of},
    plans::accepted_bundle,
    settlement::statement_of,
    support::{Answer, Delivery, ForSale, TestApp, TestOrg, charge_of, one_off, sales::money},
};

pub const CURRENCIES: [&str; 3] = ["EUR", "JPY", "KWD"];
/// What an order is paid with.
const METHODS: [&str; 8] = [
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_refund_fails",
    "pm_card_delayed",
    "pm_card_delayed_decline",
    "pm_card_declined",
    "pm_card_timeout",
];

/// A sale that something can happen to.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub order: OrderId,
    pub payment: PaymentId,
    pub gross: Money,
    /// Who sold it alone; nobody for a bundle.
    seller: Option<usize>,
}

/// A request that was taken, to be sent once more.
#[derive(Debug, Clone)]
struct Sent {
    token: String,
    path: String,
    key: String,
    body: Value,
    answered: Value,
}

pub struct World {
    pub app: TestApp,
    providers: Vec<TestOrg>,
    buyer: TestOrg,
    operator: TestOrg,
    /// Two people of the operator.
    people: [String; 2],
    offers: Vec<(ForSale, Option<usize>)>,
    pub sold: Vec<Known>,
    sent: Vec<Sent>,
    webhooks: Vec<String>,
    statements: Vec<Vec<u8>>,
    bank_minor: i64,
    told_payouts: Vec<String>,
    /// What the bank sent back, by the processor's reference: it does so once.
    returned: Vec<String>,
    taken: usize,
}

/// An answer that no refusal explains.
type Outcome = Result<String, String>;

fn chosen<T>(all: &[T], number: u64) -> Option<&T> {
    let count = u64::try_from(all.len()).ok().filter(|count| *count > 0)?;
    all.get(usize::try_from(number % count).ok()?)
}

fn currency(number: u64) -> &'static str {
    chosen(&CURRENCIES, number).expect("there are three")
}

impl World {
    /// Three providers with a bundle between them, the first of whom may bear the processor's fee of what it sells alone.
    pub async fn new(app: TestApp, filled: bool, bears_fees: bool) -> Self {
        let operator = app.operator().await;
        let (providers, bundle) = accepted_bundle(&app, 10_001).await;
        let buyer = app.buyer().await;
        let plain = app.also_for_sale(&providers[0], &bundle.listing, &one_off(10_101)).await;
        let bearer = if bears_fees { "provider" } else { "operator" };
        let rule = json!({"operator_bps": 1_500, "offer_kind": "one_off", "fee_bearer": bearer});
        let made = app.as_org(&operator, "POST", "/api/v1/fee-rules").header("idempotency-key", "rule").json(&rule);
        made.send().await.expect(201);
        let people = [app.owner(&operator).await, app.member(&operator, Role::Finance).await];
        app.open_bank_account(&operator).await;
        if filled {
            // Money of the operator that nobody is owed, so that refunds have something to leave from.
            let other = app.provider().await;
            for code in CURRENCIES {
                app.sell(&other, &buyer, money(50_000_000, code)).await;
            }
        }
        app.advance(Duration::days(3));
        app.run_jobs().await;
        Self {
            app,
            providers,
            buyer,
            operator,
            people,
            offers: vec![(bundle, None), (plain, Some(0))],
            sold: Vec::new(),
            sent: Vec::new(),
            webhooks: Vec::new(),
            statements: Vec::new(),
            bank_minor: 0,
            told_payouts: Vec::new(),
            returned: Vec::new(),
            taken: 0,
        }
    }

    fn sale(&self, number: u64) -> Option<Known> {
        chosen(&self.sold, number).copied()
    }

    fn part_of(sold: &Known, part: u64) -> Option<i64> {
        let part = i64::try_from(part).expect("small");
        (part < 1_000).then(|| (sold.gross.minor / 1_000 * part + sold.gross.minor % 1_000 * part / 1_000).max(1))
    }

    /// Takes a step; what is refused for where things stand is refused, and changes nothing.
    pub async fn take(&mut self, step: Step) -> Outcome {
        self.taken += 1;
        // Ids follow time: nothing of two steps happens at the same moment.
        self.app.advance(Duration::milliseconds(10));
        match step {
            Step::Sell { provider, currency: of, minor } => {
                let place = usize::try_from(provider % 3).expect("small");
                let gross = money(minor, currency(of));
                let sold = self.app.sell(&self.providers[place], &self.buyer, gross).await;
                self.sold.push(Known { order: sold.order, payment: sold.payment, gross, seller: Some(place) });
                Ok(format!("sold for {gross}"))
            }
            Step::Order { offer, method } => self.order(offer, method).await,
            Step::Refund { sale, part, by_provider } => self.refund(sale, part, by_provider).await,
            Step::Ask { sale, part } => self.ask(sale, part).await,
            Step::Decide { sale, approves } => self.decide(sale, approves).await,
            Step::Appeal { sale } => self.appeal(sale).await,
            Step::Dispute { sale, part, is_warning } => self.dispute(sale, part, is_warning).await,
            Step::EndDispute { sale, how } => self.end_dispute(sale, how).await,
            Step::ReturnRefund { sale } => self.return_refund(sale).await,
            Step::Drain { provider, currency: of, minor } => {
                let provider = chosen(&self.providers, provider).expect("three").id;
                let account = self.app.app.payments.open_account(provider, "DK").await.expect("opens");
                self.app.sandbox.withdraw(&account, money(minor, currency(of))).await.expect("takes out");
                Ok(String::new())
            }
            Step::PayOut { currency: of, minimum_minor, recipients } => {
                let who = ["providers", "providers", "operator", "both"];
                self.pay_out(of, minimum_minor, chosen(&who, recipients).expect("four")).await
            }
            Step::Retry { payout } => self.retry(payout).await,
            Step::PayoutReturned { payout } => self.payout_returned(payout).await,
            Step::Line { kind, currency: of, minor } => self.line(kind, money(minor, currency(of))).await,
            Step::AskWriteOff { part } => self.ask_write_off(part).await,
            Step::DecideWriteOff { agrees } => self.decide_write_off(agrees).await,
            Step::Statement { kind, minor } => self.statement(kind, minor).await,
            Step::Wait { hours } => {
                self.app.advance(Duration::hours(hours));
                // Invoices are a day late at most, whatever else waits.
                documents::issue_due(&self.app.app).await.map_err(|error| error.to_string())?;
                Ok(String::new())
            }
            Step::Webhooks { how, seed } => {
                let how = match how % 4 {
                    0 => Delivery::InOrder,
                    1 => Delivery::Reversed,
                    2 => Delivery::Shuffled { seed, copies: 2 },
                    _ => Delivery::Lossy { seed, percent: 40 },
                };
                self.keep_webhooks().await;
                self.app.deliver_webhooks(how).await;
                Ok(format!("{how:?}"))
            }
            Step::Sweep { which } => self.sweep(which).await,
            Step::Work => {
                self.app.sandbox.tick().await.map_err(|error| error.to_string())?;
                self.app.run_jobs().await;
                Ok(String::new())
            }
            Step::Again { what, which } => self.again(what, which).await,
        }
    }

    fn key(&self) -> String {
        format!("step-{}", self.taken)
    }

    /// A POST with a key of its own, which is kept to be sent again when it was taken.
    async fn post(&mut self, token: &str, path: String, body: Value, fine: &[u16]) -> Result<Answer, String> {
        let key = self.key();
        let request = self.app.request("POST", &path).bearer(token).header("idempotency-key", &key);
        let answer = request.json(&body).send().await;
        if answer.status == 201 {
            let (token, path, answered) = (token.to_owned(), path, answer.json());
            self.sent.push(Sent { token, path, key, body, answered });
            return Ok(answer);
        }
        if fine.contains(&answer.status) {
            return Ok(answer);
        }
        Err(format!("{path} answered {}: {}", answer.status, answer.text()))
    }

    async fn order(&mut self, offer: u64, method: u64) -> Outcome {
        let (offer, seller) = chosen(&self.offers, offer).expect("two").clone();
        let method = chosen(&METHODS, method).expect("eight");
        let (token, body) = (self.buyer.key.clone(), offer.order_in(Some(method)));
        // What the card or the processor's silence refuses leaves an order that waits; it is known all the same.
        let answer = self.post(&token, "/api/v1/orders".to_owned(), body, &[402, 503]).await?;
        let orders = entity::order::Entity::find().filter(entity::order::Column::BuyerId.eq(self.buyer.id));
        let newest = orders.order_by_desc(entity::order::Column::CreatedAt).one(self.app.app.db.read()).await;
        let order = newest.expect("reads").ok_or_else(|| "no order".to_owned())?.id;
        let paid = payment::Entity::find().filter(payment::Column::OrderId.eq(order)).one(self.app.app.db.read()).await;
        let payment = paid.expect("reads").ok_or_else(|| "an order without a payment".to_owned())?;
        let gross = money(payment.amount_minor, &payment.currency);
        self.sold.push(Known { order, payment: payment.id, gross, seller });
        Ok(format!("{order} by {method}: {}", answer.status))
    }

    async fn refund(&mut self, sale: u64, part: u64, by_provider: bool) -> Outcome {
        let Some(sold) = self.sale(sale) else { return Ok("nothing sold".to_owned()) };
        let body = json!({"amount_minor": Self::part_of(&sold, part), "reason": "We are sorry."});
        let by = sold.seller.filter(|_| by_provider).map_or(&self.operator, |seller| &self.providers[seller]);
        let token = by.key.clone();
        let answer = self.post(&token, format!("/api/v1/orders/{}/refunds/issue", sold.order), body, &[409]).await?;
        Ok(format!("{:?} of {}: {}", Self::part_of(&sold, part), sold.gross, answer.status))
    }

    async fn ask(&mut self, sale: u64, part: u64) -> Outcome {
        let Some(sold) = self.sale(sale) else { return Ok("nothing sold".to_owned()) };
        let body = json!({"amount_minor": Self::part_of(&sold, part), "reason": "Half of it is missing."});
        let token = self.buyer.key.clone();
        let answer = self.post(&token, format!("/api/v1/orders/{}/refunds", sold.order), body, &[409]).await?;
        Ok(format!("{:?} of {}: {}", Self::part_of(&sold, part), sold.gross, answer.status))
    }

    /// A refund of a sale that waits for somebody's answer, or of any sale if that one has none.
    async fn asked(&self, sale: u64, states: &[RefundState]) -> Option<refund::Model> {
        let rows = refund::Entity::find().filter(refund::Column::State.is_in(states.iter().copied()));
        let rows = rows.order_by_asc(refund::Column::Id).all(self.app.app.db.read()).await.expect("reads");
        chosen(&rows, sale).cloned()
    }

    async fn decide(&mut self, sale: u64, approves: bool) -> Outcome {
        let Some(row) = self.asked(sale, &[RefundState::Requested, RefundState::Escalated]).await else {
            return Ok("nothing asked".to_owned());
        };
        let seller = self.sold.iter().find(|sold| sold.order == row.order_id).and_then(|sold| sold.seller);
        let who = seller.filter(|_| row.state == RefundState::Requested).map(|seller| &self.providers[seller]);
        let what = if approves { "approve" } else { "decline" };
        let request =
            self.app.as_org(who.unwrap_or(&self.operator), "POST", &format!("/api/v1/refunds/{}/{what}", row.id));
        let answer = request.json(&json!({"note": "We have looked into it."})).send().await;
        if matches!(answer.status, 200 | 409) { Ok(format!("{what}: {}", answer.status)) } else { Err(answer.text()) }
    }

    async fn appeal(&mut self, sale: u64) -> Outcome {
        let Some(row) = self.asked(sale, &[RefundState::Declined]).await else { return Ok("none declined".to_owned()) };
        let request = self.app.as_org(&self.buyer, "POST", &format!("/api/v1/refunds/{}/appeal", row.id));
        let answer = request.json(&json!({"note": "Please look again."})).send().await;
        if matches!(answer.status, 200 | 409) { Ok(answer.status.to_string()) } else { Err(answer.text()) }
    }

    async fn dispute(&mut self, sale: u64, part: u64, is_warning: bool) -> Outcome {
        let Some(sold) = self.sale(sale) else { return Ok("nothing sold".to_owned()) };
        let charge = self.app.app.payments.find_charge(sold.payment, None).await.expect("answers");
        let captured = charge.is_some_and(|charge| charge.state == torv::ports::payments::ChargeState::Captured);
        if !captured || !disputes_of(&self.app, sold.order).await.is_empty() {
            return Ok("not to be disputed".to_owned());
        }
        let amount = Money::new(Self::part_of(&sold, part).unwrap_or(sold.gross.minor), sold.gross.currency);
        self.app
            .sandbox
            .dispute(&charge_of(sold.payment), amount, is_warning)
            .await
            .map_err(|error| error.to_string())?;
        self.keep_webhooks().await;
        self.app.deliver_webhooks(Delivery::InOrder).await;
        Ok(format!("{amount} of {}", sold.gross))
    }

    async fn end_dispute(&mut self, sale: u64, how: u64) -> Outcome {
        let rows = entity::dispute::Entity::find()
            .filter(entity::dispute::Column::State.eq(DisputeState::NeedsResponse))
            .order_by_asc(entity::dispute::Column::Id)
            .all(self.app.app.db.read())
            .await
            .expect("reads");
        let Some(row) = chosen(&rows, sale) else { return Ok("no dispute".to_owned()) };
        if how % 5 == 4 {
            let request = self.app.as_org(&self.operator, "POST", &format!("/api/v1/disputes/{}/accept", row.id));
            let answer = request.send().await;
            return if matches!(answer.status, 200 | 409) { Ok("given up".to_owned()) } else { Err(answer.text()) };
        }
        let is_won = how.is_multiple_of(2);
        self.app.sandbox.decide_dispute(&row.processor_ref, is_won).await.map_err(|error| error.to_string())?;
        Ok(format!("won: {is_won}"))
    }

    async fn return_refund(&mut self, sale: u64) -> Outcome {
        let Some(sold) = self.sale(sale) else { return Ok("nothing sold".to_owned()) };
        let rows = refunds_of(&self.app, sold.order).await;
        let Some(at_bank) = rows.iter().find_map(|row| row.processor_ref.clone()) else {
            return Ok("none sent".to_owned());
        };
        self.app.sandbox.return_refund(&at_bank).await.map_err(|error| error.to_string())?;
        Ok(format!("{at_bank} comes back"))
    }

    async fn pay_out(&mut self, of: u64, minimum_minor: i64, recipients: &str) -> Outcome {
        let body = json!({"currency": currency(of), "minimum_minor": minimum_minor, "recipients": recipients});
        let token = self.operator.key.clone();
        let answer = self.post(&token, "/api/v1/payout-runs".to_owned(), body, &[]).await?;
        Ok(format!("{} payouts", answer.json()["payouts"].as_array().map_or(0, Vec::len)))
    }

    async fn payouts_in(&self, state: PayoutState, of: Option<PayoutRecipient>) -> Vec<payout::Model> {
        let mut query = payout::Entity::find().filter(payout::Column::State.eq(state));
        if let Some(recipient) = of {
            query = query.filter(payout::Column::Recipient.eq(recipient));
        }
        query.order_by_asc(payout::Column::Id).all(self.app.app.db.read()).await.expect("reads")
    }

    async fn retry(&mut self, payout: u64) -> Outcome {
        let failed = self.payouts_in(PayoutState::Failed, None).await;
        let Some(row) = chosen(&failed, payout) else { return Ok("none failed".to_owned()) };
        let request = self.app.as_org(&self.operator, "POST", &format!("/api/v1/payouts/{}/retry", row.id));
        let answer = request.send().await;
        if matches!(answer.status, 200 | 409) { Ok(answer.status.to_string()) } else { Err(answer.text()) }
    }

    async fn payout_returned(&mut self, payout: u64) -> Outcome {
        let paid = self.payouts_in(PayoutState::Paid, Some(PayoutRecipient::Operator)).await;
        let Some(row) = chosen(&paid, payout) else { return Ok("none paid".to_owned()) };
        let source = row.processor_ref.clone().unwrap_or_default();
        if self.returned.contains(&source) {
            return Ok("it came back before".to_owned());
        }
        self.returned.push(source.clone());
        let amount = money(row.amount_minor, &row.currency);
        self.tell_line("payout_failure", amount, &source, Some(row.id.to_string())).await;
        Ok(format!("{amount} comes back"))
    }

    async fn line(&mut self, kind: u64, amount: Money) -> Outcome {
        let out = Money::new(-amount.minor, amount.currency);
        let (kind, amount) = match kind % 6 {
            0 | 1 => ("fee", out),
            2 => ("payout", out),
            3 => ("reserve", out),
            4 => ("reserve", amount),
            _ => ("strange-word!", amount),
        };
        let source = format!("by_itself_{}", self.taken);
        self.tell_line(kind, amount, &source, None).await;
        Ok(format!("{kind} of {amount}"))
    }

    /// Puts a line on the processor's balance.
    async fn tell_line(&self, kind: &'static str, amount: Money, source: &str, our_ref: Option<String>) {
        let now = Timestamp(self.app.clock.now());
        let row = sandbox_object::ActiveModel {
            id: Set(format!("txn_walk_{}", self.taken)),
            kind: Set("line".to_owned()),
            idempotency_key: Set(None),
            parent: Set(Some(source.to_owned())),
            state: Set(kind.to_owned()),
            amount_minor: Set(amount.minor),
            fee_minor: Set(0),
            currency: Set(amount.currency.code().to_owned()),
            available_at: Set(now),
            body: Set(json!({ "our_ref": our_ref })),
            created_at: Set(now),
        };
        self.app
            .write(async move |tx: &Tx| {
                sandbox_object::Entity::insert(row).exec_without_returning(tx.conn()).await.expect("inserts");
            })
            .await;
    }

    async fn ask_write_off(&mut self, part: u64) -> Outcome {
        let refused = reversal::Entity::find().filter(reversal::Column::State.eq(ReversalState::Refused));
        let refused = refused.order_by_asc(reversal::Column::Id).all(self.app.app.db.read()).await.expect("reads");
        let Some(row) = chosen(&refused, part) else { return Ok("no debt".to_owned()) };
        let minor = (part < 1_000).then_some((row.amount_minor / 2).max(1));
        let body = json!({
            "organization_id": row.organization_id, "order_id": row.order_id, "amount_minor": minor, "reason": "Wound up."
        });
        let token = self.people[0].clone();
        let answer = self.post(&token, "/api/v1/write-offs".to_owned(), body, &[409]).await?;
        Ok(answer.status.to_string())
    }

    async fn decide_write_off(&mut self, agrees: bool) -> Outcome {
        let asked = write_off::Entity::find().filter(write_off::Column::State.eq(WriteOffState::Asked));
        let Some(row) = asked.one(self.app.app.db.read()).await.expect("reads") else {
            return Ok("nothing asked".to_owned());
        };
        let what = if agrees { "approve" } else { "decline" };
        let path = format!("/api/v1/write-offs/{}/{what}", row.id);
        let answer = self.app.request("POST", &path).bearer(&self.people[1]).json(&json!({})).send().await;
        if matches!(answer.status, 200 | 409) { Ok(answer.status.to_string()) } else { Err(answer.text()) }
    }

    /// A statement with one line: a payout in full or with a cent too much, somebody's money, or the bank's charge.
    async fn statement(&mut self, kind: u64, minor: i64) -> Outcome {
        let paid = self.payouts_in(PayoutState::Paid, Some(PayoutRecipient::Operator)).await;
        let paid =
            paid.into_iter().find(|row| row.currency == "EUR" && !self.told_payouts.contains(&row.id.to_string()));
        let (amount, text) = match (kind % 5, paid) {
            (0..=2, Some(row)) => {
                self.told_payouts.push(row.id.to_string());
                (row.amount_minor + i64::from(kind % 5 == 2), format!("Payout {}", row.id))
            }
            (3, _) => (-minor.min(500), "Account fee".to_owned()),
            _ => (minor, format!("Thank you {}", self.taken)),
        };
        let day = self.app.clock.now().date();
        let file = statement_of(self.bank_minor, day, amount, &format!("W{}", self.taken), &text);
        let answer = self.app.import_statement(&self.operator, file.clone()).await;
        if answer.status != 201 {
            return Err(answer.text());
        }
        self.bank_minor += amount;
        self.statements.push(file);
        Ok(format!("{amount}: {text}"))
    }

    async fn sweep(&mut self, which: u64) -> Outcome {
        let app = &self.app.app;
        let (name, outcome) = match which % 9 {
            0 => ("import", processor::import_transactions(app).await),
            1 => ("funds", processor::book_available_funds(app).await),
            2 => ("holds", holds::end_holds(app).await),
            3 => ("debts", reversals::ask_for_debts(app).await),
            4 => ("reversals", reversals::submit_reversals(app).await),
            5 => ("payouts", payouts::submit_payouts(app).await),
            6 => ("bank", bank::matching::book_lines(app).await),
            7 => ("fees", torv::settlement::fee_shares::book_fee_shares(app).await),
            _ => ("seal", torv::ledger::seal::seal_new_entries(app).await),
        };
        outcome.map(|done| format!("{name}: {done}")).map_err(|error| format!("{name}: {error}"))
    }

    async fn keep_webhooks(&mut self) {
        let due = self.app.due_webhooks().await;
        self.webhooks.extend(due.into_iter().map(|webhook| webhook.body));
    }

    /// How many rows there are of everything that a repetition must not make.
    async fn made(&self) -> [u64; 7] {
        use sea_orm::PaginatorTrait as _;
        let conn = self.app.app.db.read();
        [
            entity::order::Entity::find().count(conn).await.expect("counts"),
            entity::grant::Entity::find().count(conn).await.expect("counts"),
            refund::Entity::find().count(conn).await.expect("counts"),
            payout::Entity::find().count(conn).await.expect("counts"),
            write_off::Entity::find().count(conn).await.expect("counts"),
            entity::order_reduction::Entity::find().count(conn).await.expect("counts"),
            entity::ledger_entry::Entity::find().count(conn).await.expect("counts"),
        ]
    }

    async fn again(&mut self, what: u64, which: u64) -> Outcome {
        match what % 4 {
            0 | 1 => self.request_again(which).await,
            2 => self.webhooks_again(which).await,
            _ => self.sources_again(which).await,
        }
    }

    async fn request_again(&mut self, which: u64) -> Outcome {
        let Some(sent) = chosen(&self.sent, which).cloned() else { return Ok("nothing sent".to_owned()) };
        // What waits to be handed over is handed over first: a repetition may do that, and only that.
        torv::trade::refunds::submit_refunds(&self.app.app).await.map_err(|error| error.to_string())?;
        let before = self.made().await;
        let request = self.app.request("POST", &sent.path).bearer(&sent.token).header("idempotency-key", &sent.key);
        let answer = request.json(&sent.body).send().await;
        // An order that was not paid yet may be waited for a second time.
        let same = matches!(answer.status, 200..300) && {
            let (now, then) = (answer.json(), &sent.answered);
            now["id"] == then["id"] && now["run_id"] == then["run_id"]
        };
        let after = self.made().await;
        if !same || before != after {
            let (status, text) = (answer.status, answer.text());
            return Err(format!(
                "I10 replay: {} again made {before:?} {after:?}, and answered {status}: {text}",
                sent.path
            ));
        }
        Ok(sent.path)
    }

    async fn webhooks_again(&mut self, which: u64) -> Outcome {
        let Some(body) = chosen(&self.webhooks, which).cloned() else { return Ok("none came".to_owned()) };
        // The first one may have been lost, and this one is news then.
        self.app.post_event(&body).await.expect(204);
        torv::trade::payments::handle_inbox(&self.app.app).await.map_err(|error| error.to_string())?;
        let before = self.made().await;
        for _ in 0..2 {
            self.app.post_event(&body).await.expect(204);
        }
        torv::trade::payments::handle_inbox(&self.app.app).await.map_err(|error| error.to_string())?;
        let after = self.made().await;
        if before != after {
            return Err(format!("I10 replay: a webhook again made {before:?} {after:?}: {body}"));
        }
        Ok(body)
    }

    async fn sources_again(&mut self, which: u64) -> Outcome {
        processor::import_transactions(&self.app.app).await.map_err(|error| error.to_string())?;
        let before = self.made().await;
        let again = processor::import_transactions(&self.app.app).await.map_err(|error| error.to_string())?;
        let mut lines = 0;
        if let Some(file) = chosen(&self.statements, which).cloned() {
            let answer = self.app.import_statement(&self.operator, file).await;
            lines = if answer.status == 201 { answer.json()["lines_new"].as_i64().unwrap_or(-1) } else { -1 };
        }
        let after = self.made().await;
        if again != 0 || lines != 0 || before != after {
            return Err(format!("I10 replay: lines and statements again: {again}, {lines}, {before:?} {after:?}"));
        }
        Ok(String::new())
    }

    /// Lets everything come to its end: banks decide, requests are answered, and all money is where it belongs.
    pub async fn settle(&mut self) -> Outcome {
        for sold in self.sold.clone() {
            for row in disputes_of(&self.app, sold.order).await {
                let end = self.app.sandbox.decide_dispute(&row.processor_ref, row.amount_minor % 2 == 0).await;
                end.map_err(|error| error.to_string())?;
            }
        }
        let other = self.app.provider().await;
        for code in CURRENCIES {
            self.app.sell(&other, &self.buyer, money(90_000_000, code)).await;
        }
        for _ in 0..3 {
            self.app.advance(Duration::days(9));
            self.app.let_time_heal().await;
            while let Some(row) = self.asked(0, &[RefundState::Requested, RefundState::Escalated]).await {
                self.app.advance(Duration::days(8));
                self.app.run_jobs().await;
                let path = format!("/api/v1/refunds/{}/decline", row.id);
                let note = json!({"note": "We have looked into it."});
                self.app.as_org(&self.operator, "POST", &path).json(&note).send().await.expect(200);
            }
            for row in self.payouts_in(PayoutState::Failed, None).await {
                self.app
                    .as_org(&self.operator, "POST", &format!("/api/v1/payouts/{}/retry", row.id))
                    .send()
                    .await
                    .expect(200);
            }
            for of in 0..3 {
                self.taken += 1;
                self.pay_out(of, 1, "providers").await?;
            }
        }
        self.app.let_time_heal().await;
        if let Some(payout) = self.payouts_in(PayoutState::Created, None).await.first() {
            return Err(format!("a payout never left: {payout:?}"));
        }
        let unpaid = payment::Entity::find().filter(payment::Column::State.eq(PaymentState::Processing));
        if let Some(row) = unpaid.one(self.app.app.db.read()).await.expect("reads") {
            return Err(format!("a payment never came to an end: {row:?}"));
        }
        use torv::ledger::{self, Account};
        for code in CURRENCIES {
            for account in
                [Account::ClearingPayment, Account::ClearingRefund, Account::ClearingTransfer, Account::DisputeHold]
            {
                let of = code.parse().expect("in the table");
                let left = ledger::balance(self.app.app.db.read(), &account, of).await.expect("sums");
                if !left.is_zero() {
                    return Err(format!("I8 clearing: when all is over {account} holds {left}"));
                }
            }
        }
        Ok("settled".to_owned())
    }
}
