//! Grants, files and deliveries, always by the organisation that may see them.

use entity::{
    Timestamp, delivery, file, grant,
    ids::{DeliveryId, FileId, GrantId, ListingId, MeterId, OrgId, RevisionId},
    listing, revision,
    states::{Coverage, GrantState, RevisionState},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, RelationDef, Select, sea_query::Expr,
};
use time::{Date, Duration, OffsetDateTime};

use super::model::{FileFacts, FileHeaders, GrantTerms};
use crate::{error::Result, limits};

/// What a stored day is divided by.
const DAY: Duration = Duration::DAY;

#[derive(FromQueryResult)]
struct GrantRow {
    id: GrantId,
    listing_id: ListingId,
    organization_id: OrgId,
    coverage: Coverage,
    through_revision: i32,
    state: GrantState,
    end_reason: Option<String>,
    starts_at: Timestamp,
    ends_at: Option<Timestamp>,
    meter_id: Option<MeterId>,
}

impl From<GrantRow> for GrantTerms {
    fn from(row: GrantRow) -> Self {
        Self {
            id: row.id,
            listing_id: row.listing_id,
            organization_id: row.organization_id,
            coverage: row.coverage,
            through_revision: row.through_revision,
            is_disputed: row.state == GrantState::Suspended && row.end_reason.is_some(),
            state: row.state,
            starts_at: row.starts_at.0,
            ends_at: row.ends_at.map(|end| end.0),
            meter_id: row.meter_id,
        }
    }
}

fn grants() -> Select<grant::Entity> {
    use grant::Column::{
        Coverage, EndReason, EndsAt, Id, ListingId, MeterId, OrganizationId, StartsAt, State, ThroughRevision,
    };
    grant::Entity::find().select_only().columns([
        Id,
        ListingId,
        OrganizationId,
        Coverage,
        ThroughRevision,
        State,
        EndReason,
        StartsAt,
        EndsAt,
        MeterId,
    ])
}

/// The grants with these ids, whoever holds them: for links, which name theirs under a signature.
pub(super) async fn find_grants(conn: &impl ConnectionTrait, ids: Vec<GrantId>) -> Result<Vec<GrantTerms>> {
    let rows = grants().filter(grant::Column::Id.is_in(ids)).into_model::<GrantRow>().all(conn).await?;
    Ok(rows.into_iter().map(GrantTerms::from).collect())
}

/// A grant that `holder` has.
pub(super) async fn find_grant(conn: &impl ConnectionTrait, holder: OrgId, id: GrantId) -> Result<Option<GrantTerms>> {
    let own = grants().filter(grant::Column::Id.eq(id)).filter(grant::Column::OrganizationId.eq(holder));
    Ok(own.into_model::<GrantRow>().one(conn).await?.map(GrantTerms::from))
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
}

impl FileRow {
    /// When its revision was published.
    pub(super) fn published_at(&self) -> OffsetDateTime {
        self.published_at.unwrap_or(self.created_at).0
    }

    /// The kind it is served as.
    pub(super) fn facts(self) -> FileFacts {
        let published_at = self.published_at();
        FileFacts {
            headers: FileHeaders::new(&self.name, &self.media_type, &self.format, &self.sha256, published_at),
            id: self.id,
            listing_id: self.listing_id,
            revision_number: self.number,
            size_bytes: u64::try_from(self.size_bytes).unwrap_or(0),
            last_modified: published_at.replace_nanosecond(0).unwrap_or(published_at),
            blob_key: self.blob_key,
            sha256: self.sha256,
        }
    }
}

fn revision_of_file() -> RelationDef {
    file::Entity::belongs_to(revision::Entity).from(file::Column::RevisionId).to(revision::Column::Id).into()
}

fn published_files() -> Select<file::Entity> {
    use file::Column::{BlobKey, CreatedAt, Format, Id, MediaType, Name, RevisionId, Sha256, SizeBytes};
    use revision::Column::{ListingId, Number, PublishedAt};
    file::Entity::find()
        .select_only()
        .columns([Id, RevisionId, CreatedAt, Name, MediaType, Format, SizeBytes, Sha256, BlobKey])
        .columns([Number, ListingId, PublishedAt])
        .join(JoinType::InnerJoin, revision_of_file())
        .filter(revision::Column::State.eq(RevisionState::Published))
}

/// A file of a published revision, whoever may have it: for links, which name theirs under a signature.
pub(super) async fn find_file(conn: &impl ConnectionTrait, id: FileId) -> Result<Option<FileRow>> {
    Ok(published_files().filter(file::Column::Id.eq(id)).into_model::<FileRow>().one(conn).await?)
}

/// Where a list of files goes on: after this file of this revision.
pub(super) type FileCursor = (i32, FileId);

/// Published files that `grant` covers, newest revision first; one row more than `limit`.
pub(super) async fn list_files(
    conn: &impl ConnectionTrait,
    grant: &GrantTerms,
    revision_number: Option<i32>,
    after: Option<FileCursor>,
    limit: usize,
) -> Result<Vec<FileRow>> {
    let mut covered = Condition::all().add(revision::Column::ListingId.eq(grant.listing_id));
    if let Some(last) = grant.last_revision() {
        covered = covered.add(revision::Column::Number.lte(last));
    }
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
