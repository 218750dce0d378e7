//! Providers' accounts at Stripe, and moving shares to them.

use entity::ids::OrgId;
use torv_stripe::{Account, AccountKind, AccountLinkUse, AccountRequest, TransferReversal};

use super::{OUR_REF, Stripe, metadata};
use crate::ports::payments::{AccountStatus, Link, PaymentsError, ReversalRequest, TransferRequest};

impl Stripe {
    pub(super) async fn open_provider(&self, organization: OrgId, country: &str) -> Result<String, PaymentsError> {
        let request = AccountRequest {
            kind: AccountKind::Express,
            // ZZ is an organisation that has not said where it is: Stripe asks.
            country: Some(country.to_owned()).filter(|code| code != "ZZ"),
            email: None,
            metadata: metadata(&organization.to_string()),
        };
        Ok(self.gateway.create_account(&request, &format!("{organization}:account:1")).await?.id)
    }

    pub(super) async fn link_to_onboarding(&self, account: &str, return_url: &str) -> Result<Link, PaymentsError> {
        // Each link works once, so each gets a key of its own.
        let key = format!("{account}:link:{}", self.clock.now().unix_timestamp_nanos());
        let made =
            self.gateway.create_account_link(account, AccountLinkUse::Onboarding, return_url, return_url, &key).await?;
        Ok(Link { url: made.url, expires_at: made.expires_at })
    }

    pub(super) async fn send_share(&self, request: &TransferRequest) -> Result<String, PaymentsError> {
        let source_charge = match &request.source {
            Some(intent) => Some(self.charge_behind(intent).await?),
            None => None,
        };
        let transfer = torv_stripe::TransferRequest {
            amount_minor: request.amount.minor,
            currency: request.amount.currency.code().to_owned(),
            destination: request.destination.clone(),
            source_charge,
            transfer_group: request.group.clone(),
            description: format!("Torv {}", request.our_ref),
            metadata: metadata(&request.our_ref),
        };
        Ok(self.gateway.create_transfer(&transfer, &request.idempotency_key).await?.id)
    }

    /// Stripe's charge of a payment intent, which a transfer names as its source.
    async fn charge_behind(&self, reference: &str) -> Result<String, PaymentsError> {
        if !reference.starts_with("pi_") {
            return Ok(reference.to_owned());
        }
        let intent = self.gateway.retrieve_payment_intent(reference).await?;
        intent.latest_charge_id.ok_or_else(|| PaymentsError::Unknown(format!("{reference} has no charge yet")))
    }

    pub(super) async fn take_share_back(&self, request: &ReversalRequest) -> Result<String, PaymentsError> {
        let made = self
            .gateway
            .reverse_transfer(
                &request.transfer_ref,
                request.amount.minor,
                request.amount.currency.code(),
                &metadata(&request.our_ref),
                &request.idempotency_key,
            )
            .await?;
        Ok(made.id)
    }

    pub(super) async fn look_for_reversal(
        &self,
        transfer: &str,
        our_ref: &str,
    ) -> Result<Option<String>, PaymentsError> {
        let mut after = None;
        loop {
            let page = self.gateway.list_transfer_reversals(transfer, after.as_deref()).await?;
            let ours = |made: &TransferReversal| made.metadata.get(OUR_REF).is_some_and(|text| text == our_ref);
            if let Some(found) = page.items.into_iter().find(ours) {
                return Ok(Some(found.id));
            }
            after = page.next;
            if after.is_none() {
                return Ok(None);
            }
        }
    }
}

/// What Stripe demands of a provider.
pub(super) fn status(account: Account) -> AccountStatus {
    let transfers_active = account.can_receive_transfers();
    let mut requirements_due = account.requirements.past_due;
    requirements_due.extend(account.requirements.currently_due);
    requirements_due.sort_unstable();
    requirements_due.dedup();
    AccountStatus {
        account_ref: account.id,
        transfers_active,
        payouts_active: account.payouts_enabled,
        requirements_due,
        disabled_reason: account.requirements.disabled_reason,
    }
}
