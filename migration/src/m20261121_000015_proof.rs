//! Tables of the public proof: leaves, inner nodes and signed heads of the Merkle tree over all orders;
//! a seek index for the money feed; what further rules for the operator's share are about; and the parts of
//! the processor's fees that providers bear.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::build::{index, unique};

/// Tables whose rows are written once.
const APPEND_ONLY: [&str; 5] = ["proof_key", "proof_leaf", "proof_node", "proof_head", "fee_share"];
/// Columns of `fee_rule`: name and definition, which both databases read.
const FEE_RULE_COLUMNS: [(&str, &str); 5] = [
    ("offer_kind", "varchar(32)"),
    ("currency", "varchar(3)"),
    ("price_min_minor", "bigint"),
    ("price_max_minor", "bigint"),
    ("fee_bearer", "varchar(32) NOT NULL DEFAULT 'operator'"),
];

/// Creates the tables and widens `fee_rule`.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000015_proof"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        proof_key(manager).await?;
        proof_leaf(manager).await?;
        proof_node(manager).await?;
        proof_head(manager).await?;
        proof_progress(manager).await?;
        manager.create_index(unique("sealed_entry", &["seal_number", "leaf_index"])).await?;
        // The sweep's filter repeats this condition word for word.
        let free = "CREATE INDEX idx_orders_free ON orders (closed_at) WHERE state = 'completed' AND total_minor = 0";
        run(manager, free).await?;
        fee_share(manager).await?;
        run(manager, "CREATE INDEX idx_order_line_fee_bearer ON order_line (order_id) WHERE fee_bearer = 'provider'")
            .await?;
        for (column, definition) in FEE_RULE_COLUMNS {
            run(manager, &format!("ALTER TABLE fee_rule ADD COLUMN {column} {definition}")).await?;
        }
        refuse_changes(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (column, _) in FEE_RULE_COLUMNS.into_iter().rev() {
            run(manager, &format!("ALTER TABLE fee_rule DROP COLUMN {column}")).await?;
        }
        run(manager, "DROP INDEX idx_order_line_fee_bearer").await?;
        run(manager, "DROP INDEX idx_orders_free").await?;
        run(manager, "DROP INDEX unq_sealed_entry_seal_number_leaf_index").await?;
        // Their triggers go with them.
        for table in ["fee_share", "proof_progress", "proof_head", "proof_node", "proof_leaf", "proof_key"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn proof_key(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("proof_key")
        .col(ColumnDef::new("number").big_integer().not_null())
        .col(ColumnDef::new("key_id").string_len(32).not_null().unique_key())
        .col(ColumnDef::new("sealed_private_key").binary().not_null())
        .col(ColumnDef::new("public_key").binary().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("signs_until").big_integer().not_null())
        .primary_key(Index::create().col("number"));
    manager.create_table(table).await
}

async fn proof_leaf(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("proof_leaf")
        .col(ColumnDef::new("position").big_integer().not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("event").string_len(160).not_null().unique_key())
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("day").string_len(10).not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("total_minor").big_integer().not_null())
        .col(ColumnDef::new("providers_minor").big_integer().not_null())
        .col(ColumnDef::new("operator_minor").big_integer().not_null())
        .col(ColumnDef::new("tax_minor").big_integer().not_null())
        .col(ColumnDef::new("leaf").string_len(64).not_null())
        .col(ColumnDef::new("statement").text().not_null())
        .col(ColumnDef::new("appended_at").big_integer().not_null())
        .primary_key(Index::create().col("position"));
    manager.create_table(table).await?;
    manager.create_index(index("proof_leaf", &["order_id"])).await?;
    manager.create_index(index("proof_leaf", &["day"])).await
}

async fn proof_node(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("proof_node")
        .col(ColumnDef::new("level").integer().not_null())
        .col(ColumnDef::new("position").big_integer().not_null())
        .col(ColumnDef::new("hash").string_len(64).not_null())
        .primary_key(Index::create().col("level").col("position"));
    manager.create_table(table).await
}

async fn proof_head(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("proof_head")
        .col(ColumnDef::new("number").big_integer().not_null())
        .col(ColumnDef::new("day").string_len(10).not_null())
        .col(ColumnDef::new("size").big_integer().not_null())
        .col(ColumnDef::new("root").string_len(64).not_null())
        .col(ColumnDef::new("signed_at").big_integer().not_null())
        .col(ColumnDef::new("key_id").string_len(32).not_null())
        .col(ColumnDef::new("signature").string_len(128).not_null())
        .primary_key(Index::create().col("number"));
    manager.create_table(table).await?;
    manager.create_index(index("proof_head", &["day"])).await?;
    manager.create_index(index("proof_head", &["size"])).await
}

/// One row: how far the ledger has been read, and the lock that lets one process append at a time.
async fn proof_progress(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("proof_progress")
        .col(ColumnDef::new("id").integer().not_null())
        .col(ColumnDef::new("size").big_integer().not_null())
        .col(ColumnDef::new("seal_number").big_integer().not_null())
        .col(ColumnDef::new("free_closed_at").big_integer().not_null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    run(manager, "INSERT INTO proof_progress (id, size, seal_number, free_closed_at) VALUES (1, 0, 0, 0)").await
}

async fn fee_share(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("fee_share")
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("transaction_id").string_len(120).not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("pending_minor").big_integer().not_null())
        .col(ColumnDef::new("payable_minor").big_integer().not_null())
        .col(ColumnDef::new("receivable_minor").big_integer().not_null())
        .col(ColumnDef::new("booked_at").big_integer().not_null())
        .primary_key(Index::create().col("order_id").col("organization_id"));
    manager.create_table(table).await
}

/// As migration 9 does it: on PostgreSQL with its function, on SQLite with a trigger for each verb.
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

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(statement).await.map(|_| ())
}
