//! Memberships in the database.

use entity::{
    Timestamp, account,
    ids::{AccountId, OrgId},
    membership,
    states::Role,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, JoinType, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, sea_query::Expr, sea_query::OnConflict,
};
use time::OffsetDateTime;

use crate::{db::Tx, error::Result};

/// Adds a member; false when they belong to it already.
pub(in crate::people) async fn insert(
    tx: &Tx,
    org: OrgId,
    account: AccountId,
    role: Role,
    now: OffsetDateTime,
) -> Result<bool> {
    let row = membership::Model { organization_id: org, account_id: account, role, created_at: Timestamp(now) };
    let key = [membership::Column::OrganizationId, membership::Column::AccountId];
    let inserted = membership::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(inserted == 1)
}

/// The membership of one person in one organisation.
pub(in crate::people) async fn find(
    conn: &impl ConnectionTrait,
    org: OrgId,
    account: AccountId,
) -> Result<Option<membership::Model>> {
    Ok(membership::Entity::find_by_id((org, account)).one(conn).await?)
}

/// How many members an organisation has.
pub(in crate::people) async fn count(tx: &Tx, org: OrgId) -> Result<u64> {
    let of_org = membership::Column::OrganizationId.eq(org);
    Ok(membership::Entity::find().filter(of_org).count(tx.conn()).await?)
}

/// How many organisations a person owns.
pub(in crate::people) async fn count_owned(tx: &Tx, account: AccountId) -> Result<u64> {
    Ok(membership::Entity::find()
        .filter(membership::Column::AccountId.eq(account))
        .filter(membership::Column::Role.eq(Role::Owner))
        .count(tx.conn())
        .await?)
}

/// How many owners an organisation has.
pub(super) async fn count_owners(tx: &Tx, org: OrgId) -> Result<u64> {
    Ok(membership::Entity::find()
        .filter(membership::Column::OrganizationId.eq(org))
        .filter(membership::Column::Role.eq(Role::Owner))
        .count(tx.conn())
        .await?)
}

/// Gives a member another role.
pub(super) async fn set_role(tx: &Tx, org: OrgId, account: AccountId, role: Role) -> Result<()> {
    membership::Entity::update_many()
        .col_expr(membership::Column::Role, Expr::value(role))
        .filter(membership::Column::OrganizationId.eq(org))
        .filter(membership::Column::AccountId.eq(account))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Removes a member.
pub(super) async fn delete(tx: &Tx, org: OrgId, account: AccountId) -> Result<()> {
    membership::Entity::delete_by_id((org, account)).exec(tx.conn()).await?;
    Ok(())
}

/// The members of an organisation with their accounts, by account id, after `after`.
pub(super) async fn list(
    conn: &impl ConnectionTrait,
    org: OrgId,
    after: Option<AccountId>,
    rows: u64,
) -> Result<Vec<(membership::Model, account::Model)>> {
    let to_account = membership::Entity::belongs_to(account::Entity)
        .from(membership::Column::AccountId)
        .to(account::Column::Id)
        .into();
    let rows = membership::Entity::find()
        .select_also(account::Entity)
        .join(JoinType::InnerJoin, to_account)
        .filter(membership::Column::OrganizationId.eq(org))
        .apply_if(after, |query, after| query.filter(membership::Column::AccountId.gt(after)))
        .order_by_asc(membership::Column::AccountId)
        .limit(rows)
        .all(conn)
        .await?;
    Ok(rows.into_iter().filter_map(|(member, account)| Some((member, account?))).collect())
}
