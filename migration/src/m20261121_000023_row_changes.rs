//! Keys of tables, and what became of their rows from one revision to the next.

use sea_orm_migration::prelude::*;

use crate::build::unique;

/// Creates the tables.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000023_row_changes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        unversioned(manager, "major IS NULL").await?;
        table_key(manager).await?;
        row_changes(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["row_changes", "table_key"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        unversioned(manager, "major IS NULL AND state = 'published'").await
    }
}

/// The index of revisions that wait for their version. SQLite does not match a state that is bound to a query with one
/// in an index, so the state is left out.
async fn unversioned(manager: &SchemaManager<'_>, condition: &str) -> Result<(), DbErr> {
    let conn = manager.get_connection();
    conn.execute_unprepared("DROP INDEX idx_revision_unversioned").await?;
    let index = format!("CREATE INDEX idx_revision_unversioned ON revision (listing_id, number) WHERE {condition}");
    conn.execute_unprepared(&index).await.map(|_| ())
}

async fn table_key(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("table_key")
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("file_name").string_len(255).not_null())
        .col(ColumnDef::new("columns").json_binary().not_null())
        .col(ColumnDef::new("keyed_at").big_integer().not_null())
        .primary_key(Index::create().col("listing_id").col("file_name"))
        .foreign_key(ForeignKey::create().from("table_key", "listing_id").to("listing", "id"));
    manager.create_table(table).await
}

async fn row_changes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("row_changes")
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("file_name").string_len(255).not_null())
        .col(ColumnDef::new("number").integer().not_null())
        .col(ColumnDef::new("revision_id").uuid().not_null())
        .col(ColumnDef::new("columns").json_binary().not_null())
        .col(ColumnDef::new("keyed_at").big_integer().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("reason").string_len(2000).null())
        .col(ColumnDef::new("inserted").big_integer().not_null())
        .col(ColumnDef::new("updated").big_integer().not_null())
        .col(ColumnDef::new("deleted").big_integer().not_null())
        .col(ColumnDef::new("blob_key").string_len(120).null())
        .col(ColumnDef::new("size_bytes").big_integer().not_null())
        .col(ColumnDef::new("sha256").string_len(64).null())
        .col(ColumnDef::new("compared_at").big_integer().null())
        .primary_key(Index::create().col("listing_id").col("file_name").col("number"))
        .foreign_key(ForeignKey::create().from("row_changes", "revision_id").to("revision", "id"));
    manager.create_table(table).await?;
    manager.create_index(unique("row_changes", &["revision_id", "file_name"])).await
}
