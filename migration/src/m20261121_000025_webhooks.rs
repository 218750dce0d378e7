//! Buyers' and providers' webhook endpoints, what is to be delivered to them, and how each attempt went.

use sea_orm_migration::prelude::*;

use crate::build::{index, unique};

/// Creates the tables.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000025_webhooks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        endpoint(manager).await?;
        lane(manager).await?;
        delivery(manager).await?;
        attempt(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["webhook_attempt", "webhook_delivery", "webhook_lane", "webhook_endpoint"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn endpoint(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("webhook_endpoint")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("url").string_len(2000).not_null())
        .col(ColumnDef::new("description").string_len(200).not_null())
        .col(ColumnDef::new("kinds").json_binary().not_null())
        .col(ColumnDef::new("listing_ids").json_binary().not_null())
        .col(ColumnDef::new("sealed_secret").blob().not_null())
        .col(ColumnDef::new("sealed_previous").blob().null())
        .col(ColumnDef::new("previous_until").big_integer().null())
        .col(ColumnDef::new("disabled_reason").string_len(32).null())
        .col(ColumnDef::new("failing_since").big_integer().null())
        .col(ColumnDef::new("version").integer().not_null())
        .col(ColumnDef::new("replays").integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("deleted_at").big_integer().null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("webhook_endpoint", "organization_id").to("organization", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("webhook_endpoint", &["organization_id", "id"])).await
}

async fn lane(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("webhook_lane")
        .col(ColumnDef::new("endpoint_id").uuid().not_null())
        .col(ColumnDef::new("lane").string_len(80).not_null())
        .col(ColumnDef::new("next_try_at").big_integer().null())
        .col(ColumnDef::new("leased_until").big_integer().null())
        .col(ColumnDef::new("lease_no").big_integer().not_null())
        .primary_key(Index::create().col("endpoint_id").col("lane"))
        .foreign_key(ForeignKey::create().from("webhook_lane", "endpoint_id").to("webhook_endpoint", "id"));
    manager.create_table(table).await?;
    let due = "CREATE INDEX idx_webhook_lane_due ON webhook_lane (next_try_at) WHERE next_try_at IS NOT NULL";
    manager.get_connection().execute_unprepared(due).await.map(drop)
}

async fn delivery(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("webhook_delivery")
        .col(ColumnDef::new("seq").big_integer().auto_increment().primary_key().not_null())
        .col(ColumnDef::new("id").uuid().not_null().unique_key())
        .col(ColumnDef::new("endpoint_id").uuid().not_null())
        .col(ColumnDef::new("notice_cursor").big_integer().null())
        .col(ColumnDef::new("replay_no").integer().not_null())
        .col(ColumnDef::new("message_id").uuid().not_null())
        .col(ColumnDef::new("event_id").uuid().null())
        .col(ColumnDef::new("kind").string_len(64).not_null())
        .col(ColumnDef::new("lane").string_len(80).not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("attempts").integer().not_null())
        .col(ColumnDef::new("failures").integer().not_null())
        .col(ColumnDef::new("last_status").integer().null())
        .col(ColumnDef::new("next_try_at").big_integer().null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("done_at").big_integer().null())
        .foreign_key(ForeignKey::create().from("webhook_delivery", "endpoint_id").to("webhook_endpoint", "id"));
    manager.create_table(table).await?;
    manager.create_index(unique("webhook_delivery", &["endpoint_id", "notice_cursor", "replay_no"])).await?;
    manager.create_index(index("webhook_delivery", &["endpoint_id", "state", "seq"])).await?;
    let waiting = "CREATE INDEX idx_webhook_delivery_waiting ON webhook_delivery (endpoint_id, lane, seq) WHERE state = 'pending'";
    manager.get_connection().execute_unprepared(waiting).await?;
    manager.create_index(index("webhook_delivery", &["done_at"])).await
}

async fn attempt(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("webhook_attempt")
        .col(ColumnDef::new("delivery_id").uuid().not_null())
        .col(ColumnDef::new("number").integer().not_null())
        .col(ColumnDef::new("at").big_integer().not_null())
        .col(ColumnDef::new("status").integer().null())
        .col(ColumnDef::new("latency_ms").integer().not_null())
        .col(ColumnDef::new("failure").string_len(32).null())
        .col(ColumnDef::new("answer").text().not_null())
        .primary_key(Index::create().col("delivery_id").col("number"));
    manager.create_table(table).await
}
