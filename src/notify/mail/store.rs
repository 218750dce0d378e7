//! Preferences and mails in the database.

use entity::{
    Timestamp, account,
    ids::{AccountId, MailId, OrgId},
    mail, mail_digest, mail_head, mail_preference, membership, news, notice, organization,
    states::{MailMode, MailState, Role},
};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, IntoActiveModel as _, JoinType,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, RelationDef,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};

use crate::{
    db::Tx,
    error::{Error, Result},
};

/// The one row that says how far the log has been mailed.
const HEAD: i32 = 1;

/// The preferences of a member.
pub(super) async fn preferences(
    conn: &impl ConnectionTrait,
    org: OrgId,
    account: AccountId,
) -> Result<Vec<mail_preference::Model>> {
    Ok(mail_preference::Entity::find()
        .filter(mail_preference::Column::OrganizationId.eq(org))
        .filter(mail_preference::Column::AccountId.eq(account))
        .order_by_asc(mail_preference::Column::Kind)
        .all(conn)
        .await?)
}

/// Replaces the preferences of a member, and ends or begins their digests; `cursor` is the end of the log.
pub(super) async fn replace_preferences(
    tx: &Tx,
    (org, account): (OrgId, AccountId),
    wishes: Vec<(String, MailMode)>,
    digest: Option<(i64, Timestamp)>,
) -> Result<()> {
    mail_preference::Entity::delete_many()
        .filter(mail_preference::Column::OrganizationId.eq(org))
        .filter(mail_preference::Column::AccountId.eq(account))
        .exec(tx.conn())
        .await?;
    let rows: Vec<_> = wishes
        .into_iter()
        .map(|(kind, mode)| mail_preference::ActiveModel {
            organization_id: Set(org),
            account_id: Set(account),
            kind: Set(kind),
            mode: Set(mode),
        })
        .collect();
    if !rows.is_empty() {
        mail_preference::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    }
    let Some((cursor, next_at)) = digest else {
        mail_digest::Entity::delete_by_id((org, account)).exec(tx.conn()).await?;
        return Ok(());
    };
    let row = mail_digest::Model { organization_id: org, account_id: account, cursor, next_at };
    let key = [mail_digest::Column::OrganizationId, mail_digest::Column::AccountId];
    mail_digest::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(())
}

/// How far the log has been mailed.
pub(super) async fn head(conn: &impl ConnectionTrait) -> Result<i64> {
    let head = mail_head::Entity::find_by_id(HEAD).one(conn).await?;
    Ok(head.map_or(0, |head| head.cursor))
}

/// As [`head`]; nobody else goes on until this transaction ends.
pub(super) async fn lock_head(tx: &Tx) -> Result<mail_head::Model> {
    let head = mail_head::Entity::find_by_id(HEAD).lock_exclusive().one(tx.conn()).await?;
    head.ok_or_else(|| Error::internal("the mails have no head"))
}

pub(super) async fn move_head(tx: &Tx, cursor: i64) -> Result<()> {
    let row = mail_head::Model { id: HEAD, cursor };
    mail_head::Entity::update(row.into_active_model().reset_all()).exec(tx.conn()).await?;
    Ok(())
}

/// A notice as it is mailed.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct Told {
    pub cursor: i64,
    pub organization_id: OrgId,
    pub kind: String,
    pub listing_title: sea_orm::JsonValue,
}

/// Notices after a cursor, of one organisation where one is named.
pub(super) async fn told(conn: &impl ConnectionTrait, org: Option<OrgId>, after: i64, rows: u64) -> Result<Vec<Told>> {
    let to_news: RelationDef =
        notice::Entity::belongs_to(news::Entity).from(notice::Column::EventId).to(news::Column::EventId).into();
    Ok(notice::Entity::find()
        .select_only()
        .columns([notice::Column::Cursor, notice::Column::OrganizationId, notice::Column::Kind])
        .column(news::Column::ListingTitle)
        .join(JoinType::InnerJoin, to_news)
        .filter(notice::Column::Cursor.gt(after))
        .apply_if(org, |query, org| query.filter(notice::Column::OrganizationId.eq(org)))
        .order_by_asc(notice::Column::Cursor)
        .limit(rows)
        .into_model()
        .all(conn)
        .await?)
}

/// A preference with whose it is.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct Wish {
    pub organization_id: OrgId,
    pub account_id: AccountId,
    pub kind: String,
    pub mode: MailMode,
    pub role: Role,
    pub locale: String,
    pub organization: String,
}

