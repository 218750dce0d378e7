//! Postings in the order of sealing: the one order in which nothing ever appears in between.
//!
//! Entry ids sort by the clock of whoever wrote them, so an entry that commits late stands before one
//! that was read already. Seals are numbered one after the other, each committed before the next can be
//! made, and hold each entry once: a reader who goes on after the last seal read misses nothing.

use entity::{
    Timestamp,
    ids::{EntryId, OrderId, OrgId},
    ledger_account, ledger_entry, posting, seal, sealed_entry,
    states::{AccountClass, EntryKind},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, RelationTrait as _, Select,
};
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// The place of a posting: seal, entry in the seal, posting in the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place(pub i64, pub i64, pub i32);

/// A posting with its entry, account and place.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct SealedPosting {
    /// The seal.
    pub seal_number: i64,
    /// Position of the entry in the seal, from 0.
    pub leaf_index: i64,
    /// Position in the entry, from 0.
    pub seq: i32,
    /// The entry.
    pub entry_id: EntryId,
    /// What happened.
    pub kind: EntryKind,
    /// The business event.
    pub source: String,
    /// When it happened.
    pub effective_at: Timestamp,
    /// When it was booked.
    pub posted_at: Timestamp,
    /// The note.
    pub memo: Option<String>,
    /// The account's code.
    pub code: String,
    /// The account's side.
    pub class: AccountClass,
    /// Whose account it is, where it is somebody's.
    pub organization_id: Option<OrgId>,
    /// The order, where the account is kept per order.
    pub order_id: Option<OrderId>,
    /// Debits positive, credits negative.
    pub amount_minor: i64,
    /// The currency.
    pub currency: String,
}

impl SealedPosting {
    /// Where it stands.
    pub fn place(&self) -> Place {
        Place(self.seal_number, self.leaf_index, self.seq)
    }
}

/// Which postings; everything without a limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct SealedFilter {
    /// On this organisation's accounts.
    pub organization: Option<OrgId>,
    /// Booked at this time or later.
    pub booked_from: Option<Timestamp>,
    /// Booked before this time.
    pub booked_before: Option<Timestamp>,
    /// Effective at this time or later.
    pub effective_from: Option<Timestamp>,
    /// Effective before this time.
    pub effective_before: Option<Timestamp>,
}

/// Postings after a place, in order, at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn sealed_postings(
    conn: &impl ConnectionTrait,
    after: Option<Place>,
    filter: &SealedFilter,
    limit: u64,
) -> Result<Vec<SealedPosting>> {
    use ledger_entry::Column::{EffectiveAt, PostedAt};
    let bounds = [
        filter.booked_from.map(|at| PostedAt.gte(at)),
        filter.booked_before.map(|at| PostedAt.lt(at)),
        filter.effective_from.map(|at| EffectiveAt.gte(at)),
        filter.effective_before.map(|at| EffectiveAt.lt(at)),
        filter.organization.map(|org| ledger_account::Column::OrganizationId.eq(org)),
    ];
    let mut query = in_order();
    for bound in bounds.into_iter().flatten() {
        query = query.filter(bound);
    }
    if let Some(place) = after {
        query = query.filter(beyond(place));
    }
    Ok(query.limit(limit).into_model().all(conn).await?)
}

/// The postings of one seal's entries of these kinds.
///
/// # Errors
/// Those of the database.
pub async fn postings_of_seal(
    conn: &impl ConnectionTrait,
    number: i64,
    kinds: &[EntryKind],
) -> Result<Vec<SealedPosting>> {
    let query = in_order()
        .filter(sealed_entry::Column::SealNumber.eq(number))
        .filter(ledger_entry::Column::Kind.is_in(kinds.iter().copied()));
    Ok(query.into_model().all(conn).await?)
}

/// The first seal after a number.
///
/// # Errors
/// Those of the database.
pub async fn seal_after(conn: &impl ConnectionTrait, number: i64) -> Result<Option<i64>> {
    let query = seal::Entity::find()
        .select_only()
        .column(seal::Column::Number)
        .filter(seal::Column::Number.gt(number))
        .order_by_asc(seal::Column::Number)
        .limit(1);
    Ok(query.into_tuple().one(conn).await?)
}

/// The first bound alone lets both databases seek in the index; the rest is exact.
fn beyond(Place(seal_number, leaf_index, seq): Place) -> Condition {
    use sealed_entry::Column::{LeafIndex, SealNumber};
    let same_seal = || Condition::all().add(SealNumber.eq(seal_number));
    Condition::all().add(SealNumber.gte(seal_number)).add(
        Condition::any()
            .add(SealNumber.gt(seal_number))
            .add(same_seal().add(LeafIndex.gt(leaf_index)))
            .add(same_seal().add(LeafIndex.eq(leaf_index)).add(posting::Column::Seq.gt(seq))),
    )
}

fn in_order() -> Select<sealed_entry::Entity> {
    use sealed_entry::Column::EntryId;
    sealed_entry::Entity::find()
        .select_only()
        .columns([sealed_entry::Column::SealNumber, sealed_entry::Column::LeafIndex, EntryId])
        .columns([posting::Column::Seq, posting::Column::OrderId, posting::Column::AmountMinor])
        .column(posting::Column::Currency)
        .columns([ledger_entry::Column::Kind, ledger_entry::Column::Source, ledger_entry::Column::Memo])
        .columns([ledger_entry::Column::EffectiveAt, ledger_entry::Column::PostedAt])
        .columns([ledger_account::Column::Code, ledger_account::Column::Class])
        .column(ledger_account::Column::OrganizationId)
        .join(
            JoinType::InnerJoin,
            sealed_entry::Entity::belongs_to(ledger_entry::Entity).from(EntryId).to(ledger_entry::Column::Id).into(),
        )
        .join(
            JoinType::InnerJoin,
            sealed_entry::Entity::belongs_to(posting::Entity).from(EntryId).to(posting::Column::EntryId).into(),
        )
        .join(JoinType::InnerJoin, posting::Relation::LedgerAccount.def())
        .order_by_asc(sealed_entry::Column::SealNumber)
        .order_by_asc(sealed_entry::Column::LeafIndex)
        .order_by_asc(posting::Column::Seq)
}
