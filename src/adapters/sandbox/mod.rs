//! A payment processor in a box: it authorises, captures, declines, charges fees, makes funds wait,
//! pays out, and tells about it by signed webhooks that arrive late, twice and out of order.
//!
//! It is the outside: it keeps its own records in its own tables, in its own transactions, and
//! nothing of the exchange reads them. Money is not real here; everything else behaves as if.

mod accounts;
mod book;
mod charges;
mod courier;
mod disputes;
mod methods;
mod refunds;
mod reversals;
mod saved;
mod treasury;
mod webhook;

use async_trait::async_trait;
use entity::ids::{OrgId, PaymentId};
use time::OffsetDateTime;

pub use courier::Courier;
pub use webhook::{SIGNATURE_HEADER, SignedWebhook};

use crate::{
    base::{Clock, Currency, Money, chargeable::ChargeRules},
    config,
    db::{Db, Gather},
    error::Error,
    limits,
    ports::payments::{
        Charge, ChargeRequest, Dispute, DisputeStage, Evidence, Features, Payments, PaymentsError, PayoutRequest,
        ProcessorBalance, Refund, RefundRequest, ReversalRequest, SaveMethodRequest, SavedMethod, TransactionPage,
        TransferRequest, WebhookEvent,
    },
};

/// The sandbox processor.
pub struct Sandbox {
    db: Db,
    charges: Gather<charges::NewCharge, bool>,
    clock: Clock,
    settings: config::Sandbox,
    /// The first signs; all verify.
    secrets: Vec<config::Secret>,
}

impl Sandbox {
    /// A processor that keeps its records in `db`.
    ///
    /// `secrets` are the webhook secrets: the first signs, all of them verify, so that one can
    /// replace another without a gap.
    pub fn new(db: Db, clock: Clock, settings: config::Sandbox, secrets: Vec<config::Secret>) -> Self {
        Self { charges: charges::start(&db), db, clock, settings, secrets }
    }

    /// Moves on what takes time: charges that were still being processed come to their end.
    /// Returns how many did.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn tick(&self) -> Result<usize, Error> {
        let now = self.clock.now();
        let charges = book::resolve_due(self, now).await?;
        let refunds = refunds::fail_due(self, now).await?;
        Ok(charges + refunds + disputes::decide_due(self, now).await?)
    }

    /// Lets a provider take money out of its account, so that less or nothing can be taken back of it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn withdraw(&self, account: &str, amount: Money) -> Result<(), Error> {
        accounts::withdraw(self, account, amount, self.clock.now()).await
    }

    /// Lets a buyer's bank dispute a charge, in whole or in part; an early warning moves no money.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn dispute(&self, charge_ref: &str, amount: Money, is_warning: bool) -> Result<String, Error> {
        disputes::open(self, charge_ref, amount, is_warning, self.clock.now()).await
    }

    /// Lets the bank decide a dispute.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn decide_dispute(&self, dispute_ref: &str, is_won: bool) -> Result<(), Error> {
        let stage = if is_won { DisputeStage::Won } else { DisputeStage::Lost };
        disputes::advance(self, dispute_ref, stage, self.clock.now()).await.map(|_| ())
    }

    /// Lets the money of a refund come back from the buyer's bank.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn return_refund(&self, refund_ref: &str) -> Result<(), Error> {
        refunds::come_back(self, refund_ref, self.clock.now()).await
    }

    /// Signed webhooks that are due now, each as often as it is to be sent, in the order in which
    /// they are to be sent (shuffled, if so configured).
    ///
    /// # Errors
    /// Those of the database.
    pub async fn due_webhooks(&self) -> Result<Vec<SignedWebhook>, Error> {
        webhook::due(self, self.clock.now()).await
    }

    /// Notes that a webhook was taken, or that it has to be tried again later.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settle_webhook(&self, webhook: &SignedWebhook, taken: bool) -> Result<(), Error> {
        webhook::settle(self, webhook, taken, self.clock.now()).await
    }
}

#[async_trait]
impl Payments for Sandbox {
    fn charge_rules(&self, _: Currency) -> ChargeRules {
        let step_minor = self.settings.charge_step_minor.max(1);
        let max_minor = limits::PRICE_MINOR_MAX - limits::PRICE_MINOR_MAX % step_minor;
        ChargeRules { min_minor: self.settings.charge_min_minor.max(step_minor), max_minor, step_minor }
    }

    fn features(&self) -> Features {
        Features { transfers_per_charge: self.settings.transfers_per_charge, ..Features::default() }
    }

