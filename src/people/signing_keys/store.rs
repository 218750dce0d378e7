//! Signing keys in the database.

use entity::{Timestamp, signing_key};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, sea_query::OnConflict,
};
use time::OffsetDateTime;

use crate::{db::Tx, error::Result};

/// The keys that still verify at `now`, newest first.
pub(super) async fn verifying(conn: &impl ConnectionTrait, now: OffsetDateTime) -> Result<Vec<signing_key::Model>> {
    Ok(signing_key::Entity::find()
        .filter(signing_key::Column::VerifiesUntil.gt(Timestamp(now)))
        .order_by_desc(signing_key::Column::CreatedAt)
        .order_by_desc(signing_key::Column::Kid)
        .all(conn)
        .await?)
}

/// How many keys there have ever been; none is deleted.
pub(super) async fn count(conn: &impl ConnectionTrait) -> Result<u64> {
    Ok(signing_key::Entity::find().count(conn).await?)
}

/// Adds a key, unless another process has just added one under the same name.
pub(super) async fn add(tx: &Tx, row: signing_key::Model) -> Result<()> {
    signing_key::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(signing_key::Column::Kid).do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(())
}
