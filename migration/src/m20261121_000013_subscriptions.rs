//! Tables of what is charged again and again: saved means of payment, subscriptions and their periods,
//! meters with what they counted, and packs of units paid ahead.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::build::{index, unique};

/// Creates the tables, and the columns that tie orders and grants to them.
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000013_subscriptions"
    }
}

/// Every table of this migration, in the order in which they can be dropped.
const TABLES: [&str; 7] = [
    "quota_pack",
    "usage_budget",
    "usage_record",
    "usage_meter",
    "subscription_period",
    "subscription",
    "saved_method",
];

/// Tables whose rows are written once.
const APPEND_ONLY: [&str; 2] = ["usage_record", "usage_budget"];

/// Columns on tables that are there already.
const COLUMNS: [(&str, &str); 2] = [("orders", "saved_method_id"), ("grants", "meter_id")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        saved_method(manager).await?;
        subscription(manager).await?;
        subscription_period(manager).await?;
        usage_meter(manager).await?;
        usage_record(manager).await?;
        usage_budget(manager).await?;
        quota_pack(manager).await?;
        let kind = if manager.get_database_backend() == DbBackend::Postgres { "uuid" } else { "uuid_text" };
        for (table, column) in COLUMNS {
            run(manager, &format!("ALTER TABLE {table} ADD COLUMN {column} {kind}")).await?;
        }
        for table in APPEND_ONLY {
            for statement in triggers(manager.get_database_backend(), table) {
                run(manager, &statement).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in COLUMNS {
            run(manager, &format!("ALTER TABLE {table} DROP COLUMN {column}")).await?;
        }
        for table in TABLES {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(statement).await.map(|_| ())
}

/// A table takes its triggers with it, so nothing has to drop them.
fn triggers(backend: DbBackend, table: &str) -> Vec<String> {
    if backend == DbBackend::Postgres {
        return vec![
            format!(
                "CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION torv_append_only()"
            ),
            format!(
                "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION torv_append_only()"
            ),
        ];
    }
    let refusal = |verb: &str| {
        format!(
            "CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} \
             BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    };
    vec![refusal("update"), refusal("delete")]
}

async fn saved_method(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("saved_method")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("processor").string_len(32).not_null())
        .col(ColumnDef::new("customer_ref").string_len(120).null())
        .col(ColumnDef::new("method_ref").string_len(120).null())
        .col(ColumnDef::new("label").string_len(120).null())
        .col(ColumnDef::new("consent_text").string_len(2000).not_null())
        .col(ColumnDef::new("consented_by").uuid().null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("removed_at").big_integer().null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("saved_method", &["organization_id"])).await
}

async fn subscription(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table.table("subscription").col(ColumnDef::new("id").uuid().not_null());
    for column in ["origin_order_id", "buyer_id", "provider_id", "listing_id", "offer_id", "saved_method_id"] {
        table.col(ColumnDef::new(column).uuid().not_null());
    }
    table
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("state").string_len(32).not_null())
        .col(ColumnDef::new("is_trial").boolean().not_null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("price_minor").big_integer().not_null())
        .col(ColumnDef::new("quantity").integer().not_null())
        .col(ColumnDef::new("licence_hash").string_len(64).not_null())
        .col(ColumnDef::new("term_months").integer().null())
        .col(ColumnDef::new("plan").json_binary().not_null())
        .col(ColumnDef::new("period_no").integer().not_null())
        .col(ColumnDef::new("period_from").big_integer().not_null())
        .col(ColumnDef::new("period_until").big_integer().not_null())
        .col(ColumnDef::new("anchor_at").big_integer().not_null())
        .col(ColumnDef::new("anchor_no").integer().not_null())
        .col(ColumnDef::new("next_action_at").big_integer().null())
        .col(ColumnDef::new("due_order_id").uuid().null())
        .col(ColumnDef::new("failed_attempts").integer().not_null())
        .col(ColumnDef::new("grace_until").big_integer().null())
        .col(ColumnDef::new("cancel_at_period_end").boolean().not_null())
        .col(ColumnDef::new("pause_at_period_end").boolean().not_null())
        .col(ColumnDef::new("ends_by_provider").boolean().not_null())
        .col(ColumnDef::new("next_offer_id").uuid().null())
        .col(ColumnDef::new("next_price_minor").big_integer().null())
        .col(ColumnDef::new("next_licence_hash").string_len(64).null())
        .col(ColumnDef::new("grant_id").uuid().null())
        .col(ColumnDef::new("end_reason").string_len(400).null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("ended_at").big_integer().null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(unique("subscription", &["origin_order_id"])).await?;
    manager.create_index(index("subscription", &["buyer_id"])).await?;
    manager.create_index(index("subscription", &["provider_id"])).await?;
    run(
        manager,
        "CREATE INDEX idx_subscription_next_action_at ON subscription (next_action_at) WHERE next_action_at IS NOT NULL",
    )
    .await?;
    // One trial per buyer and listing, whoever asks at the same time.
    run(manager, "CREATE UNIQUE INDEX unq_subscription_trial ON subscription (buyer_id, listing_id) WHERE is_trial")
        .await
}

async fn subscription_period(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("subscription_period")
        .col(ColumnDef::new("subscription_id").uuid().not_null())
        .col(ColumnDef::new("number").integer().not_null())
        .col(ColumnDef::new("from_at").big_integer().not_null())
        .col(ColumnDef::new("until_at").big_integer().not_null())
        .col(ColumnDef::new("follows_on").boolean().not_null())
        .col(ColumnDef::new("order_id").uuid().null())
        .col(ColumnDef::new("units").big_integer().null())
        .col(ColumnDef::new("amount_minor").big_integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        // The key that lets one of several sweeps place a period's order.
        .primary_key(Index::create().col("subscription_id").col("number"))
        .foreign_key(ForeignKey::create().from("subscription_period", "subscription_id").to("subscription", "id"));
    manager.create_table(table).await?;
    manager.create_index(unique("subscription_period", &["order_id"])).await
}

async fn usage_meter(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("usage_meter")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("organization_id").uuid().not_null())
        .col(ColumnDef::new("provider_id").uuid().not_null())
        .col(ColumnDef::new("listing_id").uuid().not_null())
        .col(ColumnDef::new("kind").string_len(32).not_null())
        .col(ColumnDef::new("unit").string_len(32).not_null())
        .col(ColumnDef::new("rule").json_binary().null())
        .col(ColumnDef::new("currency").string_len(3).not_null())
        .col(ColumnDef::new("budget_minor").big_integer().null())
        .col(ColumnDef::new("limit_units").big_integer().null())
        .col(ColumnDef::new("used_units").big_integer().not_null())
        .col(ColumnDef::new("period_no").integer().not_null())
        .col(ColumnDef::new("closed_no").integer().not_null())
        .col(ColumnDef::new("anchor_at").big_integer().not_null())
        .col(ColumnDef::new("ends_at").big_integer().null())
        .col(ColumnDef::new("told_percent").integer().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("id"));
    manager.create_table(table).await?;
    manager.create_index(index("usage_meter", &["provider_id"])).await?;
    // A buyer's packs of one unit of one listing are one stock.
    run(
        manager,
        "CREATE UNIQUE INDEX unq_usage_meter_quota ON usage_meter (organization_id, listing_id, unit) WHERE kind = 'quota'",
    )
    .await
}

async fn usage_record(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("usage_record")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("meter_id").uuid().not_null())
        .col(ColumnDef::new("source_key").string_len(120).not_null())
        .col(ColumnDef::new("units").big_integer().not_null())
        .col(ColumnDef::new("period_no").integer().not_null())
        .col(ColumnDef::new("occurred_at").big_integer().not_null())
        .col(ColumnDef::new("recorded_at").big_integer().not_null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("usage_record", "meter_id").to("usage_meter", "id"));
    manager.create_table(table).await?;
    manager.create_index(unique("usage_record", &["meter_id", "source_key"])).await?;
    manager.create_index(index("usage_record", &["meter_id", "period_no"])).await
}

async fn usage_budget(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("usage_budget")
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("meter_id").uuid().not_null())
        .col(ColumnDef::new("budget_minor").big_integer().null())
        .col(ColumnDef::new("set_at").big_integer().not_null())
        .primary_key(Index::create().col("id"))
        .foreign_key(ForeignKey::create().from("usage_budget", "meter_id").to("usage_meter", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("usage_budget", &["meter_id", "set_at"])).await
}

async fn quota_pack(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut table = Table::create();
    table
        .table("quota_pack")
        .col(ColumnDef::new("order_id").uuid().not_null())
        .col(ColumnDef::new("meter_id").uuid().not_null())
        .col(ColumnDef::new("units").big_integer().not_null())
        .col(ColumnDef::new("withdrawn_units").big_integer().not_null())
        .col(ColumnDef::new("granted_at").big_integer().not_null())
        .primary_key(Index::create().col("order_id"))
        .foreign_key(ForeignKey::create().from("quota_pack", "meter_id").to("usage_meter", "id"));
    manager.create_table(table).await?;
    manager.create_index(index("quota_pack", &["meter_id"])).await
}
