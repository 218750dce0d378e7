//! Opening accounts at the processor and following what it demands.

use entity::{ids::OrgId, payout_account};

use super::store;
use crate::{
    db::inbox,
    error::{Error, Result},
    ports::payments::{AccountStatus, Link, PaymentsError},
    state::AppState,
};

/// Seconds after which a caller may ask a silent processor again.
const PROCESSOR_RETRY_AFTER_SECONDS: u32 = 30;

/// The organisation's account at the processor; opened on the first call, the same for ever after.
///
/// # Errors
/// The inner error is the processor's, the outer one ours.
pub async fn opened(app: &AppState, id: OrgId) -> Result<Result<String, PaymentsError>> {
    let gone = || Error::internal(format!("{id} is to have an account, and does not exist"));
    let organization = store::organization(app.db.read(), id).await?.ok_or_else(gone)?;
    if let Some(account) = organization.processor_account {
        return Ok(Ok(account));
    }
    app.db.faults().step(|| "payments.open_account: before call".to_owned())?;
    let account = match app.payments.open_account(id, &organization.country).await {
        Ok(account) => account,
        Err(error) => return Ok(Err(error)),
    };
    app.db.faults().step(|| "payments.open_account: after call".to_owned())?;
    app.db
        .write("settlement.keep_account", move |tx| {
            let account = account.clone();
            async move { Ok((store::keep_account(&tx, id, &account).await?, tx)) }
        })
        .await?;
    let organization = store::organization(app.db.read(), id).await?.ok_or_else(gone)?;
    organization.processor_account.ok_or_else(gone).map(Ok)
}

/// What the processor says of the organisation's account, asked for now; nothing while it has none.
///
/// # Errors
/// `Unavailable` when the processor does not answer and never said anything before.
pub(super) async fn status(app: &AppState, id: OrgId) -> Result<Option<payout_account::Model>> {
    let organization = store::organization(app.db.read(), id).await?;
    let Some(account) = organization.and_then(|row| row.processor_account) else { return Ok(None) };
    match app.payments.account_status(&account).await {
        Ok(status) => note(app, id, status, None).await?,
        Err(error) => {
            tracing::warn!(organization = %id, "the account's status is the last one known: {error}");
            store::find(app.db.read(), id).await?.ok_or_else(|| outside(error))?;
        }
    }
    store::find(app.db.read(), id).await
}

/// What the processor says of the organisation's account now; nothing while it has none.
///
/// # Errors
/// `Unavailable` when the processor does not answer.
pub async fn asked(app: &AppState, id: OrgId) -> Result<Option<AccountStatus>> {
    let organization = store::organization(app.db.read(), id).await?;
    let Some(account) = organization.and_then(|row| row.processor_account) else { return Ok(None) };
    let status = app.payments.account_status(&account).await.map_err(outside)?;
    note(app, id, status.clone(), None).await?;
    Ok(Some(status))
}

/// A page at the processor where the organisation gives what is demanded.
///
/// # Errors
/// `Conflict` where the processor demands nothing; `Unavailable` when it does not answer.
pub(super) async fn onboarding(app: &AppState, id: OrgId, return_url: &str) -> Result<Link> {
    let account = opened(app, id).await?.map_err(to_error)?;
    app.payments.onboarding_link(&account, return_url).await.map_err(to_error)
}

fn outside(cause: PaymentsError) -> Error {
    Error::unavailable("The payment processor did not answer. Try again later.", PROCESSOR_RETRY_AFTER_SECONDS)
        .because(cause)
}

fn to_error(error: PaymentsError) -> Error {
    match error {
        PaymentsError::Refused { text, .. } => Error::conflict(text),
        other => outside(other),
    }
}

/// Notes what a webhook tells of an account; one of nobody here is noted as seen.
///
/// # Errors
/// Those of the database.
pub async fn note_status(app: &AppState, status: AccountStatus, via: (String, String)) -> Result<()> {
    match store::owner_of(app.db.read(), &status.account_ref).await? {
        Some(owner) => note(app, owner, status, Some(via)).await,
        None => {
            let now = app.clock.now();
            app.db
                .write("settlement.note_stranger", move |tx| {
                    let (source, event) = via.clone();
                    async move {
                        inbox::finish(&tx, &source, &event, now).await?;
                        Ok(((), tx))
                    }
                })
                .await
        }
    }
}

/// Notes what the processor says of an account.
pub(super) async fn note(
    app: &AppState,
    owner: OrgId,
    status: AccountStatus,
    via: Option<(String, String)>,
) -> Result<()> {
    let now = app.clock.now();
    app.db
        .write("settlement.note_account", move |tx| {
            let (status, via) = (status.clone(), via.clone());
            async move {
                if let Some((source, event)) = &via
                    && !inbox::finish(&tx, source, event, now).await?
                {
                    return Ok(((), tx));
                }
                store::note(&tx, owner, &status, now).await?;
                Ok(((), tx))
            }
        })
        .await
}
