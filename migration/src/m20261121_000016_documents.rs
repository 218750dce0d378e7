//! Tax profiles, numbered documents, and marks on what has its documents.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::build::{index, unique};

/// Tables whose rows are written once.
const APPEND_ONLY: [&str; 2] = ["tax_profile", "document"];

/// Creates the tables and the triggers that keep their rows.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000016_documents"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        tax_profile(manager).await?;
        document_series(manager).await?;
        document(manager).await?;
        for table in ["orders", "order_reduction"] {
            run(manager, &format!("ALTER TABLE {table} ADD COLUMN documents_issued_at bigint")).await?;
        }
        run(
            manager,
            "CREATE INDEX idx_orders_undocumented ON orders (closed_at, id) \
             WHERE documents_issued_at IS NULL AND state = 'completed' AND total_minor > 0",
        )
        .await?;
        run(
            manager,
            "CREATE INDEX idx_order_reduction_undocumented ON order_reduction (source_id) \
             WHERE documents_issued_at IS NULL AND undone_at IS NULL",
        )
        .await?;
        for statement in triggers(manager.get_database_backend()) {
            run(manager, &statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, "DROP INDEX idx_order_reduction_undocumented").await?;
        run(manager, "DROP INDEX idx_orders_undocumented").await?;
        for table in ["order_reduction", "orders"] {
            run(manager, &format!("ALTER TABLE {table} DROP COLUMN documents_issued_at")).await?;
        }
        for table in ["document", "document_series", "tax_profile"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn tax_profile(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("tax_profile")
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("version").integer().not_null())
        .col(ColumnDef::new("valid_from").big_integer().not_null())
        .col(ColumnDef::new("changed_by").uuid().null())
        .col(ColumnDef::new("profile").json_binary().not_null())
        .primary_key(Index::create().col("organization_id").col("version"))
        .foreign_key(ForeignKey::create().from("tax_profile", "organization_id").to("organization", "id"));
    manager.create_table(table).await
}

async fn document_series(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("document_series")
        .col(ColumnDef::new("issuer_id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("year").integer().not_null())
        .col(ColumnDef::new("next_number").big_integer().not_null())
        .primary_key(Index::create().col("issuer_id").col("kind").col("year"))
        .foreign_key(ForeignKey::create().from("document_series", "issuer_id").to("organization", "id"));
    manager.create_table(table).await
}

async fn document(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("document")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("leg").string_len(32).not_null())
        .col(ColumnDef::new("issuer_id").uuid().not_null())
        .col(ColumnDef::new("year").integer().not_null())
        .col(ColumnDef::new("series_number").big_integer().not_null())
        .col(ColumnDef::new("number").string_len(60).not_null())
        .col(ColumnDef::new("seller_id").uuid().not_null())
        .col(ColumnDef::new("buyer_id").uuid().not_null())
        .col(ColumnDef::new("provider_id").uuid().null())
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("source_id").uuid().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("net_minor").big_integer().not_null())
        .col(ColumnDef::new("tax_minor").big_integer().not_null())
        .col(ColumnDef::new("tax_country").string_len(2).null())
        .col(ColumnDef::new("payable_minor").big_integer().not_null())
        .col(ColumnDef::new("language").string_len(16).not_null())
        .col(ColumnDef::new("issued_at").big_integer().not_null())
        .col(ColumnDef::new("body").text().not_null())
        .col(ColumnDef::new("sha256").string_len(64).not_null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("document", "order_id").to("orders", "id"));
    manager.create_table(table).await?;
    manager.create_index(unique("document", &["issuer_id", "kind", "year", "series_number"])).await?;
    run(manager, "CREATE UNIQUE INDEX unq_document_source ON document (source_id, seller_id, buyer_id, kind)").await?;
    for columns in [&["order_id"], &["source_id"], &["seller_id"], &["buyer_id"]] {
        manager.create_index(index("document", columns)).await?;
    }
    Ok(())
}

fn triggers(backend: DbBackend) -> Vec<String> {
    let mut statements = Vec::new();
    for table in APPEND_ONLY {
        if backend == DbBackend::Postgres {
            for (name, event, each) in
                [("append_only", "UPDATE OR DELETE", "ROW"), ("no_truncate", "TRUNCATE", "STATEMENT")]
            {
                statements.push(format!(
                    "CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} \
                     FOR EACH {each} EXECUTE FUNCTION torv_append_only()"
                ));
            }
            continue;
        }
        for verb in ["update", "delete"] {
            statements.push(format!(
                "CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} \
                 BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            ));
        }
    }
    statements
}

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(statement).await.map(|_| ())
}
