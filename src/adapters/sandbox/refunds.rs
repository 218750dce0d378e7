//! Giving charges back, in parts, and refunds that come back.

use entity::{Timestamp, sandbox_object};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    Sandbox,
    book::{amount_of, derived_id, insert_new, line, move_to, paid_with, record, refused, row, sum_under, tell},
    methods,
    treasury::{balance, lock_platform},
};
use crate::{
    error::{Error, Result},
    ports::payments::{PaymentsError, Refund, RefundRequest, RefundState},
};

/// Refunds looked at in one go.
const BATCH: u64 = 100;

/// What a refund's row keeps beside its columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RefundBody {
    our_ref: String,
    comes_back: bool,
}

fn body_of(row: &sandbox_object::Model) -> Result<RefundBody, PaymentsError> {
    serde_json::from_value(row.body.clone()).map_err(|error| PaymentsError::Unknown(error.to_string()))
}

fn to_refund(row: &sandbox_object::Model) -> Result<Refund, PaymentsError> {
    let state = match row.state.as_str() {
        "failed" => RefundState::Failed { text: "The buyer's bank sent the money back.".to_owned() },
        _ => RefundState::Succeeded,
    };
    let our_ref = Some(body_of(row)?.our_ref);
    Ok(Refund { processor_ref: row.id.clone(), our_ref, amount: amount_of(row)?, state })
}

fn event(id: &str, our_ref: &str, row: &sandbox_object::Model, state: &str) -> serde_json::Value {
    serde_json::json!({
        "type": "refund.updated",
        "refund": {
            "id": id, "our_ref": our_ref, "state": state, "amount_minor": row.amount_minor, "currency": row.currency,
        },
    })
}

/// Gives part of a charge back, once per key, if the charge and the available balance hold it.
pub(super) async fn refund(
    box_: &Sandbox,
    request: &RefundRequest,
    now: OffsetDateTime,
) -> Result<Refund, PaymentsError> {
    let id = derived_id("re", &request.idempotency_key);
    if let Some(earlier) = row(box_, &id).await? {
        return to_refund(&earlier);
    }
    let charge = row(box_, &request.charge_ref).await?.filter(|row| row.kind == "charge");
    let charge = charge.ok_or_else(|| refused("no_such_charge", "There is no such charge."))?;
    let (paid, amount) = (amount_of(&charge)?, request.amount);
    if charge.state != "captured" || amount.minor <= 0 || amount.currency != paid.currency {
        return Err(refused("amount", "Only a captured charge can be given back, in its own currency."));
    }
    let comes_back = paid_with(&charge)?.1 == methods::REFUND_FAILS;
    let body = RefundBody { our_ref: request.our_ref.clone(), comes_back };
    let body = serde_json::to_value(body).map_err(Error::from)?;
    let object = record(&id, "refund", &charge.id, "succeeded", amount, body, now);
    let negative = amount.checked_neg().map_err(|error| PaymentsError::Unknown(error.to_string()))?;
    let line = line("refund", &id, negative, 0, now, &request.our_ref, now).map_err(Error::from)?;
    let told = serde_json::json!({
        "type": "refund.updated",
        "refund": {
            "id": id, "our_ref": request.our_ref, "state": "succeeded", "amount_minor": amount.minor,
            "currency": amount.currency,
        },
    });
    let (handle, key) = (box_.handle(), format!("{id}:succeeded"));
    let done = box_
        .db
        .write("sandbox.refund", move |tx| {
            let (rows, charge, told) = (vec![object.clone(), line.clone()], charge.clone(), told.clone());
            let (handle, key) = (handle.handle(), key.clone());
            async move {
                lock_platform(&tx, now).await?;
                if insert_new(&tx, rows).await? == 0 {
                    return Ok(((), tx));
                }
                if sum_under(&tx, &charge.id, "dispute", &["needs_response", "under_review", "lost"]).await? > 0 {
                    return Err(Error::conflict("charge_disputed"));
                }
                if sum_under(&tx, &charge.id, "refund", &["succeeded"]).await? > charge.amount_minor {
                    return Err(Error::conflict("charge_already_refunded"));
                }
                let left = balance(tx.conn(), amount.currency, now).await?;
                if left.available_minor.saturating_add(left.pending_minor) < 0 {
                    return Err(Error::conflict("balance_insufficient"));
                }
                tell(&handle, &tx, &key, told, now).await?;
                Ok(((), tx))
            }
        })
        .await;
    match done {
        Ok(()) => {
            let made = row(box_, &id).await?.ok_or_else(|| PaymentsError::Unknown("it is being made".to_owned()))?;
            to_refund(&made)
        }
        Err(error) => Err(match error.detail.as_str() {
            "charge_disputed" => refused("charge_disputed", "The charge is disputed."),
            "charge_already_refunded" => refused("charge_already_refunded", "Less is left of the charge."),
            "balance_insufficient" => refused("balance_insufficient", "The balance does not hold this amount."),
            _ => error.into(),
        }),
    }
}

/// The refund made under our reference.
pub(super) async fn find(box_: &Sandbox, charge_ref: &str, our_ref: &str) -> Result<Option<Refund>, PaymentsError> {
    let rows = sandbox_object::Entity::find()
        .filter(sandbox_object::Column::Parent.eq(charge_ref))
        .filter(sandbox_object::Column::Kind.eq("refund"))
        .all(box_.db.read())
        .await?;
    for row in rows {
        if body_of(&row)?.our_ref == our_ref {
            return to_refund(&row).map(Some);
        }
    }
    Ok(None)
}

/// Lets the refunds fail whose money comes back by itself.
pub(super) async fn fail_due(box_: &Sandbox, now: OffsetDateTime) -> Result<usize> {
    let started_before = Timestamp(now - Duration::seconds(methods::DELAY_SECONDS));
    let due = sandbox_object::Entity::find()
        .filter(sandbox_object::Column::Kind.eq("refund"))
        .filter(sandbox_object::Column::State.eq("succeeded"))
        .filter(sandbox_object::Column::CreatedAt.lte(started_before))
        .limit(BATCH)
        .all(box_.db.read())
        .await?;
    let mut failed = 0;
    for row in due {
        let body = body_of(&row).map_err(|error| Error::internal(error.to_string()))?;
        if body.comes_back {
            come_back(box_, &row.id, now).await?;
            failed += 1;
        }
    }
    Ok(failed)
}

/// The money of a refund comes back.
pub(super) async fn come_back(box_: &Sandbox, id: &str, now: OffsetDateTime) -> Result<()> {
    let internal = |error: PaymentsError| Error::internal(error.to_string());
    let row = row(box_, id).await.map_err(internal)?.ok_or_else(|| Error::not_found("refund"))?;
    let our_ref = body_of(&row).map_err(internal)?.our_ref;
    let amount = amount_of(&row).map_err(internal)?;
    let line = sandbox_object::ActiveModel {
        id: Set(derived_id("txn", &format!("{id}:failure"))),
        ..line("refund_failure", id, amount, 0, now, &our_ref, now)?
    };
    let (handle, told, id) = (box_.handle(), event(id, &our_ref, &row, "failed"), id.to_owned());
    box_.db
        .write("sandbox.fail_refund", move |tx| {
            let (handle, told, id, line) = (handle.handle(), told.clone(), id.clone(), line.clone());
            async move {
                if move_to(&tx, &id, &["succeeded"], "failed").await? {
                    insert_new(&tx, vec![line]).await?;
                    tell(&handle, &tx, &format!("{id}:failed"), told, now).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}
