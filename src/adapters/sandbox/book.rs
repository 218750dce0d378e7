//! The sandbox's own records of charges, and how a record is kept at all.

use entity::{Timestamp, ids::PaymentId, sandbox_event, sandbox_object};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _,
    sea_query::{Expr, OnConflict},
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Sandbox, charges::NewCharge, methods, saved};
use crate::{
    base::{Currency, Money, digest},
    db::Tx,
    error::{Error, Result},
    ports::payments::{Capture, Charge, ChargeRequest, ChargeState, PaymentsError},
};

/// What a charge's row keeps beside its columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ChargeBody {
    payment_id: PaymentId,
    method: String,
    manual: bool,
    code: Option<String>,
    text: Option<String>,
}

/// What a balance line's row keeps beside its columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LineBody {
    pub our_ref: Option<String>,
}

fn charge_id(payment: PaymentId) -> String {
    format!("ch_{}", payment.0.simple())
}

/// Ids follow from what they are for, so a repeated call finds its own row by primary key.
pub(super) fn derived_id(prefix: &str, key: &str) -> String {
    format!("{prefix}_{}", &digest::sha256_hex(key.as_bytes())[..24])
}

fn state_word(state: &ChargeState) -> &'static str {
    match state {
        ChargeState::Authorised => "authorised",
        ChargeState::Processing => "processing",
        ChargeState::ActionRequired(_) => "action_required",
        ChargeState::Captured => "captured",
        ChargeState::Failed { .. } => "failed",
        ChargeState::Voided => "voided",
    }
}

fn to_charge(row: &sandbox_object::Model) -> Result<Charge, PaymentsError> {
    let unreadable = |what: String| PaymentsError::Unknown(what);
    let body: ChargeBody = serde_json::from_value(row.body.clone()).map_err(|e| unreadable(e.to_string()))?;
    let currency: Currency =
        row.currency.parse().map_err(|e: crate::base::currency::UnknownCurrency| unreadable(e.to_string()))?;
    let state = match row.state.as_str() {
        "authorised" => ChargeState::Authorised,
        "processing" => ChargeState::Processing,
        "action_required" => ChargeState::ActionRequired(methods::action(&body.method, &row.id)),
        "captured" => ChargeState::Captured,
        "voided" => ChargeState::Voided,
        _ => ChargeState::Failed { code: body.code.unwrap_or_default(), text: body.text.unwrap_or_default() },
    };
    let amount = Money::new(row.amount_minor, currency);
    Ok(Charge { processor_ref: row.id.clone(), payment_id: body.payment_id, amount, state })
}

fn charge_row(
    request: &ChargeRequest,
    state: &ChargeState,
    now: OffsetDateTime,
) -> Result<sandbox_object::ActiveModel> {
    let (code, text) = match state {
        ChargeState::Failed { code, text } => (Some(code.clone()), Some(text.clone())),
        _ => (None, None),
    };
    let body = ChargeBody {
        payment_id: request.payment_id,
        method: request.method.clone(),
        manual: request.capture == Capture::Manual,
        code,
        text,
    };
    Ok(sandbox_object::ActiveModel {
        id: Set(charge_id(request.payment_id)),
        kind: Set("charge".to_owned()),
        idempotency_key: Set(None),
        parent: Set(None),
        state: Set(state_word(state).to_owned()),
        amount_minor: Set(request.amount.minor),
        fee_minor: Set(0),
        currency: Set(request.amount.currency.code().to_owned()),
        available_at: Set(Timestamp(now)),
        body: Set(serde_json::to_value(body)?),
        created_at: Set(Timestamp(now)),
    })
}

/// The balance line of a captured charge.
fn charge_line(box_: &Sandbox, charge: &Charge, now: OffsetDateTime) -> Result<sandbox_object::ActiveModel> {
    let share = charge.amount.share_bps(box_.settings.fee_bps)?.minor;
    let fee_minor = share.saturating_add(box_.settings.fee_fixed_minor).min(charge.amount.minor);
    let available = now + Duration::seconds(i64::from(box_.settings.settle_seconds));
    Ok(line("charge", &charge.processor_ref, charge.amount, fee_minor, available, &charge.payment_id.to_string(), now)?)
}

