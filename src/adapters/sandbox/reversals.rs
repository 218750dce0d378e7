//! Taking transfers back from providers' accounts.

use entity::sandbox_object;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use time::OffsetDateTime;

use super::{
    Sandbox, accounts,
    book::{amount_of, derived_id, insert_new, line, record, refused, row},
    treasury::lock_platform,
};
use crate::{
    error::Error,
    ports::payments::{PaymentsError, ReversalRequest},
};

/// Takes part of a transfer back, once per key, if the transfer and the account hold it.
pub(super) async fn reverse(
    box_: &Sandbox,
    request: &ReversalRequest,
    now: OffsetDateTime,
) -> Result<String, PaymentsError> {
    let id = derived_id("trr", &request.idempotency_key);
    if row(box_, &id).await?.is_some() {
        return Ok(id);
    }
    let transfer = row(box_, &request.transfer_ref).await?.filter(|row| row.kind == "transfer");
    let transfer = transfer.ok_or_else(|| refused("no_such_transfer", "There is no such transfer."))?;
    let (sent, amount) = (amount_of(&transfer)?, request.amount);
    if amount.minor <= 0 || amount.currency != sent.currency {
        return Err(refused("amount", "The amount must be positive, in the currency of the transfer."));
    }
    let account = transfer.parent.clone().unwrap_or_default();
    // The account is the parent, for its balance; the transfer is remembered in the body.
    let body = serde_json::json!({"transfer": transfer.id, "our_ref": request.our_ref});
    let reversal = record(&id, "reversal", &account, "done", amount, body, now);
    let line = line("transfer_reversal", &id, amount, 0, now, &request.our_ref, now).map_err(Error::from)?;
    let done = box_
        .db
        .write("sandbox.reverse", move |tx| {
            let (rows, account, transfer) = (vec![reversal.clone(), line.clone()], account.clone(), transfer.clone());
            async move {
                lock_platform(&tx, now).await?;
                if insert_new(&tx, rows).await? == 0 {
                    return Ok(((), tx));
                }
                if reversed(&tx, &account, &transfer.id).await? > transfer.amount_minor {
                    return Err(Error::conflict("transfer_reversed"));
                }
                if accounts::holds(&tx, &account, amount.currency).await? < 0 {
                    return Err(Error::conflict("balance_insufficient"));
                }
                Ok(((), tx))
            }
        })
        .await;
    match done {
        Ok(()) => Ok(id),
        Err(error) if error.detail == "balance_insufficient" => {
            Err(refused("balance_insufficient", "The provider's account does not hold this amount."))
        }
        Err(error) if error.detail == "transfer_reversed" => {
            Err(refused("transfer_reversed", "Less is left of the transfer."))
        }
        Err(error) => Err(error.into()),
    }
}

/// The reversal of a transfer made under our reference.
pub(super) async fn find(box_: &Sandbox, transfer: &str, our_ref: &str) -> Result<Option<String>, PaymentsError> {
    let Some(account) = row(box_, transfer).await?.and_then(|row| row.parent) else { return Ok(None) };
    let made = sandbox_object::Entity::find()
        .filter(sandbox_object::Column::Parent.eq(account))
        .filter(sandbox_object::Column::Kind.eq("reversal"))
        .all(box_.db.read())
        .await?;
    let ours = |row: &sandbox_object::Model| row.body["transfer"] == transfer && row.body["our_ref"] == our_ref;
    Ok(made.into_iter().find(ours).map(|row| row.id))
}

/// What was taken back of a transfer so far.
async fn reversed(tx: &crate::db::Tx, account: &str, transfer: &str) -> Result<i64, Error> {
    use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
    let rows = entity::sandbox_object::Entity::find()
        .filter(entity::sandbox_object::Column::Parent.eq(account))
        .filter(entity::sandbox_object::Column::Kind.eq("reversal"))
        .all(tx.conn())
        .await?;
    Ok(rows.iter().filter(|row| row.body["transfer"] == transfer).map(|row| row.amount_minor).sum())
}
