//! Tables of delivery.

use sea_orm_migration::prelude::*;

use crate::build::index;

/// Creates the tables of delivery.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000007_delivery"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        delivery(manager).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["delivery"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn delivery(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("delivery")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("grant_id").uuid().not_null())
        .col(ColumnDef::new("file_id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("at").big_integer().not_null())
        .col(ColumnDef::new("status").integer().not_null())
        .col(ColumnDef::new("bytes_sent").big_integer().not_null())
        .col(ColumnDef::new("range").string_len(80).null())
        .col(ColumnDef::new("request_id").string_len(64).null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("delivery", &["grant_id"])).await?;
    manager.create_index(index("delivery", &["at"])).await?;
    Ok(())
}
