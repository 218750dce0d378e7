//! Verifications that were run, by night or asked for.

use sea_orm_migration::prelude::*;

use crate::build::unique;

/// Creates the table.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000029_verifications"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table
            .table("verification")
            .col(ColumnDef::new("id").uuid().not_null())
            .col(ColumnDef::new("day").string_len(10).null())
            .col(ColumnDef::new("requested_by").uuid().null())
            .col(ColumnDef::new("created_at").big_integer().not_null())
            .col(ColumnDef::new("started_at").big_integer().null())
            .col(ColumnDef::new("finished_at").big_integer().null())
            .col(ColumnDef::new("violation_count").integer().null())
            .col(ColumnDef::new("report").json_binary().null())
            .primary_key(Index::create().col("id"));
        manager.create_table(table).await?;
        // One a night, however many processes look at the clock.
        manager.create_index(unique("verification", &["day"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("verification").to_owned()).await
    }
}
