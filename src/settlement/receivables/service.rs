//! Giving a debt up: one person of the operator asks, another one decides.

use entity::{
    Timestamp,
    ids::{OrderId, OrgId, WriteOffId},
    states::{EntryKind, WriteOffState},
    write_off,
};
use serde_json::json;
use time::OffsetDateTime;

use super::store;
use crate::{
    auth::Actor,
    base::{Currency, Money},
    db::{
        Tx,
        idempotency::{Claim, IdempotencyKey, claim},
    },
    error::{Error, Result},
    ledger::{self, Account, Line, NewEntry},
    people::audit,
    settlement::{currency, reversals},
    state::AppState,
};

/// What is to be given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Who owes it.
    pub organization: OrgId,
    /// About which order.
    pub order: OrderId,
    /// How much, in minor units of the order's currency; all that is open when absent.
    pub amount_minor: Option<i64>,
    /// Why it can't be had.
    pub reason: String,
}

/// Asks that a debt be given up; nothing is booked until somebody else agrees.
///
/// # Errors
/// `Forbidden` for an API key; `Conflict` for more than is open, or above the limit; those of the database.
pub async fn ask_write_off(
    app: &AppState,
    actor: &Actor,
    wanted: Wanted,
    key: IdempotencyKey,
) -> Result<write_off::Model> {
    let asked_by = actor.person()?;
    let code = store::currency_of(app.db.read(), wanted.order).await?.ok_or_else(|| Error::not_found("order"))?;
    let (of, limit_minor, now) = (currency(&code)?, app.config.trade.write_off_minor_max, app.clock.now());
    let actor = actor.clone();
    let id = app
        .db
        .write("settlement.ask_write_off", move |tx| {
            let (actor, wanted, key, code) = (actor.clone(), wanted.clone(), key.clone(), code.clone());
            async move {
                let id = WriteOffId::at(now);
                if let Claim::Replay(earlier) = claim(&tx, &key, &id.to_string(), now).await? {
                    return Ok((earlier.parse().map_err(Error::internal)?, tx));
                }
                ledger::lock_currency(&tx, of).await?;
                let open = open_debt(&tx, wanted.organization, wanted.order, of).await?.minor;
                let asked = store::asked_minor(&tx, wanted.organization, wanted.order).await?;
                let amount_minor = wanted.amount_minor.unwrap_or(open - asked);
                require_room(amount_minor, open - asked)?;
                if amount_minor > limit_minor {
                    let text = format!("A write-off gives up at most {limit_minor} minor units (trade.write_off_minor_max).");
                    return Err(Error::conflict(text));
                }
                let row = write_off::Model {
                    id,
                    organization_id: wanted.organization,
                    order_id: wanted.order,
                    state: WriteOffState::Asked,
                    currency: code,
                    amount_minor,
                    reason: wanted.reason,
                    asked_by,
                    asked_at: Timestamp(now),
                    decided_by: None,
                    decided_at: None,
                    decision_note: None,
                };
                let detail = json!({"organization_id": row.organization_id, "order_id": row.order_id, "amount_minor": amount_minor});
                store::insert(&tx, row).await?;
                audit::record(&tx, &actor, "write_off.ask", id, detail, now).await?;
                Ok((id, tx))
            }
        })
        .await?;
    store::find(app.db.read(), id).await?.ok_or_else(|| Error::not_found("write-off"))
}

/// What a provider owes about an order, less what may still be taken back.
async fn open_debt(tx: &Tx, org: OrgId, order: OrderId, currency: Currency) -> Result<Money> {
    let sums = ledger::order_sums(tx.conn(), order).await?;
    let owed = sums.get(&Account::ProviderReceivable(org).id(currency)).copied().unwrap_or(0);
    let blocked = reversals::in_flight(tx.conn(), org, currency.code()).await?;
    Ok(Money::new(owed - blocked.get(&order).copied().unwrap_or(0), currency))
}

fn require_room(amount_minor: i64, open_minor: i64) -> Result<()> {
    if amount_minor > 0 && amount_minor <= open_minor {
        return Ok(());
    }
    let open_minor = open_minor.max(0);
    Err(Error::conflict(format!("Only {open_minor} minor units of this debt are open and not being taken back.")))
}

/// Agrees to a write-off and books it, or turns it down. Whoever asked can't.
///
/// # Errors
/// `NotFound`; `Forbidden` for an API key; `Conflict` for one's own, one that is decided, and a debt that
/// is smaller by now; those of the database.
pub async fn decide_write_off(
    app: &AppState,
    actor: &Actor,
    id: WriteOffId,
    agrees: bool,
    note: Option<String>,
) -> Result<write_off::Model> {
    let missing = || Error::not_found("write-off");
    let person = actor.person()?;
    let row = store::find(app.db.read(), id).await?.ok_or_else(missing)?;
    if row.asked_by == person {
        return Err(Error::conflict("Whoever asked for a write-off can't decide about it: a second person has to."));
    }
    let of = currency(&row.currency)?;
    ledger::open_accounts(app, &[(Account::WriteOffs, of)]).await?;
    let (now, actor) = (app.clock.now(), actor.clone());
    app.db
        .write("settlement.decide_write_off", move |tx| {
            let (actor, row, note) = (actor.clone(), row.clone(), note.clone());
            async move {
                ledger::lock_currency(&tx, of).await?;
                let state = if agrees { WriteOffState::Approved } else { WriteOffState::Declined };
                if !store::decide(&tx, id, state, person, note, now).await? {
                    return Err(Error::conflict("This write-off is decided already."));
                }
                if agrees {
                    let open = open_debt(&tx, row.organization_id, row.order_id, of).await?;
                    require_room(row.amount_minor, open.minor)?;
                    ledger::post(&tx, vec![entry(&row, of, now)], now).await?;
                }
                let action = if agrees { "write_off.approve" } else { "write_off.decline" };
                audit::record(&tx, &actor, action, id, json!({"order_id": row.order_id}), now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    store::find(app.db.read(), id).await?.ok_or_else(missing)
}

fn entry(row: &write_off::Model, currency: Currency, now: OffsetDateTime) -> NewEntry {
    let amount = Money::new(row.amount_minor, currency);
    NewEntry {
        kind: EntryKind::WriteOff,
        source: format!("order:{}:write_off:{}", row.order_id, row.id),
        effective_at: now,
        memo: None,
        lines: vec![
            Line::debit(Account::WriteOffs, amount).of(row.order_id),
            Line::credit(Account::ProviderReceivable(row.organization_id), amount).of(row.order_id),
        ],
    }
}
