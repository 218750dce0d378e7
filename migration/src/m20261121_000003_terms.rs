//! Tables of terms.

use sea_orm_migration::prelude::*;

use crate::build::index;

/// Creates the tables of terms.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000003_terms"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        licence_document(manager).await?;
        licence(manager).await?;
        offer(manager).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["offer", "licence", "licence_document"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn licence_document(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("licence_document")
        .col(ColumnDef::new("hash").string_len(64).not_null())
        .col(ColumnDef::new("document").text().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("hash"));
    manager.create_table(table).await?;
    Ok(())
}

async fn licence(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("licence")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("code").string_len(64).null().unique_key())
        .col(ColumnDef::new("title").json_binary().not_null())
        .col(ColumnDef::new("hash").string_len(64).not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("archived_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("licence", "organization_id").to("organization", "id"))
        .foreign_key(ForeignKey::create().from("licence", "hash").to("licence_document", "hash"));
    manager.create_table(table).await?;
    manager.create_index(index("licence", &["organization_id"])).await?;
    Ok(())
}

async fn offer(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("offer")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("price_minor").big_integer().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("term_months").integer().null())
        .col(ColumnDef::new("licence_id").uuid().not_null())
        .col(ColumnDef::new("licence_hash").string_len(64).not_null())
        .col(ColumnDef::new("approval_required").boolean().not_null())
        .col(ColumnDef::new("coverage").string_len(32).not_null())
        .col(ColumnDef::new("valid_from").big_integer().not_null())
        .col(ColumnDef::new("valid_until").big_integer().null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("withdrawn_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("offer", "listing_id").to("listing", "id"))
        .foreign_key(ForeignKey::create().from("offer", "organization_id").to("organization", "id"))
        .foreign_key(ForeignKey::create().from("offer", "licence_id").to("licence", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("offer", &["listing_id"])).await?;
    Ok(())
}
