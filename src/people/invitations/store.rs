//! Invitations in the database, their tokens as hashes.

use entity::{
    Timestamp,
    ids::{InvitationId, OrgId},
    invitation,
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, sea_query::Expr,
};
use time::OffsetDateTime;

use crate::{db::Tx, error::Result};

fn open(now: OffsetDateTime) -> Condition {
    Condition::all()
        .add(invitation::Column::AcceptedAt.is_null())
        .add(invitation::Column::RevokedAt.is_null())
        .add(invitation::Column::ExpiresAt.gt(Timestamp(now)))
}

/// Adds an invitation.
pub(super) async fn insert(tx: &Tx, row: invitation::Model) -> Result<()> {
    invitation::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// How many invitations of an organisation can still be accepted.
pub(super) async fn count_open(tx: &Tx, org: OrgId, now: OffsetDateTime) -> Result<u64> {
    let of_org = invitation::Column::OrganizationId.eq(org);
    Ok(invitation::Entity::find().filter(of_org).filter(open(now)).count(tx.conn()).await?)
}

/// The invitations of an organisation that can still be accepted, by id, after `after`.
pub(super) async fn list_open(
    conn: &impl ConnectionTrait,
    org: OrgId,
    after: Option<InvitationId>,
    now: OffsetDateTime,
    rows: u64,
) -> Result<Vec<invitation::Model>> {
    Ok(invitation::Entity::find()
        .filter(invitation::Column::OrganizationId.eq(org))
        .filter(open(now))
        .apply_if(after, |query, after| query.filter(invitation::Column::Id.gt(after)))
        .order_by_asc(invitation::Column::Id)
        .limit(rows)
        .all(conn)
        .await?)
}

/// Finds an invitation by its token's hash, for the mail address it was sent to alone.
pub(super) async fn find_for(tx: &Tx, token_hash: &str, email: &str) -> Result<Option<invitation::Model>> {
    Ok(invitation::Entity::find()
        .filter(invitation::Column::TokenHash.eq(token_hash))
        .filter(invitation::Column::Email.eq(email))
        .one(tx.conn())
        .await?)
}

/// Notes that an invitation was accepted; false when it no longer can be.
pub(super) async fn accept(tx: &Tx, id: InvitationId, now: OffsetDateTime) -> Result<bool> {
    let accepted = invitation::Entity::update_many()
        .col_expr(invitation::Column::AcceptedAt, Expr::value(Some(Timestamp(now))))
        .filter(invitation::Column::Id.eq(id))
        .filter(open(now))
        .exec(tx.conn())
        .await?;
    Ok(accepted.rows_affected == 1)
}

/// Takes an invitation back; false when there is none that could still be accepted.
pub(super) async fn revoke(tx: &Tx, org: OrgId, id: InvitationId, now: OffsetDateTime) -> Result<bool> {
    let revoked = invitation::Entity::update_many()
        .col_expr(invitation::Column::RevokedAt, Expr::value(Some(Timestamp(now))))
        .filter(invitation::Column::Id.eq(id))
        .filter(invitation::Column::OrganizationId.eq(org))
        .filter(open(now))
        .exec(tx.conn())
        .await?;
    Ok(revoked.rows_affected == 1)
}
