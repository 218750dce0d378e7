//! Tamper evidence and folded balances, by a job and never inside a sale.
//!
//! A seal covers the entries that no earlier seal covers: their leaves form a Merkle tree whose root
//! is chained to the head of the seal before. Which entries a seal covers is written down
//! (`sealed_entry`), so an entry that commits late is simply in a later seal. In the same
//! transaction the postings of these entries are added to `ledger_balance`.
//!
//! How leaves become a root and roots a chain is in [`torv_money::chain`].
//!
//! Source: leaf and node prefixes as in RFC 6962, section 2.1.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use entity::{
    Timestamp,
    ids::{EntryId, LedgerAccountId},
    ledger_balance, ledger_entry, posting, seal, sealed_entry,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, OnConflict, Query},
};
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use torv_money::chain;
pub(super) use torv_money::chain::FIRST_HEAD;
use uuid::Uuid;

use crate::{
    base::digest,
    db::{
        Tx,
        bulk::{self, Kind, Known, List},
    },
    error::{Error, Problem, Result},
    state::AppState,
};

/// Entries a seal covers at most; one round of the job makes several seals if more are waiting.
const ENTRIES_PER_SEAL_MAX: u64 = 2_000;
/// How often a look begins again because another process sealed at the same moment.
const MEETINGS_MAX: u32 = 5;
/// How long before the newest sealed entry a late one may still appear: no transaction lives as long.
const LATE_MINUTES: i64 = 10;
/// Rows of one insert; both databases limit the parameters of a statement.
const ROWS_PER_INSERT: usize = 500;

/// Seals entries that are not sealed yet; returns how many.
///
/// Each call looks at every entry from the floor on once, whatever it seals: what commits late behind its back is found
/// by the next call.
///
/// # Errors
/// Those of the database.
pub async fn seal_new_entries(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let (mut total, mut met) = (0, 0);
    let mut from = unsealed_floor(app.db.read()).await?;
    loop {
        let waiting = unsealed(app.db.read(), from, ENTRIES_PER_SEAL_MAX).await?;
        let Some(last) = waiting.last() else { return Ok(total) };
        from = EntryId(Uuid::from_u128(last.id.0.as_u128().saturating_add(1)));
        let count = waiting.len();
        let leaves = Arc::new(leaves(app.db.read(), &waiting).await?);
        let sealed = app
            .db
            .write("ledger.seal", move |tx| {
                let leaves = leaves.clone();
                async move {
                    write_seal(&tx, &leaves, now).await?;
                    Ok(((), tx))
                }
            })
            .await;
        match sealed {
            Ok(()) => total += count,
            Err(error) if error.problem == Problem::Conflict && met < MEETINGS_MAX => {
                tracing::debug!("another process sealed at the same moment; looking again for what it left");
                met += 1;
                from = unsealed_floor(app.db.read()).await?;
            }
            Err(error) if error.problem == Problem::Conflict => return Ok(total),
            Err(error) => return Err(error),
        }
    }
}

/// No entry below this id is unsealed: the scan for unsealed ones starts here, not at the beginning.
pub(super) async fn unsealed_floor(conn: &impl ConnectionTrait) -> Result<EntryId> {
    let newest: Option<EntryId> = sealed_entry::Entity::find()
        .select_only()
        .column(sealed_entry::Column::EntryId)
        .order_by_desc(sealed_entry::Column::EntryId)
        .limit(1)
        .into_tuple()
        .one(conn)
        .await?;
    let Some(newest) = newest else { return Ok(EntryId(Uuid::nil())) };
    let millis = newest.0.as_u128() >> 80;
    let late = Duration::minutes(LATE_MINUTES).whole_milliseconds().unsigned_abs();
    Ok(EntryId(Uuid::from_u128(millis.saturating_sub(late) << 80)))
}

async fn unsealed(conn: &impl ConnectionTrait, from: EntryId, limit: u64) -> Result<Vec<ledger_entry::Model>> {
    let sealed = Query::select()
        .expr(Expr::val(1))
        .from(sealed_entry::Entity)
        .and_where(
            Expr::col((sealed_entry::Entity, sealed_entry::Column::EntryId))
                .equals((ledger_entry::Entity, ledger_entry::Column::Id)),
        )
        .to_owned();
    Ok(ledger_entry::Entity::find()
        .filter(ledger_entry::Column::Id.gte(from))
        .filter(Expr::exists(sealed).not())
        .order_by_asc(ledger_entry::Column::Id)
        .limit(limit)
        .all(conn)
        .await?)
}

/// What a seal will cover: entries with their leaves, and what they add to balances.
#[derive(Debug)]
struct Leaves {
    of: Vec<(EntryId, String)>,
    sums: BTreeMap<LedgerAccountId, i64>,
}

/// Hashes entries. Nothing of an entry ever changes, so this needs no transaction, and keeps none open.
async fn leaves(conn: &impl ConnectionTrait, entries: &[ledger_entry::Model]) -> Result<Leaves> {
    let ids: Vec<EntryId> = entries.iter().map(|entry| entry.id).collect();
    let postings = postings_of(conn, &ids).await?;
    let mut sums: BTreeMap<LedgerAccountId, i64> = BTreeMap::new();
    for line in postings.values().flatten() {
        let sum = sums.entry(line.account_id).or_default();
        *sum = sum.checked_add(line.amount_minor).ok_or(crate::base::MoneyError::Overflow)?;
    }
    let of = entries.iter().map(|entry| Ok((entry.id, leaf(entry, postings.get(&entry.id))?)));
    Ok(Leaves { of: of.collect::<Result<_>>()?, sums })
}

