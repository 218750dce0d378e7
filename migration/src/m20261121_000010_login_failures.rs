//! Counting wrong passwords, and finding log-ins that have run out.

use sea_orm_migration::prelude::*;

use crate::build::index;

/// Creates the counter and its indexes.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000010_login_failures"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table
            .table("login_failure")
            .col(ColumnDef::new("email_hash").string_len(64).not_null())
            .col(ColumnDef::new("failures").integer().not_null())
            .col(ColumnDef::new("window_ends_at").big_integer().not_null())
            .primary_key(Index::create().col("email_hash"));
        manager.create_table(table).await?;
        manager.create_index(index("login_failure", &["window_ends_at"])).await?;
        manager.create_index(index("refresh_token", &["expires_at"])).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_index(Index::drop().name("idx_refresh_token_expires_at").table("refresh_token").to_owned())
            .await?;
        manager.drop_table(Table::drop().table("login_failure").to_owned()).await?;
        Ok(())
    }
}
