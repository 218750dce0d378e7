//! Tables of trade.
//!
//! Lines and grants carry no foreign keys to listings, offers and organisations: these are never
//! deleted, and on PostgreSQL every sale would queue for a share lock on the same few parent rows.
//! `torv verify` checks the references instead.

use sea_orm_migration::prelude::*;

use crate::build::{index, unique};

/// Creates the tables of trade.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000005_trade"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        order(manager).await?;
        order_line(manager).await?;
        payment(manager).await?;
        grant(manager).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["grants", "payment", "order_line", "orders"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn order(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("orders")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("buyer_id").uuid().not_null())
        .col(ColumnDef::new("placed_by").uuid().null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("use_case").string_len(2000).not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("total_minor").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .col(ColumnDef::new("decided_at").big_integer().null())
        .col(ColumnDef::new("decision_note").string_len(2000).null())
        .col(ColumnDef::new("closed_at").big_integer().null())
        .col(ColumnDef::new("hold_ended_at").big_integer().null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("orders", &["buyer_id", "created_at"])).await?;
    manager.create_index(index("orders", &["state", "expires_at"])).await?;
    manager.create_index(index("orders", &["closed_at"])).await?;
    // Only paid orders whose hold runs are in it, so ending holds stays quick while history grows.
    let held = "CREATE INDEX idx_orders_held ON orders (closed_at) \
                WHERE hold_ended_at IS NULL AND state = 'completed' AND total_minor > 0";
    manager.get_connection().execute_unprepared(held).await?;
    Ok(())
}

async fn order_line(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("order_line")
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("line_no").integer().not_null())
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("offer_id").uuid().not_null())
        .col(ColumnDef::new("provider_id").uuid().not_null())
        .col(ColumnDef::new("offer_kind").string_len(32).not_null())
        .col(ColumnDef::new("price_minor").big_integer().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("fee_rule_id").uuid().null())
        .col(ColumnDef::new("fee_bps").integer().not_null())
        .col(ColumnDef::new("operator_minor").big_integer().not_null())
        .col(ColumnDef::new("provider_minor").big_integer().not_null())
        .col(ColumnDef::new("licence_hash").string_len(64).not_null())
        .col(ColumnDef::new("term_months").integer().null())
        .col(ColumnDef::new("coverage").string_len(32).not_null())
        .col(ColumnDef::new("revision_number").integer().not_null())
        .col(ColumnDef::new("hold_days").integer().not_null())
        .primary_key(Index::create().col("order_id").col("line_no"))
        .foreign_key(ForeignKey::create().from("order_line", "order_id").to("orders", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("order_line", &["listing_id"])).await?;
    manager.create_index(index("order_line", &["provider_id"])).await?;
    Ok(())
}

async fn payment(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("payment")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("attempt").integer().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("processor").string_len(32).not_null())
        .col(ColumnDef::new("processor_ref").string_len(120).null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("failure_code").string_len(64).null())
        .col(ColumnDef::new("failure_text").string_len(400).null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("settled_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("payment", "order_id").to("orders", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("payment", &["state", "created_at"])).await?;
    manager.create_index(unique("payment", &["order_id", "attempt"])).await?;
    manager.create_index(unique("payment", &["processor", "processor_ref"])).await?;
    Ok(())
}

async fn grant(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("grants")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("line_no").integer().not_null())
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("provider_id").uuid().not_null())
        .col(ColumnDef::new("licence_hash").string_len(64).not_null())
        .col(ColumnDef::new("coverage").string_len(32).not_null())
        .col(ColumnDef::new("through_revision").integer().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("starts_at").big_integer().not_null())
        .col(ColumnDef::new("ends_at").big_integer().null())
        .col(ColumnDef::new("ended_at").big_integer().null())
        .col(ColumnDef::new("end_reason").string_len(400).null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("grants", "order_id").to("orders", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("grants", &["listing_id"])).await?;
    manager.create_index(index("grants", &["organization_id"])).await?;
    manager.create_index(index("grants", &["state", "ends_at"])).await?;
    manager.create_index(unique("grants", &["order_id", "line_no"])).await?;
    Ok(())
}
