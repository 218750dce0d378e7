//! Collections: the tables of open grants that have shapes.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};

use crate::{
    auth::actor::Recipient,
    delivery::tables::{self, At, Footer, Share, Table},
    error::{Error, Result},
    limits,
    state::AppState,
};

/// Footers read at the same time for a list of collections.
const FOOTERS_AT_ONCE: usize = 8;

/// A table with shapes.
#[derive(Debug, Clone)]
pub(super) struct Collection {
    pub(super) share: Share,
    pub(super) table: Table,
    pub(super) footer: Arc<Footer>,
    /// The column of shapes.
    pub(super) geometry: usize,
    /// West, south, east and north of them, if the file says so.
    pub(super) bbox: Option<[f64; 4]>,
}

impl Collection {
    /// Its name in addresses: that of the share and that of the table.
    pub(super) fn id(&self) -> String {
        format!("{}:{}", self.share.name, self.table.name)
    }

    async fn of(app: &AppState, share: Share, table: Table) -> Result<Option<Self>> {
        let footer = app.tables.footer(&app.files, &table.file).await?;
        let geometry = footer.geometry.clone();
        Ok(geometry.map(|geometry| Self { share, table, footer, geometry: geometry.column, bbox: geometry.bbox }))
    }
}

/// The collections of the newest [`limits::COLLECTION_GRANTS_MAX`] grants, at most [`limits::COLLECTIONS_MAX`].
///
/// # Errors
/// Those of a token's own grant when it is not open.
pub(super) async fn list(app: &AppState, recipient: &Recipient) -> Result<Vec<Collection>> {
    let shares = tables::list_shares(app, recipient, None, limits::COLLECTION_GRANTS_MAX).await?;
    let mut found = Vec::new();
    for share in shares.items {
        for table in tables::list_tables(app, &share).await? {
            found.push((share.clone(), table));
        }
        if found.len() >= limits::COLLECTIONS_MAX {
            break;
        }
    }
    found.truncate(limits::COLLECTIONS_MAX);
    let all = futures::stream::iter(found).map(|(share, table)| Collection::of(app, share, table));
    all.buffered(FOOTERS_AT_ONCE).try_filter_map(|one| async move { Ok(one) }).try_collect().await
}

/// A collection by its name; in the version that its pages are of, if they are.
///
/// # Errors
/// `NotFound` when `recipient` has none; those of its grant when that is not open.
pub(super) async fn find(app: &AppState, recipient: &Recipient, id: &str, revision: Option<i32>) -> Result<Collection> {
    let missing = || Error::not_found("collection");
    let (share, table) = id.split_once(':').ok_or_else(missing)?;
    let share = tables::find_share(app, recipient, share).await?;
    let at = revision.map_or(At::Newest, At::Version);
    let (_, version) = tables::find_table(app, &share, table, at).await?;
    Collection::of(app, share, version.ok_or_else(missing)?).await?.ok_or_else(missing)
}
