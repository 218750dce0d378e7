//! The sandbox's accounts, what flows out of its balance, and the balance itself.

use entity::{Timestamp, ids::OrgId, sandbox_object};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};
use time::OffsetDateTime;

use super::{
    Sandbox,
    book::{LineBody, derived_id, insert_new, line, row},
};
use crate::{
    base::{Currency, Money, page},
    db::Tx,
    error::{Error, Result},
    ports::payments::{PaymentsError, ProcessorBalance, Transaction, TransactionKind, TransactionPage},
};

/// Money that leaves the platform's balance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outflow<'a> {
    pub kind: &'static str,
    pub key: &'a str,
    pub our_ref: &'a str,
    pub destination: &'a str,
    pub amount: Money,
}

pub(super) async fn open_account(
    box_: &Sandbox,
    organization: OrgId,
    country: &str,
    now: OffsetDateTime,
) -> Result<String, PaymentsError> {
    let id = format!("acct_{}", &organization.0.simple().to_string()[..24]);
    let account = sandbox_object::ActiveModel {
        id: Set(id.clone()),
        kind: Set("account".to_owned()),
        idempotency_key: Set(None),
        parent: Set(None),
        state: Set("active".to_owned()),
        amount_minor: Set(0),
        fee_minor: Set(0),
        currency: Set("EUR".to_owned()),
        available_at: Set(Timestamp(now)),
        body: Set(serde_json::json!({"organization": organization, "country": country})),
        created_at: Set(Timestamp(now)),
    };
    box_.db
        .write("sandbox.open_account", move |tx| {
            let account = account.clone();
            async move {
                insert_new(&tx, vec![account]).await?;
                Ok(((), tx))
            }
        })
        .await?;
    Ok(id)
}

/// Sends money out, once per key, if the available balance holds it.
pub(super) async fn pay_out(box_: &Sandbox, out: Outflow<'_>, now: OffsetDateTime) -> Result<String, PaymentsError> {
    let refused = |code: &str, text: &str| PaymentsError::Refused { code: code.to_owned(), text: text.to_owned() };
    if out.amount.minor <= 0 {
        return Err(refused("amount", "The amount must be positive."));
    }
    let prefix = if out.kind == "transfer" { "tr" } else { "po" };
    let id = derived_id(prefix, out.key);
    if row(box_, &id).await?.is_some() {
        return Ok(id);
    }
    if out.kind == "transfer" && row(box_, out.destination).await?.is_none_or(|row| row.kind != "account") {
        return Err(refused("no_such_account", "There is no such account to transfer to."));
    }
    let negative = out.amount.checked_neg().map_err(|error| PaymentsError::Unknown(error.to_string()))?;
    let line = line(out.kind, &id, negative, 0, now, out.our_ref, now).map_err(Error::from)?;
    let record = sandbox_object::ActiveModel {
        id: Set(id.clone()),
        kind: Set(out.kind.to_owned()),
        parent: Set(Some(out.destination.to_owned())),
        state: Set("paid".to_owned()),
        amount_minor: Set(out.amount.minor),
        ..line.clone()
    };
    let currency = out.amount.currency;
    let enough = box_
        .db
        .write("sandbox.pay_out", move |tx| {
            let rows = vec![record.clone(), line.clone()];
            async move {
                lock_platform(&tx, now).await?;
                // The lock orders outflows, so the sum can't be spent twice.
                if insert_new(&tx, rows).await? == 0 {
                    return Ok((true, tx));
                }
                let left = balance(tx.conn(), currency, now).await?.available_minor;
                if left < 0 { Err(Error::conflict("balance_insufficient")) } else { Ok((true, tx)) }
            }
        })
        .await;
    match enough {
        Ok(_) => Ok(id),
        Err(error) if error.detail == "balance_insufficient" => {
            Err(refused("balance_insufficient", "The available balance does not hold this amount."))
        }
        Err(error) => Err(error.into()),
    }
}

/// Takes the one lock that orders outflows (PostgreSQL; SQLite has one writer anyway).
pub(super) async fn lock_platform(tx: &Tx, now: OffsetDateTime) -> Result<()> {
    let platform = sandbox_object::ActiveModel {
        id: Set("acct_platform".to_owned()),
        kind: Set("platform".to_owned()),
        idempotency_key: Set(None),
        parent: Set(None),
        state: Set("active".to_owned()),
        amount_minor: Set(0),
        fee_minor: Set(0),
        currency: Set("EUR".to_owned()),
        available_at: Set(Timestamp(now)),
        body: Set(serde_json::json!({})),
        created_at: Set(Timestamp(now)),
    };
    insert_new(tx, vec![platform]).await?;
    sandbox_object::Entity::find_by_id("acct_platform".to_owned()).lock_exclusive().one(tx.conn()).await?;
    Ok(())
}