    fn name(&self) -> &'static str {
        "sandbox"
    }

    async fn charge(&self, request: &ChargeRequest) -> Result<Charge, PaymentsError> {
        if let Err(refusal) = self.charge_rules(request.amount.currency).check(request.amount) {
            return Err(PaymentsError::Refused { code: "amount".to_owned(), text: refusal.to_string() });
        }
        let charge = book::charge(self, request, self.clock.now()).await?;
        if request.method == methods::TIMEOUT {
            return Err(PaymentsError::Unknown("no answer within the time limit".to_owned()));
        }
        Ok(charge)
    }

    async fn capture(&self, processor_ref: &str) -> Result<Charge, PaymentsError> {
        book::capture(self, processor_ref, self.clock.now()).await
    }

    async fn void(&self, processor_ref: &str) -> Result<Charge, PaymentsError> {
        book::void(self, processor_ref, self.clock.now()).await
    }

    async fn save_method(&self, request: &SaveMethodRequest) -> Result<SavedMethod, PaymentsError> {
        saved::save(self, request, self.clock.now()).await
    }

    async fn find_charge(&self, payment_id: PaymentId, _known: Option<&str>) -> Result<Option<Charge>, PaymentsError> {
        book::find_charge(self, payment_id).await
    }

    async fn open_account(&self, organization: OrgId, country: &str) -> Result<String, PaymentsError> {
        treasury::open_account(self, organization, country, self.clock.now()).await
    }

    async fn transfer(&self, request: &TransferRequest) -> Result<String, PaymentsError> {
        let out = treasury::Outflow {
            kind: "transfer",
            key: &request.idempotency_key,
            our_ref: &request.our_ref,
            destination: &request.destination,
            amount: request.amount,
        };
        treasury::pay_out(self, out, self.clock.now()).await
    }

    async fn payout(&self, request: &PayoutRequest) -> Result<String, PaymentsError> {
        let out = treasury::Outflow {
            kind: "payout",
            key: &request.idempotency_key,
            our_ref: &request.our_ref,
            destination: "bank",
            amount: request.amount,
        };
        treasury::pay_out(self, out, self.clock.now()).await
    }

    async fn transactions(
        &self,
        since: OffsetDateTime,
        after: Option<&str>,
        limit: u32,
    ) -> Result<TransactionPage, PaymentsError> {
        treasury::transactions(self, since, after, limit).await
    }

    async fn balances(&self) -> Result<Vec<ProcessorBalance>, PaymentsError> {
        treasury::balances(self, self.clock.now()).await
    }

    async fn refund(&self, request: &RefundRequest) -> Result<Refund, PaymentsError> {
        refunds::refund(self, request, self.clock.now()).await
    }

    async fn find_refund(&self, charge_ref: &str, our_ref: &str) -> Result<Option<Refund>, PaymentsError> {
        refunds::find(self, charge_ref, our_ref).await
    }

    async fn reverse(&self, request: &ReversalRequest) -> Result<String, PaymentsError> {
        reversals::reverse(self, request, self.clock.now()).await
    }

    async fn find_reversal(&self, transfer_ref: &str, our_ref: &str) -> Result<Option<String>, PaymentsError> {
        reversals::find(self, transfer_ref, our_ref).await
    }

    async fn disputes(&self, since: OffsetDateTime) -> Result<Vec<Dispute>, PaymentsError> {
        disputes::since(self, since).await
    }

    async fn submit_evidence(&self, dispute_ref: &str, evidence: &Evidence) -> Result<Dispute, PaymentsError> {
        disputes::submit(self, dispute_ref, evidence, self.clock.now()).await
    }

    async fn accept_dispute(&self, dispute_ref: &str) -> Result<Dispute, PaymentsError> {
        disputes::accept(self, dispute_ref, self.clock.now()).await
    }

    fn signature_header(&self) -> &'static str {
        SIGNATURE_HEADER
    }

    fn parse_event(&self, body: &[u8]) -> Result<WebhookEvent, PaymentsError> {
        webhook::parse(body)
    }

    fn read_webhook(&self, signature: &str, body: &[u8], now: OffsetDateTime) -> Result<WebhookEvent, PaymentsError> {
        webhook::read(&self.secrets, signature, body, now)
    }
}

impl From<Error> for PaymentsError {
    fn from(error: Error) -> Self {
        Self::Unknown(error.to_string())
    }
}

impl From<sea_orm::DbErr> for PaymentsError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Unknown(error.to_string())
    }
}
