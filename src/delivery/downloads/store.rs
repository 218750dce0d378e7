//! Grants, files and deliveries, always by the organisation that may see them.

use entity::{
    Timestamp, delivery, file, grant,
    ids::{DeliveryId, FileId, GrantId, ListingId, MeterId, OrgId, RevisionId},
    listing, revision,
    states::{Coverage, GrantState, RevisionState},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _, RelationDef, Select, sea_query::Expr,
};
use time::{Date, Duration, OffsetDateTime};

use super::model::{FileFacts, FileHeaders, GrantTerms};
use crate::{
    catalog::renditions::{Rendition, media_type, name_in},
    catalog::revisions::versions::{Held, Release},
    error::Result,
    limits,
};

/// What a stored day is divided by.
const DAY: Duration = Duration::DAY;

#[derive(FromQueryResult)]
struct GrantRow {
    id: GrantId,
    listing_id: ListingId,
    organization_id: OrgId,
    coverage: Coverage,
    through_revision: i32,
    accepted_major: Option<i32>,
    /// Of its `through_revision`.
    through_major: Option<i32>,
    state: GrantState,
    end_reason: Option<String>,
    starts_at: Timestamp,
    ends_at: Option<Timestamp>,
    meter_id: Option<MeterId>,
    slice_file_id: Option<FileId>,
}

impl From<GrantRow> for GrantTerms {
    fn from(row: GrantRow) -> Self {
        Self {
            id: row.id,
            listing_id: row.listing_id,
            organization_id: row.organization_id,
            coverage: row.coverage,
            held: Held { through_revision: row.through_revision, major: row.through_major.max(row.accepted_major) },
            is_disputed: row.state == GrantState::Suspended && row.end_reason.is_some(),
            state: row.state,
            starts_at: row.starts_at.0,
            ends_at: row.ends_at.map(|end| end.0),
            meter_id: row.meter_id,
            slice_of: row.slice_file_id,
        }
    }
}

fn grants() -> Select<grant::Entity> {
    use grant::Column::{
        AcceptedMajor, Coverage, EndReason, EndsAt, Id, ListingId, MeterId, OrganizationId, SliceFileId, StartsAt,
        State, ThroughRevision,
    };
    let made_on: RelationDef = grant::Entity::belongs_to(revision::Entity)
        .from((ListingId, ThroughRevision))
        .to((revision::Column::ListingId, revision::Column::Number))
        .into();
    grant::Entity::find()
        .select_only()
        .columns([
            Id,
            ListingId,
            OrganizationId,
            Coverage,
            ThroughRevision,
            AcceptedMajor,
            State,
            EndReason,
            StartsAt,
            EndsAt,
            MeterId,
            SliceFileId,
        ])
        .column_as(revision::Column::Major, "through_major")
        .join(JoinType::LeftJoin, made_on)
}

/// The grants with these ids, whoever holds them: for links, which name theirs under a signature.
pub(super) async fn find_grants(conn: &impl ConnectionTrait, ids: Vec<GrantId>) -> Result<Vec<GrantTerms>> {
    let rows = grants().filter(grant::Column::Id.is_in(ids)).into_model::<GrantRow>().all(conn).await?;
    Ok(rows.into_iter().map(GrantTerms::from).collect())
}

/// A grant that `holder` has.
pub(in crate::delivery) async fn find_grant(
    conn: &impl ConnectionTrait,
    holder: OrgId,
    id: GrantId,
) -> Result<Option<GrantTerms>> {
    let own = grants().filter(grant::Column::Id.eq(id)).filter(grant::Column::OrganizationId.eq(holder));
    Ok(own.into_model::<GrantRow>().one(conn).await?.map(GrantTerms::from))
}

/// Whose grants of the whole to look at: those of slices open no table.
#[derive(Debug, Clone, Copy)]
pub(in crate::delivery) struct Holding {
    pub(in crate::delivery) holder: OrgId,
    /// This one alone.
    pub(in crate::delivery) only: Option<GrantId>,
    /// Those on this listing alone.
    pub(in crate::delivery) listing: Option<ListingId>,
}

impl Holding {
    fn grants(self) -> Select<grant::Entity> {
        grants()
            .filter(grant::Column::OrganizationId.eq(self.holder))
            .filter(grant::Column::SliceFileId.is_null())
            .apply_if(self.only, |query, only| query.filter(grant::Column::Id.eq(only)))
            .apply_if(self.listing, |query, listing| query.filter(grant::Column::ListingId.eq(listing)))
            .order_by_desc(grant::Column::Id)
    }
}

