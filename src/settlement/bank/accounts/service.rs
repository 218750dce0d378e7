//! Opening bank accounts and changing how their tables are read.

use entity::bank_account;
use serde_json::json;
use torv_bank::CsvProfile;

use super::{model, store};
use crate::{
    auth::Actor,
    base::Currency,
    error::{Error, Result},
    ledger::{self, Account},
    limits,
    people::audit,
    state::AppState,
};

/// An account as somebody wants it.
#[derive(Debug, Clone)]
pub struct NewBankAccount {
    /// Its short name.
    pub name: String,
    /// IBAN or other number.
    pub number: String,
    /// Its currency.
    pub currency: Currency,
    /// How its tables are laid out.
    pub profile: Option<CsvProfile>,
}

/// Opens a bank account and its ledger account.
///
/// # Errors
/// `Invalid` for a bad name or number; `Conflict` when the name or the number is taken or there are too many.
pub async fn open(app: &AppState, actor: &Actor, new: NewBankAccount) -> Result<bank_account::Model> {
    let number = model::checked(&new.name, &new.number)?;
    let accounts =
        [(model::ledger_account(&new.name), new.currency), (Account::Suspense("bank".to_owned()), new.currency)];
    ledger::open_accounts(app, &accounts).await?;
    let (actor, now, name) = (actor.clone(), app.clock.now(), new.name.clone());
    app.db
        .write("settlement.open_bank_account", move |tx| {
            let (actor, new, number) = (actor.clone(), new.clone(), number.clone());
            async move {
                if store::all(tx.conn()).await?.len() >= limits::BANK_ACCOUNTS_MAX {
                    return Err(Error::conflict(format!("There are {} accounts already.", limits::BANK_ACCOUNTS_MAX)));
                }
                store::insert(&tx, &new.name, &number, new.currency, new.profile.as_ref(), actor.account_id, now)
                    .await?;
                let detail = json!({"number": number, "currency": new.currency});
                audit::record(&tx, &actor, "bank_account.open", &new.name, detail, now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    store::find(app.db.read(), &name).await?.ok_or_else(|| Error::not_found("bank account"))
}

/// Changes how an account's tables are read.
///
/// # Errors
/// `NotFound`; those of the database.
pub async fn set_profile(
    app: &AppState,
    actor: &Actor,
    name: String,
    profile: CsvProfile,
) -> Result<bank_account::Model> {
    let (actor, now, named) = (actor.clone(), app.clock.now(), name.clone());
    app.db
        .write("settlement.set_bank_profile", move |tx| {
            let (actor, name, profile) = (actor.clone(), name.clone(), profile.clone());
            async move {
                if !store::set_profile(&tx, &name, &profile).await? {
                    return Err(Error::not_found("bank account"));
                }
                let detail = json!({"profile": profile.name});
                audit::record(&tx, &actor, "bank_account.set_profile", &name, detail, now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    store::find(app.db.read(), &named).await?.ok_or_else(|| Error::not_found("bank account"))
}
