//! An index by which a bank line finds the payout that it names by our own id.

use sea_orm_migration::prelude::*;

use crate::build::index;

/// Adds what matching bank lines needs.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000020_bank_transfers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_index(index("bank_payout", &["payout_id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("idx_bank_payout_payout_id").table("bank_payout").to_owned()).await
    }
}
