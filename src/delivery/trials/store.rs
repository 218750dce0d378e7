//! Policies, questions and reports in the database.

use std::collections::HashSet;

use entity::{
    Timestamp,
    ids::{ListingId, OrgId, TrialReportId},
    trial_policy, trial_question, trial_report,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use time::OffsetDateTime;

use super::model::{Budget, Spent, WINDOW};
use crate::{db::Tx, error::Result};

/// What the owner of a listing allows, if it has said so. Who may see the listing was asked before.
pub(super) async fn policy(conn: &impl ConnectionTrait, listing: ListingId) -> Result<Option<trial_policy::Model>> {
    Ok(trial_policy::Entity::find_by_id(listing).one(conn).await?)
}

/// As [`policy`]; nobody else counts questions of this listing until the transaction ends.
pub(super) async fn lock_policy(tx: &Tx, listing: ListingId) -> Result<Option<trial_policy::Model>> {
    Ok(trial_policy::Entity::find_by_id(listing).lock_exclusive().one(tx.conn()).await?)
}

/// Writes a policy in place of the one before.
pub(super) async fn put_policy(tx: &Tx, row: trial_policy::Model) -> Result<()> {
    use trial_policy::Column::{
        Columns, Enabled, EpsilonMilli, Kinds, ListingId, ListingQuestionsMax, MinGroupSize, QuestionsMax, UpdatedAt,
    };
    let replaced = OnConflict::column(ListingId)
        .update_columns([
            Enabled,
            QuestionsMax,
            ListingQuestionsMax,
            EpsilonMilli,
            MinGroupSize,
            Kinds,
            Columns,
            UpdatedAt,
        ])
        .to_owned();
    trial_policy::Entity::insert(row.into_active_model())
        .on_conflict(replaced)
        .exec_without_returning(tx.conn())
        .await?;
    Ok(())
}

/// What was spent of the budget of one organisation, and of that of all together.
pub(super) async fn budgets(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    organization: OrgId,
    (max_milli, listing_max_milli): (i64, i64),
    now: OffsetDateTime,
) -> Result<(Budget, Budget)> {
    use trial_question::Column::{AskedAt, ListingId, Position, ReportId};
    let rows = trial_question::Entity::find()
        .filter(ListingId.eq(listing))
        .filter(AskedAt.gt(Timestamp(now - WINDOW)))
        .order_by_asc(AskedAt)
        .order_by_asc(ReportId)
        .order_by_asc(Position)
        .all(conn)
        .await?;
    let spent = |milli: i32, at: Timestamp| (milli > 0).then_some(Spent { at: at.0, milli: i64::from(milli) });
    let own = rows.iter().filter(|row| row.organization_id == organization);
    let own = own.filter_map(|row| spent(row.cost_milli, row.asked_at)).collect();
    let all = rows.iter().filter_map(|row| spent(row.listing_cost_milli, row.asked_at)).collect();
    Ok((Budget { max_milli, spent: own }, Budget { max_milli: listing_max_milli, spent: all }))
}

/// Which of these questions the organisation has asked before, and which anybody has.
pub(super) async fn known(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    organization: OrgId,
    fingerprints: &[String],
) -> Result<(HashSet<String>, HashSet<String>)> {
    let rows: Vec<(String, OrgId)> = trial_question::Entity::find()
        .select_only()
        .columns([trial_question::Column::Fingerprint, trial_question::Column::OrganizationId])
        .filter(trial_question::Column::ListingId.eq(listing))
        .filter(trial_question::Column::Fingerprint.is_in(fingerprints.iter().cloned()))
        .distinct()
        .into_tuple()
        .all(conn)
        .await?;
    let own = rows.iter().filter(|(_, asker)| *asker == organization).map(|(text, _)| text.clone()).collect();
    Ok((own, rows.into_iter().map(|(text, _)| text).collect()))
}

/// Writes a report down with what its questions cost.
pub(super) async fn insert(tx: &Tx, report: trial_report::Model, questions: Vec<trial_question::Model>) -> Result<()> {
    trial_report::Entity::insert(report.into_active_model()).exec_without_returning(tx.conn()).await?;
    let questions = questions.into_iter().map(trial_question::Model::into_active_model);
    trial_question::Entity::insert_many(questions).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// A report of an organisation.
pub(super) async fn find(
    conn: &impl ConnectionTrait,
    id: TrialReportId,
    organization: OrgId,
) -> Result<Option<trial_report::Model>> {
    let found = trial_report::Entity::find_by_id(id).filter(trial_report::Column::OrganizationId.eq(organization));
    Ok(found.one(conn).await?)
}

/// A report without what it says.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct ReportRow {
    pub(super) id: TrialReportId,
    pub(super) file_name: String,
    pub(super) revision_number: i32,
    pub(super) question_count: i32,
    pub(super) new_question_count: i32,
    pub(super) created_at: Timestamp,
}

/// The reports of an organisation about a listing, newest first.
pub(super) async fn list(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    organization: OrgId,
    before: Option<TrialReportId>,
    limit: usize,
) -> Result<Vec<ReportRow>> {
    use trial_report::Column::{
        CreatedAt, FileName, Id, ListingId, NewQuestionCount, OrganizationId, QuestionCount, RevisionNumber,
    };
    let mut page = trial_report::Entity::find()
        .select_only()
        .columns([Id, FileName, RevisionNumber, QuestionCount, NewQuestionCount, CreatedAt])
        .filter(ListingId.eq(listing))
        .filter(OrganizationId.eq(organization));
    if let Some(before) = before {
        page = page.filter(Id.lt(before));
    }
    let page = page.order_by_desc(Id).limit(u64::try_from(limit).unwrap_or(u64::MAX));
    Ok(page.into_model::<ReportRow>().all(conn).await?)
}

/// How often a kind of question was asked.
#[derive(Debug, Clone, PartialEq, FromQueryResult)]
pub(super) struct KindCount {
    pub(super) kind: String,
    pub(super) questions: i64,
    pub(super) organizations: i64,
    pub(super) last_asked_at: Timestamp,
}

/// How often each kind of question was asked about a listing, and by how many organisations; by kind.
pub(super) async fn usage(conn: &impl ConnectionTrait, listing: ListingId) -> Result<Vec<KindCount>> {
    use trial_question::Column::{AskedAt, Kind, ListingId, OrganizationId, Position};
    Ok(trial_question::Entity::find()
        .select_only()
        .column(Kind)
        .column_as(Position.count(), "questions")
        .column_as(ExprTrait::count_distinct(Expr::col(OrganizationId)), "organizations")
        .column_as(AskedAt.max(), "last_asked_at")
        .filter(ListingId.eq(listing))
        .group_by(Kind)
        .order_by_asc(Kind)
        .into_model::<KindCount>()
        .all(conn)
        .await?)
}
