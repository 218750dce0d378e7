//! Withdrawn requests, who bears a lost dispute, and documents that correct credit notes.

use sea_orm_migration::prelude::*;

use crate::build::index;

/// Adds the columns and the table.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000021_after_the_sale"
    }
}

/// Table, column and its definition, which both databases read.
const COLUMNS: [(&str, &str, &str); 7] = [
    ("refund", "withdrawn_at", "bigint"),
    ("fee_rule", "dispute_bearer", "varchar(32)"),
    ("order_line", "dispute_bearer", "varchar(32) NOT NULL DEFAULT 'split'"),
    ("dispute", "suspends_access", "boolean NOT NULL DEFAULT FALSE"),
    ("dispute", "fee_due_at", "bigint"),
    ("order_reduction", "bearer", "varchar(32)"),
    ("order_reduction", "correction_issued_at", "bigint"),
];

/// Name and rest of each partial index.
const INDEXES: [(&str, &str); 2] = [
    ("idx_dispute_fee_due", "dispute (fee_due_at) WHERE fee_due_at IS NOT NULL"),
    (
        "idx_order_reduction_uncorrected",
        "order_reduction (source_id) WHERE documents_issued_at IS NOT NULL AND undone_at IS NOT NULL \
         AND correction_issued_at IS NULL",
    ),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column, definition) in COLUMNS {
            run(manager, &format!("ALTER TABLE {table} ADD COLUMN {column} {definition}")).await?;
        }
        for (name, rest) in INDEXES {
            run(manager, &format!("CREATE INDEX {name} ON {rest}")).await?;
        }
        dispute_cost(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("dispute_cost").to_owned()).await?;
        for (name, _) in INDEXES.into_iter().rev() {
            run(manager, &format!("DROP INDEX {name}")).await?;
        }
        for (table, column, _) in COLUMNS.into_iter().rev() {
            run(manager, &format!("ALTER TABLE {table} DROP COLUMN {column}")).await?;
        }
        Ok(())
    }
}

async fn dispute_cost(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("dispute_cost")
        .col(ColumnDef::new("dispute_id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("pending_minor").big_integer().not_null())
        .col(ColumnDef::new("payable_minor").big_integer().not_null())
        .col(ColumnDef::new("receivable_minor").big_integer().not_null())
        .col(ColumnDef::new("booked_at").big_integer().not_null())
        .primary_key(Index::create().col("dispute_id").col("organization_id").col("kind"))
        .foreign_key(ForeignKey::create().from("dispute_cost", "dispute_id").to("dispute", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("dispute_cost", &["order_id"])).await
}

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(statement).await.map(|_| ())
}
