//! Sessions and refresh tokens in the database.

use entity::{
    Timestamp, account,
    ids::{AccountId, OrgId, SessionId},
    login_failure, membership, organization, refresh_token, session,
    states::{ProviderKind, Role, SessionEnd},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult, IntoActiveModel as _, JoinType,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, RelationDef,
    sea_query::{CaseStatement, Expr, ExprTrait as _, OnConflict, Query},
};
use time::OffsetDateTime;

use crate::{auth::token::Claims, db::Tx, error::Result};

/// Adds a session.
pub(super) async fn insert(tx: &Tx, id: SessionId, account: AccountId, now: OffsetDateTime) -> Result<()> {
    let row = session::Model { id, account_id: account, created_at: Timestamp(now), ended_at: None, end_reason: None };
    session::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Adds a refresh token, as its hash.
pub(super) async fn insert_token(
    tx: &Tx,
    session: SessionId,
    token_hash: String,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<()> {
    let row = refresh_token::ActiveModel {
        token_hash: Set(token_hash),
        session_id: Set(session),
        issued_at: Set(Timestamp(now)),
        expires_at: Set(Timestamp(expires_at)),
        used_at: Set(None),
    };
    refresh_token::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Uses a refresh token; true for the one caller who gets to, false when it is unknown, used or expired.
pub(super) async fn use_token(tx: &Tx, token_hash: &str, now: OffsetDateTime) -> Result<bool> {
    let used = refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(Some(Timestamp(now))))
        .filter(refresh_token::Column::TokenHash.eq(token_hash))
        .filter(refresh_token::Column::UsedAt.is_null())
        .filter(refresh_token::Column::ExpiresAt.gt(Timestamp(now)))
        .exec(tx.conn())
        .await?;
    Ok(used.rows_affected == 1)
}

/// A refresh token with its session, by the token's hash.
pub(super) async fn find_token(
    conn: &impl ConnectionTrait,
    token_hash: &str,
) -> Result<Option<(refresh_token::Model, session::Model)>> {
    let Some(token) = refresh_token::Entity::find_by_id(token_hash.to_owned()).one(conn).await? else {
        return Ok(None);
    };
    let session = session::Entity::find_by_id(token.session_id).one(conn).await?;
    Ok(session.map(|session| (token, session)))
}

/// Ends a session; false when it had ended before.
pub(super) async fn end(tx: &Tx, id: SessionId, reason: SessionEnd, now: OffsetDateTime) -> Result<bool> {
    Ok(end_where(tx, session::Column::Id.eq(id).into(), reason, now).await? == 1)
}

/// Ends all sessions of an account but one.
pub(in crate::people) async fn end_all_but(
    tx: &Tx,
    account: AccountId,
    kept: SessionId,
    reason: SessionEnd,
    now: OffsetDateTime,
) -> Result<u64> {
    let others = Condition::all().add(session::Column::AccountId.eq(account)).add(session::Column::Id.ne(kept));
    end_where(tx, others, reason, now).await
}

async fn end_where(tx: &Tx, which: Condition, reason: SessionEnd, now: OffsetDateTime) -> Result<u64> {
    let ended = session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(Some(Timestamp(now))))
        .col_expr(session::Column::EndReason, Expr::value(Some(reason)))
        .filter(which)
        .filter(session::Column::EndedAt.is_null())
        .exec(tx.conn())
        .await?;
    Ok(ended.rows_affected)
}

/// One organisation of the person behind a session; nothing inside when there is none.
#[derive(Debug, FromQueryResult)]
pub(super) struct MemberRow {
    pub role: Option<Role>,
    pub id: Option<OrgId>,
    pub may_provide: Option<bool>,
    pub may_buy: Option<bool>,
    pub may_operate: Option<bool>,
    pub provider_kind: Option<ProviderKind>,
    pub country: Option<String>,
}

/// Who a token speaks for, in one query: no row when the session has ended or the account is
/// disabled, else at most two organisations (the one `named`, if one is).
pub(super) async fn find_member(
    conn: &impl ConnectionTrait,
    claims: &Claims,
    named: Option<OrgId>,
) -> Result<Vec<MemberRow>> {
    use organization::Column;
    let rows = live_session(claims)
        .join(JoinType::LeftJoin, to_membership(named))
        .join(JoinType::LeftJoin, to_organization())
        .column(membership::Column::Role)
        .column(Column::Id)
        .column(Column::MayProvide)
        .column(Column::MayBuy)
        .column(Column::MayOperate)
        .column(Column::ProviderKind)
        .column(Column::Country)
        .order_by_asc(membership::Column::OrganizationId)
        .limit(2)
        .into_model::<MemberRow>()
        .all(conn)
        .await?;
    Ok(rows)
}

/// True while the session goes on and its account is not disabled.
pub(super) async fn is_live(conn: &impl ConnectionTrait, claims: &Claims) -> Result<bool> {
    let id: Option<SessionId> = live_session(claims).column(session::Column::Id).into_tuple().one(conn).await?;
    Ok(id.is_some())
}

fn live_session(claims: &Claims) -> sea_orm::Select<session::Entity> {
    let to_account: RelationDef =
        session::Entity::belongs_to(account::Entity).from(session::Column::AccountId).to(account::Column::Id).into();
    session::Entity::find_by_id(claims.sid)
        .select_only()
        .join(JoinType::InnerJoin, to_account)
        .filter(session::Column::AccountId.eq(claims.sub))
        .filter(session::Column::EndedAt.is_null())
        .filter(account::Column::DisabledAt.is_null())
}

fn to_membership(named: Option<OrgId>) -> RelationDef {
    let relation = session::Entity::belongs_to(membership::Entity)
        .from(session::Column::AccountId)
        .to(membership::Column::AccountId);
    let Some(named) = named else { return relation.into() };
    relation.on_condition(move |_, _| Condition::all().add(membership::Column::OrganizationId.eq(named))).into()
}

fn to_organization() -> RelationDef {
    membership::Entity::belongs_to(organization::Entity)
        .from(membership::Column::OrganizationId)
        .to(organization::Column::Id)
        .into()
}

/// Counts an attempt in one statement, so that attempts at the same moment are all counted. A window
/// that has passed begins anew; one that has not is never made longer, or a guesser could keep the
/// owner out for ever.
pub(super) async fn count_attempt(
    tx: &Tx,
    email_hash: String,
    now: OffsetDateTime,
    window_ends_at: OffsetDateTime,
) -> Result<login_failure::Model> {
    use login_failure::{Column, Entity};
    let window_ends_at = Timestamp(window_ends_at);
    let old = |column: Column| Expr::col((Entity, column));
    let passed = || old(Column::WindowEndsAt).lte(Timestamp(now));
    let either = |fresh: Expr, further: Expr| CaseStatement::new().case(passed(), fresh).finally(further);
    let again = OnConflict::column(Column::EmailHash)
        .value(Column::Failures, either(Expr::value(1), old(Column::Failures).add(1)))
        .value(Column::WindowEndsAt, either(Expr::value(window_ends_at), old(Column::WindowEndsAt)))
        .to_owned();
    let row = login_failure::Model { email_hash, failures: 1, window_ends_at };
    Ok(Entity::insert(row.into_active_model()).on_conflict(again).exec_with_returning(tx.conn()).await?)
}

/// Deletes the counter of one mail address.
pub(super) async fn delete_attempts(tx: &Tx, email_hash: String) -> Result<()> {
    login_failure::Entity::delete_by_id(email_hash).exec(tx.conn()).await?;
    Ok(())
}

/// Deletes the counters whose window has passed.
pub(super) async fn delete_passed_attempts(tx: &Tx, now: OffsetDateTime) -> Result<u64> {
    let passed = login_failure::Column::WindowEndsAt.lte(Timestamp(now));
    Ok(login_failure::Entity::delete_many().filter(passed).exec(tx.conn()).await?.rows_affected)
}

/// True when there are counters or tokens whose time has passed: a cheap look before a write.
pub(super) async fn anything_passed(conn: &impl ConnectionTrait, now: OffsetDateTime) -> Result<bool> {
    let counter = login_failure::Entity::find().filter(login_failure::Column::WindowEndsAt.lte(Timestamp(now)));
    let token = refresh_token::Entity::find().filter(refresh_token::Column::ExpiresAt.lte(Timestamp(now)));
    Ok(counter.limit(1).one(conn).await?.is_some() || token.limit(1).one(conn).await?.is_some())
}

/// Deletes expired refresh tokens, and ends the sessions that have none left.
pub(super) async fn expire(tx: &Tx, now: OffsetDateTime) -> Result<u64> {
    let expired = refresh_token::Column::ExpiresAt.lte(Timestamp(now));
    let ids: Vec<SessionId> = refresh_token::Entity::find()
        .filter(expired.clone())
        .select_only()
        .column(refresh_token::Column::SessionId)
        .distinct()
        .into_tuple()
        .all(tx.conn())
        .await?;
    let deleted = refresh_token::Entity::delete_many().filter(expired).exec(tx.conn()).await?.rows_affected;
    let tokens_left = Query::select()
        .column(refresh_token::Column::SessionId)
        .from(refresh_token::Entity)
        .and_where(refresh_token::Column::SessionId.is_in(ids.clone()))
        .to_owned();
    let without =
        Condition::all().add(session::Column::Id.is_in(ids)).add(session::Column::Id.not_in_subquery(tokens_left));
    end_where(tx, without, SessionEnd::Expired, now).await?;
    Ok(deleted)
}
