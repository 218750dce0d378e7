//! Slices: what of a file an order bought, and the queue of what is made for them.

use sea_orm_migration::prelude::*;

/// Adds the queue, and what orders and grants say of a slice.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000031_slices"
    }
}

const STATEMENTS: [&str; 3] = [
    "CREATE INDEX idx_slice_task_due ON slice_task (run_at) WHERE state IN ('pending', 'making')",
    "CREATE INDEX idx_slice_task_file_id ON slice_task (file_id)",
    "CREATE INDEX idx_offer_slice ON offer (listing_id) WHERE state = 'active' AND plan ->> 'slice' IS NOT NULL",
];

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
            .table("slice_task")
            .col(ColumnDef::new("id").uuid().not_null())
            .col(ColumnDef::new("file_id").uuid().not_null())
            .col(ColumnDef::new("grant_id").uuid().null())
            .col(ColumnDef::new("time_column").text().not_null())
            .col(ColumnDef::new("slice").json_binary().null())
            .col(ColumnDef::new("state").string_len(32).not_null())
            .col(ColumnDef::new("attempts").integer().not_null())
            .col(number("run_at").not_null())
            .col(number("lease_until").null())
            .col(ColumnDef::new("progress_permille").integer().not_null())
            .col(ColumnDef::new("files").json_binary().null())
            .col(number("size_bytes").null())
            .col(number("row_count").null())
            .col(ColumnDef::new("error").text().null())
            .col(number("created_at").not_null())
            .col(number("made_at").null())
            .primary_key(Index::create().col("id"))
            .foreign_key(ForeignKey::create().from("slice_task", "file_id").to("file", "id"));
        manager.create_table(table).await?;
        let line =
            Table::alter().table("order_line").add_column(ColumnDef::new("slice").json_binary().null()).to_owned();
        manager.alter_table(line).await?;
        let grant = Table::alter().table("grants").add_column(ColumnDef::new("slice_file_id").uuid().null()).to_owned();
        manager.alter_table(grant).await?;
        for statement in STATEMENTS {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX idx_offer_slice").await?;
        manager.alter_table(Table::alter().table("grants").drop_column("slice_file_id").to_owned()).await?;
        manager.alter_table(Table::alter().table("order_line").drop_column("slice").to_owned()).await?;
        manager.drop_table(Table::drop().table("slice_task").to_owned()).await
    }
}
