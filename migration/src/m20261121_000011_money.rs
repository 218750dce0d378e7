//! Columns that further ways to sell need on offers, orders and payments, and payouts that carry an
//! order's share in several parts.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Adds the columns and widens the key of `payout_item`.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000011_money"
    }
}

/// Table, column and its definition, which both databases read.
const COLUMNS: [(&str, &str, &str); 19] = [
    ("offer", "plan", "JSON"),
    ("orders", "origin", "varchar(32) NOT NULL DEFAULT 'purchase'"),
    ("orders", "subscription_id", "uuid"),
    ("orders", "purchase_order", "varchar(70)"),
    ("orders", "tax_mode", "varchar(32) NOT NULL DEFAULT 'agent'"),
    ("orders", "tax_minor", "bigint NOT NULL DEFAULT 0"),
    ("orders", "tax_country", "varchar(2)"),
    ("order_line", "quantity", "integer NOT NULL DEFAULT 1"),
    ("order_line", "discount_minor", "bigint NOT NULL DEFAULT 0"),
    ("order_line", "tax_minor", "bigint NOT NULL DEFAULT 0"),
    ("order_line", "tax_bps", "integer NOT NULL DEFAULT 0"),
    ("order_line", "tax_category", "varchar(2)"),
    ("order_line", "fee_bearer", "varchar(32) NOT NULL DEFAULT 'operator'"),
    ("order_line", "grants_access", "boolean NOT NULL DEFAULT TRUE"),
    ("order_line", "period_from", "bigint"),
    ("order_line", "period_until", "bigint"),
    ("payment", "action", "JSON"),
    ("payment", "off_session", "boolean NOT NULL DEFAULT FALSE"),
    ("payout", "source_ref", "varchar(120)"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        for (table, column, definition) in COLUMNS {
            let definition = definition_on(backend, definition);
            run(manager, &format!("ALTER TABLE {table} ADD COLUMN {column} {definition}")).await?;
        }
        run(
            manager,
            "CREATE INDEX idx_orders_subscription_id ON orders (subscription_id) WHERE subscription_id IS NOT NULL",
        )
        .await?;
        rekey(manager, "payout_id, order_id", "CREATE INDEX idx_payout_item_order_id ON payout_item (order_id)").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        rekey(manager, "order_id", "CREATE INDEX idx_payout_item_payout_id ON payout_item (payout_id)").await?;
        run(manager, "DROP INDEX idx_orders_subscription_id").await?;
        for (table, column, _) in COLUMNS.into_iter().rev() {
            run(manager, &format!("ALTER TABLE {table} DROP COLUMN {column}")).await?;
        }
        Ok(())
    }
}

/// The definition as this database spells it.
fn definition_on(backend: DbBackend, definition: &str) -> String {
    match (backend, definition) {
        (DbBackend::Postgres, "JSON") => "jsonb".to_owned(),
        (_, "JSON") => "jsonb_text".to_owned(),
        (DbBackend::Postgres, other) => other.to_owned(),
        (_, "uuid") => "uuid_text".to_owned(),
        (_, other) => other.to_owned(),
    }
}

/// Gives `payout_item` another primary key. An order can be in two payouts: paid, taken back, paid again.
async fn rekey(manager: &SchemaManager<'_>, key: &str, index: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        run(manager, "DROP INDEX IF EXISTS idx_payout_item_order_id").await?;
        run(manager, "DROP INDEX IF EXISTS idx_payout_item_payout_id").await?;
        run(manager, "ALTER TABLE payout_item DROP CONSTRAINT payout_item_pkey").await?;
        run(manager, &format!("ALTER TABLE payout_item ADD PRIMARY KEY ({key})")).await?;
        return run(manager, index).await;
    }
    // SQLite changes no key in place, and the table's triggers go with it.
    let (update, delete) = (refusal("update"), refusal("delete"));
    let create = format!(
        "CREATE TABLE payout_item_new (order_id uuid_text NOT NULL REFERENCES orders (id), \
         payout_id uuid_text NOT NULL REFERENCES payout (id), amount_minor bigint NOT NULL, PRIMARY KEY ({key}))"
    );
    for statement in [
        create.as_str(),
        "INSERT INTO payout_item_new SELECT order_id, payout_id, amount_minor FROM payout_item",
        "DROP TRIGGER payout_item_no_delete",
        "DROP TABLE payout_item",
        "ALTER TABLE payout_item_new RENAME TO payout_item",
        update.as_str(),
        delete.as_str(),
        index,
    ] {
        run(manager, statement).await?;
    }
    Ok(())
}

fn refusal(verb: &str) -> String {
    format!(
        "CREATE TRIGGER payout_item_no_{verb} BEFORE {verb} ON payout_item \
         BEGIN SELECT RAISE(ABORT, 'payout_item is append-only'); END"
    )
}

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(statement).await.map(|_| ())
}
