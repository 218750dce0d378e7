//! Tables of catalog.

use sea_orm_migration::prelude::*;

use crate::build::{index, unique};

/// Creates the tables of catalog.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000002_catalog"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        listing(manager).await?;
        listing_audience(manager).await?;
        listing_facet(manager).await?;
        listing_price(manager).await?;
        revision(manager).await?;
        file(manager).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["file", "revision", "listing_price", "listing_facet", "listing_audience", "listing"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn listing(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("listing")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("version").integer().not_null())
        .col(ColumnDef::new("title").json_binary().not_null())
        .col(ColumnDef::new("summary").json_binary().not_null())
        .col(ColumnDef::new("theme").string_len(32).not_null())
        .col(ColumnDef::new("tags").json_binary().not_null())
        .col(ColumnDef::new("place").string_len(200).null())
        .col(ColumnDef::new("min_lon").double().null())
        .col(ColumnDef::new("min_lat").double().null())
        .col(ColumnDef::new("max_lon").double().null())
        .col(ColumnDef::new("max_lat").double().null())
        .col(ColumnDef::new("covers_from").big_integer().null())
        .col(ColumnDef::new("covers_until").big_integer().null())
        .col(ColumnDef::new("update_frequency").string_len(32).not_null())
        .col(ColumnDef::new("contact").json_binary().not_null())
        .col(ColumnDef::new("use_cases").json_binary().not_null())
        .col(ColumnDef::new("personal_data").string_len(32).not_null())
        .col(ColumnDef::new("personal_data_note").string_len(2000).null())
        .col(ColumnDef::new("audience").string_len(32).not_null())
        .col(ColumnDef::new("answer_within_days").integer().null())
        .col(ColumnDef::new("review_note").string_len(2000).null())
        .col(ColumnDef::new("search_text").text().not_null())
        .col(ColumnDef::new("current_revision_id").uuid().null())
        .col(ColumnDef::new("has_free_offer").boolean().not_null())
        .col(ColumnDef::new("has_paid_offer").boolean().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("updated_at").big_integer().not_null())
        .col(ColumnDef::new("published_at").big_integer().null())
        .col(ColumnDef::new("retired_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("listing", "organization_id").to("organization", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("listing", &["organization_id"])).await?;
    manager.create_index(index("listing", &["state", "updated_at"])).await?;
    manager.create_index(index("listing", &["state", "theme"])).await?;
    Ok(())
}

async fn listing_audience(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("listing_audience")
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .primary_key(Index::create().col("listing_id").col("organization_id"))
        .foreign_key(ForeignKey::create().from("listing_audience", "listing_id").to("listing", "id"))
        .foreign_key(ForeignKey::create().from("listing_audience", "organization_id").to("organization", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("listing_audience", &["organization_id"])).await?;
    Ok(())
}

async fn listing_facet(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("listing_facet")
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("facet").string_len(16).not_null())
        .col(ColumnDef::new("value").string_len(120).not_null())
        .primary_key(Index::create().col("listing_id").col("facet").col("value"))
        .foreign_key(ForeignKey::create().from("listing_facet", "listing_id").to("listing", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("listing_facet", &["facet", "value"])).await?;
    Ok(())
}

async fn listing_price(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("listing_price")
        .col(ColumnDef::new("offer_id").uuid().not_null())
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("price_minor").big_integer().not_null())
        .primary_key(Index::create().col("offer_id"))
        .foreign_key(ForeignKey::create().from("listing_price", "listing_id").to("listing", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("listing_price", &["listing_id"])).await?;
    manager.create_index(index("listing_price", &["currency", "price_minor"])).await?;
    Ok(())
}

async fn revision(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("revision")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("number").integer().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("note").string_len(2000).not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("published_at").big_integer().null())
        .col(ColumnDef::new("file_count").integer().not_null())
        .col(ColumnDef::new("size_bytes").big_integer().not_null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("revision", "listing_id").to("listing", "id"));
    manager.create_table(table).await?;
    manager.create_index(unique("revision", &["listing_id", "number"])).await?;
    Ok(())
}

async fn file(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("file")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("revision_id").uuid().not_null())
        .col(ColumnDef::new("name").string_len(255).not_null())
        .col(ColumnDef::new("media_type").string_len(120).not_null())
        .col(ColumnDef::new("format").string_len(32).not_null())
        .col(ColumnDef::new("size_bytes").big_integer().not_null())
        .col(ColumnDef::new("sha256").string_len(64).not_null())
        .col(ColumnDef::new("blob_key").string_len(120).not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("profile_state").string_len(32).not_null())
        .col(ColumnDef::new("profile").json_binary().null())
        .col(ColumnDef::new("profile_error").string_len(2000).null())
        .col(ColumnDef::new("sample_policy").json_binary().not_null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("file", "revision_id").to("revision", "id"));
    manager.create_table(table).await?;
    manager.create_index(unique("file", &["revision_id", "name"])).await?;
    Ok(())
}
