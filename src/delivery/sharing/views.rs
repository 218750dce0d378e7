//! Lists of the protocol, which writes its names in its own way.

use serde::Serialize;

use crate::{
    base::page::Page,
    delivery::tables::{Share, Table},
};

/// A share: what one grant opens.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"name": "river_levels_019352f0a1b27c3d", "id": "grt_019352f0a1b27c3d8e4f5061728394a5"}))]
pub(super) struct ShareView {
    /// From the listing's title and the grant's id.
    name: String,
    /// The grant.
    id: String,
}

impl From<Share> for ShareView {
    fn from(share: Share) -> Self {
        Self { name: share.name, id: share.grant.id.to_string() }
    }
}

/// One share.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "share": {"name": "river_levels_019352f0a1b27c3d", "id": "grt_019352f0a1b27c3d8e4f5061728394a5"}
}))]
pub(super) struct OneShareView {
    pub(super) share: ShareView,
}

/// The shares of a page.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SharesView {
    items: Vec<ShareView>,
    /// Pass it as `pageToken` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

impl From<Page<Share>> for SharesView {
    fn from(page: Page<Share>) -> Self {
        let page = page.map(ShareView::from);
        Self { items: page.items, next_page_token: page.next_cursor }
    }
}

/// A schema: the provider of a share.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"name": "echizen", "share": "river_levels_019352f0a1b27c3d"}))]
pub(super) struct SchemaView {
    pub(super) name: String,
    pub(super) share: String,
}

/// The schemas of a share: its provider alone.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct SchemasView {
    pub(super) items: Vec<SchemaView>,
}

/// A table: a file, through all its versions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "name": "levels", "schema": "echizen", "share": "river_levels_019352f0a1b27c3d",
    "shareId": "grt_019352f0a1b27c3d8e4f5061728394a5"
}))]
pub(super) struct TableView {
    name: String,
    schema: String,
    share: String,
    share_id: String,
}

impl TableView {
    pub(super) fn of(share: &Share, table: Table) -> Self {
        let (schema, share_id) = (share.schema.clone(), share.grant.id.to_string());
        Self { name: table.name, schema, share: share.name.clone(), share_id }
    }
}

/// The tables of a page.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TablesView {
    items: Vec<TableView>,
    /// Pass it as `pageToken` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

impl From<Page<TableView>> for TablesView {
    fn from(page: Page<TableView>) -> Self {
        Self { items: page.items, next_page_token: page.next_cursor }
    }
}

/// What a query says of the rows it wants. All of it is a hint but versions and timestamp: a client applies limit and
/// predicates itself.
#[derive(Debug, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"limitHint": 1000, "version": 3}))]
pub(super) struct TableQueryIn {
    /// The version to read; the newest when absent.
    #[serde(default)]
    pub(super) version: Option<i64>,
    /// The newest version up to this instant.
    #[serde(default)]
    #[schema(example = "2026-11-21T10:00:00Z")]
    pub(super) timestamp: Option<String>,
    /// In place of a version: all versions from this one on, as files that come and files that go.
    #[serde(default)]
    #[schema(example = 3)]
    pub(super) starting_version: Option<i64>,
    /// With `startingVersion`: the last version that is wanted; the newest when absent.
    #[serde(default)]
    #[schema(example = 4)]
    pub(super) ending_version: Option<i64>,
}
