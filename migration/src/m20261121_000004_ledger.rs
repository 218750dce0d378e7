//! Tables of the ledger.
//!
//! A posting carries no foreign key to its account: every sale would share-lock the row of the
//! operator's account. `torv verify` checks the references instead.

use sea_orm_migration::prelude::*;

use crate::build::{index, unique};

/// Creates the tables of ledger.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000004_ledger"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ledger_account(manager).await?;
        ledger_entry(manager).await?;
        posting(manager).await?;
        seal(manager).await?;
        sealed_entry(manager).await?;
        ledger_balance(manager).await?;
        fee_rule(manager).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["fee_rule", "ledger_balance", "sealed_entry", "seal", "posting", "ledger_entry", "ledger_account"]
        {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn ledger_account(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("ledger_account")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("code").string_len(120).not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("class").string_len(32).not_null())
        .col(ColumnDef::new("organization_id").uuid().null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(unique("ledger_account", &["code", "currency"])).await?;
    Ok(())
}

async fn ledger_entry(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("ledger_entry")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("source").string_len(160).not_null().unique_key())
        .col(ColumnDef::new("effective_at").big_integer().not_null())
        .col(ColumnDef::new("posted_at").big_integer().not_null())
        .col(ColumnDef::new("memo").string_len(400).null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("ledger_entry", &["posted_at"])).await?;
    Ok(())
}

async fn posting(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("posting")
        .col(ColumnDef::new("entry_id").uuid().not_null())
        .col(ColumnDef::new("seq").integer().not_null())
        .col(ColumnDef::new("account_id").uuid().not_null())
        .col(ColumnDef::new("order_id").uuid().null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .primary_key(Index::create().col("entry_id").col("seq"));
    manager.create_table(table).await?;
    manager.create_index(index("posting", &["account_id", "entry_id"])).await?;
    manager.create_index(index("posting", &["order_id"])).await?;
    Ok(())
}

async fn seal(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("seal")
        .col(ColumnDef::new("number").big_integer().not_null())
        .col(ColumnDef::new("previous_head").string_len(64).not_null())
        .col(ColumnDef::new("root").string_len(64).not_null())
        .col(ColumnDef::new("head").string_len(64).not_null())
        .col(ColumnDef::new("entry_count").big_integer().not_null())
        .col(ColumnDef::new("sealed_at").big_integer().not_null())
        .primary_key(Index::create().col("number"));
    manager.create_table(table).await?;
    Ok(())
}

async fn sealed_entry(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("sealed_entry")
        .col(ColumnDef::new("entry_id").uuid().not_null())
        .col(ColumnDef::new("seal_number").big_integer().not_null())
        .col(ColumnDef::new("leaf_index").big_integer().not_null())
        .col(ColumnDef::new("leaf").string_len(64).not_null())
        .primary_key(Index::create().col("entry_id"))
        .foreign_key(ForeignKey::create().from("sealed_entry", "seal_number").to("seal", "number"));
    manager.create_table(table).await?;
    manager.create_index(index("sealed_entry", &["seal_number"])).await?;
    Ok(())
}

async fn ledger_balance(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("ledger_balance")
        .col(ColumnDef::new("account_id").uuid().not_null())
        .col(ColumnDef::new("sealed_minor").big_integer().not_null())
        .col(ColumnDef::new("seal_number").big_integer().not_null())
        .primary_key(Index::create().col("account_id"))
        .foreign_key(ForeignKey::create().from("ledger_balance", "account_id").to("ledger_account", "id"));
    manager.create_table(table).await?;
    Ok(())
}

async fn fee_rule(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("fee_rule")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().null())
        .col(ColumnDef::new("listing_id").uuid().null())
        .col(ColumnDef::new("offer_id").uuid().null())
        .col(ColumnDef::new("operator_bps").integer().not_null())
        .col(ColumnDef::new("from_at").big_integer().not_null())
        .col(ColumnDef::new("created_by").uuid().null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    Ok(())
}