/// The newest of these grants, whatever its state.
pub(in crate::delivery) async fn find_newest_grant(
    conn: &impl ConnectionTrait,
    holding: Holding,
) -> Result<Option<GrantTerms>> {
    Ok(holding.grants().into_model::<GrantRow>().one(conn).await?.map(GrantTerms::from))
}

/// A grant of a slice among what is looked at, whatever its state.
pub(in crate::delivery) async fn find_slice_grant(
    conn: &impl ConnectionTrait,
    holding: Holding,
) -> Result<Option<GrantTerms>> {
    let slices = grants()
        .filter(grant::Column::OrganizationId.eq(holding.holder))
        .filter(grant::Column::SliceFileId.is_not_null())
        .apply_if(holding.only, |query, only| query.filter(grant::Column::Id.eq(only)))
        .apply_if(holding.listing, |query, listing| query.filter(grant::Column::ListingId.eq(listing)));
    Ok(slices.into_model::<GrantRow>().one(conn).await?.map(GrantTerms::from))
}

/// Those of these grants that are open at `now`, newest first, from below `before`.
pub(in crate::delivery) async fn list_open_grants(
    conn: &impl ConnectionTrait,
    holding: Holding,
    now: OffsetDateTime,
    before: Option<GrantId>,
    rows: u64,
) -> Result<Vec<GrantTerms>> {
    let endless = Condition::any().add(grant::Column::EndsAt.is_null()).add(grant::Column::EndsAt.gt(Timestamp(now)));
    let open = holding
        .grants()
        .filter(grant::Column::State.eq(GrantState::Active))
        .filter(grant::Column::StartsAt.lte(Timestamp(now)))
        .filter(endless)
        .apply_if(before, |query, before| query.filter(grant::Column::Id.lt(before)))
        .limit(rows);
    Ok(open.into_model::<GrantRow>().all(conn).await?.into_iter().map(GrantTerms::from).collect())
}

/// Grants of the whole of `holder` with ids from `first` to `last`, whatever their state.
pub(in crate::delivery) async fn list_grants_between(
    conn: &impl ConnectionTrait,
    holder: OrgId,
    (first, last): (GrantId, GrantId),
) -> Result<Vec<GrantTerms>> {
    let found = grants()
        .filter(grant::Column::OrganizationId.eq(holder))
        .filter(grant::Column::Id.gte(first))
        .filter(grant::Column::Id.lte(last))
        .filter(grant::Column::SliceFileId.is_null());
    Ok(found.into_model::<GrantRow>().all(conn).await?.into_iter().map(GrantTerms::from).collect())
}

/// True when `provider` has this listing.
pub(super) async fn has_listing(conn: &impl ConnectionTrait, provider: OrgId, id: ListingId) -> Result<bool> {
    let own = listing::Entity::find()
        .select_only()
        .column(listing::Column::Id)
        .filter(listing::Column::Id.eq(id))
        .filter(listing::Column::OrganizationId.eq(provider));
    Ok(own.into_tuple::<ListingId>().one(conn).await?.is_some())
}

/// A published file with its revision.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct FileRow {
    pub(super) id: FileId,
    pub(super) revision_id: RevisionId,
    pub(super) number: i32,
    pub(super) listing_id: ListingId,
    pub(super) published_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    pub(super) name: String,
    pub(super) media_type: String,
    pub(super) format: String,
    pub(super) size_bytes: i64,
    pub(super) sha256: String,
    pub(super) blob_key: String,
    pub(super) major: Option<i32>,
    pub(super) reaches_older_at: Option<Timestamp>,
    pub(super) gives_notice: bool,
    pub(super) time_zone: Option<String>,
    pub(super) crs: Option<String>,
}

impl FileRow {
    /// When its revision was published.
    pub(in crate::delivery) fn published_at(&self) -> OffsetDateTime {
        self.published_at.unwrap_or(self.created_at).0
    }

    /// What of its revision decides who may have it.
    fn release(&self) -> Release {
        Release {
            number: self.number,
            major: self.major,
            reaches_older_at: self.reaches_older_at.map(|at| at.0),
            gives_notice: self.gives_notice,
        }
    }

    /// The kind it is served as.
    pub(super) fn facts(self) -> FileFacts {
        let published_at = self.published_at();
        FileFacts {
            headers: FileHeaders::new(&self.name, &self.media_type, &self.format, &self.sha256, published_at),
            release: self.release(),
            id: self.id,
            format: None,
            listing_id: self.listing_id,
            size_bytes: u64::try_from(self.size_bytes).unwrap_or(0),
            last_modified: published_at.replace_nanosecond(0).unwrap_or(published_at),
            blob_key: self.blob_key,
            sha256: self.sha256,
        }
    }

