//! Signing keys in the database.

use crate::{db::Tx, error::Result};
use entity::signing_key;
use sea_orm::{ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryOrder as _, sea_query::OnConflict};

/// All keys there have ever been, newest first: a few each year.
pub(super) async fn all(conn: &impl ConnectionTrait) -> Result<Vec<signing_key::Model>> {
    Ok(signing_key::Entity::find()
        .order_by_desc(signing_key::Column::CreatedAt)
        .order_by_desc(signing_key::Column::Kid)
        .all(conn)
        .await?)
}

/// Adds a key, unless another process has just added one under the same name.
pub(super) async fn add(tx: &Tx, row: signing_key::Model) -> Result<()> {
    signing_key::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(signing_key::Column::Kid).do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(())
}
