//! Asking the processor about accounts whose news can have been lost: by and by, and before a share moves.

use entity::ids::OrgId;
use time::Duration;

use super::{service, store};
use crate::{
    error::Result,
    ports::payments::{AccountStatus, PaymentsError},
    state::AppState,
};

/// How often a process looks for accounts that have to be asked about.
const LOOK_EVERY_SECONDS: i64 = 60;
/// An account that shares can move to is asked about after so long without news.
const ACTIVE_HOURS: i64 = 6;
/// One that the processor waits for something of, after so long.
const WAITING_MINUTES: i64 = 30;
/// A share moves only to an account that was heard of within so long.
const BEFORE_TRANSFER_MINUTES: i64 = 60;
/// The processor's words for an account that it does not know, or that was taken away from us.
const GONE: [&str; 2] = ["not_found", "account_invalid"];
/// Accounts asked about in one round, one after the other.
const ACCOUNTS_PER_ROUND: u64 = 20;

/// Asks about accounts without news for hours; returns how many answered. It asks about few at a time, so that many
/// providers never keep the processor busy.
///
/// # Errors
/// Those of the database; a processor that does not answer is asked again later.
pub async fn ask_about_stale(app: &AppState) -> Result<usize> {
    let (now, every) = (app.clock.now(), Duration::seconds(LOOK_EVERY_SECONDS));
    if !app.payments.features().checks_providers || !app.accounts_asked.is_due(now, every) {
        return Ok(0);
    }
    let (active, waiting) = (now - Duration::hours(ACTIVE_HOURS), now - Duration::minutes(WAITING_MINUTES));
    let mut answered = 0;
    for (owner, account) in store::stale(app.db.read(), active, waiting, ACCOUNTS_PER_ROUND).await? {
        match app.payments.account_status(&account).await {
            Ok(status) => {
                service::note(app, owner, status, None).await?;
                answered += 1;
            }
            Err(PaymentsError::Refused { code, text }) if GONE.contains(&code.as_str()) => {
                // The processor does not know it any more: nothing can move to it until somebody looks.
                tracing::warn!(organization = %owner, account, "the processor refuses to tell of an account: {text}");
                service::note(app, owner, gone(account), None).await?;
            }
            Err(error) => {
                tracing::warn!(organization = %owner, account, "accounts are asked about later: {error}");
                break;
            }
        }
    }
    Ok(answered)
}

fn gone(account_ref: String) -> AccountStatus {
    AccountStatus {
        account_ref,
        transfers_active: false,
        payouts_active: false,
        requirements_due: Vec::new(),
        disabled_reason: Some("not_found".to_owned()),
    }
}

/// Requires that shares can move to the organisation's account, by what the processor said within the last hour; it is
/// asked where that is longer ago, or where it said no. The inner error says why they can't.
///
/// # Errors
/// Those of the database.
pub async fn require_active(app: &AppState, owner: OrgId) -> Result<Result<(), PaymentsError>> {
    if !app.payments.features().checks_providers {
        return Ok(Ok(()));
    }
    let oldest = app.clock.now() - Duration::minutes(BEFORE_TRANSFER_MINUTES);
    let known = store::find(app.db.read(), owner).await?;
    if known.is_some_and(|row| row.transfers_active && row.checked_at.0 > oldest) {
        return Ok(Ok(()));
    }
    let organization = store::organization(app.db.read(), owner).await?;
    let Some(account) = organization.and_then(|row| row.processor_account) else { return Ok(Ok(())) };
    let status = match app.payments.account_status(&account).await {
        Ok(status) => status,
        Err(error) => return Ok(Err(error)),
    };
    service::note(app, owner, status.clone(), None).await?;
    let refused = |text| Err(PaymentsError::Refused { code: "account_not_ready".to_owned(), text });
    Ok(refusal(&status).map_or(Ok(()), refused))
}

/// Why the processor would not pay this account; nothing when it would.
pub fn refusal(status: &AccountStatus) -> Option<String> {
    if status.transfers_active {
        return None;
    }
    if let Some(reason) = &status.disabled_reason {
        return Some(format!("The processor stopped the account: {reason}."));
    }
    Some(format!("The processor still asks for: {}.", status.requirements_due.join(", ")))
}
