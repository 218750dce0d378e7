//! Keys in the database, as hashes.

use entity::{
    Timestamp, account, api_key,
    ids::{AccountId, ApiKeyId, GrantId, OrgId},
    membership, organization,
    states::{ProviderKind, Role},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult, IntoActiveModel as _, JoinType,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, RelationDef,
    sea_query::Expr,
};
use time::OffsetDateTime;

use crate::{base::digest, db::Tx, error::Result};

/// What every key starts with, so that a leaked one is recognised by scanners.
pub const KEY_PREFIX: &str = "torv_key_";

/// What is kept of a key. A key holds 256 random bits, so a fast hash is enough.
pub fn hash(secret: &str) -> String {
    digest::sha256_hex(secret.as_bytes())
}

/// A key with the organisation it is of and the role its maker has there.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct LiveKey {
    pub secret_hash: String,
    pub key_id: ApiKeyId,
    pub scopes: sea_orm::JsonValue,
    pub last_used_at: Option<Timestamp>,
    pub grant_id: Option<GrantId>,
    pub role: Role,
    pub id: OrgId,
    pub may_provide: bool,
    pub may_buy: bool,
    pub may_operate: bool,
    pub provider_kind: Option<ProviderKind>,
    pub country: String,
}

/// Finds the keys with these hashes, but those that have expired or were revoked, or whose maker has left
/// or is disabled. One query.
pub(super) async fn find_live(
    conn: &impl ConnectionTrait,
    hashes: &[String],
    now: OffsetDateTime,
) -> Result<Vec<LiveKey>> {
    use organization::Column;
    Ok(api_key::Entity::find()
        .select_only()
        .join(JoinType::InnerJoin, to_organization())
        .join(JoinType::InnerJoin, to_membership())
        .join(JoinType::InnerJoin, to_maker())
        .filter(live(now))
        .filter(api_key::Column::SecretHash.is_in(hashes))
        .filter(account::Column::DisabledAt.is_null())
        .column_as(api_key::Column::Id, "key_id")
        .columns([api_key::Column::SecretHash, api_key::Column::Scopes, api_key::Column::LastUsedAt])
        .column(api_key::Column::GrantId)
        .column(membership::Column::Role)
        .columns([Column::Id, Column::MayProvide, Column::MayBuy, Column::MayOperate])
        .columns([Column::ProviderKind, Column::Country])
        .into_model::<LiveKey>()
        .all(conn)
        .await?)
}

fn live(now: OffsetDateTime) -> Condition {
    Condition::all().add(api_key::Column::RevokedAt.is_null()).add(api_key::Column::ExpiresAt.gt(Timestamp(now)))
}

fn to_organization() -> RelationDef {
    api_key::Entity::belongs_to(organization::Entity)
        .from(api_key::Column::OrganizationId)
        .to(organization::Column::Id)
        .into()
}

fn to_membership() -> RelationDef {
    api_key::Entity::belongs_to(membership::Entity)
        .from((api_key::Column::OrganizationId, api_key::Column::CreatedBy))
        .to((membership::Column::OrganizationId, membership::Column::AccountId))
        .into()
}

fn to_maker() -> RelationDef {
    api_key::Entity::belongs_to(account::Entity).from(api_key::Column::CreatedBy).to(account::Column::Id).into()
}

/// Notes that a key was used.
pub(super) async fn touch(tx: &Tx, id: ApiKeyId, now: OffsetDateTime) -> Result<()> {
    api_key::Entity::update_many()
        .col_expr(api_key::Column::LastUsedAt, Expr::value(Some(Timestamp(now))))
        .filter(api_key::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Adds a key.
pub(super) async fn insert(tx: &Tx, row: api_key::Model) -> Result<()> {
    api_key::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// How many live keys an organisation has, besides the tokens of shares.
pub(super) async fn count_live(tx: &Tx, org: OrgId, now: OffsetDateTime) -> Result<u64> {
    let of_org = api_key::Column::OrganizationId.eq(org);
    let own = api_key::Entity::find().filter(of_org).filter(api_key::Column::GrantId.is_null());
    Ok(own.filter(live(now)).count(tx.conn()).await?)
}

/// The keys of an organisation, also those that no longer work, by id, after `after`; of one maker
/// alone if `maker` is given.
pub(super) async fn list(
    conn: &impl ConnectionTrait,
    org: OrgId,
    maker: Option<AccountId>,
    after: Option<ApiKeyId>,
    rows: u64,
) -> Result<Vec<api_key::Model>> {
    Ok(api_key::Entity::find()
        .filter(api_key::Column::OrganizationId.eq(org))
        .apply_if(maker, |query, maker| query.filter(api_key::Column::CreatedBy.eq(maker)))
        .apply_if(after, |query, after| query.filter(api_key::Column::Id.gt(after)))
        .order_by_asc(api_key::Column::Id)
        .limit(rows)
        .all(conn)
        .await?)
}

/// Revokes a key of an organisation, of one maker alone if `maker` is given; false when there is no
/// such key that still works.
pub(super) async fn revoke(
    tx: &Tx,
    org: OrgId,
    maker: Option<AccountId>,
    id: ApiKeyId,
    now: OffsetDateTime,
) -> Result<bool> {
    let revoked = api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, Expr::value(Some(Timestamp(now))))
        .filter(api_key::Column::Id.eq(id))
        .filter(api_key::Column::OrganizationId.eq(org))
        .filter(live(now))
        .apply_if(maker, |query, maker| query.filter(api_key::Column::CreatedBy.eq(maker)))
        .exec(tx.conn())
        .await?;
    Ok(revoked.rows_affected == 1)
}

fn of_grant(org: OrgId, grant: GrantId, now: OffsetDateTime) -> Condition {
    live(now).add(api_key::Column::OrganizationId.eq(org)).add(api_key::Column::GrantId.eq(grant))
}

/// The token of a grant that works at `now`, if there is one; without its secret, which nobody has.
///
/// # Errors
/// Those of the database.
pub async fn find_of_grant(
    conn: &impl ConnectionTrait,
    org: OrgId,
    grant: GrantId,
    now: OffsetDateTime,
) -> Result<Option<api_key::Model>> {
    Ok(api_key::Entity::find().filter(of_grant(org, grant, now)).one(conn).await?)
}

/// Revokes what tokens of a grant still work; returns how many.
pub(super) async fn revoke_of_grant(tx: &Tx, org: OrgId, grant: GrantId, now: OffsetDateTime) -> Result<u64> {
    let revoked = api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, Expr::value(Some(Timestamp(now))))
        .filter(of_grant(org, grant, now))
        .exec(tx.conn())
        .await?;
    Ok(revoked.rows_affected)
}
