//! Which files of a grant are tables, and in which version.

use entity::{
    Timestamp, file,
    ids::{FileId, ListingId},
    listing, organization, rendition, revision,
    states::{RenditionFormat, RenditionState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, JsonValue, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, RelationDef, Select,
};
use time::OffsetDateTime;

use crate::{
    delivery::downloads::{
        model::GrantTerms,
        store::{covered_files, published},
    },
    error::Result,
};

/// A file of a published revision, as the Parquet file that was made of it.
#[derive(Debug, Clone, FromQueryResult)]
pub(in crate::delivery) struct TableFile {
    pub(in crate::delivery) id: FileId,
    pub(in crate::delivery) number: i32,
    pub(in crate::delivery) listing_id: ListingId,
    published_at: Option<Timestamp>,
    created_at: Timestamp,
    /// What its provider called the original.
    pub(in crate::delivery) name: String,
    /// Those of the Parquet file.
    pub(in crate::delivery) size_bytes: i64,
    pub(in crate::delivery) sha256: String,
    pub(in crate::delivery) blob_key: String,
}

impl TableFile {
    /// When its revision was published.
    pub(in crate::delivery) fn published_at(&self) -> OffsetDateTime {
        self.published_at.unwrap_or(self.created_at).0
    }
}

/// The one place that says which files are delivered as tables: those a Parquet file was made of, or is.
fn covered_tables(grant: &GrantTerms, now: OffsetDateTime) -> Select<file::Entity> {
    use rendition::Column::{BlobKey, Format, Sha256, SizeBytes, State};
    let made: RelationDef =
        file::Entity::belongs_to(rendition::Entity).from(file::Column::Id).to(rendition::Column::FileId).into();
    covered_files(grant, now)
        .columns([file::Column::Id, file::Column::CreatedAt, file::Column::Name])
        .columns([revision::Column::Number, revision::Column::ListingId, revision::Column::PublishedAt])
        .columns([SizeBytes, Sha256, BlobKey])
        .join(JoinType::InnerJoin, made)
        .filter(Format.eq(RenditionFormat::Parquet))
        .filter(State.eq(RenditionState::Made))
}

/// The tables of the newest published revision of a listing that has any, by name, whoever may have them: for
/// questions whose answers show no row.
pub(in crate::delivery) async fn tables_of_listing(
    conn: &impl ConnectionTrait,
    listing: ListingId,
) -> Result<Vec<TableFile>> {
    use rendition::Column::{BlobKey, Format, Sha256, SizeBytes, State};
    let tables = || {
        let made: RelationDef =
            file::Entity::belongs_to(rendition::Entity).from(file::Column::Id).to(rendition::Column::FileId).into();
        published()
            .columns([file::Column::Id, file::Column::CreatedAt, file::Column::Name])
            .columns([revision::Column::Number, revision::Column::ListingId, revision::Column::PublishedAt])
            .columns([SizeBytes, Sha256, BlobKey])
            .join(JoinType::InnerJoin, made)
            .filter(Format.eq(RenditionFormat::Parquet))
            .filter(State.eq(RenditionState::Made))
            .filter(revision::Column::ListingId.eq(listing))
    };
    let newest = tables().order_by_desc(revision::Column::Number).limit(1).into_model::<TableFile>().one(conn).await?;
    let Some(newest) = newest else { return Ok(Vec::new()) };
    let all = tables()
        .filter(revision::Column::Number.eq(newest.number))
        .order_by_asc(file::Column::Name)
        .order_by_asc(file::Column::Id);
    Ok(all.into_model::<TableFile>().all(conn).await?)
}

/// Which version of a table is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::delivery) enum At {
    /// The newest.
    Newest,
    /// The newest up to this revision.
    Version(i32),
    /// The newest published up to this instant.
    Until(OffsetDateTime),
    /// The oldest published from this instant on.
    From(OffsetDateTime),
}

/// The tables of the newest revision that has any, by name.
pub(super) async fn newest_tables(
    conn: &impl ConnectionTrait,
    grant: &GrantTerms,
    now: OffsetDateTime,
) -> Result<Vec<TableFile>> {
    let newest = covered_tables(grant, now).order_by_desc(revision::Column::Number).limit(1);
    let Some(newest) = newest.into_model::<TableFile>().one(conn).await? else { return Ok(Vec::new()) };
    let tables = covered_tables(grant, now)
        .filter(revision::Column::Number.eq(newest.number))
        .order_by_asc(file::Column::Name)
        .order_by_asc(file::Column::Id);
    Ok(tables.into_model::<TableFile>().all(conn).await?)
}

/// The file of this name in the version asked for.
pub(super) async fn find_version(
    conn: &impl ConnectionTrait,
    (grant, now): (&GrantTerms, OffsetDateTime),
    name: &str,
    at: At,
) -> Result<Option<TableFile>> {
    use revision::Column::{Number, PublishedAt};
    let named = covered_tables(grant, now).filter(file::Column::Name.eq(name)).limit(1);
    let one = match at {
        At::Newest => named.order_by_desc(Number),
        At::Version(number) => named.filter(Number.lte(number)).order_by_desc(Number),
        At::Until(until) => named.filter(PublishedAt.lte(Timestamp(until))).order_by_desc(Number),
        At::From(from) => named.filter(PublishedAt.gte(Timestamp(from))).order_by_asc(Number),
    };
    Ok(one.into_model::<TableFile>().one(conn).await?)
}

/// The files of this name in the revisions from one to another, the oldest first; at most `limit`.
pub(super) async fn list_versions(
    conn: &impl ConnectionTrait,
    (grant, now): (&GrantTerms, OffsetDateTime),
    name: &str,
    (from, to): (i32, i32),
    limit: u64,
) -> Result<Vec<TableFile>> {
    let named = covered_tables(grant, now)
        .filter(file::Column::Name.eq(name))
        .filter(revision::Column::Number.between(from, to))
        .order_by_asc(revision::Column::Number)
        .limit(limit);
    Ok(named.into_model::<TableFile>().all(conn).await?)
}

/// What a share is named after.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct ListingRow {
    pub(super) id: ListingId,
    pub(super) title: JsonValue,
    pub(super) slug: String,
}

/// The listings behind grants that were found already, whoever may see them: a grant outlives the shelf.
pub(super) async fn listings(conn: &impl ConnectionTrait, ids: Vec<ListingId>) -> Result<Vec<ListingRow>> {
    let provider: RelationDef = listing::Entity::belongs_to(organization::Entity)
        .from(listing::Column::OrganizationId)
        .to(organization::Column::Id)
        .into();
    let named = listing::Entity::find()
        .select_only()
        .columns([listing::Column::Id, listing::Column::Title])
        .column(organization::Column::Slug)
        .join(JoinType::InnerJoin, provider)
        .filter(listing::Column::Id.is_in(ids));
    Ok(named.into_model::<ListingRow>().all(conn).await?)
}
