//! What is found of stored files, how far their re-reading is, and the format of a delivery.

use sea_orm_migration::prelude::*;

/// Creates the tables of the integrity of what is stored.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000028_storage"
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
        let mut findings = Table::create();
        findings
            .table("storage_finding")
            .col(ColumnDef::new("key").string_len(200).not_null())
            .col(ColumnDef::new("kind").string_len(32).not_null())
            .col(ColumnDef::new("file_id").uuid().null())
            .col(ColumnDef::new("format").string_len(32).null())
            .col(number("found_at").not_null())
            .col(number("resolved_at").null())
            .primary_key(Index::create().col("key"));
        manager.create_table(findings).await?;
        let mut scrub = Table::create();
        scrub
            .table("storage_scrub")
            .col(ColumnDef::new("id").integer().not_null())
            .col(ColumnDef::new("position").uuid().null())
            .col(number("lease_until").not_null())
            .col(number("pass_started_at").not_null())
            .col(number("next_pass_at").not_null())
            .primary_key(Index::create().col("id"));
        manager.create_table(scrub).await?;
        let mut format = ColumnDef::new("format");
        format.string_len(32).null();
        manager.alter_table(Table::alter().table("delivery").add_column(format).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("delivery").drop_column("format").to_owned()).await?;
        manager.drop_table(Table::drop().table("storage_scrub").to_owned()).await?;
        manager.drop_table(Table::drop().table("storage_finding").to_owned()).await
    }
}
