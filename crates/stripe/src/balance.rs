//! The balance, and the balance transactions that explain every change of it: what the books are reconciled with.

use std::collections::BTreeMap;

use stripe_core::balance::RetrieveForMyAccountBalance;
use stripe_core::balance_transaction as api;
use time::OffsetDateTime;

use crate::currency::rule_of;
use crate::error::GatewayError;
use crate::gateway::{Gateway, ListQuery, checked_id};
use crate::read::{Fields, Page, Read, ReadError};

/// What Stripe holds, per currency in upper case, in ISO 4217 minor units. Either may be below 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    pub available_minor: BTreeMap<String, i64>,
    pub pending_minor: BTreeMap<String, i64>,
    /// Sums that are no whole number of minor units, as Stripe wrote them, by currency. Of these the whole part is above,
    /// towards zero: whoever books or compares it has to tell a person.
    pub fractions: BTreeMap<String, String>,
}

/// One change of the balance. `net = amount - fee`, all in the settlement currency and its ISO 4217 minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceTransaction {
    pub id: String,
    pub amount_minor: i64,
    pub fee_minor: i64,
    pub net_minor: i64,
    pub currency: String,
    /// Stripe's word (`charge`, `transfer`, `adjustment`, …): an open list of more than 50.
    pub kind: String,
    /// What accounting goes by: the kind `adjustment` alone stands for several.
    pub reporting_category: String,
    /// `available` or `pending`.
    pub status: String,
    /// The rate Stripe converted with, as the decimal text it sent. For people to read; no amount is computed from it.
    pub exchange_rate: Option<String>,
    pub description: Option<String>,
    pub source: Option<BalanceSource>,
    pub created: OffsetDateTime,
    pub available_on: OffsetDateTime,
}

/// The charge, transfer, refund, … behind a balance transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceSource {
    pub id: String,
    /// `charge`, `transfer`, `transfer_reversal`, `refund`, `payout`, `dispute`, …; none if it came as an id only.
    pub object: Option<String>,
    /// Ours, where we made the object.
    pub metadata: BTreeMap<String, String>,
    pub payment_intent: Option<String>,
    /// The charge that was refunded or disputed.
    pub charge: Option<String>,
    /// The transfer that was reversed.
    pub transfer: Option<String>,
    pub transfer_group: Option<String>,
}

impl Gateway {
    /// # Errors
    /// See `GatewayError`.
    pub async fn retrieve_balance(&self) -> Result<Balance, GatewayError> {
        self.ask(RetrieveForMyAccountBalance::new()).await
    }

    /// All changes of the balance by creation, with their sources. Page through to the end before booking a window.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn list_balance_transactions(&self, query: &ListQuery) -> Result<Page<BalanceTransaction>, GatewayError> {
        self.ask(list_request(query)).await
    }

    /// The changes that one automatic payout paid out; complete once its reconciliation status is `completed`.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn list_balance_transactions_of_payout(
        &self,
        payout: &str,
        query: &ListQuery,
    ) -> Result<Page<BalanceTransaction>, GatewayError> {
        self.ask(list_request(query).payout(checked_id(payout)?)).await
    }
}

fn list_request(query: &ListQuery) -> api::ListBalanceTransaction {
    let mut request = api::ListBalanceTransaction::new().limit(query.limit()).expand(vec!["data.source".to_owned()]);
    if let Some(range) = query.range() {
        request = request.created(range);
    }
    if let Some(after) = &query.after {
        request = request.starting_after(after);
    }
    request
}

impl Read for Balance {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        let mut fractions: BTreeMap<String, String> = BTreeMap::new();
        let mut sums = |key: &str| -> Result<BTreeMap<String, i64>, ReadError> {
            let mut sums = BTreeMap::new();
            for part in fields.objects(key)? {
                let code = part.currency("currency")?;
                let minor = match part.amount("amount") {
                    Ok(minor) => minor,
                    Err(error) => {
                        let api_units: i64 = part.number("amount")?;
                        let whole = rule_of(&code).ok().and_then(|rule| rule.whole_minor(api_units));
                        let told = fractions.entry(code.clone()).or_default();
                        let between = if told.is_empty() { "" } else { ", " };
                        *told = format!("{told}{between}{key} {api_units}");
                        whole.ok_or(error)?
                    }
                };
                sums.insert(code, minor);
            }
            Ok(sums)
        };
        Ok(Self { available_minor: sums("available")?, pending_minor: sums("pending")?, fractions })
    }
}

impl Read for BalanceTransaction {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        let source = match fields.expanded("source")? {
            Some(source) => Some(source),
            None => fields.text_or_none("source")?.map(BalanceSource::by_id),
        };
        Ok(Self {
            id: fields.text("id")?,
            amount_minor: fields.amount("amount")?,
            fee_minor: fields.amount("fee")?,
            net_minor: fields.amount("net")?,
            currency: fields.currency("currency")?,
            kind: fields.text("type")?,
            reporting_category: fields.text("reporting_category")?,
            status: fields.text("status")?,
            exchange_rate: fields.decimal_text("exchange_rate"),
            description: fields.text_or_none("description")?,
            source,
            created: fields.time("created")?,
            available_on: fields.time("available_on")?,
        })
    }
}

impl BalanceSource {
    fn by_id(id: String) -> Self {
        Self {
            id,
            object: None,
            metadata: BTreeMap::new(),
            payment_intent: None,
            charge: None,
            transfer: None,
            transfer_group: None,
        }
    }
}

impl Read for BalanceSource {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            id: fields.text("id")?,
            object: fields.text_or_none("object")?,
            metadata: fields.metadata()?,
            payment_intent: fields.id_of("payment_intent")?,
            charge: fields.id_of("charge")?,
            transfer: fields.id_of("transfer")?,
            transfer_group: fields.text_or_none("transfer_group")?,
        })
    }
}
