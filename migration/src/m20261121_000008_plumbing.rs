//! Tables of plumbing.

use sea_orm_migration::prelude::*;

use crate::build::index;

/// Creates the tables of plumbing.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000008_plumbing"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        idempotency(manager).await?;
        outbox(manager).await?;
        inbox(manager).await?;
        job(manager).await?;
        sandbox_object(manager).await?;
        sandbox_event(manager).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["sandbox_event", "sandbox_object", "job", "inbox", "outbox", "idempotency"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn idempotency(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("idempotency")
        .col(ColumnDef::new("scope").string_len(120).not_null())
        .col(ColumnDef::new("key").string_len(255).not_null())
        .col(ColumnDef::new("request_hash").string_len(64).not_null())
        .col(ColumnDef::new("resource").string_len(80).not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("scope").col("key"));
    manager.create_table(table).await?;
    manager.create_index(index("idempotency", &["created_at"])).await?;
    Ok(())
}

async fn outbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("outbox")
        .col(ColumnDef::new("seq").big_integer().auto_increment().primary_key().not_null())
        .col(ColumnDef::new("id").uuid().not_null().unique_key())
        .col(ColumnDef::new("topic").string_len(80).not_null())
        .col(ColumnDef::new("kind").string_len(64).not_null())
        .col(ColumnDef::new("payload").json_binary().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("sent_at").big_integer().null());
    manager.create_table(table).await?;
    manager.create_index(index("outbox", &["sent_at", "seq"])).await?;
    Ok(())
}

async fn inbox(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("inbox")
        .col(ColumnDef::new("source").string_len(32).not_null())
        .col(ColumnDef::new("event_id").string_len(120).not_null())
        .col(ColumnDef::new("kind").string_len(64).not_null())
        .col(ColumnDef::new("body").text().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("attempts").integer().not_null())
        .col(ColumnDef::new("received_at").big_integer().not_null())
        .col(ColumnDef::new("processed_at").big_integer().null())
        .col(ColumnDef::new("error").string_len(2000).null())
        .primary_key(Index::create().col("source").col("event_id"));
    manager.create_table(table).await?;
    manager.create_index(index("inbox", &["state", "received_at"])).await?;
    Ok(())
}

async fn job(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("job")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(64).not_null())
        .col(ColumnDef::new("unique_key").string_len(160).null().unique_key())
        .col(ColumnDef::new("payload").json_binary().not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("attempts").integer().not_null())
        .col(ColumnDef::new("run_at").big_integer().not_null())
        .col(ColumnDef::new("leased_until").big_integer().null())
        .col(ColumnDef::new("last_error").string_len(2000).null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("done_at").big_integer().null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("job", &["state", "run_at"])).await?;
    Ok(())
}

async fn sandbox_object(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("sandbox_object")
        .col(ColumnDef::new("id").string_len(64).not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("idempotency_key").string_len(255).null().unique_key())
        .col(ColumnDef::new("parent").string_len(64).null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .col(ColumnDef::new("fee_minor").big_integer().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("available_at").big_integer().not_null())
        .col(ColumnDef::new("body").json_binary().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("sandbox_object", &["parent"])).await?;
    manager.create_index(index("sandbox_object", &["kind", "created_at"])).await?;
    Ok(())
}

async fn sandbox_event(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("sandbox_event")
        .col(ColumnDef::new("seq").big_integer().auto_increment().primary_key().not_null())
        .col(ColumnDef::new("id").string_len(64).not_null())
        .col(ColumnDef::new("body").json_binary().not_null())
        .col(ColumnDef::new("deliver_at").big_integer().not_null())
        .col(ColumnDef::new("attempts").integer().not_null())
        .col(ColumnDef::new("delivered_at").big_integer().null());
    manager.create_table(table).await?;
    manager.create_index(index("sandbox_event", &["deliver_at"])).await?;
    Ok(())
}
