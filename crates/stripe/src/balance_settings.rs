//! Balance settings: what automatic payouts have to leave in the balance.

use std::collections::{BTreeMap, HashMap};

use stripe_core::balance_settings as api;

use crate::currency::rule_of;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::read::{Fields, Read, ReadError};

/// What the account decided about its balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceSettings {
    /// What automatic payouts leave, in ISO 4217 minor units by currency in upper case; one without a minimum is not there.
    pub minimum_balance_minor: BTreeMap<String, i64>,
    /// `daily`, `weekly`, `monthly`, or `manual`: with the last one Stripe pays out nothing by itself.
    pub payout_interval: Option<String>,
}

impl Gateway {
    /// # Errors
    /// See `GatewayError`.
    pub async fn retrieve_balance_settings(&self) -> Result<BalanceSettings, GatewayError> {
        self.ask(api::RetrieveForMyAccountBalanceSettings::new()).await
    }

    /// Sets what automatic payouts leave, in ISO 4217 minor units by currency in upper case. Currencies that are not named
    /// keep their minimum; 0 leaves nothing. An amount that Stripe can't count is rounded up: rather too much stays.
    ///
    /// The setting is absolute, so each change takes a key of its own: with an old one Stripe would repeat its old answer.
    ///
    /// # Errors
    /// See `GatewayError`; `Invalid` for a currency Stripe does not know, and for a negative amount.
    pub async fn update_minimum_balance(
        &self,
        minimum_balance_minor: &BTreeMap<String, i64>,
        idempotency_key: &str,
    ) -> Result<BalanceSettings, GatewayError> {
        let mut by_currency = HashMap::new();
        for (code, minor) in minimum_balance_minor {
            by_currency.insert(code.to_lowercase(), rule_of(code)?.to_api_at_least(*minor)?);
        }
        let payouts = api::UpdateBalanceSettingsPaymentsPayouts {
            minimum_balance_by_currency: Some(by_currency),
            ..api::UpdateBalanceSettingsPaymentsPayouts::new()
        };
        let payments =
            api::UpdateBalanceSettingsPayments { payouts: Some(payouts), ..api::UpdateBalanceSettingsPayments::new() };
        self.tell(api::UpdateBalanceSettings::new().payments(payments), idempotency_key).await
    }
}

impl Read for BalanceSettings {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        let payments = fields.object("payments")?.ok_or_else(|| ReadError("payments: missing".to_owned()))?;
        let Some(payouts) = payments.object("payouts")? else {
            return Ok(Self { minimum_balance_minor: BTreeMap::new(), payout_interval: None });
        };
        let schedule = payouts.object("schedule")?;
        Ok(Self {
            minimum_balance_minor: payouts.amounts("minimum_balance_by_currency")?,
            payout_interval: schedule.map(|schedule| schedule.text_or_none("interval")).transpose()?.flatten(),
        })
    }
}
