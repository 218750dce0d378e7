//! API keys that open one grant alone: the tokens of Delta Sharing profiles.

use sea_orm_migration::prelude::*;

/// Adds the column.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000030_share_tokens"
    }
}

const INDEX: &str = "CREATE INDEX idx_api_key_grant_id ON api_key (grant_id) WHERE grant_id IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("grant_id").uuid().to_owned();
        manager.alter_table(Table::alter().table("api_key").add_column(column).to_owned()).await?;
        manager.get_connection().execute_unprepared(INDEX).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX idx_api_key_grant_id").await?;
        manager.alter_table(Table::alter().table("api_key").drop_column("grant_id").to_owned()).await
    }
}
