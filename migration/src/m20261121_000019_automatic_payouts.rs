//! What is known of payouts that the processor makes by itself.

use sea_orm_migration::prelude::*;

/// Adds the columns.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000019_automatic_payouts"
    }
}

/// Column of `payout` and its definition, which both databases read.
const COLUMNS: [(&str, &str); 3] =
    [("is_itemised", "boolean"), ("arrival_at", "bigint"), ("trace_ref", "varchar(120)")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (column, definition) in COLUMNS {
            run(manager, &format!("ALTER TABLE payout ADD COLUMN {column} {definition}")).await?;
        }
        run(manager, "CREATE INDEX idx_payout_automatic ON payout (processor_ref) WHERE is_itemised IS NOT NULL").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, "DROP INDEX idx_payout_automatic").await?;
        for (column, _) in COLUMNS.into_iter().rev() {
            run(manager, &format!("ALTER TABLE payout DROP COLUMN {column}")).await?;
        }
        Ok(())
    }
}

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(statement).await?;
    Ok(())
}