pub(super) fn line(
    kind: &str,
    source_ref: &str,
    amount: Money,
    fee_minor: i64,
    available: OffsetDateTime,
    our_ref: &str,
    now: OffsetDateTime,
) -> Result<sandbox_object::ActiveModel, serde_json::Error> {
    Ok(sandbox_object::ActiveModel {
        id: Set(format!("txn_{}", source_ref.split_once('_').map_or(source_ref, |(_, rest)| rest))),
        kind: Set("line".to_owned()),
        idempotency_key: Set(None),
        parent: Set(Some(source_ref.to_owned())),
        state: Set(kind.to_owned()),
        amount_minor: Set(amount.minor),
        fee_minor: Set(fee_minor),
        currency: Set(amount.currency.code().to_owned()),
        available_at: Set(Timestamp(available)),
        body: Set(serde_json::to_value(LineBody { our_ref: Some(our_ref.to_owned()) })?),
        created_at: Set(Timestamp(now)),
    })
}

pub(super) async fn insert_new(tx: &Tx, rows: Vec<sandbox_object::ActiveModel>) -> Result<u64> {
    let insert = sandbox_object::Entity::insert_many(rows).on_conflict(OnConflict::new().do_nothing().to_owned());
    Ok(insert.exec_without_returning(tx.conn()).await?)
}

fn event_row(box_: &Sandbox, charge: &Charge, now: OffsetDateTime) -> sandbox_event::ActiveModel {
    let deliver_at = now + Duration::seconds(i64::from(box_.settings.webhook_delay_seconds));
    sandbox_event::ActiveModel {
        seq: NotSet,
        id: Set(derived_id("evt", &format!("{}:{}", charge.processor_ref, state_word(&charge.state)))),
        body: Set(super::webhook::event_body(charge, state_word(&charge.state))),
        deliver_at: Set(Timestamp(deliver_at)),
        attempts: Set(0),
        delivered_at: Set(None),
    }
}

