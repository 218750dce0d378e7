//! Providers' accounts at the processor, as it last described them.

use sea_orm_migration::prelude::*;

use crate::build::unique;

/// Creates the table.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000018_payout_accounts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table
            .table("payout_account")
            .col(ColumnDef::new("organization_id").uuid().not_null())
            .col(ColumnDef::new("account_ref").string_len(120).not_null())
            .col(ColumnDef::new("transfers_active").boolean().not_null())
            .col(ColumnDef::new("payouts_active").boolean().not_null())
            .col(ColumnDef::new("requirements_due").json_binary().not_null())
            .col(ColumnDef::new("disabled_reason").string_len(400).null())
            .col(ColumnDef::new("checked_at").big_integer().not_null())
            .primary_key(Index::create().col("organization_id"))
            .foreign_key(ForeignKey::create().from("payout_account", "organization_id").to("organization", "id"));
        manager.create_table(table).await?;
        manager.create_index(unique("payout_account", &["account_ref"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("payout_account").to_owned()).await
    }
}
