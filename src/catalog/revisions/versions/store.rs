//! Versions in the database.

use entity::{
    Timestamp, file,
    ids::{FileId, ListingId, RevisionId},
    revision, revision_version,
    states::{ProfileState, RevisionState},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _,
    sea_query::{Alias, Expr, ExprTrait as _, Query},
};
use time::OffsetDateTime;

use super::{
    contract::{Change, Contract},
    model::{Release, Version},
};
use crate::{db::Tx, error::Result};

/// Files whose profiles are read at once.
const PROFILES_AT_ONCE: usize = 50;

/// The changes of a version as they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Changes {
    /// How many there are.
    pub(super) total: usize,
    /// The gravest of them.
    pub(super) items: Vec<Change>,
}

/// What the revision before promises.
#[derive(Debug, Clone)]
pub(super) struct Promised {
    pub(super) version: Version,
    pub(super) reaches_older_at: Option<Timestamp>,
    pub(super) contract: Contract,
}

/// Published revisions that can get their version: of each listing the oldest without one, once its files are profiled,
/// or when it was published by `overdue`.
pub(super) async fn due(
    conn: &impl ConnectionTrait,
    overdue: OffsetDateTime,
    limit: u64,
) -> Result<Vec<revision::Model>> {
    let earlier = || Alias::new("earlier");
    let column = |column| Expr::col((revision::Entity, column));
    let before = Query::select()
        .expr(Expr::val(1))
        .from_as(revision::Entity, earlier())
        .and_where(Expr::col((earlier(), revision::Column::ListingId)).eq(column(revision::Column::ListingId)))
        .and_where(Expr::col((earlier(), revision::Column::Number)).lt(column(revision::Column::Number)))
        .and_where(Expr::col((earlier(), revision::Column::Major)).is_null())
        .and_where(Expr::col((earlier(), revision::Column::State)).eq(RevisionState::Published))
        .to_owned();
    let pending = Query::select()
        .expr(Expr::val(1))
        .from(file::Entity)
        .and_where(Expr::col((file::Entity, file::Column::RevisionId)).eq(column(revision::Column::Id)))
        .and_where(Expr::col((file::Entity, file::Column::ProfileState)).eq(ProfileState::Pending))
        .to_owned();
    let ready =
        Condition::any().add(Expr::exists(pending).not()).add(revision::Column::PublishedAt.lte(Timestamp(overdue)));
    Ok(revision::Entity::find()
        .filter(revision::Column::Major.is_null())
        .filter(revision::Column::State.eq(RevisionState::Published))
        .filter(Expr::exists(before).not())
        .filter(ready)
        .order_by_asc(revision::Column::Id)
        .limit(limit)
        .all(conn)
        .await?)
}

/// What the last version before revision `number` promises; nothing before the first.
pub(super) async fn promised_before(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    number: i32,
) -> Result<Option<Promised>> {
    let last = revision::Entity::find()
        .filter(revision::Column::ListingId.eq(listing))
        .filter(revision::Column::Number.lt(number))
        .filter(revision::Column::Major.is_not_null())
        .order_by_desc(revision::Column::Number)
        .one(conn)
        .await?;
    let Some((row, version)) = last.and_then(|row| Version::of(&row).map(|version| (row, version))) else {
        return Ok(None);
    };
    let kept = revision_version::Entity::find_by_id(row.id).one(conn).await?;
    let kept = kept.ok_or_else(|| crate::error::Error::internal(format!("{} has no contract", row.id)))?;
    let contract = serde_json::from_value(kept.contract)?;
    Ok(Some(Promised { version, reaches_older_at: row.reaches_older_at, contract }))
}

/// The profiles of files, where they have one, a few at a time.
pub(super) async fn profiles(
    conn: &impl ConnectionTrait,
    ids: &[FileId],
    mut take: impl FnMut(FileId, serde_json::Value) -> Result<()>,
) -> Result<()> {
    for some in ids.chunks(PROFILES_AT_ONCE) {
        let rows: Vec<(FileId, Option<serde_json::Value>)> = file::Entity::find()
            .select_only()
            .columns([file::Column::Id, file::Column::Profile])
            .filter(file::Column::Id.is_in(some.iter().copied()))
            .into_tuple()
            .all(conn)
            .await?;
        for (id, profile) in rows {
            if let Some(profile) = profile {
                take(id, profile)?;
            }
        }
    }
    Ok(())
}

/// A version to be written down.
#[derive(Debug, Clone)]
pub(super) struct Assigned {
    pub(super) version: Version,
    pub(super) reaches_older_at: Timestamp,
    pub(super) kept: revision_version::Model,
}

