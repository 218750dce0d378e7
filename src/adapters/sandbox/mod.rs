//! A payment processor in a box: it authorises, captures, declines, charges fees, makes funds wait,
//! pays out, and tells about it by signed webhooks that arrive late, twice and out of order.
//!
//! It is the outside: it keeps its own records in its own tables, in its own transactions, and
//! nothing of the exchange reads them. Money is not real here; everything else behaves as if.

mod book;
mod charges;
mod courier;
mod methods;
mod treasury;
mod webhook;

use async_trait::async_trait;
use entity::ids::{OrgId, PaymentId};
use time::OffsetDateTime;

pub use courier::Courier;
pub use webhook::{SIGNATURE_HEADER, SignedWebhook};

use crate::{
    base::Clock,
    config,
    db::{Db, Gather},
    error::Error,
    ports::payments::{
        Charge, ChargeRequest, Payments, PaymentsError, PayoutRequest, ProcessorBalance, TransactionPage,
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
        book::resolve_due(self, self.clock.now()).await
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
    fn name(&self) -> &'static str {
        "sandbox"
    }

    async fn charge(&self, request: &ChargeRequest) -> Result<Charge, PaymentsError> {
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

    async fn find_charge(&self, payment_id: PaymentId) -> Result<Option<Charge>, PaymentsError> {
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