    /// The same for a rendition of it.
    pub(super) fn facts_in(self, rendition: Rendition) -> FileFacts {
        let (name, format) = (name_in(rendition.format, &self.name), rendition.format);
        let headers =
            FileHeaders::new(&name, media_type(format), format.as_str(), &rendition.sha256, rendition.made_at);
        FileFacts {
            headers,
            id: self.id,
            format: Some(format),
            listing_id: self.listing_id,
            release: self.release(),
            size_bytes: rendition.size_bytes,
            last_modified: rendition.made_at.replace_nanosecond(0).unwrap_or(rendition.made_at),
            blob_key: rendition.blob_key,
            sha256: rendition.sha256,
        }
    }
}

fn revision_of_file() -> RelationDef {
    file::Entity::belongs_to(revision::Entity).from(file::Column::RevisionId).to(revision::Column::Id).into()
}

/// Files of published revisions, without columns.
pub(in crate::delivery) fn published() -> Select<file::Entity> {
    file::Entity::find()
        .select_only()
        .join(JoinType::InnerJoin, revision_of_file())
        .filter(revision::Column::State.eq(RevisionState::Published))
}

fn published_files() -> Select<file::Entity> {
    use file::Column::{BlobKey, CreatedAt, Crs, Format, Id, MediaType, Name, RevisionId, Sha256, SizeBytes, TimeZone};
    use revision::Column::{GivesNotice, ListingId, Major, Number, PublishedAt, ReachesOlderAt};
    published()
        .columns([Id, RevisionId, CreatedAt, Name, MediaType, Format, SizeBytes, Sha256, BlobKey, TimeZone, Crs])
        .columns([Number, ListingId, PublishedAt, Major, ReachesOlderAt, GivesNotice])
}

/// A file of a published revision, whoever may have it: for links, which name theirs under a signature.
pub(super) async fn find_file(conn: &impl ConnectionTrait, id: FileId) -> Result<Option<FileRow>> {
    Ok(published_files().filter(file::Column::Id.eq(id)).into_model::<FileRow>().one(conn).await?)
}

/// Where a list of files goes on: after this file of this revision.
pub(super) type FileCursor = (i32, FileId);

/// What [`GrantTerms::covers`] says, for the database.
fn covered_by(grant: &GrantTerms, now: OffsetDateTime) -> Condition {
    let held = grant.held;
    let unannounced =
        Condition::all().add(revision::Column::Major.is_null()).add(revision::Column::GivesNotice.eq(false));
    let reached = Condition::any()
        .add(revision::Column::Number.lte(held.through_revision))
        .add_option(held.major.map(|major| revision::Column::Major.lte(major)))
        .add(revision::Column::ReachesOlderAt.lte(Timestamp(now)))
        .add(unannounced);
    Condition::all()
        // A slice covers no file.
        .add_option(grant.slice_of.map(|_| revision::Column::Number.lt(0)))
        .add(revision::Column::ListingId.eq(grant.listing_id))
        .add_option(grant.last_revision().map(|last| revision::Column::Number.lte(last)))
        .add(reached)
}

/// The files of published revisions that `grant` covers at `now`, without columns.
pub(in crate::delivery) fn covered_files(grant: &GrantTerms, now: OffsetDateTime) -> Select<file::Entity> {
    published().filter(covered_by(grant, now))
}

/// Published files that `grant` covers at `now`, newest revision first; one row more than `limit`.
pub(super) async fn list_files(
    conn: &impl ConnectionTrait,
    grant: &GrantTerms,
    now: OffsetDateTime,
    (revision_number, after): (Option<i32>, Option<FileCursor>),
    limit: usize,
) -> Result<Vec<FileRow>> {
    let mut covered = covered_by(grant, now);
    if let Some(number) = revision_number {
        covered = covered.add(revision::Column::Number.eq(number));
    }
    if let Some((number, id)) = after {
        let same = Condition::all().add(revision::Column::Number.eq(number)).add(file::Column::Id.gt(id));
        covered = covered.add(Condition::any().add(revision::Column::Number.lt(number)).add(same));
    }
    let page = published_files()
        .filter(covered)
        .order_by_desc(revision::Column::Number)
        .order_by_asc(file::Column::Id)
        .limit(one_more(limit));
    Ok(page.into_model::<FileRow>().all(conn).await?)
}

/// The newest file of this name that `grant` covers at `now`; of one revision alone where its number is given.
pub(super) async fn newest_file(
    conn: &impl ConnectionTrait,
    grant: &GrantTerms,
    now: OffsetDateTime,
    (name, number): (&str, Option<i32>),
) -> Result<Option<FileRow>> {
    let only = number.map(|number| revision::Column::Number.eq(number));
    let named = published_files()
        .filter(covered_by(grant, now).add_option(only))
        .filter(file::Column::Name.eq(name))
        .order_by_desc(revision::Column::Number);
    Ok(named.into_model::<FileRow>().one(conn).await?)
}

