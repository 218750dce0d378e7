//! The table of renditions: the files of published revisions in other formats.

use sea_orm_migration::prelude::*;

use crate::build::unique;

/// Creates the table of renditions.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000027_renditions"
    }
}

fn number(name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.big_integer();
    column
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table
            .table("rendition")
            .col(ColumnDef::new("id").uuid().not_null())
            .col(ColumnDef::new("file_id").uuid().not_null())
            .col(ColumnDef::new("format").string_len(32).not_null())
            .col(ColumnDef::new("state").string_len(32).not_null())
            .col(ColumnDef::new("attempts").integer().not_null())
            .col(number("run_at").not_null())
            .col(number("lease_until").null())
            .col(ColumnDef::new("progress_permille").integer().not_null())
            .col(ColumnDef::new("blob_key").string_len(120).null())
            .col(number("size_bytes").null())
            .col(ColumnDef::new("sha256").string_len(64).null())
            .col(number("row_count").null())
            .col(ColumnDef::new("columns").json_binary().null())
            .col(ColumnDef::new("crs").string_len(120).null())
            .col(ColumnDef::new("error").text().null())
            .col(number("created_at").not_null())
            .col(number("made_at").null())
            .primary_key(Index::create().col("id"))
            .foreign_key(ForeignKey::create().from("rendition", "file_id").to("file", "id"));
        manager.create_table(table).await?;
        manager.create_index(unique("rendition", &["file_id", "format"])).await?;
        let due = "CREATE INDEX idx_rendition_due ON rendition (run_at) WHERE state IN ('pending', 'making')";
        manager.get_connection().execute_unprepared(due).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("rendition").to_owned()).await
    }
}
