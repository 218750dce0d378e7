//! Accounts in the database.

use entity::{Timestamp, account, ids::AccountId, membership, organization};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, LockType, OnConflict},
};
use time::OffsetDateTime;

use crate::{db::Tx, error::Result};

/// Adds an account; false when somebody has the mail address already.
pub(in crate::people) async fn insert(tx: &Tx, row: account::Model) -> Result<bool> {
    let inserted = account::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(account::Column::Email).do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(inserted == 1)
}

/// Finds an account by id.
pub(in crate::people) async fn find(conn: &impl ConnectionTrait, id: AccountId) -> Result<Option<account::Model>> {
    Ok(account::Entity::find_by_id(id).one(conn).await?)
}

/// Finds an account by its normalized mail address.
pub(in crate::people) async fn find_by_email(
    conn: &impl ConnectionTrait,
    email: &str,
) -> Result<Option<account::Model>> {
    Ok(account::Entity::find().filter(account::Column::Email.eq(email)).one(conn).await?)
}

/// Makes other transactions that count what the account has wait for this one.
pub(in crate::people) async fn lock(tx: &Tx, id: AccountId) -> Result<()> {
    account::Entity::find_by_id(id).lock(LockType::NoKeyUpdate).one(tx.conn()).await?;
    Ok(())
}

/// Replaces the password hash.
pub(super) async fn set_password(tx: &Tx, id: AccountId, hash: String, now: OffsetDateTime) -> Result<()> {
    account::Entity::update_many()
        .col_expr(account::Column::PasswordHash, Expr::value(hash))
        .col_expr(account::Column::PasswordChangedAt, Expr::value(Timestamp(now)))
        .filter(account::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// The organisations somebody belongs to, in the order of joining, with the role there.
pub(super) async fn memberships(
    conn: &impl ConnectionTrait,
    id: AccountId,
) -> Result<Vec<(membership::Model, organization::Model)>> {
    let to_organization = membership::Entity::belongs_to(organization::Entity)
        .from(membership::Column::OrganizationId)
        .to(organization::Column::Id)
        .into();
    let rows = membership::Entity::find()
        .select_also(organization::Entity)
        .join(sea_orm::JoinType::InnerJoin, to_organization)
        .filter(membership::Column::AccountId.eq(id))
        .order_by_asc(membership::Column::CreatedAt)
        .order_by_asc(membership::Column::OrganizationId)
        .all(conn)
        .await?;
    Ok(rows.into_iter().filter_map(|(member, org)| Some((member, org?))).collect())
}