/// Writes a version down; false when another process did before.
pub(super) async fn assign(tx: &Tx, assigned: Assigned) -> Result<bool> {
    let Assigned { version, reaches_older_at, kept } = assigned;
    let done = revision::Entity::update_many()
        .col_expr(revision::Column::Major, Expr::value(Some(version.major)))
        .col_expr(revision::Column::Minor, Expr::value(Some(version.minor)))
        .col_expr(revision::Column::Patch, Expr::value(Some(version.patch)))
        .col_expr(revision::Column::ReachesOlderAt, Expr::value(Some(reaches_older_at)))
        .filter(revision::Column::Id.eq(kept.revision_id))
        .filter(revision::Column::Major.is_null())
        .exec(tx.conn())
        .await?;
    if done.rows_affected == 0 {
        return Ok(false);
    }
    revision_version::Entity::insert(kept.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(true)
}

/// True while a published revision of the listing waits for its version.
pub(super) async fn has_unversioned(conn: &impl ConnectionTrait, listing: ListingId) -> Result<bool> {
    Ok(published(listing).filter(revision::Column::Major.is_null()).one(conn).await?.is_some())
}

/// A published revision and what is known of its version.
#[derive(Debug, Clone)]
pub struct Released {
    /// The revision.
    pub revision_id: RevisionId,
    /// Its version, once it is known.
    pub version: Option<Version>,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// Whom it reaches when.
    pub release: Release,
}

impl From<revision::Model> for Released {
    fn from(row: revision::Model) -> Self {
        Self {
            revision_id: row.id,
            version: Version::of(&row),
            published_at: row.published_at,
            release: Release {
                number: row.number,
                major: row.major,
                reaches_older_at: row.reaches_older_at.map(|at| at.0),
                gives_notice: row.gives_notice,
            },
        }
    }
}

/// Published revisions of a listing, newest first, below the number `before`; one row more than `limit`.
///
/// # Errors
/// Those of the database.
pub async fn page_of_listing(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    before: Option<i32>,
    limit: usize,
) -> Result<Vec<Released>> {
    let rows = published(listing)
        .apply_if(before, |query, before| query.filter(revision::Column::Number.lt(before)))
        .limit(one_more(limit))
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(Released::from).collect())
}

/// The newest major of a listing, once a revision has a version.
///
/// # Errors
/// Those of the database.
pub async fn newest_major(conn: &impl ConnectionTrait, listing: ListingId) -> Result<Option<i32>> {
    let newest = published(listing).filter(revision::Column::Major.is_not_null()).one(conn).await?;
    Ok(newest.and_then(|row| row.major))
}

/// The major of the newest revision up to `number`.
///
/// # Errors
/// Those of the database.
pub async fn major_at(conn: &impl ConnectionTrait, listing: ListingId, number: i32) -> Result<Option<i32>> {
    let row = published(listing).filter(revision::Column::Number.lte(number)).one(conn).await?;
    Ok(row.and_then(|row| row.major))
}

/// The version of the revision of this number, once it is known.
///
/// # Errors
/// Those of the database.
pub async fn version_of(conn: &impl ConnectionTrait, listing: ListingId, number: i32) -> Result<Option<Version>> {
    let row = published(listing).filter(revision::Column::Number.eq(number)).one(conn).await?;
    Ok(row.as_ref().and_then(Version::of))
}

/// The number of the revision that has this version.
///
/// # Errors
/// Those of the database.
pub async fn number_of(conn: &impl ConnectionTrait, listing: ListingId, version: Version) -> Result<Option<i32>> {
    let row = published(listing)
        .filter(revision::Column::Major.eq(version.major))
        .filter(revision::Column::Minor.eq(version.minor))
        .filter(revision::Column::Patch.eq(version.patch))
        .one(conn)
        .await?;
    Ok(row.map(|row| row.number))
}

/// Versioned revisions of a listing with their changes, newest first, between two numbers, both excluded; one row more
/// than `limit`.
pub(super) async fn changelog(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    (after, before): (Option<i32>, Option<i32>),
    limit: usize,
) -> Result<Vec<(revision::Model, Changes)>> {
    let rows = published(listing)
        .filter(revision::Column::Major.is_not_null())
        .apply_if(after, |query, after| query.filter(revision::Column::Number.gt(after)))
        .apply_if(before, |query, before| query.filter(revision::Column::Number.lt(before)))
        .limit(one_more(limit))
        .all(conn)
        .await?;
    let kept: Vec<(RevisionId, serde_json::Value)> = revision_version::Entity::find()
        .select_only()
        .columns([revision_version::Column::RevisionId, revision_version::Column::Changes])
        .filter(revision_version::Column::RevisionId.is_in(rows.iter().map(|row| row.id)))
        .into_tuple()
        .all(conn)
        .await?;
    let mut kept: std::collections::HashMap<_, _> = kept.into_iter().collect();
    rows.into_iter()
        .map(|row| {
            let changes = kept.remove(&row.id).map(serde_json::from_value).transpose()?.unwrap_or_default();
            Ok((row, changes))
        })
        .collect()
}

fn published(listing: ListingId) -> sea_orm::Select<revision::Entity> {
    revision::Entity::find()
        .filter(revision::Column::ListingId.eq(listing))
        .filter(revision::Column::State.eq(RevisionState::Published))
        .order_by_desc(revision::Column::Number)
}

fn one_more(limit: usize) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1)
}