pub(super) async fn transactions(
    box_: &Sandbox,
    since: OffsetDateTime,
    after: Option<&str>,
    limit: u32,
) -> Result<TransactionPage, PaymentsError> {
    let after: Option<(i64, String)> = after
        .map(page::decode_cursor)
        .transpose()
        .map_err(|error| PaymentsError::Refused { code: "cursor".to_owned(), text: error.to_string() })?;
    let mut query = sandbox_object::Entity::find()
        .filter(sandbox_object::Column::Kind.eq("line"))
        .filter(sandbox_object::Column::CreatedAt.gte(Timestamp(since)));
    if let Some((micros, id)) = after {
        let at = Timestamp::from_micros(micros);
        query = query.filter(Condition::any().add(sandbox_object::Column::CreatedAt.gt(at)).add(
            Condition::all().add(sandbox_object::Column::CreatedAt.eq(at)).add(sandbox_object::Column::Id.gt(id)),
        ));
    }
    let rows = query
        .order_by_asc(sandbox_object::Column::CreatedAt)
        .order_by_asc(sandbox_object::Column::Id)
        .limit(u64::from(limit))
        .all(box_.db.read())
        .await?;
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = rows.last().filter(|_| full).map(|row| page::encode_cursor(&(row.created_at.micros(), &row.id)));
    let transactions = rows.iter().map(to_transaction).collect::<Result<_, _>>()?;
    Ok(TransactionPage { transactions, unreadable: Vec::new(), next })
}

fn to_transaction(row: &sandbox_object::Model) -> Result<Transaction, PaymentsError> {
    let body: LineBody = serde_json::from_value(row.body.clone()).map_err(|e| PaymentsError::Unknown(e.to_string()))?;
    let currency = row.currency.parse::<Currency>().map_err(|e| PaymentsError::Unknown(e.to_string()))?;
    Ok(Transaction {
        id: row.id.clone(),
        kind: TransactionKind::from_word(&row.state),
        amount: Money::new(row.amount_minor, currency),
        fee_minor: row.fee_minor,
        source_ref: row.parent.clone().unwrap_or_default(),
        our_ref: body.our_ref,
        created_at: row.created_at.0,
        available_at: row.available_at.0,
    })
}

pub(super) async fn balances(box_: &Sandbox, now: OffsetDateTime) -> Result<Vec<ProcessorBalance>, PaymentsError> {
    let currencies: Vec<String> = sandbox_object::Entity::find()
        .select_only()
        .column(sandbox_object::Column::Currency)
        .filter(sandbox_object::Column::Kind.eq("line"))
        .distinct()
        .into_tuple()
        .all(box_.db.read())
        .await?;
    let mut balances = Vec::new();
    for code in currencies {
        let currency = code.parse::<Currency>().map_err(|e| PaymentsError::Unknown(e.to_string()))?;
        balances.push(balance(box_.db.read(), currency, now).await?);
    }
    balances.sort_by_key(|balance| balance.currency);
    Ok(balances)
}

pub(super) async fn balance(
    conn: &impl sea_orm::ConnectionTrait,
    currency: Currency,
    now: OffsetDateTime,
) -> Result<ProcessorBalance> {
    let sum = |available: bool| {
        let at = sandbox_object::Column::AvailableAt;
        let when = if available { at.lte(Timestamp(now)) } else { at.gt(Timestamp(now)) };
        sandbox_object::Entity::find()
            .select_only()
            .expr(Expr::cust("CAST(COALESCE(SUM(amount_minor - fee_minor), 0) AS BIGINT)"))
            .filter(sandbox_object::Column::Kind.eq("line"))
            .filter(sandbox_object::Column::Currency.eq(currency.code()))
            .filter(when)
            .into_tuple::<i64>()
    };
    Ok(ProcessorBalance {
        currency,
        pending_minor: sum(false).one(conn).await?.unwrap_or(0),
        available_minor: sum(true).one(conn).await?.unwrap_or(0),
        unreadable: None,
    })
}
