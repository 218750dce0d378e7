//! What happened as recipients see it, who is told of it, and how far each has read.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::build::{index, unique};

/// Creates the tables, and the mark of an outbox row that its recipients were told.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000024_notices"
    }
}

/// Tables whose rows are written once.
const APPEND_ONLY: [&str; 2] = ["news", "notice"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        news(manager).await?;
        notice(manager).await?;
        notice_head(manager).await?;
        notice_read(manager).await?;
        refuse_changes(manager).await?;
        run(manager, "ALTER TABLE outbox ADD COLUMN fanned_out_at bigint").await?;
        // What was written before anybody could be told is history, not news.
        run(manager, "UPDATE outbox SET fanned_out_at = created_at").await?;
        run(manager, "CREATE INDEX idx_outbox_not_fanned_out ON outbox (seq) WHERE fanned_out_at IS NULL").await?;
        run(manager, "CREATE INDEX idx_grants_holders ON grants (listing_id, organization_id)").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, "DROP INDEX idx_grants_holders").await?;
        run(manager, "DROP INDEX idx_outbox_not_fanned_out").await?;
        run(manager, "ALTER TABLE outbox DROP COLUMN fanned_out_at").await?;
        for table in ["notice_read", "notice_head", "notice", "news"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(statement).await.map(drop)
}

async fn news(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("news")
        .col(ColumnDef::new("event_id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(64).not_null())
        .col(ColumnDef::new("lane").string_len(80).not_null())
        .col(ColumnDef::new("listing_id").uuid().null())
        .col(ColumnDef::new("order_id").uuid().null())
        .col(ColumnDef::new("listing_title").json_binary().not_null())
        .col(ColumnDef::new("data").json_binary().not_null())
        .col(ColumnDef::new("occurred_at").big_integer().not_null())
        .primary_key(Index::create().col("event_id"));
    manager.create_table(table).await
}

async fn notice(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("notice")
        .col(ColumnDef::new("cursor").big_integer().not_null())
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("event_id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(64).not_null())
        .col(ColumnDef::new("told_at").big_integer().not_null())
        .primary_key(Index::create().col("cursor"));
    manager.create_table(table).await?;
    manager.create_index(unique("notice", &["id"])).await?;
    manager.create_index(unique("notice", &["event_id", "organization_id"])).await?;
    manager.create_index(index("notice", &["organization_id", "cursor"])).await
}

async fn notice_head(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("notice_head")
        .col(ColumnDef::new("id").integer().not_null())
        .col(ColumnDef::new("last_cursor").big_integer().not_null())
        .col(ColumnDef::new("event_seq").big_integer().null())
        .col(ColumnDef::new("after_organization").uuid().null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    run(manager, "INSERT INTO notice_head (id, last_cursor) VALUES (1, 0)").await
}

async fn notice_read(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("notice_read")
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("reader_id").uuid().not_null())
        .col(ColumnDef::new("cursor").big_integer().not_null())
        .col(ColumnDef::new("read_at").big_integer().not_null())
        .primary_key(Index::create().col("organization_id").col("reader_id"))
        .foreign_key(ForeignKey::create().from("notice_read", "organization_id").to("organization", "id"));
    manager.create_table(table).await
}

async fn refuse_changes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in APPEND_ONLY {
        let statements = if manager.get_database_backend() == DbBackend::Postgres {
            [("UPDATE OR DELETE", "FOR EACH ROW", "append_only"), ("TRUNCATE", "FOR EACH STATEMENT", "no_truncate")]
                .map(|(verbs, each, name)| {
                    format!(
                        "CREATE TRIGGER {table}_{name} BEFORE {verbs} ON {table} {each} \
                         EXECUTE FUNCTION torv_append_only()"
                    )
                })
        } else {
            ["update", "delete"].map(|verb| {
                format!(
                    "CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} \
                     BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
            })
        };
        for statement in statements {
            run(manager, &statement).await?;
        }
    }
    Ok(())
}