async fn write_seal(tx: &Tx, leaves: &Leaves, now: OffsetDateTime) -> Result<()> {
    let last = last_seal(tx.conn()).await?;
    let (number, previous) = last.map_or((1, FIRST_HEAD.to_owned()), |seal| (seal.number + 1, seal.head));
    let hashes: Vec<String> = leaves.of.iter().map(|(_, leaf)| leaf.clone()).collect();
    let root = root(&hashes);
    let row = seal::ActiveModel {
        number: Set(number),
        previous_head: Set(previous.clone()),
        root: Set(root.clone()),
        head: Set(head(number, &previous, &root)),
        entry_count: Set(i64::try_from(leaves.of.len()).map_err(Error::internal)?),
        sealed_at: Set(Timestamp(now)),
    };
    // The number is the primary key: of two processes sealing at once, one fails here and looks again.
    seal::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    let members = (0_i64..).zip(&leaves.of).map(|(index, (id, leaf))| sealed_entry::ActiveModel {
        entry_id: Set(*id),
        seal_number: Set(number),
        leaf_index: Set(index),
        leaf: Set(leaf.clone()),
    });
    bulk::insert(tx, members.collect(), Known::Refuse).await?;
    fold(tx, &leaves.sums, number).await
}

/// Adds the sealed postings to the folded balances.
async fn fold(tx: &Tx, sums: &BTreeMap<LedgerAccountId, i64>, number: i64) -> Result<()> {
    let sums: Vec<_> = sums.iter().collect();
    for chunk in sums.chunks(ROWS_PER_INSERT) {
        let rows = chunk.iter().map(|(id, sum)| ledger_balance::ActiveModel {
            account_id: Set(**id),
            sealed_minor: Set(**sum),
            seal_number: Set(number),
        });
        let add = Expr::cust("ledger_balance.sealed_minor + excluded.sealed_minor");
        let on_conflict = OnConflict::column(ledger_balance::Column::AccountId)
            .value(ledger_balance::Column::SealedMinor, add)
            .update_column(ledger_balance::Column::SealNumber)
            .to_owned();
        ledger_balance::Entity::insert_many(rows).on_conflict(on_conflict).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

/// The newest seal.
pub(super) async fn last_seal(conn: &impl ConnectionTrait) -> Result<Option<seal::Model>> {
    Ok(seal::Entity::find().order_by_desc(seal::Column::Number).one(conn).await?)
}

/// The postings of these entries, by entry, in order.
pub(super) async fn postings_of(
    conn: &impl ConnectionTrait,
    ids: &[EntryId],
) -> Result<HashMap<EntryId, Vec<posting::Model>>> {
    let mut of: HashMap<EntryId, Vec<posting::Model>> = HashMap::new();
    let wanted = List::of(conn.get_database_backend(), Kind::Uuid, ids.iter().map(|id| id.0.into()))?;
    let rows = posting::Entity::find()
        .filter(wanted.contains("entry_id"))
        .order_by_asc(posting::Column::EntryId)
        .order_by_asc(posting::Column::Seq)
        .all(conn)
        .await?;
    for row in rows {
        of.entry(row.entry_id).or_default().push(row);
    }
    Ok(of)
}

#[derive(Serialize)]
struct Leaf<'a> {
    id: String,
    kind: &'static str,
    source: &'a str,
    effective_at_micros: i64,
    posted_at_micros: i64,
    memo: Option<&'a str>,
    postings: Vec<(i32, String, Option<String>, i64, &'a str)>,
}

/// The leaf of an entry: a digest over everything that was booked.
pub(super) fn leaf(entry: &ledger_entry::Model, postings: Option<&Vec<posting::Model>>) -> Result<String> {
    let line = |row: &'_ posting::Model| {
        (row.seq, row.account_id.to_string(), row.order_id.map(|id| id.to_string()), row.amount_minor)
    };
    let leaf = Leaf {
        id: entry.id.to_string(),
        kind: entry.kind.as_str(),
        source: &entry.source,
        effective_at_micros: entry.effective_at.micros(),
        posted_at_micros: entry.posted_at.micros(),
        memo: entry.memo.as_deref(),
        postings: postings
            .into_iter()
            .flatten()
            .map(|row| {
                let (seq, account, order, minor) = line(row);
                (seq, account, order, minor, row.currency.as_str())
            })
            .collect(),
    };
    Ok(digest::sha256_hex(&[b"\0".as_slice(), digest::canonical_json(&leaf)?.as_bytes()].concat()))
}

/// The Merkle root over leaves.
pub(super) fn root(leaves: &[String]) -> String {
    chain::root(leaves, digest::sha256_hex)
}

/// The head of a seal: its number and root, chained to the head before.
pub(super) fn head(number: i64, previous: &str, root: &str) -> String {
    chain::head(number, previous, root, digest::sha256_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_depends_on_every_leaf_and_on_their_order() {
        let leaves: Vec<String> = (0..7).map(|n| digest::sha256_hex(&[n])).collect();
        let before = root(&leaves);
        for changed in 0..7 {
            let mut other = leaves.clone();
            other[changed] = digest::sha256_hex(b"forged");
            assert_ne!(root(&other), before, "leaf {changed}");
        }
        let mut swapped = leaves.clone();
        swapped.swap(2, 3);
        assert_ne!(root(&swapped), before);
        assert_ne!(root(&leaves[..6]), before);
    }
}
