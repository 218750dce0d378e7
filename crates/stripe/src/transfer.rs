//! Transfers to connected accounts and their reversals: the providers' share, to the cent that we decide.

use std::collections::{BTreeMap, HashMap};

use stripe_connect::transfer as api;
use stripe_connect::transfer_reversal::{CreateIdTransferReversal, ListIdTransferReversal};
use time::OffsetDateTime;

use crate::currency::AmountUse;
use crate::error::GatewayError;
use crate::gateway::{Gateway, ListQuery, api_amount, checked_id};
use crate::read::{Fields, Page, Read, ReadError};

/// A share to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRequest {
    /// ISO 4217 minor units.
    pub amount_minor: i64,
    /// ISO 4217 in upper case; with a source it has to be the *settlement* currency of that charge.
    pub currency: String,
    /// The connected account.
    pub destination: String,
    /// The charge that pays for it: the transfer then succeeds at once and the money moves when the charge's is available.
    /// Without it the available balance has to suffice.
    pub source_charge: Option<String>,
    pub transfer_group: Option<String>,
    pub description: String,
    pub metadata: BTreeMap<String, String>,
}

/// A share that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub id: String,
    pub amount_minor: i64,
    /// The sum of all reversals so far.
    pub amount_reversed_minor: i64,
    pub currency: String,
    pub destination: Option<String>,
    /// The charge it made on the connected account.
    pub destination_payment: Option<String>,
    pub source_charge: Option<String>,
    pub transfer_group: Option<String>,
    pub balance_transaction: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub created: OffsetDateTime,
}

/// A share, or a part of it, taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferReversal {
    pub id: String,
    pub amount_minor: i64,
    pub currency: String,
    pub transfer: Option<String>,
    pub balance_transaction: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub created: OffsetDateTime,
}

impl Gateway {
    /// # Errors
    /// See `GatewayError`. A refusal (`insufficient_capabilities_for_transfer`, `balance_insufficient`, …) is replayed for
    /// a day under the same key.
    pub async fn create_transfer(
        &self,
        request: &TransferRequest,
        idempotency_key: &str,
    ) -> Result<Transfer, GatewayError> {
        let (api_units, currency) = api_amount(request.amount_minor, &request.currency, AmountUse::Transfer)?;
        let metadata: HashMap<_, _> = request.metadata.clone().into_iter().collect();
        let mut call = api::CreateTransfer::new(currency, checked_id(&request.destination)?)
            .amount(api_units)
            .description(&request.description)
            .metadata(metadata);
        if let Some(charge) = &request.source_charge {
            call = call.source_transaction(checked_id(charge)?);
        }
        if let Some(group) = &request.transfer_group {
            call = call.transfer_group(group);
        }
        self.tell(call, idempotency_key).await
    }

    /// # Errors
    /// See `GatewayError`.
    pub async fn retrieve_transfer(&self, id: &str) -> Result<Transfer, GatewayError> {
        self.ask(api::RetrieveTransfer::new(checked_id(id)?)).await
    }

    /// Transfers of one group: finds, by its metadata, one whose creation gave no answer.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn list_transfers(
        &self,
        transfer_group: Option<&str>,
        query: &ListQuery,
    ) -> Result<Page<Transfer>, GatewayError> {
        let mut call = api::ListTransfer::new().limit(query.limit());
        if let Some(group) = transfer_group {
            call = call.transfer_group(group);
        }
        if let Some(range) = query.range() {
            call = call.created(range);
        }
        if let Some(after) = &query.after {
            call = call.starting_after(after);
        }
        self.ask(call).await
    }

    /// Takes back exactly this amount, in the transfer's own currency. Never proportionally: the ledger decides the amount.
    ///
    /// # Errors
    /// See `GatewayError`; `Refused` if the connected account no longer has the money.
    pub async fn reverse_transfer(
        &self,
        transfer: &str,
        amount_minor: i64,
        currency: &str,
        metadata: &BTreeMap<String, String>,
        idempotency_key: &str,
    ) -> Result<TransferReversal, GatewayError> {
        let (api_units, _) = api_amount(amount_minor, currency, AmountUse::Transfer)?;
        let metadata: HashMap<_, _> = metadata.clone().into_iter().collect();
        let call = CreateIdTransferReversal::new(checked_id(transfer)?).amount(api_units).metadata(metadata);
        self.tell(call, idempotency_key).await
    }

    /// # Errors
    /// See `GatewayError`.
    pub async fn list_transfer_reversals(
        &self,
        transfer: &str,
        after: Option<&str>,
    ) -> Result<Page<TransferReversal>, GatewayError> {
        let mut call = ListIdTransferReversal::new(checked_id(transfer)?).limit(ListQuery::default().limit());
        if let Some(after) = after {
            call = call.starting_after(after);
        }
        self.ask(call).await
    }
}

impl Read for Transfer {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            id: fields.text("id")?,
            amount_minor: fields.amount("amount")?,
            amount_reversed_minor: fields.amount("amount_reversed")?,
            currency: fields.currency("currency")?,
            destination: fields.id_of("destination")?,
            destination_payment: fields.id_of("destination_payment")?,
            source_charge: fields.id_of("source_transaction")?,
            transfer_group: fields.text_or_none("transfer_group")?,
            balance_transaction: fields.id_of("balance_transaction")?,
            metadata: fields.metadata()?,
            created: fields.time("created")?,
        })
    }
}

impl Read for TransferReversal {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            id: fields.text("id")?,
            amount_minor: fields.amount("amount")?,
            currency: fields.currency("currency")?,
            transfer: fields.id_of("transfer")?,
            balance_transaction: fields.id_of("balance_transaction")?,
            metadata: fields.metadata()?,
            created: fields.time("created")?,
        })
    }
}