/// Queues an event about something else than a charge; the same event is told once.
pub(super) async fn tell(
    box_: &Sandbox,
    tx: &Tx,
    key: &str,
    body: serde_json::Value,
    now: OffsetDateTime,
) -> Result<()> {
    let deliver_at = now + Duration::seconds(i64::from(box_.settings.webhook_delay_seconds));
    let event = sandbox_event::ActiveModel {
        seq: NotSet,
        id: Set(derived_id("evt", key)),
        body: Set(body),
        deliver_at: Set(Timestamp(deliver_at)),
        attempts: Set(0),
        delivered_at: Set(None),
    };
    sandbox_event::Entity::insert(event).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// A record of something, with the line's columns and its own.
pub(super) fn record(
    id: &str,
    kind: &str,
    parent: &str,
    state: &str,
    amount: Money,
    body: serde_json::Value,
    now: OffsetDateTime,
) -> sandbox_object::ActiveModel {
    sandbox_object::ActiveModel {
        id: Set(id.to_owned()),
        kind: Set(kind.to_owned()),
        idempotency_key: Set(None),
        parent: Set(Some(parent.to_owned())),
        state: Set(state.to_owned()),
        amount_minor: Set(amount.minor),
        fee_minor: Set(0),
        currency: Set(amount.currency.code().to_owned()),
        available_at: Set(Timestamp(now)),
        body: Set(body),
        created_at: Set(Timestamp(now)),
    }
}

/// Moves a record from one of these states to another; false when it stood elsewhere.
pub(super) async fn move_to(tx: &Tx, id: &str, from: &[&str], to: &str) -> Result<bool> {
    let updated = sandbox_object::Entity::update_many()
        .col_expr(sandbox_object::Column::State, Expr::value(to))
        .filter(sandbox_object::Column::Id.eq(id))
        .filter(sandbox_object::Column::State.is_in(from.iter().copied()))
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// What records of a kind under a parent sum to, those in these states.
pub(super) async fn sum_under(tx: &Tx, parent: &str, kind: &str, states: &[&str]) -> Result<i64> {
    Ok(sandbox_object::Entity::find()
        .select_only()
        .expr(Expr::cust("CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)"))
        .filter(sandbox_object::Column::Parent.eq(parent))
        .filter(sandbox_object::Column::Kind.eq(kind))
        .filter(sandbox_object::Column::State.is_in(states.iter().copied()))
        .into_tuple::<i64>()
        .one(tx.conn())
        .await?
        .unwrap_or(0))
}

/// The amount of a record.
pub(super) fn amount_of(row: &sandbox_object::Model) -> Result<Money, PaymentsError> {
    let currency: Currency = row
        .currency
        .parse()
        .map_err(|e: crate::base::currency::UnknownCurrency| PaymentsError::Unknown(e.to_string()))?;
    Ok(Money::new(row.amount_minor, currency))
}

/// A definitive no.
pub(super) fn refused(code: &str, text: &str) -> PaymentsError {
    PaymentsError::Refused { code: code.to_owned(), text: text.to_owned() }
}

/// The payment that a charge was made for, and the means it was made with.
pub(super) fn paid_with(row: &sandbox_object::Model) -> Result<(PaymentId, String), PaymentsError> {
    let body: ChargeBody =
        serde_json::from_value(row.body.clone()).map_err(|e| PaymentsError::Unknown(e.to_string()))?;
    Ok((body.payment_id, body.method))
}

async fn announce(box_: &Sandbox, tx: &Tx, charge: &Charge, now: OffsetDateTime) -> Result<()> {
    sandbox_event::Entity::insert(event_row(box_, charge, now)).exec_without_returning(tx.conn()).await?;
    Ok(())
}

pub(super) async fn charge(
    box_: &Sandbox,
    request: &ChargeRequest,
    now: OffsetDateTime,
) -> Result<Charge, PaymentsError> {
    let processor_ref = charge_id(request.payment_id);
    let request = &*saved::with_token(box_, request).await?;
    let at_once = methods::behaviour(&request.method, request.capture)?.at_once;
    let state = match saved::without_buyer(request).unwrap_or(at_once) {
        ChargeState::ActionRequired(_) => ChargeState::ActionRequired(methods::action(&request.method, &processor_ref)),
        state => state,
    };
    let charge = Charge { processor_ref, payment_id: request.payment_id, amount: request.amount, state: state.clone() };
    let mut rows = vec![charge_row(request, &state, now)?];
    if state == ChargeState::Captured {
        rows.push(charge_line(box_, &charge, now)?);
    }
    let event = event_row(box_, &charge, now);
    if box_.charges.ask(NewCharge { rows, event }).await? {
        return Ok(charge);
    }
    let missing = || PaymentsError::Unknown("the charge is being made by somebody else".to_owned());
    find_charge(box_, request.payment_id).await?.ok_or_else(missing)
}

impl Sandbox {
    /// The same sandbox for work that outlives the call.
    pub(super) fn handle(&self) -> Self {
        Self {
            db: self.db.clone(),
            clock: self.clock.clone(),
            charges: self.charges.clone(),
            settings: self.settings.clone(),
            secrets: self.secrets.clone(),
        }
    }
}

pub(super) async fn row(box_: &Sandbox, id: &str) -> Result<Option<sandbox_object::Model>, PaymentsError> {
    Ok(sandbox_object::Entity::find_by_id(id.to_owned()).one(box_.db.read()).await?)
}

pub(super) async fn find_charge(box_: &Sandbox, payment: PaymentId) -> Result<Option<Charge>, PaymentsError> {
    row(box_, &charge_id(payment)).await?.as_ref().map(to_charge).transpose()
}

pub(super) async fn capture(box_: &Sandbox, processor_ref: &str, now: OffsetDateTime) -> Result<Charge, PaymentsError> {
    move_charge(box_, processor_ref, &["authorised"], ChargeState::Captured, now).await
}

pub(super) async fn void(box_: &Sandbox, processor_ref: &str, now: OffsetDateTime) -> Result<Charge, PaymentsError> {
    move_charge(box_, processor_ref, &["authorised", "processing", "action_required"], ChargeState::Voided, now).await
}

/// Moves a charge to `to` if it is in one of `from`; the winner of a race writes line and event.
async fn move_charge(
    box_: &Sandbox,
    processor_ref: &str,
    from: &'static [&'static str],
    to: ChargeState,
    now: OffsetDateTime,
) -> Result<Charge, PaymentsError> {
    let refused = |text: &str| PaymentsError::Refused { code: "charge_state".to_owned(), text: text.to_owned() };
    let before = row(box_, processor_ref).await?.filter(|row| row.kind == "charge");
    let before = to_charge(&before.ok_or_else(|| refused("There is no such charge."))?)?;
    let after = Charge { state: to.clone(), ..before };
    let line = if to == ChargeState::Captured { Some(charge_line(box_, &after, now)?) } else { None };
    let (moved_charge, handle) = (after.clone(), box_.handle());
    let moved = box_
        .db
        .write("sandbox.move_charge", move |tx| {
            let (charge, line, handle) = (moved_charge.clone(), line.clone(), handle.handle());
            async move {
                let (code, text) = match &charge.state {
                    ChargeState::Failed { code, text } => (Some(code), Some(text)),
                    _ => (None, None),
                };
                let updated = sandbox_object::Entity::update_many()
                    .col_expr(sandbox_object::Column::State, Expr::value(state_word(&charge.state)))
                    .filter(sandbox_object::Column::Id.eq(&charge.processor_ref))
                    .filter(sandbox_object::Column::State.is_in(from.iter().copied()));
                let updated = match (code, text) {
                    (Some(code), Some(text)) => {
                        let body = serde_json::json!({"payment_id": charge.payment_id, "method": "", "manual": false, "code": code, "text": text});
                        updated.col_expr(sandbox_object::Column::Body, Expr::value(body))
                    }
                    _ => updated,
                };
                let moved = updated.exec(tx.conn()).await?.rows_affected == 1;
                if moved {
                    if let Some(line) = line {
                        insert_new(&tx, vec![line]).await?;
                    }
                    announce(&handle, &tx, &charge, now).await?;
                }
                Ok((moved, tx))
            }
        })
        .await?;
    if moved {
        return Ok(after);
    }
    let present = row(box_, processor_ref).await?.ok_or_else(|| refused("There is no such charge."))?;
    let present = to_charge(&present)?;
    if present.state == to { Ok(present) } else { Err(refused("The charge is in a state that does not allow this.")) }
}

/// Brings delayed charges to their end.
pub(super) async fn resolve_due(box_: &Sandbox, now: OffsetDateTime) -> Result<usize> {
    let started_before = Timestamp(now - Duration::seconds(methods::DELAY_SECONDS));
    let due = sandbox_object::Entity::find()
        .filter(sandbox_object::Column::Kind.eq("charge"))
        .filter(sandbox_object::Column::State.is_in(["processing", "action_required"]))
        .filter(sandbox_object::Column::CreatedAt.lte(started_before))
        .limit(100)
        .all(box_.db.read())
        .await?;
    let mut resolved = 0;
    for row in due {
        let body: ChargeBody = serde_json::from_value(row.body.clone())?;
        let capture = if body.manual { Capture::Manual } else { Capture::Automatic };
        let later =
            methods::behaviour(&body.method, capture).map_err(|error| Error::internal(error.to_string()))?.later;
        let Some(later) = later else { continue };
        move_charge(box_, &row.id, &["processing", "action_required"], later, now)
            .await
            .map_err(|error| Error::internal(error.to_string()))?;
        resolved += 1;
    }
    Ok(resolved)
}
