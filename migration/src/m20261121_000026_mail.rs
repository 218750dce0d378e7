//! Mails about notices: who wants which, how far the log has been mailed, and what is on its way.

use sea_orm_migration::prelude::*;

use crate::build::{index, unique};

/// Creates the tables.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000026_mail"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        preference(manager).await?;
        digest(manager).await?;
        head(manager).await?;
        mail(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["mail", "mail_head", "mail_digest", "mail_preference"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn preference(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("mail_preference")
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("account_id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(64).not_null())
        .col(ColumnDef::new("mode").string_len(32).not_null())
        .primary_key(Index::create().col("organization_id").col("account_id").col("kind"))
        .foreign_key(ForeignKey::create().from("mail_preference", "organization_id").to("organization", "id"))
        .foreign_key(ForeignKey::create().from("mail_preference", "account_id").to("account", "id"));
    manager.create_table(table).await
}

async fn digest(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("mail_digest")
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("account_id").uuid().not_null())
        .col(ColumnDef::new("cursor").big_integer().not_null())
        .col(ColumnDef::new("next_at").big_integer().not_null())
        .primary_key(Index::create().col("organization_id").col("account_id"));
    manager.create_table(table).await?;
    manager.create_index(index("mail_digest", &["next_at"])).await
}

async fn head(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("mail_head")
        .col(ColumnDef::new("id").integer().not_null())
        .col(ColumnDef::new("cursor").big_integer().not_null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    // What was told before anybody could be mailed is history.
    let first = "INSERT INTO mail_head (id, cursor) SELECT 1, last_cursor FROM notice_head";
    manager.get_connection().execute_unprepared(first).await.map(drop)
}

async fn mail(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("mail")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("account_id").uuid().not_null())
        .col(ColumnDef::new("cursor").big_integer().not_null())
        .col(ColumnDef::new("is_digest").boolean().not_null())
        .col(ColumnDef::new("subject").string_len(1000).not_null())
        .col(ColumnDef::new("body").text().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("attempts").integer().not_null())
        .col(ColumnDef::new("next_try_at").big_integer().null())
        .col(ColumnDef::new("last_error").string_len(400).null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("done_at").big_integer().null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(unique("mail", &["organization_id", "account_id", "cursor", "is_digest"])).await?;
    let due = "CREATE INDEX idx_mail_due ON mail (next_try_at) WHERE next_try_at IS NOT NULL";
    manager.get_connection().execute_unprepared(due).await.map(drop)
}