/// The preferences of everybody in these organisations who still belongs to them and is not disabled.
pub(super) async fn wishes(
    conn: &impl ConnectionTrait,
    orgs: &[OrgId],
    account: Option<AccountId>,
) -> Result<Vec<Wish>> {
    use mail_preference::Column;
    let to_member: RelationDef = mail_preference::Entity::belongs_to(membership::Entity)
        .from((Column::OrganizationId, Column::AccountId))
        .to((membership::Column::OrganizationId, membership::Column::AccountId))
        .into();
    let to_account: RelationDef =
        mail_preference::Entity::belongs_to(account::Entity).from(Column::AccountId).to(account::Column::Id).into();
    let to_org: RelationDef = mail_preference::Entity::belongs_to(organization::Entity)
        .from(Column::OrganizationId)
        .to(organization::Column::Id)
        .into();
    Ok(mail_preference::Entity::find()
        .select_only()
        .columns([Column::OrganizationId, Column::AccountId, Column::Kind, Column::Mode])
        .column(membership::Column::Role)
        .column(account::Column::Locale)
        .column_as(organization::Column::Name, "organization")
        .join(JoinType::InnerJoin, to_member)
        .join(JoinType::InnerJoin, to_account)
        .join(JoinType::InnerJoin, to_org)
        .filter(Column::OrganizationId.is_in(orgs.iter().copied()))
        .filter(account::Column::DisabledAt.is_null())
        .apply_if(account, |query, account| query.filter(Column::AccountId.eq(account)))
        .into_model()
        .all(conn)
        .await?)
}

/// Writes mails; one about the same notice to the same member is not written twice.
pub(super) async fn insert(tx: &Tx, mails: Vec<mail::Model>) -> Result<()> {
    if mails.is_empty() {
        return Ok(());
    }
    let key = [mail::Column::OrganizationId, mail::Column::AccountId, mail::Column::Cursor, mail::Column::IsDigest];
    let known = OnConflict::columns(key).do_nothing().to_owned();
    let rows = mails.into_iter().map(sea_orm::IntoActiveModel::into_active_model);
    mail::Entity::insert_many(rows).on_conflict(known).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Members whose digest is due.
pub(super) async fn due_digests(
    conn: &impl ConnectionTrait,
    now: Timestamp,
    rows: u64,
) -> Result<Vec<mail_digest::Model>> {
    Ok(mail_digest::Entity::find()
        .filter(mail_digest::Column::NextAt.lte(now))
        .order_by_asc(mail_digest::Column::NextAt)
        .limit(rows)
        .all(conn)
        .await?)
}

/// Moves a digest on, if nobody else has since it was read.
pub(super) async fn move_digest(tx: &Tx, was: &mail_digest::Model, cursor: i64, next_at: Timestamp) -> Result<bool> {
    let moved = mail_digest::Entity::update_many()
        .col_expr(mail_digest::Column::Cursor, Expr::value(cursor))
        .col_expr(mail_digest::Column::NextAt, Expr::value(next_at))
        .filter(mail_digest::Column::OrganizationId.eq(was.organization_id))
        .filter(mail_digest::Column::AccountId.eq(was.account_id))
        .filter(mail_digest::Column::NextAt.eq(was.next_at))
        .exec(tx.conn())
        .await?;
    Ok(moved.rows_affected == 1)
}

/// Mails that are due.
pub(super) async fn due(conn: &impl ConnectionTrait, now: Timestamp, rows: u64) -> Result<Vec<mail::Model>> {
    Ok(mail::Entity::find()
        .filter(mail::Column::NextTryAt.lte(now))
        .order_by_asc(mail::Column::NextTryAt)
        .limit(rows)
        .all(conn)
        .await?)
}

/// Takes a mail by pushing its next try ahead; false when another process has.
pub(super) async fn take(tx: &Tx, id: MailId, now: Timestamp, until: Timestamp) -> Result<bool> {
    let taken = mail::Entity::update_many()
        .col_expr(mail::Column::NextTryAt, Expr::value(Some(until)))
        .col_expr(mail::Column::Attempts, Expr::col(mail::Column::Attempts).add(1))
        .filter(mail::Column::Id.eq(id))
        .filter(mail::Column::NextTryAt.lte(now))
        .exec(tx.conn())
        .await?;
    Ok(taken.rows_affected == 1)
}

pub(super) async fn replace(tx: &Tx, row: mail::Model) -> Result<()> {
    mail::Entity::update(row.into_active_model().reset_all()).exec(tx.conn()).await?;
    Ok(())
}

/// The address of a member who still belongs to an organisation, is not disabled, and wants mails.
pub(super) async fn address(conn: &impl ConnectionTrait, org: OrgId, account: AccountId) -> Result<Option<String>> {
    if wishes(conn, &[org], Some(account)).await?.is_empty() {
        return Ok(None);
    }
    let found = account::Entity::find_by_id(account).select_only().column(account::Column::Email);
    Ok(found.into_tuple().one(conn).await?)
}

/// Forgets pending mails of a member who wants none any more.
pub(super) async fn drop_pending(tx: &Tx, org: OrgId, account: AccountId, now: Timestamp) -> Result<()> {
    mail::Entity::update_many()
        .col_expr(mail::Column::State, Expr::value(MailState::Dropped))
        .col_expr(mail::Column::NextTryAt, Expr::value(Option::<Timestamp>::None))
        .col_expr(mail::Column::DoneAt, Expr::value(Some(now)))
        .filter(mail::Column::OrganizationId.eq(org))
        .filter(mail::Column::AccountId.eq(account))
        .filter(mail::Column::State.eq(MailState::Pending))
        .exec(tx.conn())
        .await?;
    Ok(())
}