/// The profile of a file, where it has one.
pub(super) async fn find_profile(conn: &impl ConnectionTrait, id: FileId) -> Result<Option<sea_orm::JsonValue>> {
    let profile = file::Entity::find_by_id(id).select_only().column(file::Column::Profile);
    Ok(profile.into_tuple::<Option<sea_orm::JsonValue>>().one(conn).await?.flatten())
}

/// The newest deliveries under a grant, from below `before`; one row more than `limit`.
pub(super) async fn list_deliveries_of_grant(
    conn: &impl ConnectionTrait,
    grant_id: GrantId,
    before: Option<DeliveryId>,
    limit: usize,
) -> Result<Vec<delivery::Model>> {
    let all = delivery::Entity::find().filter(delivery::Column::GrantId.eq(grant_id));
    newest(all, before, limit, conn).await
}

/// The newest deliveries of a listing under all its grants, from below `before`; one row more than `limit`.
pub(super) async fn list_deliveries_of_listing(
    conn: &impl ConnectionTrait,
    listing_id: ListingId,
    before: Option<DeliveryId>,
    limit: usize,
) -> Result<Vec<delivery::Model>> {
    newest(of_listing(listing_id), before, limit, conn).await
}

async fn newest(
    all: Select<delivery::Entity>,
    before: Option<DeliveryId>,
    limit: usize,
    conn: &impl ConnectionTrait,
) -> Result<Vec<delivery::Model>> {
    let mut page = all.order_by_desc(delivery::Column::Id).limit(one_more(limit));
    if let Some(before) = before {
        page = page.filter(delivery::Column::Id.lt(before));
    }
    Ok(page.all(conn).await?)
}

fn of_listing(listing_id: ListingId) -> Select<delivery::Entity> {
    let grant_of_delivery: RelationDef =
        delivery::Entity::belongs_to(grant::Entity).from(delivery::Column::GrantId).to(grant::Column::Id).into();
    delivery::Entity::find()
        .join(JoinType::InnerJoin, grant_of_delivery)
        .filter(grant::Column::ListingId.eq(listing_id))
}

/// What was delivered of one file on one day (UTC).
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct DayRow {
    /// Days since 1970.
    pub(super) day: i64,
    pub(super) file_id: FileId,
    pub(super) name: String,
    pub(super) number: i32,
    pub(super) deliveries: i64,
    pub(super) organizations: i64,
    pub(super) bytes_sent: i64,
}

/// Deliveries of a listing by day and file, newest day first, both days included.
pub(super) async fn sum_deliveries(
    conn: &impl ConnectionTrait,
    listing_id: ListingId,
    (from, until): (Date, Date),
) -> Result<Vec<DayRow>> {
    let file_of_delivery: RelationDef =
        delivery::Entity::belongs_to(file::Entity).from(delivery::Column::FileId).to(file::Column::Id).into();
    // Written out rather than bound: PostgreSQL takes two parameters for two different expressions.
    let day = || Expr::cust(format!("\"delivery\".\"at\" / {}", DAY.whole_microseconds()));
    let begin = Timestamp(from.midnight().assume_utc());
    let end = Timestamp(until.midnight().assume_utc() + DAY);
    let sums = of_listing(listing_id)
        .join(JoinType::InnerJoin, file_of_delivery)
        .join(JoinType::InnerJoin, revision_of_file())
        .filter(delivery::Column::At.gte(begin))
        .filter(delivery::Column::At.lt(end))
        .select_only()
        .column_as(day(), "day")
        .column(delivery::Column::FileId)
        .column(file::Column::Name)
        .column(revision::Column::Number)
        .column_as(delivery::Column::Id.count(), "deliveries")
        .column_as(Expr::cust("COUNT(DISTINCT \"delivery\".\"organization_id\")"), "organizations")
        .column_as(Expr::cust("CAST(SUM(\"delivery\".\"bytes_sent\") AS BIGINT)"), "bytes_sent")
        .group_by(day())
        .group_by(delivery::Column::FileId)
        .group_by(file::Column::Name)
        .group_by(revision::Column::Number)
        .order_by_desc(day())
        .order_by_asc(delivery::Column::FileId)
        .limit(limits::DELIVERY_SUMMARY_ROWS_MAX);
    Ok(sums.into_model::<DayRow>().all(conn).await?)
}

fn one_more(limit: usize) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1)
}
