//! Tables of settlement.

use sea_orm_migration::prelude::*;

use crate::build::index;

/// Creates the tables of settlement.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000006_settlement"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        payout(manager).await?;
        payout_item(manager).await?;
        processor_transaction(manager).await?;
        reconciliation(manager).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["reconciliation", "processor_transaction", "payout_item", "payout"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// An index of only the rows that wait for a job, so that the job stays quick while history grows.
async fn worklist(manager: &SchemaManager<'_>, name: &str, of: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(&format!("CREATE INDEX idx_{name} ON {of}")).await?;
    Ok(())
}

async fn payout(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("payout")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("run_id").uuid().not_null())
        .col(ColumnDef::new("recipient").string_len(32).not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("attempt").integer().not_null())
        .col(ColumnDef::new("processor_ref").string_len(120).null())
        .col(ColumnDef::new("failure_text").string_len(400).null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("next_try_at").big_integer().null())
        .col(ColumnDef::new("paid_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("payout", "organization_id").to("organization", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("payout", &["run_id"])).await?;
    manager.create_index(index("payout", &["organization_id"])).await?;
    // Only what is still to be handed to the processor is in it, however many payouts there were.
    worklist(manager, "payout_to_submit", "payout (next_try_at) WHERE next_try_at IS NOT NULL").await
}

async fn payout_item(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("payout_item")
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("payout_id").uuid().not_null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .primary_key(Index::create().col("order_id"))
        .foreign_key(ForeignKey::create().from("payout_item", "order_id").to("orders", "id"))
        .foreign_key(ForeignKey::create().from("payout_item", "payout_id").to("payout", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("payout_item", &["payout_id"])).await?;
    Ok(())
}

async fn processor_transaction(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("processor_transaction")
        .col(ColumnDef::new("id").string_len(120).not_null())
        .col(ColumnDef::new("processor").string_len(32).not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .col(ColumnDef::new("fee_minor").big_integer().not_null())
        .col(ColumnDef::new("net_minor").big_integer().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("source_ref").string_len(120).not_null())
        .col(ColumnDef::new("our_ref").string_len(80).null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("available_at").big_integer().not_null())
        .col(ColumnDef::new("imported_at").big_integer().not_null())
        .col(ColumnDef::new("available_booked_at").big_integer().null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("processor_transaction", &["source_ref"])).await?;
    manager.create_index(index("processor_transaction", &["our_ref"])).await?;
    manager.create_index(index("processor_transaction", &["created_at"])).await?;
    let waiting = "processor_transaction (available_at) WHERE available_booked_at IS NULL";
    worklist(manager, "funds_to_become_available", waiting).await
}

async fn reconciliation(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("reconciliation")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("created_by").uuid().null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("from_at").big_integer().not_null())
        .col(ColumnDef::new("until_at").big_integer().not_null())
        .col(ColumnDef::new("difference_count").integer().not_null())
        .col(ColumnDef::new("report").json_binary().not_null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("reconciliation", &["created_at"])).await?;
    Ok(())
}
